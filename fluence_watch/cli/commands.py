"""The whole command line. Each group of commands is a file in a folder beside this one."""

from fluence_watch.cli import program
from fluence_watch.cli.inspect import alerts, check, config, forecast, notify
from fluence_watch.cli.manage import ssh_key, vm
from fluence_watch.cli.service import daemon, demo, simulate

app = program(daemon, demo, simulate, check, alerts, forecast, vm, ssh_key, config, notify)
