"""Every example of the README and the manual is run, as a reader would run it.

```console    each line after `$ ` goes to bash, and what it prints must match the lines below; `…` stands
              for any text of a line, and alone on a line for any lines. `export` lasts for the page.
```toml       settings that must load; with `file=NAME` it is only written, for the commands that follow;
              with `test` beside it, tests that `fluence-watch test` must pass
```promql     a query that promtool accepts
```yaml       a configuration, or rules, of Prometheus that promtool accepts; of Alertmanager, amtool
```python     a program that must end well
```sh         not run: it needs what a test machine has not (Docker, systemd, a package manager)
```nginx      not run
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from fluence_watch.settings import load_settings
from fluence_watch.simulator import build_world, create_app, running, utc_now
from fluence_watch.simulator.actions import AddDisk
from fluence_watch.simulator.gpu import GpuKind
from fluence_watch.simulator.gpu_actions import AddGpu

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
KEY = "simulated-key"
USUAL_PORT = "9824"
NOT_RUN = {"docker", "helm", "kubectl", "make", "pip", "pipx", "sudo", "systemctl"}
_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ACCOUNT = '[[accounts]]\napi_key = "a-key"\n'


class Block(NamedTuple):
    """A fenced block: its language, what stands beside it, its text and its line in the page."""

    language: str
    info: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[1], found[2].strip(), found[3], text.count("\n", 0, found.start()) + 1)
        for found in _BLOCK.finditer(text)
    ]


@dataclass
class Reader:
    """Somebody at a shell, in a folder of their own, with a simulated account."""

    folder: Path
    variables: dict[str, str]
    tool: Callable[..., str]
    port: str
    daemons: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def read(self, block: Block) -> None:
        """Do what the block says."""
        {
            "console": self.type_in,
            "toml": self.set_up,
            "promql": self.ask,
            "yaml": self.configure,
            "python": self.program,
            "sh": self.look_at,
            "nginx": lambda _: None,
        }[block.language](block)

    def type_in(self, block: Block) -> None:
        """Run each command, and compare what it prints."""
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            command, expected = _typed(part)
            printed = self.run(command.replace(USUAL_PORT, self.port))
            if expected.strip():
                assert re.fullmatch(_pattern(expected), printed), (
                    f"line {block.line}: {command}\n--- expected\n{expected}--- printed\n{printed}"
                )

    def run(self, command: str) -> str:
        """What a command prints, both streams as a terminal shows them."""
        if assigned := re.fullmatch(r"export ([^#]*?)\s*(?:#.*)?", command):
            pairs = re.findall(r'(\w+)=("[^"]*"|\S+)', assigned[1])
            self.variables |= {name: value.strip('"') for name, value in pairs if "…" not in value}
            return ""
        if re.fullmatch(r"fluence-watch run\s*(?:#.*)?", command):
            return self.start_daemon()
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert 0 == done.returncode, f"{command}: exit code {done.returncode}\n{done.stdout}"
        return done.stdout.replace(self.port, USUAL_PORT)

    def start_daemon(self) -> str:
        """Start the daemon, and wait until it is ready."""
        command = [sys.executable, "-m", "fluence_watch", "run"]
        with (self.folder / "run.log").open("ab") as log:
            self.daemons.append(
                subprocess.Popen(
                    command, cwd=self.folder, env=self.variables, stdout=log, stderr=log
                )
            )
        for _ in range(600):
            with suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{self.port}/-/ready", verify=False).is_success:
                    return ""
            with suppress(subprocess.TimeoutExpired):
                self.daemons[-1].wait(0.05)
                break
        pytest.fail("the daemon is not ready\n" + (self.folder / "run.log").read_text("utf-8"))

    def set_up(self, block: Block) -> None:
        """Load the settings, with secrets where they say that these are."""
        if block.info.startswith("file="):
            (self.folder / block.info.removeprefix("file=")).write_text(block.text, "utf-8")
            return
        if block.info == "test":
            (self.folder / "tests.toml").write_text(block.text, "utf-8")
            self.run("fluence-watch test tests.toml")
            return
        text = block.text.replace("/run/secrets/", f"{self.folder}/secrets/")
        (self.folder / "secrets").mkdir(exist_ok=True)
        for number, path in enumerate(re.findall(rf'"({self.folder}/secrets/[^"]+)"', text)):
            secret = f"json://localhost/{number}" if "url_file" in text else f"key-{number}"
            if f'api_key_file = "{path}"' in text:
                secret = f"key-{number}"
            if f'action_secret_file = "{path}"' in text:
                secret = "what signs" * 4
            Path(path).write_text(secret, "utf-8")
        settings = self.folder / f"settings-{block.line}.toml"
        settings.write_text(text if "[[accounts]]" in text else _ACCOUNT + text, "utf-8")
        load_settings(settings)

    def ask(self, block: Block) -> None:
        """Let promtool read each query, as the expression of a rule."""
        query = " ".join(line for line in block.text.splitlines() if not line.startswith("#"))
        rules = f"groups: [{{name: page, rules: [{{record: a:b, expr: '{query}'}}]}}]\n"
        self._promtool("rules", rules)

    def configure(self, block: Block) -> None:
        """Let promtool read the file, or amtool."""
        if block.text.startswith("route:"):
            amtool = self.tool("amtool", "prometheus-alertmanager")
            self._read_by([amtool, "check-config"], block.text)
        else:
            self._promtool("rules" if block.text.startswith("groups:") else "config", block.text)

    def _promtool(self, kind: str, text: str) -> None:
        self._read_by([self.tool("promtool", "prometheus"), "check", kind], text)

    def _read_by(self, command: list[str], text: str) -> None:
        path = self.folder / "read.yaml"
        path.write_text(text, "utf-8")
        done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stdout + done.stderr

    def program(self, block: Block) -> None:
        """Run the program."""
        done = subprocess.run(
            [sys.executable, "-c", block.text],
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert 0 == done.returncode, done.stderr

    def look_at(self, block: Block) -> None:
        """Only look whether it is of the kind that cannot be run here."""
        lines = block.text.splitlines()
        programs = {line.split()[1] for line in lines if line.startswith("$ ")}
        assert programs, "a block of shell commands without a `$ `"
        assert programs <= NOT_RUN, f"run these in a console block: {programs - NOT_RUN}"
        shipped = re.findall(r"\b((?:deploy|grafana)/[\w./-]+)", re.sub("#.*", "", block.text))
        assert [] == [path for path in shipped if not (ROOT / path).exists()]


def _typed(text: str) -> tuple[str, str]:
    """A command, with the lines after `> ` that belong to it, and what it should print."""
    first, *rest = re.sub(r"\\\n\s*", "", text).splitlines()
    more = list(takewhile(lambda line: line.startswith("> "), rest))
    command = "\n".join([first, *(line.removeprefix("> ") for line in more)])
    return command, "\n".join(rest[len(more) :])


def _pattern(expected: str) -> str:
    """The regular expression of an output in which `…` stands for any text."""
    lines = []
    for line in expected.rstrip("\n").splitlines():
        if line.strip() == "…":
            lines.append(r"(?:[^\n]*\n)*?")
        else:
            fixed = (re.escape(part).replace(r"\ ", " ") for part in line.rstrip().split("…"))
            lines.append(r"[^\n]*?".join(fixed) + r"[ \t]*\n")
    return r"\n*" + "".join(lines) + r"\n*"


def environment(folder: Path, api: str, port: str) -> Mapping[str, str]:
    """Variables that point a command at the simulated account, and at nothing else."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FLUENCE_WATCH_")}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "COLUMNS": "100",
        "FLUENCE_WATCH_API_KEY": KEY,
        "FLUENCE_WATCH_ACCOUNTS__MAIN__BASE_URL": api,
        "FLUENCE_WATCH_SERVER__LISTEN": f"127.0.0.1:{port}",
    }


@pytest.fixture
def reader(
    page: Path, tmp_path: Path, tool: Callable[..., str], free_port: Callable[[], int]
) -> Iterator[Reader]:
    metered, epoch = page.stem == "cloud", timedelta(hours=24)
    world = build_world(seed=1, vms=6, epoch=epoch, now=utc_now(), api_key=KEY, metered=metered)
    if metered:
        AddDisk("archive", gb=2000).apply(world)
    for name, kind in (("trainer", GpuKind.CONTAINER), ("notebook", GpuKind.VM)):
        AddGpu(name, kind).apply(world)
    api: Any = running(create_app(world, utc_now, dialect="all"))
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(api) as url:
        port = str(free_port())
        someone = Reader(tmp_path, dict(environment(tmp_path, url, port)), tool, port)
        if page.stem == "gpu":
            someone.variables["FLUENCE_WATCH_ACCOUNTS__MAIN__GPU"] = "true"
        if metered:
            someone.variables["FLUENCE_WATCH_ACCOUNTS__MAIN__DIALECT"] = "cloud"
        yield someone
        for daemon in someone.daemons:
            daemon.terminate()
            daemon.wait(15)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_example_works(page: Path, reader: Reader) -> None:
    """A reader who follows a page from its top gets what it says."""
    for block in blocks(page):
        reader.read(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Links within the repository point to files, and to headings, that are there."""
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://|mailto:)([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, target


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
