"""What the daemon serves: metrics, health, the status page."""
