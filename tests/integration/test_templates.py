"""Templates of a user in the process that renders them: what they change, and what they cannot do."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import pytest
from structlog.testing import capture_logs

from fluence_watch.alerting.grouping import Message
from fluence_watch.app.wiring import RANKS
from fluence_watch.model.finding import VmRef
from fluence_watch.notify import custom
from fluence_watch.notify.custom import UserWords
from fluence_watch.notify.lint import message, messages, problems
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.overrides import Override, read_overrides, shipped_names
from fluence_watch.notify.render import render, render_test
from fluence_watch.notify.samples import alerts
from fluence_watch.rules import RULES

NOW = datetime(2026, 4, 16, 17, 17, tzinfo=UTC)
SHIPPED = Path(custom.__file__).with_name("templates")
RULE = {rule.name: rule for rule in RULES}
HOSTILE = "<!channel> [a](b) <b>x</b> {{7*7}}\x1b[2J"

Made = Callable[..., UserWords]


@pytest.fixture
def words() -> Iterator[Made]:
    """A function from titles by template to words in which these are replaced, and nothing else."""
    made: list[UserWords] = []

    def make(titles: Mapping[str, str] | None = None, **whole: str) -> UserWords:
        found = {f"{name}.jinja": _title(text) for name, text in (titles or {}).items()}
        found |= {f"{name}.jinja": text for name, text in whole.items()}
        made.append(UserWords({n: Override(f"/t/{n}", text) for n, text in found.items()}))
        return made[-1]

    yield make
    for each in made:
        each.close()


def _title(text: str) -> str:
    return f"{{% macro title(item) -%}}\n{text}\n{{%- endmacro %}}\n"


def low(name: str = "web-1") -> Message:
    """A message about one low reserve."""
    (alert,) = alerts(RULE["low_balance"], NOW)
    facts = replace(alert.facts, vm=VmRef("0x31", name, "FR-PAR-1"))  # type: ignore[type-var] # a dataclass
    return message([replace(alert, facts=facts)], NOW, RANKS)


def test_one_macro_is_replaced_and_the_rest_is_as_shipped(words: Made) -> None:
    """What a template leaves out is that of the shipped one; other templates are untouched."""
    made = words({"LowBalance": "{{ item.facts.vm.name }} needs {{ item.facts.needed | usdc }}"})
    shipped = render(low(), BodyFormat.TEXT, NOW)
    rendered = made.render(low(), BodyFormat.TEXT, NOW)

    assert "CRITICAL web-1 needs 0.298160 USDC" == rendered.title
    assert (shipped.body, shipped.kind) == (rendered.body, rendered.kind)
    other = message(alerts(RULE["debt"], NOW), NOW, RANKS)
    assert render(other, BodyFormat.HTML, NOW) == made.render(other, BodyFormat.HTML, NOW)


def test_shared_templates_can_be_replaced(words: Made) -> None:
    """And a template can use the shipped one of its name."""
    made = words(
        _test="Team: {{ receiver }}",
        LowBalance='{% import "shipped/LowBalance.jinja" as was with context %}'
        "{% macro title(item) %}!! {{ was.title(item) }}{% endmacro %}",
    )
    assert "Team: ops" == made.render_test("ops", BodyFormat.TEXT, NOW).body
    title = render(low(), BodyFormat.TEXT, NOW).title
    assert title.replace("CRITICAL ", "CRITICAL !! ") == made.render(low(), BodyFormat.TEXT, NOW).title  # fmt: skip


def test_the_shipped_templates_say_the_same_in_the_sandbox() -> None:
    """Each of them, copied and not changed; there is nothing wrong with them either."""
    made = UserWords(read_overrides(SHIPPED))
    assert shipped_names() == sorted(made.overrides)
    try:
        for rule in RULES:
            for each in messages(rule, NOW, RANKS):
                for fmt in (BodyFormat.MARKDOWN, BodyFormat.MAIL):
                    assert render(each, fmt, NOW) == made.render(each, fmt, NOW)
        assert [] == problems(made, RANKS)
    finally:
        made.close()


BAD = {
    "unknown": ("{{ item.facts.nope }}", "has no attribute 'nope'"),
    "filter": ("{{ item.facts.vm.name | safe }}", "No filter named 'safe'"),
    "inside": ("{{ ''.__class__.__mro__ }}", "access to attribute '__class__' of 'str' object is unsafe"),
    "changes": ("{% do item.facts.clear() %}", "unknown tag 'do'"),
    "file": ('{% include "/etc/passwd" %}', "/etc/passwd"),
    "above": ('{% include "../words.py" %}', "../words.py"),
    "syntax": ("{% if %}", "Expected an expression"),
    "hangs": ("{% for i in range(99999) %}{% for i in range(99999) %}{% endfor %}{% endfor %}", "it takes too long"),
    "large": ("{% set n = namespace(x='x') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}", "it needs too much memory"),
    "power": ("{{ 'x' * 10 ** 10 }}", "it needs too much memory"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_template_that_fails_is_replaced_by_the_shipped_one(words: Made, case: str) -> None:
    """The message arrives in time; one log line says which, where and why; the next one as well."""
    text, what = BAD[case]
    made = words({"LowBalance": text, "Debt": "all fine"})
    began = monotonic()
    with capture_logs() as logged:
        for _ in range(2):
            assert render(low(), BodyFormat.TEXT, NOW) == made.render(low(), BodyFormat.TEXT, NOW)
    assert monotonic() - began < 2 * custom.SECONDS
    (line,) = logged
    assert ("LowBalance.jinja", 2) == (line["template"], line["line"])
    assert what in line["error"]
    assert "all fine" in made.render(message(alerts(RULE["debt"], NOW), NOW, RANKS), BodyFormat.TEXT, NOW).title  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_found_before(words: Made, case: str) -> None:
    """By file, line and rule; of several formats once."""
    text, what = BAD[case]
    (problem,) = problems(words({"LowBalance": text}), RANKS)
    assert ("/t/LowBalance.jinja", 2) == (problem.source, problem.line)
    assert what in problem.what
    assert "text" in problem.what


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("LowBalance", "{% macro titel(item) %}a{% endmacro %}", "no macro 'titel' is used: did you mean 'title'?"),
        ("_title", "", "a message has no title"),
    ],
)  # fmt: skip
def test_what_does_nothing_is_found_before(words: Made, name: str, text: str, what: str) -> None:
    """A macro that nobody calls, and a message without a title."""
    (problem, *_) = problems(words(**{name: text}), RANKS)
    assert what in problem.what


def test_names_are_data_in_any_template(words: Made) -> None:
    """Neither markup nor a mention nor a template."""
    fires = "{% macro fires(items) %}{% autoescape false %}{{ items[0].facts.vm.name }}{% endautoescape %}{% endmacro %}"
    made = words(LowBalance=fires)
    for fmt in (BodyFormat.HTML, BodyFormat.MAIL, BodyFormat.TEXT, BodyFormat.MARKDOWN):
        body = made.render(low(HOSTILE), fmt, NOW).body
        assert "\x1b" not in body
        assert "49" not in body
        assert "<b>x" not in body
        if fmt is not BodyFormat.MAIL:
            assert "<!channel>" not in body


MIXED = (
    "{{ n | strong }}", "{{ n | paragraph }}", "{{ n | item }}", "{{ n | section('info') }}",
    "{{ n | heading('info') }}", "{{ n | bar(3, 'info') }}", "{{ n | e }}", "{{ n | escape }}",
    "{{ [n] | map('e') | join }}", "{{ 'x' | strong ~ n }}", "{{ n ~ ('x' | strong) }}",
    "{{ ('x' | strong) + n }}", "{{ n + ('x' | strong) }}", "{{ ('%s' | strong) % n }}",
    "{{ ('%s' | strong) % (n,) }}", "{{ ('%(a)s' | strong) % {'a': n} }}",
    "{{ '%s' | strong | format(n) }}", "{{ [n, 'x' | strong] | join(' ') }}",
    "{{ ['x', 'y'] | map('strong') | join(n) }}", "{{ 'x' | strong | replace('x', n) }}",
    "{{ n | replace('b', 'x' | strong) }}", "{{ items | join('x' | strong, 'facts.vm.name') }}",
)  # fmt: skip


@pytest.mark.parametrize("text", MIXED)
def test_names_beside_markup_are_data_too(words: Made, text: str) -> None:
    """Whatever joins the two, and whatever marks a name up: it acts in no format."""
    fires = (
        f"{{% macro fires(items) %}}{{% set n = items[0].facts.vm.name %}}{text}{{% endmacro %}}"
    )
    made = words(LowBalance=fires)
    for fmt in (BodyFormat.HTML, BodyFormat.MAIL, BodyFormat.TEXT, BodyFormat.MARKDOWN):
        rendered, failures = made.ask("message", message=low(HOSTILE), fmt=fmt, now=NOW)
        assert [] == failures
        assert "\x1b" not in rendered.body
        assert "[a](b) <b>x" not in rendered.body
        if fmt is not BodyFormat.MAIL:
            assert "[a](b)" not in rendered.body
            assert "!channel>" not in rendered.body
            assert "!channel&gt;" not in rendered.body


NO_MARKUP = {
    "{{ n ~ ' and ' ~ 1 }}": "web-1 and 1",
    "{{ 'VM ' ~ (n | strong) ~ ' ends' }}": "VM **web-1** ends",
    "{{ ('%s: %d' | strong) % (n, 3) }}": "**web-1: 3**",
    "{{ [n, n | strong] | join(', ') }}": "web-1, **web-1**",
    "{{ items | join(', ', attribute='facts.vm.name') }}": "web-1",
    "{{ 'a b' | strong | replace(' ', '_') }}": "**a`_`b**",
    "{{ '%s %s' | format(n, 2) }}": "web-1 2",
    "{{ 7 % 4 + 1 }}": "4",
    "{{ 'Ends soon!' | strong }}": "**Ends soon!**",
}


@pytest.mark.parametrize("text", NO_MARKUP)
def test_what_joins_texts_says_what_it_should(words: Made, text: str) -> None:
    """Numbers, blanks and harmless names stay as they are."""
    fires = (
        f"{{% macro fires(items) %}}{{% set n = items[0].facts.vm.name %}}{text}{{% endmacro %}}"
    )
    body = words(LowBalance=fires).render(low(), BodyFormat.MARKDOWN, NOW).body
    assert NO_MARKUP[text] == body.split("\n\n", 1)[1]


def test_markup_has_no_methods(words: Made) -> None:
    """They would put data into it."""
    made = words({"LowBalance": "{{ ('x' | strong).join([item.facts.vm.name] * 2) }}"})
    assert render(low(), BodyFormat.TEXT, NOW) == made.render(low(), BodyFormat.TEXT, NOW)


def test_a_process_that_does_not_answer_is_left_alone_for_a_while(
    words: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that messages are not late each time; later it is tried again."""
    time = 0.0
    made = words({"LowBalance": "mine"})
    made._clock = lambda: time
    monkeypatch.setattr(custom, "SECONDS", 0.001)
    assert render(low(), BodyFormat.TEXT, NOW) == made.render(low(), BodyFormat.TEXT, NOW)
    monkeypatch.undo()
    assert "mine" not in made.render(low(), BodyFormat.TEXT, NOW).title
    time = custom.REST_SECONDS
    assert "CRITICAL mine" == made.render(low(), BodyFormat.TEXT, NOW).title


def test_it_knows_no_secret(words: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings are not in its environment."""
    monkeypatch.setenv("FLUENCE_WATCH_API_KEY", "t0p-secret")
    made = words({"LowBalance": "mine"})
    made.render(low(), BodyFormat.TEXT, NOW)
    assert made._process is not None
    environ = Path(f"/proc/{made._process.pid}/environ").read_bytes()
    assert b"t0p-secret" not in environ


def test_a_test_message_is_as_shipped(words: Made) -> None:
    """Unless its template is replaced."""
    made = words({"LowBalance": "mine"})
    assert render_test("ops", BodyFormat.MAIL, NOW) == made.render_test("ops", BodyFormat.MAIL, NOW)
