from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.cli.manage.choose import (
    Target,
    ambiguous,
    can_rename,
    candidates,
    is_glob,
    matching,
    meant,
    namesakes,
    new_names,
)
from fluence_watch.model.vm import Datacenter, Status, Vm


def _target(vm_id: str, name: str | None, account: str = "main") -> Target:
    return Target(account, Vm(vm_id, name, Status.ACTIVE, "ACTIVE"))


WEB = _target("0xAb01", "web")
CI_1 = _target("0xAb02", "ci-1")
CI_2 = _target("0xCd03", "ci-2")
TWIN = _target("0xEf04", "web", "other")
NAMELESS = _target("0xEf05", None)
SLY = _target("0xEf06", "0xcd03")
FLEET = (WEB, CI_1, CI_2, TWIN, NAMELESS, SLY)


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("0xAb01", [WEB]),
        ("0XAB01", [WEB]),  # ids are compared without case
        ("0xef05", [NAMELESS]),
        ("ci-1", [CI_1]),
        ("CI-1", []),  # names are not
        ("ci", []),  # and the beginning of a name is no name
        ("0xc", [CI_2]),
        ("0xab", [WEB, CI_1]),
        ("web", [WEB, TWIN]),
        ("0xcd03", [CI_2]),  # a name that looks like an id does not hide its owner
        ("0x", list(FLEET)),
        ("", []),
        ("nobody", []),
        ("ci-*", []),
    ],
)
def test_which_vm_is_meant(reference: str, found: list[Target]) -> None:
    """An id in any case, the beginning of one, or a name in full."""
    assert tuple(found) == meant(reference, FLEET)


def test_a_name_does_not_beat_the_beginning_of_an_id() -> None:
    """Where both could be meant, nothing is chosen for the user."""
    named = _target("0x99", "0xc")
    assert (CI_2, named) == meant("0xc", [CI_2, named])


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("ci-*", [CI_1, CI_2]),
        ("ci-[2]", [CI_2]),
        ("???", [WEB, TWIN]),
        ("*", [WEB, CI_1, CI_2, TWIN, SLY]),  # not the one without a name
        ("CI-*", []),
    ],
)
def test_globs(pattern: str, found: list[Target]) -> None:
    """A glob stands for all VMs whose name matches, case and all."""
    assert is_glob(pattern)
    assert tuple(found) == matching(pattern, FLEET)


@given(st.text(alphabet="abx0*?[-", max_size=4))
def test_what_is_meant_is_always_in_the_list(reference: str) -> None:
    """Nothing is invented, nothing is given twice, and an id in full is always clear."""
    found = meant(reference, FLEET)
    assert len(set(found)) == len(found)
    assert set(FLEET).issuperset(found)
    assert all((each,) == meant(each.vm.id.upper(), FLEET) for each in FLEET)


@pytest.mark.parametrize(
    ("pattern", "name", "names"),
    [
        ("ci-*", "build-*", {CI_1: "build-1", CI_2: "build-2"}),
        ("*-1", "*-one", {CI_1: "ci-one"}),
        ("c*1", "*", {CI_1: "i-"}),
        ("*", "x-*", {each: f"x-{each.vm.name}" for each in (WEB, CI_1, CI_2, TWIN, SLY)}),
        ("web*", "*", {WEB: "", TWIN: ""}),  # refused later, as any name that is none
        ("we*b", "a*c", {WEB: "ac", TWIN: "ac"}),
        ("w*w", "*", {}),  # the beginning and the end do not overlap
        ("ci-*", "ci-*", {CI_1: "ci-1", CI_2: "ci-2"}),
        ("no-*", "x-*", {}),
    ],
)
def test_new_names(pattern: str, name: str, names: dict[Target, str]) -> None:
    """Each VM that matches keeps what the star stands for."""
    assert can_rename(pattern, name)
    assert names == new_names(pattern, name, FLEET)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("ci-*", "build"),
        ("ci-*", "b*-*"),
        ("c*-*", "b-*"),
        ("ci-?", "b-*"),
        ("c[i]*", "b-*"),
        ("ci-1", "b-*"),
    ],
)
def test_globs_that_give_no_names(pattern: str, name: str) -> None:
    """Without exactly one star on both sides it is not clear what stays of a name."""
    assert not can_rename(pattern, name)


def test_namesakes() -> None:
    """Names are compared within an account."""
    assert [] == namesakes({WEB: "x", TWIN: "x", CI_1: "y"})
    assert [WEB, CI_1] == namesakes({WEB: "x", TWIN: "x", CI_1: "x", CI_2: "y"})


@given(st.text(alphabet="ab-", max_size=3), st.text(alphabet="ab-", max_size=3))
def test_renaming_several_can_be_undone(head: str, tail: str) -> None:
    """The stars the other way round give the former names back."""
    new = new_names("ci-*", f"{head}*{tail}", FLEET)
    renamed = [replace(each, vm=replace(each.vm, name=name)) for each, name in new.items()]
    assert ["ci-1", "ci-2"] == list(new_names(f"{head}*{tail}", "ci-*", renamed).values())


def test_a_title_is_harmless() -> None:
    """A name from outside is cut and has no control codes; without one the id stands alone."""
    hostile = _target("0x1234567890", "\x1b[31mred\u202e\n" + "x" * 100)
    assert "red" in hostile.title
    assert hostile.title.isprintable()
    assert len(hostile.title) <= 51
    assert "0x123456" == replace(hostile, vm=replace(hostile.vm, name=None)).title


def test_the_candidates_are_aligned() -> None:
    """One line each, in columns, also when a name is wide; a long list is cut and counted."""
    place = Datacenter("FR", "PAR", 1)
    wide = replace(TWIN, vm=replace(TWIN.vm, name="網站", datacenter=place))
    text = ambiguous("VM 'x'", candidates([WEB, wide]))
    assert [
        "VM 'x' may be any of 2: give the id, or --account",
        "  main   web   0xAb01  unknown",
        "  other  網站  0xEf04  FR-PAR-1",
    ] == text.splitlines()

    many = ambiguous("VM 'x'", candidates([WEB] * 25)).splitlines()
    assert (22, "  and 5 more") == (len(many), many[-1])
