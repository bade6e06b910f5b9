from fluence_watch.web.words import counted


def test_counted() -> None:
    """One is not many."""
    assert ["0 VMs", "1 VM", "2 entries"] == [
        counted(0, "VM"),
        counted(1, "VM"),
        counted(2, "entry", "entries"),
    ]
