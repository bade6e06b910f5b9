"""Commands that run something: the daemon, the demo, the simulator."""
