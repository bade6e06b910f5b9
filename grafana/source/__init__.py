"""The Grafana dashboards as code: `make dashboards` writes `grafana/dashboards/*.json` from here.

`queries` is PromQL that several panels share, `panels` and `tables` make panels, `board` what all
dashboards have in common; each dashboard is a file of its own.
"""
