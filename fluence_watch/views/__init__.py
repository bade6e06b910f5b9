"""VMs, alerts and accounts as data, shared by the commands, the web page and the JSON API."""
