"""The stack of `grafana/compose.yaml`: it fits the specification, is hardened, and what it starts works."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from fluence_watch.settings import load_settings

pytestmark = pytest.mark.xdist_group("stack")

FOLDER = Path(__file__).parents[2] / "grafana"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROFILES = ("live", "demo")
OWN_IMAGE = "fluence-watch"
DAEMON, PROMETHEUS, ALERTMANAGER = (
    "fluence-watch:9824",
    "prometheus:9090",
    "alertmanager:9093",
)
BINARIES = {PROMETHEUS: "prometheus", ALERTMANAGER: "prometheus-alertmanager"}  # Debian's names
FLUENCE_WATCH = [sys.executable, "-m", "fluence_watch"]


def of_profile(profile: str) -> dict[str, dict[str, Any]]:
    """The services that `--profile` starts."""
    return {name: each for name, each in SERVICES.items() if profile in each.get("profiles", [])}


def answers(url: str) -> bool:
    """Whether there is a good answer."""
    try:
        return httpx.get(url, timeout=2, verify=False).is_success
    except httpx.HTTPError:
        return False


def test_it_fits_the_specification(library: Callable[[str], Any]) -> None:
    """Each key and each value, with anchors merged, as a client does; a misspelled key is refused."""
    read = library("compose_spec").PyCompose.from_yaml
    read(yaml.safe_dump(COMPOSE, sort_keys=False))

    with pytest.raises(ValueError, match="cap_dorp"):
        read("services: {a: {image: a, cap_dorp: [ALL]}}")


@pytest.mark.parametrize("profile", PROFILES)
def test_the_client_accepts_it(profile: str) -> None:
    """`docker compose config`, where the plugin is there."""
    compose = ["docker", "compose"]
    if subprocess.run([*compose, "version"], check=False, capture_output=True).returncode:
        pytest.skip("docker compose is not installed; the specification is checked by itself")
    command = [*compose, "--file", str(FOLDER / "compose.yaml"), "--profile", profile, "config"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr
    assert of_profile(profile).keys() == yaml.safe_load(done.stdout)["services"].keys()


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened(name: str) -> None:
    """Read-only, without a capability, healthy or not, and to be reached from this machine alone."""
    service = SERVICES[name]

    assert (True, ["ALL"]) == (service["read_only"], service["cap_drop"])
    assert ["no-new-privileges:true"] == service["security_opt"]
    assert "privileged" not in service
    assert "cap_add" not in service
    assert service["healthcheck"]["test"][0] == "CMD"
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert all(
        source.startswith("./") is target.endswith(":ro")
        for source, _, target in (mount.partition(":") for mount in service.get("volumes", []))
    )


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned(name: str) -> None:
    """Ours is built from this checkout; each other has a registry and the tag of one release."""
    service = SERVICES[name]

    assert service["image"] == OWN_IMAGE or re.fullmatch(
        r"docker\.io/[\w/-]+:v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?", service["image"]
    )
    assert (service["image"] == OWN_IMAGE) is ("build" in service)


@pytest.mark.parametrize("profile", PROFILES)
def test_what_a_profile_needs_is_there(profile: str) -> None:
    """The files that it mounts, and the services that others wait for; the demo needs no secret."""
    services = of_profile(profile)
    files = [
        mount.split(":")[0]
        for service in services.values()
        for mount in service.get("volumes", [])
        if mount.startswith("./")
    ]
    files += [
        COMPOSE["configs"][config["source"]]["file"]
        for service in services.values()
        for config in service.get("configs", [])
    ]
    waited_for = {name for each in services.values() for name in each.get("depends_on", {})}
    secrets = [name for each in services.values() for name in each.get("secrets", [])]

    assert files
    assert [] == [file for file in files if not (FOLDER / file).exists()]
    assert waited_for <= services.keys()
    assert {"live": ["fluence-api-key"], "demo": []}[profile] == secrets
    daemons = [each for each in services.values() if each.get("command") == ["run"]]
    assert [["fluence-watch"]] == [each["networks"]["default"]["aliases"] for each in daemons]


def test_the_live_settings_load(tmp_path: Path) -> None:
    """With the key that the secret holds, from where the secret is mounted."""
    (secret,) = SERVICES["daemon"]["secrets"]
    (tmp_path / "key").write_text("a-key\n", encoding="utf-8")
    text = (FOLDER / "config/live.toml").read_text(encoding="utf-8")
    (tmp_path / "config.toml").write_text(
        text.replace(f"/run/secrets/{secret}", f"{tmp_path}/key"), encoding="utf-8"
    )
    (account,) = load_settings(tmp_path / "config.toml").accounts

    assert ("main", "a-key") == (account.name, account.key)


@dataclass(frozen=True)
class Stack:
    """Who listens where on this machine; in the stack each has its service's name and port."""

    ports: dict[str, int]

    def here(self, text: str) -> str:
        """A text with the addresses and files of the stack replaced by those of this machine."""
        for address, port in self.ports.items():
            text = text.replace(address, f"127.0.0.1:{port}")
        return text

    def url(self, address: str, path: str) -> str:
        """Where something that the stack has at the address is found here."""
        return f"http://127.0.0.1:{self.ports[address]}{path}"


@pytest.fixture(scope="module")
def stack(
    tool: Callable[..., str],
    start: Callable[..., "subprocess.Popen[bytes]"],
    free_port: Callable[[], int],
    eventually: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Stack:
    """All of the demo but Grafana, by the command lines, files and health checks of the stack."""
    folder = tmp_path_factory.mktemp("stack")
    simulator = free_port()
    made = Stack(dict.fromkeys(("0.0.0.0:9825", "127.0.0.1:9825", "simulator:9825"), simulator))
    made.ports.update({name: free_port() for name in (DAEMON, PROMETHEUS, ALERTMANAGER)})
    for address, binary in BINARIES.items():
        name = address.partition(":")[0]
        listen = f"--web.listen-address=127.0.0.1:{made.ports[address]}"
        arguments = moved(SERVICES[name]["command"], made, folder / name)
        start([tool(binary, binary), *arguments, listen], folder / f"{name}.log")
    simulate = map(made.here, SERVICES["simulator"]["command"])
    start([*FLUENCE_WATCH, *simulate], folder / "simulator.log", cwd=folder)
    healthy = [sys.executable, *map(made.here, _health("simulator", "python"))]
    eventually(lambda: _succeeds(healthy), "the simulator is healthy")
    settings = made.here((FOLDER / "config/demo.toml").read_text(encoding="utf-8"))
    listen = f'[server]\nlisten = "127.0.0.1:{made.ports[DAEMON]}"\n'
    (folder / "config.toml").write_text(settings + listen, encoding="utf-8")
    start([*FLUENCE_WATCH, *SERVICES["demo"]["command"]], folder / "daemon.log", cwd=folder)
    healthy = [*FLUENCE_WATCH, *_health("demo", "fluence-watch")]
    eventually(lambda: _succeeds(healthy, folder), "the daemon is healthy")
    return made


def moved(arguments: Sequence[str], stack: Stack, folder: Path) -> list[str]:
    """A command line with its files in a folder of the test, and these with addresses of here."""
    shutil.copytree(FOLDER / "prometheus", folder / "etc")
    shutil.copy(FOLDER / "alertmanager.yml", folder / "etc")
    config = folder / "etc/prometheus.yml"
    text = stack.here(config.read_text(encoding="utf-8")).replace("30s", "1s")
    config.write_text(text.replace("/etc/prometheus", str(folder / "etc")), encoding="utf-8")
    return [
        re.sub(
            r"=/(?:prometheus|alertmanager)$",
            f"={folder}/data",
            re.sub(r"=/etc/\w+/", f"={folder}/etc/", word),
        )
        for word in arguments
    ]


def _health(service: str, program: str) -> list[str]:
    """What the health check runs, after the program's name."""
    _, first, *rest = SERVICES[service]["healthcheck"]["test"]
    assert program == first
    return list(rest)


def _succeeds(command: list[str], folder: Path | None = None) -> bool:
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, timeout=30)
    return done.returncode == 0


def test_the_demo_comes_alive(stack: Stack, eventually: Callable[..., Any]) -> None:
    """Something of the story fires in the daemon, and Prometheus sees it with rules and no error."""
    eventually(lambda: answers(stack.url(DAEMON, "/-/ready")), "the daemon is ready")
    query = 'sum(fluence_watch_alerts{state="firing",rule=~"port_drift|vm_vanished"}) > 0'
    firing = stack.url(PROMETHEUS, "/api/v1/query")

    def seen() -> Any:  # noqa: ANN401 - JSON
        with suppress(httpx.HTTPError):
            found = httpx.get(firing, params={"query": query}, timeout=5, verify=False).json()
            return found["data"]["result"]

    eventually(seen, "Prometheus sees an alert that fires, of the story", 90)

    def scraped() -> bool:
        targets = asked(stack, "targets")["activeTargets"]
        return [("fluence-watch", "up", "")] == [
            (each["labels"]["job"], each["health"], each["lastError"]) for each in targets
        ]

    eventually(scraped, "it is the one target, and up")
    rules = [rule for group in asked(stack, "rules")["groups"] for rule in group["rules"]]
    assert rules
    assert [] == [rule["name"] for rule in rules if rule["health"] == "err"]


def test_alertmanager_hears_of_alerts(stack: Stack, eventually: Callable[..., Any]) -> None:
    """It starts with its file, and Prometheus knows it."""
    ready = stack.url(ALERTMANAGER, "/-/ready")
    eventually(lambda: answers(ready), "Alertmanager is ready")

    def known() -> list[str]:
        return [each["url"] for each in asked(stack, "alertmanagers")["activeAlertmanagers"]]

    eventually(lambda: [stack.url(ALERTMANAGER, "/api/v2/alerts")] == known(), "it is the one")


def asked(stack: Stack, what: str) -> Any:  # noqa: ANN401 - JSON
    """What Prometheus says of itself."""
    url = stack.url(PROMETHEUS, f"/api/v1/{what}")
    return httpx.get(url, timeout=10, verify=False).json()["data"]


def test_tools_accept_the_files(tool: Callable[..., str]) -> None:
    """Amtool has nothing to say, and every alert that it hides is one of the rules."""
    file = FOLDER / "alertmanager.yml"
    amtool = tool("amtool", "prometheus-alertmanager")
    done = subprocess.run(
        [amtool, "check-config", file], check=False, capture_output=True, text=True
    )
    rules = " ".join(
        path.read_text(encoding="utf-8") for path in FOLDER.glob("prometheus/rules/*.yaml")
    )
    named = re.findall(r'alertname="(\w+)"', file.read_text(encoding="utf-8"))

    assert 0 == done.returncode, done.stdout + done.stderr
    assert named
    assert [] == [name for name in named if f"alert: {name}\n" not in rules]


def test_what_grafana_is_provisioned_with() -> None:
    """Data sources at services of the stack; dashboards from where they are mounted."""
    sources = _provisioned("datasources")["datasources"]
    (provider,) = _provisioned("dashboards")["providers"]
    services = {PROMETHEUS.partition(":")[0], ALERTMANAGER.partition(":")[0]}
    mounts = dict(mount.split(":")[:2] for mount in SERVICES["grafana"]["volumes"])

    assert {f"http://{at}" for at in (PROMETHEUS, ALERTMANAGER)} == {s["url"] for s in sources}
    assert services == {source["uid"] for source in sources}
    assert services <= SERVICES.keys()
    assert mounts["./dashboards"] == provider["options"]["path"]
    assert "/etc/grafana/provisioning" == mounts["./provisioning"]


def _provisioned(kind: str) -> Any:  # noqa: ANN401 - YAML
    (file,) = (FOLDER / "provisioning" / kind).glob("*.yaml")
    found = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert 1 == found["apiVersion"]
    return found


def test_grafana_knows_no_user() -> None:
    """Whoever reaches its loopback port may look; nobody may log in or change something."""
    environment = SERVICES["grafana"]["environment"]

    assert ("true", "Viewer") == (
        environment["GF_AUTH_ANONYMOUS_ENABLED"],
        environment["GF_AUTH_ANONYMOUS_ORG_ROLE"],
    )
    assert "true" == environment["GF_AUTH_DISABLE_LOGIN_FORM"]
    assert "true" == environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"]
