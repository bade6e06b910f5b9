"""What a VM, an alert and an account look like as data, once: for commands, the web and programs."""
