"""What the simulated service refuses. Dialects turn these into statuses; texts are for people."""


class UnknownError(LookupError):
    """No such VM, key or configuration."""


class RefusedError(ValueError):
    """The request makes sense but is not allowed: a reserved port, too little money."""
