{{/*
What the operator may do where sessions are. tests/cluster/chart/operator-rights.ts says why, verb by verb; a rule without a
reason there fails a test. It may not create sessions: those are made by the people that it impersonates.
*/}}
{{- define "millrace.operatorRules" -}}
- apiGroups: [millrace.dev]
  resources: [agenticsessions]
  verbs: [get, list, watch, patch]
- apiGroups: [millrace.dev]
  resources: [agenticsessions/status]
  verbs: [patch]
- apiGroups: [millrace.dev]
  resources: [agenticsessions/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, delete]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [list, watch, create, patch]
{{- if .Values.networkPolicy.enabled }}
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [create, patch]
{{- end }}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [get, create, patch]
{{- end -}}
