"""What Prometheus reads: the fleet, rendered once a poll, and the watcher itself."""
