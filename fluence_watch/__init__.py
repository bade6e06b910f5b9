"""Watch the virtual machines you rent on the Fluence marketplace."""

__version__ = "0.1.0"
