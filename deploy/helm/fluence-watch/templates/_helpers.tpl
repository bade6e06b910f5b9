{{/* The name of everything: the release's, with the chart's unless it is in there already. */}}
{{- define "fluence-watch.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "fluence-watch.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "fluence-watch.labels" -}}
{{ include "fluence-watch.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "fluence-watch.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end -}}

{{/* The secret that is mounted: the one that is there, or the one made from the values. */}}
{{- define "fluence-watch.secret" -}}
{{- if and .Values.secret.existing .Values.secret.create -}}
{{- fail "give secret.existing or secret.create, one of the two" -}}
{{- end -}}
{{- if not (or .Values.secret.existing .Values.secret.create) -}}
{{- fail "the API key is missing: set secret.existing, or secret.create.api-key" -}}
{{- end -}}
{{- .Values.secret.existing | default (include "fluence-watch.fullname" .) -}}
{{- end -}}
