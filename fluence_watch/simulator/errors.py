"""What the simulated service refuses. Dialects turn these into statuses; texts are for people."""


class UnknownError(LookupError):
    """No such VM, key or configuration."""


class RefusedError(ValueError):
    """The request makes sense but is not allowed: a reserved port, too little money."""


class ConflictError(ValueError):
    """Something else stands against it: the key is there already, the group is in use."""


class WrongStateError(ValueError):
    """The VM is in no state for it: what has ended cannot be ended."""
