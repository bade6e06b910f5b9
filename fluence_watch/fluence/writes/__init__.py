"""Changes to VMs and keys, and their outcomes."""
