"""One Prometheus for all queries: it scrapes a daemon that watches three simulated worlds.

*All kinds* has 40 VMs, watched as three accounts, one for each dialect, and as one with a wrong key;
much is wrong there. *Metered* pays every second, owes money, rents a disk that no VM uses, and its key
may not read everything. *Books* has short epochs; in it VMs come, are renamed, vanish and are deleted,
and the daemon is killed and started again, while its money is written down.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from anyio.from_thread import BlockingPortal, start_blocking_portal

from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.model.bill import DayCost
from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator import build_world, create_app, running, utc_now
from fluence_watch.store import Store

SHIPPED = Path(__file__).parents[3] / "grafana" / "prometheus"
KEY = "simulated-key"
VMS = 40
EPOCH = timedelta(seconds=3)
QUIET = 3_000.0  # seconds to the next charge while nothing is to happen

SETTINGS = """\
[poll]
interval = "500ms"
jitter = "0s"
timeout = "5s"
[server]
listen = "{daemon}"
[store]
url = "sqlite:///{folder}/watch.db"
[rules.low_balance]
for = "0s"
[rules.account_low]
for = "0s"
[rules.overpriced]
enabled = true
[[receivers]]
name = "nobody"
url = "json://127.0.0.1:9"
[heartbeat]
url = "http://127.0.0.1:9/nobody"
min_interval = "1s"
[[expect]]
vm = "*"
ports = ["22/tcp"]
[[accounts]]
name = "by-epoch"
api_key = "simulated-key"
dialect = "v2"
base_url = "{all_kinds}"
[[accounts]]
name = "by-epoch-3"
api_key = "simulated-key"
dialect = "v3"
base_url = "{all_kinds}"
[[accounts]]
name = "by-hour"
api_key = "simulated-key"
dialect = "cloud"
base_url = "{all_kinds}"
[[accounts]]
name = "by-second"
gpu = true
api_key = "simulated-key"
dialect = "cloud"
base_url = "{metered}"
[[accounts]]
name = "locked"
api_key = "wrong"
dialect = "v2"
base_url = "{all_kinds}"
[[accounts]]
name = "books"
api_key = "simulated-key"
dialect = "v2"
epoch = "3s"
base_url = "{books}"
[[budgets]]
name = "spent"
monthly_usdc = "0.000001"
accounts = ["books"]
[[budgets]]
name = "going to be"
monthly_usdc = "0.000001"
accounts = ["by-epoch"]
"""


def get(url: str, **parameters: object) -> Any:  # noqa: ANN401 - JSON
    """What an API answers."""
    return httpx.get(url, params=parameters, timeout=30, verify=False).json()


@dataclass(frozen=True)
class Api:
    """A simulated world behind its API."""

    url: str

    def do(self, action: str, **what: object) -> None:
        """Make something happen."""
        answer = httpx.post(f"{self.url}/_control/{action}", json=what, timeout=30, verify=False)
        assert answer.is_success, answer.text

    def world(self) -> Any:  # noqa: ANN401 - JSON
        """Everything."""
        return get(f"{self.url}/_control/world")

    def spent(self) -> int:
        """What was ever spent, in micro-USDC, by VMs that are deleted too: it is nowhere else."""
        world = self.world()
        reserved = sum(vm["reserved"] for vm in world["vms"])
        return int(world["deposited"] - world["balance"] - reserved)


@dataclass
class Stack:
    """Who listens where; `books` is what was spent at which time, in micro-USDC."""

    prometheus: str
    daemon: str
    all_kinds: Api
    metered: Api
    books: Api
    ledger: dict[float, int] = field(default_factory=dict)

    def ask(self, expression: str, at: float | None = None) -> list[Any]:
        """The series that an expression gives at a time, by default now."""
        moment = {} if at is None else {"time": at}
        return self._asked("query", query=expression, **moment)

    def ask_range(self, expression: str, start: float, end: float, step: float) -> list[Any]:
        """The series that an expression gives over a range."""
        return self._asked("query_range", query=expression, start=start, end=end, step=step)

    def _asked(self, kind: str, **parameters: object) -> list[Any]:
        answer = get(f"{self.prometheus}/api/v1/{kind}", **parameters)
        assert "success" == answer["status"], answer
        result: list[Any] = answer["data"]["result"]
        return result

    def series(self, selector: str) -> list[dict[str, str]]:
        """The labels of all series that a selector matches."""
        found: list[dict[str, str]] = get(
            f"{self.prometheus}/api/v1/series", **{"match[]": selector}
        )["data"]
        return found

    def rules(self) -> list[Any]:
        """The groups of rules, as they were last evaluated."""
        groups: list[Any] = get(f"{self.prometheus}/api/v1/rules")["data"]["groups"]
        return groups

    def page(self) -> str:
        """What the daemon exposes."""
        return httpx.get(f"{self.daemon}/metrics", timeout=30, verify=False).text

    def values(self, expression: str) -> dict[str, float]:
        """The values that an expression gives now, by the VM's id."""
        return {one["metric"]["vm_id"]: float(one["value"][1]) for one in self.ask(expression)}

    def knows_the_books(self) -> bool:
        """Whether Prometheus has of every VM of *books* what the simulator has."""
        seen = self.values('fluence_vm_total_spent_usdc{account="books"}')
        vms = [vm for vm in self.books.world()["vms"] if not vm["vanished"]]
        return {vm["id"]: vm["spent"] / 10**6 for vm in vms} == seen

    def write_down(self) -> None:
        """Note what was spent by now."""
        self.ledger[time.time()] = self.books.spent()
        time.sleep(0.01)  # the next sample is after this moment


def _serve(portal: BlockingPortal, **world: Any) -> Any:  # noqa: ANN401 - as build_world
    made = build_world(now=utc_now(), api_key=KEY, **world)
    context: Any = running(create_app(made, utc_now, dialect="all"))
    return portal.wrap_async_context_manager(context)


@pytest.fixture(scope="package")
def start(programs: Callable[[], Any]) -> Iterator[Callable[..., Any]]:
    """Start programs, which end with the last test of this folder: together they take half a core."""
    with programs() as run:
        yield run


@pytest.fixture(scope="package")
def worlds() -> Iterator[tuple[Api, Api, Api]]:
    """*All kinds*, in which money is short, *metered*, and *books*."""
    with (
        start_blocking_portal() as portal,
        _serve(
            portal, seed=4, vms=VMS, epoch=timedelta(hours=24), balance=MicroUsdc(2_000_000)
        ) as all_kinds,
        _serve(
            portal, seed=6, vms=3, epoch=timedelta(hours=24), balance=MicroUsdc(0), metered=True
        ) as metered,
        _serve(portal, seed=5, vms=6, epoch=EPOCH) as books,
    ):
        yield Api(all_kinds), Api(metered), Api(books)


@pytest.fixture(scope="package")
def stack(
    tool: Callable[..., str],
    start: Callable[..., Any],
    free_port: Callable[[], int],
    eventually: Callable[..., Any],
    worlds: tuple[Api, Api, Api],
    tmp_path_factory: pytest.TempPathFactory,
) -> Stack:
    """All of them, after all that is to happen has happened."""
    binary, folder = tool("prometheus", "prometheus"), tmp_path_factory.mktemp("grafana")
    daemon, prometheus = (f"127.0.0.1:{free_port()}" for _ in range(2))
    stack = Stack(f"http://{prometheus}", f"http://{daemon}", *worlds)
    stack.books.do("set-boundary", seconds=QUIET)
    _upset(stack.all_kinds)
    stack.metered.do("add-disk", name="orphan", gb=2000)
    stack.metered.do("set-balance", amount=100_000_000)
    stack.metered.do("add-gpu", name="trainer", started=False)
    trainer = stack.metered.world()["gpus"][0]
    # it pays for one more hour: the clock may strike meanwhile
    stack.metered.do("set-gpu", gpu=trainer["id"], drained=True, reserved=trainer["price"])
    stack.metered.do("withhold", scopes=["public_ip:read"])
    stack.metered.do("set-balance", amount=-1_500_000)
    settings = folder / "config.toml"
    urls = {name: getattr(stack, name).url for name in ("all_kinds", "metered", "books")}
    settings.write_text(SETTINGS.format(daemon=daemon, folder=folder, **urls), "utf-8")
    _remember_yesterday(folder / "watch.db")
    (folder / "prometheus.yml").write_text(_configuration(folder, daemon), "utf-8")
    run = [sys.executable, "-m", "fluence_watch", "run", "--config", str(settings)]
    process = start(run, folder / "daemon.log")
    start(
        [
            binary,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address={prometheus}",
        ],
        folder / "prometheus.log",
    )
    eventually(lambda: _answers(stack.prometheus), "Prometheus is ready")
    eventually(stack.knows_the_books, "the first polls are scraped")
    _change(stack.all_kinds)
    _keep_books(stack, eventually, process, lambda: start(run, folder / "daemon.log"))
    return stack


def _remember_yesterday(store: Path) -> None:
    """A day that was watched in full, so that its bill, of nothing, is not what it should be."""
    ten = 10_000_000 * 3_600_000_000
    today = utc_now().date()
    days = [today - timedelta(days=age) for age in (3, 2, 1)]
    costs = tuple(DayCost(day, {"vm": ten}, {"vm": ten}, 86_400_000_000) for day in days)
    with Store.open(f"sqlite:///{store}") as opened:
        change = Change.between(AccountState(), AccountState(costs=costs))
        opened.commit("by-second", change, version=0)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", timeout=2, verify=False).is_success
    except httpx.HTTPError:
        return False


def _configuration(folder: Path, daemon: str) -> str:
    """The configuration and the rules that are shipped, with their targets here, and faster."""
    (folder / "rules").mkdir()
    for rules in (SHIPPED / "rules").glob("*.yaml"):
        text = rules.read_text(encoding="utf-8").replace("interval: 5m", "interval: 1s")
        (folder / "rules" / rules.name).write_text(text, "utf-8")
    shipped: Mapping[str, Any] = yaml.safe_load((SHIPPED / "prometheus.yml").read_text("utf-8"))
    (job,) = shipped["scrape_configs"]
    fast = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    here = job | {"static_configs": [{"targets": [daemon]}]}
    rules = [f"{folder}/rules/*.yaml"]
    return json.dumps({"global": fast, "scrape_configs": [here], "rule_files": rules})


def _upset(api: Api) -> None:
    """What is wrong in *all kinds* from the beginning."""
    one, two, *_ = api.world()["vms"]
    api.do("drain", vm=one["id"])
    api.do("set-boundary", vm=one["id"], seconds=0.2)  # it pays, and the reserve is not filled
    api.do("set-state", vm=two["id"], state="stopped")


def _change(api: Api) -> None:
    """What changes in *all kinds* while it is watched."""
    _, _, one, two, three, *_ = api.world()["vms"]
    api.do("set-price", vm=one["id"], price=400_000)
    api.do("set-address", vm=two["id"], address="203.0.113.77")
    api.do("terminate", vm=three["id"])


def _keep_books(
    stack: Stack,
    eventually: Callable[..., Any],
    process: "subprocess.Popen[bytes]",
    again: Callable[[], Any],
) -> None:
    """Some epochs with all that can befall a VM, and a crash; quiet before and after."""
    books, first = stack.books, [vm["id"] for vm in stack.books.world()["vms"]]
    stack.write_down()
    books.do("set-boundary", seconds=0.2)
    books.do("rename", vm=first[0], name="renamed")
    books.do("deploy", name="young")
    for action, vm in (("vanish", first[1]), ("delete", first[2])):
        books.do("set-boundary", vm=vm, seconds=0.2)
        _let_it_pay(stack, eventually, vm)
        books.do(action, vm=vm)
    stack.write_down()  # in the middle of it
    process.kill()
    process.wait()
    time.sleep(EPOCH.total_seconds())  # one that nobody sees
    again()
    books.do("deploy", name="younger")
    eventually(lambda: "younger" in str(stack.ask("fluence_vm_info")), "it is watched again")
    books.do("set-boundary", seconds=QUIET)
    eventually(stack.knows_the_books, "all is scraped")
    stack.write_down()


def _let_it_pay(stack: Stack, eventually: Callable[..., Any], vm: str) -> None:
    """Once, and no more, until that is scraped."""
    before = _spent(stack, vm)
    eventually(lambda: _spent(stack, vm) > before, "it pays")
    stack.books.do("set-boundary", vm=vm, seconds=QUIET)
    wanted = _spent(stack, vm) / 10**6
    metric = f'fluence_vm_total_spent_usdc{{account="books", vm_id="{vm}"}}'
    eventually(lambda: wanted == stack.values(metric).get(vm), "it is scraped")


def _spent(stack: Stack, vm: str) -> int:
    return next(int(each["spent"]) for each in stack.books.world()["vms"] if vm == each["id"])
