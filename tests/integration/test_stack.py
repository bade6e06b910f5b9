"""The stack of `grafana/compose.yaml`: it fits the specification, is hardened, and what it starts works."""

import re
import subprocess
import sys
from collections.abc import Callable
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
    made = {"./prometheus", "./dashboards"}
    assert [] == [file for file in files if not (FOLDER / file).exists() and file not in made]
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


def test_the_demo_comes_alive(
    start: Callable[..., "subprocess.Popen[bytes]"],
    free_port: Callable[[], int],
    eventually: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """The commands of the demo, its settings and its health checks, on ports of this machine."""
    simulator, daemon = (f"127.0.0.1:{free_port()}" for _ in range(2))
    simulate = [
        word.replace("0.0.0.0:9825", simulator) for word in SERVICES["simulator"]["command"]
    ]
    start([*FLUENCE_WATCH, *simulate], tmp_path / "simulator.log", cwd=tmp_path)
    health = [word.replace("127.0.0.1:9825", simulator) for word in _health("simulator", "python")]
    eventually(lambda: _succeeds([sys.executable, *health]), "the simulator is healthy")
    settings = (FOLDER / "config/demo.toml").read_text(encoding="utf-8")
    (tmp_path / "config.toml").write_text(
        settings.replace("simulator:9825", simulator) + f'[server]\nlisten = "{daemon}"\n', "utf-8"
    )
    (command,) = {tuple(SERVICES[name]["command"]) for name in ("daemon", "demo")}
    start([*FLUENCE_WATCH, *command], tmp_path / "daemon.log", cwd=tmp_path)

    healthy = [*FLUENCE_WATCH, *_health("demo", "fluence-watch")]
    eventually(lambda: _succeeds(healthy, tmp_path), "the daemon is healthy")
    eventually(lambda: answers(f"http://{daemon}/-/ready"), "the daemon is ready")
    firing = re.compile(
        r'^fluence_watch_alerts\{.*rule="port_drift".*state="firing"\} [1-9]', re.MULTILINE
    )
    eventually(
        lambda: firing.search(httpx.get(f"http://{daemon}/metrics", verify=False).text),
        "an alert of the story fires",
    )


def _health(service: str, program: str) -> list[str]:
    """What the health check runs, after the program's name."""
    _, first, *rest = SERVICES[service]["healthcheck"]["test"]
    assert program == first
    return list(rest)


def _succeeds(command: list[str], folder: Path | None = None) -> bool:
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, timeout=30)
    return done.returncode == 0


def test_alertmanager_takes_its_configuration(
    tool: Callable[..., str],
    start: Callable[..., "subprocess.Popen[bytes]"],
    free_port: Callable[[], int],
    eventually: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Amtool accepts the file, and a real Alertmanager starts with the command line of the stack."""
    amtool = tool("amtool", "prometheus-alertmanager")
    file = FOLDER / "alertmanager.yml"
    checked = subprocess.run(
        [amtool, "check-config", file], check=False, capture_output=True, text=True
    )
    assert 0 == checked.returncode, checked.stdout + checked.stderr
    address = f"127.0.0.1:{free_port()}"
    arguments = [
        word.replace("/etc/alertmanager/alertmanager.yml", str(file)).replace(
            "=/alertmanager", f"={tmp_path}/data"
        )
        for word in SERVICES["alertmanager"]["command"]
    ]
    start(
        [
            tool("prometheus-alertmanager", "prometheus-alertmanager"),
            *arguments,
            f"--web.listen-address={address}",
        ],
        tmp_path / "alertmanager.log",
    )

    eventually(lambda: answers(f"http://{address}/-/ready"), "Alertmanager is ready")


def test_what_grafana_is_provisioned_with() -> None:
    """Data sources at services of the stack; dashboards from where they are mounted."""
    sources = _provisioned("datasources")["datasources"]
    (provider,) = _provisioned("dashboards")["providers"]
    ports = {"prometheus": 9090, "alertmanager": 9093}
    mounts = dict(mount.split(":")[:2] for mount in SERVICES["grafana"]["volumes"])

    assert {f"http://{name}:{port}" for name, port in ports.items()} == {s["url"] for s in sources}
    assert ports.keys() == {source["uid"] for source in sources}
    assert ports.keys() <= SERVICES.keys()
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
