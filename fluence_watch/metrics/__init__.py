"""Metrics for Prometheus: the fleet, rendered once per poll, and the watcher itself."""
