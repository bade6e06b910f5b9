"""Commands on VMs, ports and SSH keys."""
