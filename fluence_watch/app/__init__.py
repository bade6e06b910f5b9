"""The process: the poll, delivery, the daemon, and the one place that wires them."""
