"""Laws of hostile text: whatever a VM is called, it is data in every format."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluence_watch.alerting.grouping import Message
from fluence_watch.model.finding import VmRef
from fluence_watch.model.text import inert as clean
from fluence_watch.model.vm import Status
from fluence_watch.notify.markup import BodyFormat, inert
from fluence_watch.notify.render import render, render_plainly
from fluence_watch.rules.public_ip_changed import PublicIpChanged
from fluence_watch.rules.ssh_key_drift import KeyChange, SshKeyDrift
from fluence_watch.rules.vm_status import VmStatus

NAMES = st.lists(
    st.sampled_from(
        [
            "<!channel>", "<!here|x>", "@everyone", "<@42>", "<http://x|y>", "[a](http://b)", "`", "```",
            "**", "_", "~", "||", "&lt;", "&", '"', "'", "\r\n", "\n\n", "\x00", "\x1b[2J", "\x7f", "\x85",
            "\u200b", "\u202e", "\u2066", "\u2028", "\ufeff", "\U000e0041", "{{7*7}}", "{% x %}",
            "<script>alert(1)</script>", "</code>", "<b onclick=x>", "\\", "#", "- ", "1. ", "web-1", "é", "🦀",
        ]
    )
    | st.text(max_size=10),
    max_size=12,
).map("".join)  # fmt: skip
SHOWN_AS_IT_IS = (BodyFormat.PLAIN, BodyFormat.MAIL, BodyFormat.PAGE)
LAW = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def visible(text: str) -> bool:
    return all(char == "\n" or unicodedata.category(char)[0] != "C" for char in text)


def named(message: Message, name: str) -> Message:
    """The message with the name wherever text from outside can be."""
    item, vm = message.items[0], VmRef(name, name, name)
    everything = (
        replace(item.facts, vm=vm, status=name),  # type: ignore[type-var]
        VmStatus(vm, Status.TERMINATED, name, None),
        PublicIpChanged(vm, name, name),
        SshKeyDrift(KeyChange.ADDED, name, name, name, name),
    )
    items = tuple(replace(item, facts=facts) for facts in everything)
    return replace(message, items=items, counts=(replace(message.counts[0], number=len(items)),))


class Tags(HTMLParser):
    """Collects the tags of a page, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[str, tuple[tuple[str, str | None], ...]]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag."""
        self.seen.add((tag, tuple(attrs)))


def tags(message: Message, fmt: BodyFormat, now: datetime) -> set[object]:
    """The tags of the body, with their attributes."""
    found = Tags()
    found.feed(render(message, fmt, now).body)
    return set(found.seen)


@given(name=NAMES)
@LAW
@pytest.mark.parametrize("fmt", BodyFormat)
def test_no_name_acts_on_a_service(
    fmt: BodyFormat, name: str, low_balance: Callable[..., Message], now: datetime
) -> None:
    """Nothing invisible; for a service that acts on what it shows, no mention and no tag."""
    message = named(low_balance(), name)
    for made in (render(message, fmt, now), render_plainly(message, fmt)):
        text = f"{made.title}\n{made.body}"
        assert visible(text)
        if fmt in SHOWN_AS_IT_IS:
            continue
        assert "@" not in text
        assert "](" not in text
        if fmt is not BodyFormat.HTML:
            assert not re.search("[<>]", text)


@pytest.mark.parametrize("fmt", BodyFormat)
def test_what_means_nothing_stays(
    fmt: BodyFormat, low_balance: Callable[..., Message], now: datetime
) -> None:
    """In JSON, on a terminal and in a mail a name is as its owner wrote it."""
    name = "ops@example `a` [b](c)"
    made = render(named(low_balance(), name), fmt, now)

    assert (fmt in SHOWN_AS_IT_IS) == (name in made.body)
    titled = replace(low_balance(), account="me@home")
    titled = replace(titled, counts=(replace(titled.counts[0], number=2),))
    assert (fmt in SHOWN_AS_IT_IS) == ("me@home" in render(titled, fmt, now).title)


@given(name=NAMES)
@LAW
def test_html_has_the_tags_of_the_templates_alone(
    name: str, low_balance: Callable[..., Message], now: datetime
) -> None:
    """A name opens no tag, and gives none an attribute."""
    assert tags(named(low_balance(), name), BodyFormat.HTML, now) <= {
        (tag, ()) for tag in ("h3", "p", "br", "b", "samp")
    }
    for fmt in (BodyFormat.MAIL, BodyFormat.PAGE):
        expected = tags(named(low_balance(), "web-1"), fmt, now)
        assert tags(named(low_balance(), name), fmt, now) <= expected


@given(name=NAMES)
@LAW
def test_markdown_keeps_names_in_code_spans(
    name: str, low_balance: Callable[..., Message], now: datetime
) -> None:
    """Outside code spans there is nothing but the words of the templates and harmless values."""
    body = render(named(low_balance(), name), BodyFormat.MARKDOWN, now).body
    outside = "".join(body.split("`")[::2])

    assert body.count("`") % 2 == 0
    assert not re.search(r"[_~|\\\[\]{}&#]", outside)


@given(text=st.text(max_size=300) | NAMES)
@settings(deadline=None)
def test_cleaned_text_is_one_bounded_visible_line(text: str) -> None:
    """What `clean` gives can stand in a mail header; cleaning it again changes nothing."""
    line = clean(text, 64)

    assert len(line) <= 64
    assert "\n" not in line
    assert visible(line)
    assert clean(line, 64) == line
    assert inert(inert(text)) == inert(text)


@pytest.mark.parametrize("fmt", BodyFormat)
def test_braces_stay_as_they_are(
    fmt: BodyFormat, low_balance: Callable[..., Message], now: datetime
) -> None:
    """A name is never a template."""
    assert "{{7*7}}" in render(named(low_balance(), "{{7*7}}"), fmt, now).body


@pytest.mark.parametrize("fmt", BodyFormat)
def test_name_of_invisible_characters_is_no_name(
    fmt: BodyFormat, low_balance: Callable[..., Message], now: datetime
) -> None:
    """The VM is then called by its id."""
    message = low_balance()
    facts = replace(message.items[0].facts, vm=VmRef("0x311edb99", "\u200b\u202e", None))  # type: ignore[type-var]
    body = render(replace(message, items=(replace(message.items[0], facts=facts),)), fmt, now).body

    assert "(no name · " in body
