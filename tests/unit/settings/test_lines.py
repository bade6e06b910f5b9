"""The lines of keys in a file."""

from fluence_watch.settings.lines import dotted, line_of, undotted

TEXT = """\
[[tests]]
name = "one"
[[tests.vms]]
name = "web"
[[tests.vms]]
name = "db"
[tests.start]
at = 1
[[tests]]
[[tests.vms]]
name = "lab"
[rules.low_balance]
"for" = "1h"
"""


def test_lists_of_tables_within_lists_of_tables() -> None:
    """Each entry is numbered within the one around it."""
    lines = {
        ("tests", 0, "name"): 2,
        ("tests", 0, "vms", 0, "name"): 4,
        ("tests", 0, "vms", 1, "name"): 6,
        ("tests", 0, "start", "at"): 8,
        ("tests", 1): 9,
        ("tests", 1, "vms", 0, "name"): 11,
        ("tests", 1, "vms", 0, "price"): 10,
        ("rules", "low_balance", "for"): 13,
        ("rules", "debt"): None,
    }
    assert lines == {loc: line_of(TEXT, loc) for loc in lines}


def test_a_path_and_its_dotted_form() -> None:
    """Each is made from the other."""
    paths = {
        (): "",
        ("record", "dir"): "record.dir",
        ("accounts", 0): "accounts[0]",
        ("tests", 1, "vms", 20, "name"): "tests[1].vms[20].name",
    }
    assert paths == {loc: dotted(loc) for loc in paths}
    assert [*paths] == [undotted(each) for each in paths.values()]
