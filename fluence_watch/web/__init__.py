"""The HTTP server's content: metrics, health, the status page."""
