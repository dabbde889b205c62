{{- define "millrace.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "millrace.fullname" -}}
{{- if contains (include "millrace.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "millrace.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "millrace.selector" -}}
app.kubernetes.io/name: {{ include "millrace.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "millrace.labels" -}}
{{ include "millrace.selector" . }}
app.kubernetes.io/part-of: millrace
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* On pods: nothing that changes with a version, so that an upgrade restarts only what it must. */}}
{{- define "millrace.podLabels" -}}
{{ include "millrace.selector" . }}
app.kubernetes.io/part-of: millrace
{{- end -}}

{{- define "millrace.image" -}}
{{- $image := index .root.Values.image .which -}}
{{- $name := printf "%s%s" .root.Values.image.registry $image.repository -}}
{{- if $image.digest -}}{{ $name }}@{{ $image.digest }}
{{- else -}}{{ $name }}:{{ default .root.Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{- define "millrace.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Idle pods are called after it, and a pod's name is a host's. */}}
{{- define "millrace.warmName" -}}
{{ include "millrace.fullname" . | trunc 34 | trimSuffix "-" }}-warm
{{- end -}}

{{- define "millrace.warmNamespace" -}}
{{- coalesce .Values.warmPool.namespace .Values.sessions.namespace .Release.Namespace -}}
{{- end -}}

{{- define "millrace.runnerAccount" -}}
{{- if .Values.serviceAccounts.create -}}{{ include "millrace.fullname" . }}-runner{{- else -}}{{ required "serviceAccounts.runner: name the ServiceAccount that serviceAccounts.create=false leaves to you" .Values.serviceAccounts.runner }}{{- end -}}
{{- end -}}

{{- define "millrace.operatorAccount" -}}
{{- if .Values.serviceAccounts.create -}}{{ include "millrace.fullname" . }}-operator{{- else -}}{{ required "serviceAccounts.operator: name the ServiceAccount that serviceAccounts.create=false leaves to you" .Values.serviceAccounts.operator }}{{- end -}}
{{- end -}}

{{/* What Pod Security "restricted" asks of a pod, and of each container. */}}
{{- define "millrace.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "millrace.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- define "millrace.edgePort" -}}{{ include "millrace.urlPort" .Values.edge.url }}{{- end -}}

{{/* The port that a URL says or implies. */}}
{{- define "millrace.urlPort" -}}
{{- $authority := regexFind "^https?://[^/?#]+" . -}}
{{- $port := regexFind ":[0-9]+$" $authority | trimPrefix ":" -}}
{{- if $port -}}{{ $port }}{{- else if hasPrefix "https:" . -}}443{{- else -}}80{{- end -}}
{{- end -}}

{{/* Variables of whatever exports spans, but for the headers. */}}
{{- define "millrace.tracingEnv" -}}
{{- with .Values.tracing -}}
{{- if .endpoint -}}
{{- toYaml (merge (dict "OTEL_EXPORTER_OTLP_ENDPOINT" .endpoint) .env) -}}
{{- end }}
{{- end }}
{{- end -}}

{{/* The same as a container has them. */}}
{{- define "millrace.tracingVariables" -}}
{{- range $key, $value := include "millrace.tracingEnv" . | fromYaml }}
- { name: {{ $key }}, value: {{ $value | quote }} }
{{- end }}
{{- with .Values.tracing }}
{{- if and .endpoint .headersSecret }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom: { secretKeyRef: { name: {{ .headersSecret }}, key: {{ .headersKey }} } }
{{- end }}
{{- end }}
{{- end -}}

{{/* "true" unless it says false: `--reuse-values` of an older chart knows nothing of it. */}}
{{- define "millrace.hasShared" -}}
{{- if and .Values.sessions.enabled (ne (toString .Values.sessions.shared) "false") -}}true{{- end -}}
{{- end -}}

{{- define "millrace.uninstallSeconds" -}}
{{- .Values.operator.uninstallSeconds | default 180 -}}
{{- end -}}

{{/* The proxy, as a container has it. */}}
{{- define "millrace.proxyVariables" -}}
{{- with .Values.proxy }}
{{- if .httpsProxy }}
- { name: NO_PROXY, value: {{ .noProxy | quote }} }
{{- if .secret }}
- name: HTTPS_PROXY
  valueFrom: { secretKeyRef: { name: {{ .secret }}, key: {{ .secretKey }} } }
{{- else }}
- { name: HTTPS_PROXY, value: {{ .httpsProxy | quote }} }
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
