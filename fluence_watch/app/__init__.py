"""The process: the poll, delivery, the daemon, and the wiring of all parts."""
