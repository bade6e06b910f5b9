"""Real Alertmanagers as a receiver: what they have is what is true, across restarts of either side."""

# ruff: noqa: ANN401 - the fixtures' classes are in conftest.py, which is not imported

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.app.alertmanager import member
from fluence_watch.app.wiring import Setup, prepare
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.rules.low_balance import LowBalance
from fluence_watch.settings import WatchSettings
from fluence_watch.store import Store
from tests.unit.app.post import Post

pytestmark = pytest.mark.xdist_group("alertmanager")

PACKAGE = "prometheus-alertmanager"
CONFIG = (
    "global: {{resolve_timeout: {}}}\nroute: {{receiver: nobody}}\nreceivers: [{{name: nobody}}]\n"
)
USERS = """\
basic_auth_users:
  watch: $2b$04$TRF0L7n8C5zLCfOc2SSi1OW3GyYZFEMB1MianXvxmsOx4iy3S.TqW  # t0p/s@cret
"""
ENCRYPTED = "tls_server_config: {{cert_file: {0}/cert.pem, key_file: {0}/key.pem}}\n"
DAY = timedelta(days=1)


@dataclass
class Alertmanager:
    """An Alertmanager in a process of its own."""

    tool: Callable[[str, str], str]
    start: Callable[..., "subprocess.Popen[bytes]"]
    folder: Path
    port: int
    arguments: tuple[str, ...] = ()
    scheme: str = "http"
    resolve_timeout: str = "1s"
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def up(self) -> None:
        """Begin a life: it remembers no alert of the one before."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "alertmanager.yml").write_text(
            CONFIG.format(self.resolve_timeout), encoding="utf-8"
        )
        command = [
            self.tool(PACKAGE, PACKAGE),
            f"--config.file={self.folder}/alertmanager.yml",
            f"--storage.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
            *self.arguments,
        ]
        self.process = self.start(command, self.folder / "log")

    def down(self) -> None:
        """Kill it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def alerts(self, *words: str) -> list[dict[str, Any]]:
        """The alerts that amtool shows: those that are active, unless `words` say otherwise."""
        amtool = self.tool("amtool", PACKAGE)
        command = [amtool, "alert", "query", f"--alertmanager.url={self.url}", "-ojson", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        return json.loads(done.stdout) if done.returncode == 0 else []

    def names(self) -> set[str]:
        """The VMs whose alerts are active."""
        return {each["labels"]["vm_name"] for each in self.alerts()}


Make = Callable[..., Alertmanager]


@pytest.fixture
def make(tool: Any, programs: Any, free_port: Callable[[], int], tmp_path: Path) -> Iterator[Make]:
    """Makes Alertmanagers, which end with the test."""
    with programs() as start:
        number = iter(range(9))

        def made(*arguments: str) -> Alertmanager:
            folder = tmp_path / f"am-{next(number)}"
            return Alertmanager(tool, start, folder, free_port(), arguments)

        yield made


@pytest.fixture
def one(make: Make, eventually: Any) -> Alertmanager:
    """One that runs."""
    found = make("--cluster.listen-address=")
    found.up()
    eventually(lambda: is_ready(found), "Alertmanager is ready")
    return found


def is_ready(of: Alertmanager) -> bool:
    """Whether it answers, if only that it wants a password."""
    return answers(f"{of.url}/-/ready", 200, 401)


def answers(url: str, *statuses: int) -> bool:
    """Whether it answers with one of these statuses, or 200."""
    with suppress(httpx.HTTPError):
        return httpx.get(url, timeout=2, verify=False).status_code in (statuses or (200,))
    return False


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refresh a second, not a minute."""
    monkeypatch.setattr(member, "REFRESH", timedelta(seconds=1))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/watch.db") as opened:
        yield opened


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def life(store: Store) -> AsyncIterator[Callable[[], Post]]:
    """Lives of a daemon's half that notifies, on one store."""
    made: list[Post] = []

    def make() -> Post:
        made.append(Post(store, now))  # type: ignore[arg-type] # a clock that nobody sets
        return made[-1]

    yield make
    for each in made:
        await each.dispatch.stop(0.1)


def setup(*urls: str, **more: Any) -> Setup:
    """One receiver `ops`, with members at these URLs."""
    receiver = {"name": "ops", "alertmanager": urls, **more}
    return prepare(WatchSettings.model_validate({"accounts": [], "receivers": [receiver]}))


def alert(name: str = "web-1", **changes: Any) -> Alert:
    """The low balance of a VM, firing since now."""
    facts = LowBalance(VmRef(f"0x{name}", name, "FR-PAR-1"), 298_160, 100_000, 298_160, None, None)
    about, since = Fingerprint("main", "low_balance", f"0x{name}"), now()
    made = Alert(about, Severity.CRITICAL, State.FIRING, facts, since, since)
    return replace(made, **changes)


async def until(condition: Callable[[], Any], what: str, seconds: float = 30) -> None:
    """Let the event loop go on until the condition holds."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - another process makes it true
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"not within {seconds:g} s: {what}")


async def test_what_fires_is_active_until_it_is_over(
    one: Alertmanager, life: Callable[[], Post]
) -> None:
    """With its labels and words, longer than `resolve_timeout`; then resolved at its end."""
    post, firing = life(), alert()
    await post.begin(setup(one.url, alertmanager_labels=["instance=eu-1"]))
    post.poll(firing)
    await until(one.alerts, "it is active")
    (found,) = one.alerts()

    assert {
        "account": "main",
        "alertname": "FluenceLowBalance",
        "datacenter": "FR-PAR-1",
        "instance": "eu-1",
        "rule": "low_balance",
        "severity": "critical",
        "vm_id": "0xweb-1",
        "vm_name": "web-1",
    } == found["labels"]
    assert "CRITICAL web-1 has a low reserve: top up 0.20 USDC" == found["annotations"]["summary"]
    assert "web-1 (0xweb-1 · FR-PAR-1 · main) has" in found["annotations"]["description"]
    assert milliseconds(firing.active_at) == datetime.fromisoformat(found["startsAt"])
    assert datetime.fromisoformat(found["endsAt"]) - now() > 6 * DAY
    await asyncio.sleep(2)  # longer than its resolve_timeout
    assert {"web-1"} == one.names()
    post.poll()
    await until(lambda: not one.alerts(), "it is resolved")
    await until(lambda: (2, 0) == (post.count("notifications"), post.waiting()), "it is counted")


def milliseconds(at: datetime) -> datetime:
    """The time as Alertmanager keeps it."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


async def test_a_worse_alert_takes_the_place_of_the_one_before(
    one: Alertmanager, life: Callable[[], Post]
) -> None:
    """The severity is a label, so the alert with the former one ends."""
    post, firing = life(), alert(severity=Severity.WARNING)
    await post.begin(setup(one.url))
    post.poll(firing)
    await until(one.alerts, "it is active")
    post.poll(replace(firing, severity=Severity.CRITICAL))
    await until(
        lambda: ["critical"] == [each["labels"]["severity"] for each in one.alerts()],
        "only the worse one is active",
    )


async def test_an_end_while_we_were_down_is_posted_after_the_restart(
    one: Alertmanager, life: Callable[[], Post]
) -> None:
    """What fires outlives us; what is over by then is resolved."""
    first, over, firing = life(), alert("web-1"), alert("web-2")
    await first.begin(setup(one.url))
    first.poll(over, firing)
    await until(lambda: {"web-1", "web-2"} == one.names(), "both are active")
    await first.dispatch.stop(5)
    first.poll(firing)  # committed, and posted by nobody
    await asyncio.sleep(1.5)
    assert {"web-1", "web-2"} == one.names()
    await life().begin(setup(one.url))
    await until(lambda: {"web-2"} == one.names(), "the one that is over is resolved")


async def test_an_alertmanager_that_was_restarted_gets_all_again(
    one: Alertmanager, life: Callable[[], Post], quick: None
) -> None:
    """It keeps no alerts, and asks for none."""
    post = life()
    await post.begin(setup(one.url))
    post.poll(alert("web-1"), alert("web-2"))
    await until(lambda: {"web-1", "web-2"} == one.names(), "both are active")
    one.down()
    one.up()
    await until(lambda: {"web-1", "web-2"} == one.names(), "both are active again")


async def test_a_dead_member_holds_up_nobody_and_gets_all_when_it_is_back(
    make: Make, life: Callable[[], Post], free_port: Callable[[], int], quick: None
) -> None:
    """What fires and what is over; the receiver works as long as one member does."""
    gossip = free_port()
    first = make(f"--cluster.listen-address=127.0.0.1:{gossip}")
    second = make("--cluster.listen-address=127.0.0.1:0", f"--cluster.peer=127.0.0.1:{gossip}")
    for each in (first, second):
        each.up()
    await until(lambda: is_ready(first) and is_ready(second), "both are ready", 60)
    post, early = life(), alert("web-1")
    await post.begin(setup(first.url, second.url))
    post.poll(early)
    await until(lambda: [{"web-1"}] * 2 == [first.names(), second.names()], "both have it")

    second.down()
    post.poll(early, alert("web-2"))
    await until(lambda: {"web-1", "web-2"} == first.names(), "the other has what is new")
    post.poll(alert("web-2"))
    await until(lambda: {"web-2"} == first.names(), "the other knows what is over")
    await until(lambda: 0 == post.waiting(), "nothing waits")
    assert {"ops": None} == post.dispatch.failing()
    await until(lambda: post.count("notification_failures"), "the dead one is tried")

    second.up()
    await until(lambda: {"web-2"} == second.names(), "it has what fires", 60)


@pytest.mark.parametrize("password", ["t0p/s@cret", "wr0ng-secret"])
async def test_basic_auth(
    make: Make, life: Callable[[], Post], tmp_path: Path, password: str
) -> None:
    """The password opens, and a wrong one is told without it."""
    (tmp_path / "web.yml").write_text(USERS, encoding="utf-8")
    guarded = make("--cluster.listen-address=", f"--web.config.file={tmp_path}/web.yml")
    guarded.up()
    await until(lambda: is_ready(guarded), "it answers")
    post, url = life(), guarded.url.replace("//", f"//watch:{quote(password, '')}@")
    await post.begin(setup(url))
    post.poll(alert())
    if password == "wr0ng-secret":
        await until(lambda: post.dispatch.failing()["ops"], "it is refused")
        failing = post.dispatch.failing()["ops"]
        assert failing
        assert f"{guarded.url} answered 401: Unauthorized" == failing.error
        await until(lambda: 1 == post.waiting(), "it is counted")
    else:
        await until(lambda: post.count("notifications") == 1, "it is accepted")


async def test_tls_with_a_ca_of_our_own(
    make: Make, life: Callable[[], Post], tmp_path: Path, tool: Any
) -> None:
    """Who is not trusted gets nothing."""
    certify(tool("openssl", "openssl"), tmp_path)
    (tmp_path / "web.yml").write_text(ENCRYPTED.format(tmp_path), encoding="utf-8")
    encrypted = make("--cluster.listen-address=", f"--web.config.file={tmp_path}/web.yml")
    encrypted.scheme = "https"
    encrypted.up()
    await until(lambda: is_ready(encrypted), "it answers")
    trusting, other = life(), life()
    await trusting.begin(setup(encrypted.url, alertmanager_ca_file=str(tmp_path / "cert.pem")))
    trusting.poll(alert())
    await until(lambda: trusting.count("notifications") == 1, "it is trusted")
    await other.begin(setup(encrypted.url))
    await until(lambda: other.dispatch.failing()["ops"], "it is not trusted")
    failing = other.dispatch.failing()["ops"]

    assert failing
    assert "CERTIFICATE_VERIFY_FAILED" in failing.error


def certify(openssl: str, folder: Path) -> None:
    """Make a certificate for this machine that signs itself."""
    command = (
        f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)


CONFIG_OF_DAEMON = """
[poll]
interval = "300ms"
jitter = "0s"
timeout = "2s"
[server]
listen = "{listen}"
[store]
url = "sqlite:///{folder}/store.db"
[rules.billing_due]
enabled = false
[[accounts]]
name = "main"
api_key = "simulated-key"
base_url = "{api}"
[[receivers]]
name = "am"
alertmanager = ["{alertmanager}"]
rules = ["port_drift"]
"""
FLUENCE_WATCH = [sys.executable, "-m", "fluence_watch"]


def test_the_whole_daemon(
    make: Make, programs: Any, free_port: Any, eventually: Any, tmp_path: Path
) -> None:
    """Two ports that open are two alerts; one closes while no daemon runs, and is resolved after."""
    one = make("--cluster.listen-address=")
    one.resolve_timeout = "5m"  # or the test message is over before amtool sees it
    one.up()
    eventually(lambda: is_ready(one), "Alertmanager is ready")
    api = f"http://127.0.0.1:{free_port()}"
    config = tmp_path / "config.toml"
    own = f"127.0.0.1:{free_port()}"
    text = CONFIG_OF_DAEMON.format(folder=tmp_path, listen=own, api=api, alertmanager=one.url)
    config.write_text(text, encoding="utf-8")
    run = [*FLUENCE_WATCH, "run", "--config", str(config)]
    with programs() as start:
        listen = api.removeprefix("http://")
        start([*FLUENCE_WATCH, "simulate", "--listen", listen], tmp_path / "api.log")
        test = start([*run[:-3], "notify", "test", *run[-2:]], tmp_path / "test.log")
        eventually(
            lambda: ["FluenceWatchTest"] == [each["labels"]["alertname"] for each in one.alerts()],
            "the test is there",
        )
        assert 0 == test.wait(30)
        eventually(lambda: did(api, "profile", name="none"), "the API is simulated")
        daemon = start(run, tmp_path / "run.log")
        eventually(lambda: answers(f"http://{own}/-/ready"), "it watches")
        for port in ("8001/tcp", "9000/tcp"):
            assert did(api, "open-port", vm="web-1", port=port)
        eventually(lambda: ports(one) == {"8001/tcp", "9000/tcp"}, "both are active")
        daemon.terminate()
        assert 0 == daemon.wait(30)
        assert did(api, "close-port", vm="web-1", port="8001/tcp")
        assert {"8001/tcp", "9000/tcp"} == ports(one)
        start(run, tmp_path / "run.log")
        eventually(lambda: ports(one) == {"9000/tcp"}, "the closed one is resolved")


def did(api: str, action: str, **what: str) -> bool:
    """Whether the simulated API did it."""
    with suppress(httpx.HTTPError):
        url = f"{api}/_control/{action}"
        return httpx.post(url, json=what, timeout=10, verify=False).is_success
    return False


def ports(of: Alertmanager) -> set[str]:
    """The ports that are open, as the alerts that are active say."""
    found = of.alerts("alertname=FluencePortDrift", "vm_name=web-1")
    return {each["labels"]["key"].rpartition(":")[2] for each in found}
