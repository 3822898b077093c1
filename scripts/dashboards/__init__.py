"""The Grafana dashboards, as Python: `python -m scripts.dashboards` writes dashboards/grafana/.

Queries are made of the instruments themselves, so that none asks for a metric or a label that there
is not; thresholds are read from the alert rules, so that a panel turns red where an alert fires.
"""
