"""Digests as people get them, against the files in `tests/golden/digests/`.

`REWRITE_GOLDEN=1 pytest tests/unit/notify` writes the files anew; the difference is reviewed like code.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.model.budget import Budget, BudgetState, Tally
from fluence_watch.model.digest import Ahead, Digest, Owed, Runway, Stale
from fluence_watch.model.finding import WATCHER, Fingerprint, Severity
from fluence_watch.model.money import MicroUsdc, Sum
from fluence_watch.notify.digest import render_digest
from fluence_watch.notify.markup import BodyFormat, inert
from fluence_watch.notify.render import Rendered
from fluence_watch.rules.budget import BudgetSpent
from fluence_watch.rules.debt import Debt
from fluence_watch.views.digest.fired import fired_in
from tests.digests import DAY, HOUR, NOW, SLOT, fleet

GOLDEN = Path(__file__).parents[2] / "golden" / "digests"
SUFFIXES = {
    BodyFormat.PLAIN: "plain.txt",
    BodyFormat.TEXT: "txt",
    BodyFormat.MARKDOWN: "md",
    BodyFormat.HTML: "html",
    BodyFormat.MAIL: "mail.html",
}
HOSTILE = "<!channel> @everyone <@42> <http://x|y> [a](b) `x` **b** _i_ \x1b[31m\u202e\u200b{{7*7}} &amp;\r\n"


def empty() -> Digest:
    nothing = {"spent": None, "changed": None, "ahead": None, "fired": None, "savings": ()}
    return replace(fleet(1), **nothing)  # type: ignore[arg-type] # fields by name


def late() -> Digest:
    """Sent hours after its time, by a daemon that cannot read an account and knows no month."""
    digest = fleet(2, disks=7, main=date(2026, 4, 9))
    assert digest.spent
    spent = replace(digest.spent, forecast=None, estimated=MicroUsdc(5_000))
    stale = (Stale("main", NOW - 9 * HOUR), Stale("new", None))
    return replace(digest, slot=NOW - 3 * HOUR, is_late=True, stale=stale, spent=spent, changed=None)  # fmt: skip


def young() -> Digest:
    """Accounts that the ledger has not had for long, and things without a known price."""
    new = {"main": SLOT.period.last, "staging": SLOT.period.first - DAY, "lab": SLOT.at.date()}
    digest = fleet(6, accounts=3, disks=2, **new)
    assert digest.spent
    assert digest.ahead
    spent = replace(digest.spent, forecast=Sum(MicroUsdc(9_000_000), 2))
    ahead = replace(digest.ahead, metered=Sum(MicroUsdc(48_000), 1), undated=2)
    savings = [*digest.savings[:1], *(each._replace(amount=None) for each in digest.savings[1:])]
    return replace(digest, spent=spent, ahead=ahead, savings=savings)


def budgets() -> Digest:
    """Budgets that are spent, that will be, whose month is unknown or known in part, and that are calm."""

    def state(name: str, spent: int, ahead: Sum | None) -> BudgetState:
        return BudgetState(Budget(name, MicroUsdc(1_000_000)), Tally(MicroUsdc(spent)), ahead)

    states = [
        state("all", 1_234_000, Sum(MicroUsdc(500_000))),
        state("even", 1_000_000, None),
        state("hidden", 900_000, Sum(MicroUsdc(50_000), is_unlisted=True)),
        state("team", 734_000, Sum(MicroUsdc(500_000))),
        state("ci", 500_000, Sum(MicroUsdc(100_000), 2)),
        state("lab", 0, Sum()),
    ]
    facts = BudgetSpent("all", MicroUsdc(1_000_000), MicroUsdc(1_234_000), 123, None, (), NOW + 17 * DAY)  # fmt: skip
    at = NOW - 2 * DAY
    fires = Alert(Fingerprint(WATCHER, "budget", "budget:all"), Severity.CRITICAL, State.FIRING, facts, at, at)  # fmt: skip
    fired = fired_in((), [fires], (), ())
    return replace(fleet(2, accounts=2), budgets=states, fired=fired, ahead=None, changed=None)


def debt() -> Digest:
    """Accounts that owe, an empty balance, and one alert of theirs beside many of VMs."""
    owed = [
        Owed("cld", MicroUsdc(1_000_000), NOW + 3 * DAY, NOW + 12 * DAY),
        Owed("old", MicroUsdc(7_000_000), NOW - DAY, None),
    ]
    facts = Debt(MicroUsdc(1_000_000), MicroUsdc(1), NOW + 3 * DAY, NOW + 12 * DAY, 1, 0, 0)
    fires = Alert(Fingerprint("cld", "debt"), Severity.CRITICAL, State.FIRING, facts, NOW - HOUR, NOW - HOUR)  # fmt: skip
    of_vms = fleet(20).fired
    assert of_vms
    lines = [replace(of_vms.firing[0], fingerprint=Fingerprint("cld", "low_balance", f"0x{n}")) for n in range(20)]  # fmt: skip
    fired = fired_in((), [fires], (), ())
    assert fired
    ahead = replace(metered().ahead, owed=owed, runways=[Runway("dry", NOW)])  # type: ignore[type-var] # it has some
    return replace(empty(), ahead=ahead, fired=replace(fired, firing=[*lines, *fired.firing]))


def metered() -> Digest:
    ahead = Ahead(SLOT.following, 0, 0, MicroUsdc(0), None, Sum(MicroUsdc(48_000_000)), [], [], [])
    return replace(empty(), ahead=ahead)


CASES: Mapping[str, Digest] = {
    "one": fleet(1),
    "twenty": fleet(20, accounts=3, disks=3),
    "many": fleet(500, disks=40),
    "late": late(),
    "young": young(),
    "budgets": budgets(),
    "first_day": fleet(1, main=SLOT.at.date()),
    "metered": metered(),
    "debt": debt(),
    "empty": empty(),
    "hostile": fleet(4, disks=2, name=HOSTILE),
}
BOUNDS = {"many": {BodyFormat.TEXT: 1_600, BodyFormat.PLAIN: 160}}


def shown(digest: Digest, fmt: BodyFormat, longest: int | None = None) -> Rendered:
    return render_digest(digest, fmt, NOW, longest)


@pytest.mark.parametrize("fmt", SUFFIXES)
@pytest.mark.parametrize("case", CASES)
def test_digest_reads_as_its_golden_file(case: str, fmt: BodyFormat) -> None:
    """Each section in each format."""
    rendered = shown(CASES[case], fmt, BOUNDS.get(case, {}).get(fmt))
    text = f"{rendered.title}\n\n{rendered.body}\n"
    file = GOLDEN / f"{case}.{SUFFIXES[fmt]}"
    if os.environ.get("REWRITE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")

    assert file.read_text(encoding="utf-8") == text


def test_no_golden_file_is_left_over() -> None:
    named = {f"{case}.{suffix}" for case in CASES for suffix in SUFFIXES.values()}
    assert named == {file.name for file in GOLDEN.iterdir()}


@pytest.mark.parametrize("case", CASES)
@given(longest=st.integers(20, 20_000), fmt=st.sampled_from(BodyFormat))
def test_a_digest_fits_what_a_service_takes(case: str, longest: int, fmt: BodyFormat) -> None:
    """Whatever the limit is, title and body have it together, and say something."""
    rendered = shown(CASES[case], fmt, longest)

    assert len(rendered.title) + len(rendered.body) <= longest
    assert rendered.title


@pytest.mark.parametrize("case", CASES)
def test_a_mail_is_shown_whole(case: str) -> None:
    """Gmail cuts a mail of more than 102 kB."""
    assert len(shown(CASES[case], BodyFormat.MAIL).body.encode()) < 60_000


class Tags(HTMLParser):
    """Collects the tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag, and that it loads nothing."""
        self.seen.add(tag)
        assert not {"src", "href", "background"} & {name for name, _ in attrs}


NAMES = st.lists(st.sampled_from(["<!channel>", "@everyone", "<@42>", "[a](http://b)", "`", "**", "\r\n", "\x1b[2J", "\u202e", "<script>", "</div>", "{{7*7}}", "&lt;", '"', "x"]), max_size=8).map("".join)  # fmt: skip


@given(name=NAMES)
@pytest.mark.parametrize("fmt", BodyFormat)
def test_no_name_acts_on_a_service(fmt: BodyFormat, name: str) -> None:
    """It adds no tag, no mention, no control character, and no line to a title."""
    rendered, plain = shown(fleet(3, disks=1, name=name or "x"), fmt), shown(fleet(3, disks=1), fmt)
    found, expected = Tags(), Tags()
    found.feed(rendered.body if fmt.syntax == "html" else "")
    expected.feed(plain.body if fmt.syntax == "html" else "")

    assert expected.seen == found.seen
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u200b\u202e]", rendered.body)
    assert "\n" not in rendered.title
    if fmt not in {BodyFormat.PLAIN, BodyFormat.MAIL, BodyFormat.PAGE}:
        assert not re.search("<[!@]|@(everyone|here)", rendered.title + rendered.body)
        assert inert(rendered.title, 500) == rendered.title


def test_charts_are_in_mails_alone() -> None:
    """Bars with a number beside each; other formats have the same as a list."""
    mail, text = (shown(CASES["twenty"], fmt).body for fmt in (BodyFormat.MAIL, BodyFormat.TEXT))

    assert 22 == mail.count('aria-hidden="true"')  # 14 days and 8 VMs
    assert "Sun 2026-04-12: 6." in mail
    assert "2026-04-05" not in text
    assert "until" in text


def test_each_rule_that_fires_has_a_line() -> None:
    """However many alerts of another rule there are, and if only one line is left."""
    body = shown(CASES["debt"], BodyFormat.TEXT).body
    assert "CRITICAL debt" in body
    assert 7 == body.count("CRITICAL low_balance")
    assert "just now" not in body


def test_a_day_on_which_several_ledgers_begin_is_named_once() -> None:
    of = {"main": SLOT.period.last, "staging": SLOT.period.last, "lab": SLOT.at.date()}
    body = shown(fleet(6, accounts=3, **of), BodyFormat.TEXT).body
    assert "The ledger begins 2026-04-13 for lab, 2026-04-12 for main and staging" in body


def test_a_title_says_what_matters() -> None:
    assert "[DIGEST] 0.897480 USDC spent · main" == shown(CASES["one"], BodyFormat.TEXT).title
