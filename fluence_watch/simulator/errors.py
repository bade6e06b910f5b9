"""What the simulated service refuses. Dialects map these to statuses; texts are for people."""


class UnknownError(LookupError):
    """No such VM, key or configuration."""


class RefusedError(ValueError):
    """The request is well-formed but not allowed: a reserved port, too little money."""


class ConflictError(ValueError):
    """The request conflicts with the current state: the key exists, the group is in use."""


class WrongStateError(ValueError):
    """The VM is in the wrong state: an ended VM cannot be ended."""
