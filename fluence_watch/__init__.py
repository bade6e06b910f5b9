"""Watch the virtual machines you rent on the Fluence marketplace."""

__version__ = "0.2.0"
