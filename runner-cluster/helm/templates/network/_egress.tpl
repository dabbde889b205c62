{{/* Where runners and sessions may go: names, the edge, and models and git hosts. */}}
{{- define "millrace.runnerEgress" -}}
{{ include "millrace.dnsEgress" . }}
{{- if or .Values.edge.cidrs (ne (include "millrace.edgePort" .) "443") }}
{{ include "millrace.edgeEgress" . }}
{{- end }}
{{- $egress := .Values.networkPolicy.egress }}
{{- if eq $egress.mode "open" }}
- ports: [{ protocol: TCP, port: 443 }]
  to: {{- include "millrace.outside" . | nindent 4 }}
{{- end }}
{{- with $egress.cidrs }}
- ports: [{ protocol: TCP, port: 443 }]
  to:
    {{- range . }}
    - ipBlock: { cidr: {{ . | quote }} }
    {{- end }}
{{- end }}
{{- with $egress.rules }}
{{ toYaml . }}
{{- end }}
{{ include "millrace.tracingEgress" . }}
{{ include "millrace.proxyEgress" . }}
{{- end -}}

{{- define "millrace.dnsEgress" -}}
{{- $dns := .Values.networkPolicy.dns -}}
- ports: [{ protocol: UDP, port: 53 }, { protocol: TCP, port: 53 }]
  {{- if $dns.podLabels }}
  to:
    - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ $dns.namespace }} } }
      podSelector: { matchLabels: {{ toJson $dns.podLabels }} }
  {{- end }}
{{- end -}}

{{/* The edge by its addresses; without any, by its port, outside. */}}
{{- define "millrace.edgeEgress" -}}
{{- if or .Values.edge.cidrs (eq .Values.networkPolicy.egress.mode "open") -}}
- ports: [{ protocol: TCP, port: {{ include "millrace.edgePort" . }} }]
  to:
    {{- range .Values.edge.cidrs }}
    - ipBlock: { cidr: {{ . | quote }} }
    {{- else }}
    {{- include "millrace.outside" . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* Everything but private and metadata ranges. */}}
{{- define "millrace.outside" -}}
- ipBlock:
    cidr: 0.0.0.0/0
    except: {{ toJson .Values.networkPolicy.egress.except }}
- ipBlock:
    cidr: ::/0
    except: {{ toJson .Values.networkPolicy.egress.exceptV6 }}
{{- end -}}

{{/* The collector of spans. Without a peer it is outside, at port 443. */}}
{{- define "millrace.tracingEgress" -}}
{{- if (.Values.tracing).endpoint -}}
{{- $port := include "millrace.urlPort" (.Values.tracing).endpoint }}
{{- if (.Values.tracing).to -}}
- ports: [{ protocol: TCP, port: {{ $port }} }]
  to: {{- toYaml (.Values.tracing).to | nindent 4 }}
{{- else if and .Values.networkPolicy.enabled (or (ne $port "443") (eq .Values.networkPolicy.egress.mode "strict")) -}}
{{- fail "tracing.to: which peers are the collector? Without them no NetworkPolicy lets anybody out to tracing.endpoint" }}
{{- else -}}
- ports: [{ protocol: TCP, port: {{ $port }} }]
  to: {{- include "millrace.outside" . | nindent 4 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The proxy, by what the values say it is: it mostly has a private address. */}}
{{- define "millrace.proxyEgress" -}}
{{- with .Values.proxy -}}
{{- if .httpsProxy -}}
{{- if .to -}}
- ports: [{ protocol: TCP, port: {{ include "millrace.urlPort" .httpsProxy }} }]
  to: {{- toYaml .to | nindent 4 }}
{{- else if $.Values.networkPolicy.enabled -}}
{{- fail "proxy.to: which peers are the proxy? Without them no NetworkPolicy lets anybody out to proxy.httpsProxy" }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
