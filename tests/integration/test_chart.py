"""The chart, rendered by Helm's own engine: valid for Kubernetes, restricted, and the same rules as the stack's."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import fluence_watch
from fluence_watch.settings import load_settings

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/fluence-watch"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
OLDEST, NEWEST = "1.25", "1.34"  # Chart.yaml names the oldest
RELEASE, NAMESPACE = "watch", "monitoring"
NAME = "watch-fluence-watch"
PORT = 9824

EXISTING = {"secret": {"existing": "a-secret"}}
FULL: dict[str, Any] = {
    "image": {"digest": "sha256:" + "0" * 64, "pullSecrets": ["registry"]},
    "secret": {"create": {"api-key": "k", "slack-url": "json://localhost"}},
    "persistence": {"storageClass": "fast"},
    "service": {"annotations": {"a": "b"}},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "dashboards": {"enabled": True, "annotations": {"folder": "fluence"}},
    "networkPolicy": {"extraEgress": [{"ports": [{"port": 25, "protocol": "TCP"}]}]},
    "podAnnotations": {"a": "b"},
    "podLabels": {"a": "b"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "priorityClassName": "high",
    "extraEnv": [{"name": "FLUENCE_WATCH_LOG__LEVEL", "value": "debug"}],
}
SMALL = EXISTING | {
    "persistence": {"existingClaim": "a-claim"},
    "networkPolicy": {"enabled": False},
}
CASES = {"default": EXISTING, "full": FULL, "small": SMALL}

Manifests = list[dict[str, Any]]
Render = Callable[[Mapping[str, Any]], Manifests]


class RefusedError(Exception):
    """Helm does not render the chart with these values."""


@pytest.fixture(scope="module")
def render(library: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory) -> Render:
    """What `helm template` gives; where there is no such program, from Helm's engine as a library."""
    helm = shutil.which("helm")
    engine = None if helm else library("helm_python")
    folder = tmp_path_factory.mktemp("values")

    def by_program(values: Mapping[str, Any]) -> list[str]:
        (folder / "values.json").write_text(json.dumps(values), encoding="utf-8")
        command = [helm, "template", RELEASE, CHART, "--namespace", NAMESPACE, "--values"]
        command.append(folder / "values.json")
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RefusedError(done.stderr)
        return [done.stdout]

    def by_library(values: Mapping[str, Any]) -> list[str]:
        with engine.Chart.load(CHART) as chart:
            try:
                chart.validate_schema(dict(values))
                files = chart.render(dict(values), name=RELEASE, namespace=NAMESPACE)
            except engine.HelmError as error:
                raise RefusedError(str(error)) from None
        return [text for name, text in files.items() if name.endswith(".yaml")]

    def rendered(values: Mapping[str, Any]) -> Manifests:
        texts = (by_program if helm else by_library)(values)
        return [each for text in texts for each in yaml.safe_load_all(text) if each]

    return rendered


def only(manifests: Manifests, kind: str) -> Any:  # noqa: ANN401 - YAML
    """The one manifest of a kind."""
    (found,) = (each for each in manifests if each["kind"] == kind)
    return found


def crds(manifests: Manifests) -> Iterator[dict[str, Any]]:
    """Those that Kubernetes knows only where the Prometheus operator is installed."""
    return (each for each in manifests if each["apiVersion"].startswith("monitoring.coreos.com/"))


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("case", CASES)
def test_kubernetes_accepts_every_manifest(
    case: str, version: str, render: Render, library: Callable[[str], Any]
) -> None:
    """By the schema of its kind, oldest and newest, with no key that the schema does not know."""
    manifests = render(CASES[case])
    for each in manifests:
        if each not in list(crds(manifests)):
            library("kubernetes_validate").validate(each, version, strict=True)
    with pytest.raises(library("kubernetes_validate").ValidationError):
        library("kubernetes_validate").validate(
            only(manifests, "Deployment") | {"specc": {}}, version, strict=True
        )

    assert f">={OLDEST}.0-0" == yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]
    kinds = {"Deployment", "ConfigMap", "Service", "ServiceAccount"}
    assert kinds <= {each["kind"] for each in manifests}


def closed(required: dict[str, Any], **optional: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The schema of an object with these keys and no others."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


TEXT, WORDS = {"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}
DURATION = {"type": "string", "pattern": r"^([0-9]+(ms|[smhdwy]))+$"}
RULE = closed({"expr": TEXT}, alert=TEXT, record=TEXT, labels=WORDS, annotations=WORDS)
RULE["properties"] |= {"for": DURATION, "keep_firing_for": DURATION}
CRDS = {
    "ServiceMonitor": closed(
        {
            "jobLabel": TEXT,
            "selector": closed({"matchLabels": WORDS}),
            "endpoints": {
                "type": "array",
                "items": closed(
                    {"port": TEXT, "path": TEXT}, interval=DURATION, scrapeTimeout=DURATION
                ),
            },
        }
    ),
    "PrometheusRule": closed(
        {
            "groups": {
                "type": "array",
                "minItems": 1,
                "items": closed(
                    {"name": TEXT, "rules": {"type": "array", "items": RULE}},
                    interval=DURATION,
                    labels=WORDS,
                    limit={"type": "integer"},
                ),
            }
        }
    ),
}
"""The parts of the operator's published schemas (monitoring.coreos.com/v1) that the chart uses."""


def test_the_prometheus_operator_accepts_its_own(render: Render) -> None:
    """Each by the keys that the operator's schema has; labels are those that a Prometheus selects."""
    found = {each["kind"]: each for each in crds(render(FULL))}

    assert CRDS.keys() == found.keys()
    for kind, each in found.items():
        jsonschema.validate(each["spec"], CRDS[kind])
        assert "monitoring.coreos.com/v1" == each["apiVersion"]
        assert "prometheus" == each["metadata"]["labels"]["release"]
    assert [] == list(crds(render(EXISTING)))
    service = only(render(FULL), "Service")["metadata"]["labels"]
    assert "fluence-watch" == service[found["ServiceMonitor"]["spec"]["jobLabel"]]


def test_its_rules_are_those_of_the_stack(render: Render) -> None:
    """Group by group, as `grafana/prometheus/rules` has them; so are the dashboards, byte by byte."""
    manifests = render(FULL)
    files = sorted((ROOT / "grafana/prometheus/rules").glob("*.yaml"))
    groups = [g for file in files for g in yaml.safe_load(file.read_text("utf-8"))["groups"]]
    boards = {file.name: file.read_text("utf-8") for file in ROOT.glob("grafana/dashboards/*.json")}
    maps = [each for each in manifests if each["kind"] == "ConfigMap"]
    shown = [each for each in maps if "grafana_dashboard" in each["metadata"]["labels"]]

    assert groups == only(manifests, "PrometheusRule")["spec"]["groups"]
    assert boards
    assert boards == {name: text for each in shown for name, text in each["data"].items()}


@pytest.mark.parametrize("case", CASES)
def test_the_pod_is_restricted(case: str, render: Render) -> None:
    """All that the Pod Security Standard "restricted" asks, and a read-only root beyond it."""
    pod = only(render(CASES[case]), "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    own = container["securityContext"]

    assert True is pod["securityContext"]["runAsNonRoot"]
    assert 0 < pod["securityContext"]["runAsUser"]
    assert {"type": "RuntimeDefault"} == pod["securityContext"]["seccompProfile"]
    assert (False, True) == (own["allowPrivilegeEscalation"], own["readOnlyRootFilesystem"])
    assert {"drop": ["ALL"]} == own["capabilities"]
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod.keys()
    assert not any("hostPort" in port for port in container["ports"])
    kinds = {"persistentVolumeClaim", "configMap", "secret"}
    assert kinds == {key for volume in pod["volumes"] for key in volume if key != "name"}
    assert (False, False) == (pod["automountServiceAccountToken"], pod["enableServiceLinks"])


@pytest.mark.parametrize("case", CASES)
def test_what_belongs_together_meets(case: str, render: Render) -> None:
    """Selectors find the pod, mounts have volumes, probes and the service reach the daemon's port."""
    manifests = render(CASES[case])
    deployment, service = only(manifests, "Deployment"), only(manifests, "Service")
    template = deployment["spec"]["template"]
    (container,) = template["spec"]["containers"]
    selectors = [deployment["spec"]["selector"]["matchLabels"], service["spec"]["selector"]]
    selectors += [
        each["spec"]["podSelector"]["matchLabels"]
        for each in manifests
        if each["kind"] == "NetworkPolicy"
    ]
    claims = {each["metadata"]["name"] for each in manifests if "Claim" in each["kind"]}
    volumes = {each["name"]: each for each in template["spec"]["volumes"]}

    for selector in selectors:
        assert selector.items() <= template["metadata"]["labels"].items()
    assert volumes.keys() == {mount["name"] for mount in container["volumeMounts"]}
    assert (claims or {"a-claim"}) == {volumes["state"]["persistentVolumeClaim"]["claimName"]}
    assert [("http", PORT)] == [(p["name"], p["containerPort"]) for p in container["ports"]]
    assert [("http", PORT)] == [(p["targetPort"], p["port"]) for p in service["spec"]["ports"]]
    probes = {k: v["httpGet"] for k, v in container.items() if k.endswith("Probe")}
    assert {"http"} == {probe["port"] for probe in probes.values()}
    assert {"/-/healthy", "/-/ready"} == {probe["path"] for probe in probes.values()}
    assert {"type": "Recreate"} == deployment["spec"]["strategy"]
    assert 1 == deployment["spec"]["replicas"]
    assert NAME == deployment["metadata"]["name"]


def test_its_settings_load(render: Render, tmp_path: Path) -> None:
    """Those of the chart's own values, with the secret where the pod finds it."""
    manifests = render(EXISTING)
    (container,) = only(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    text = only(manifests, "ConfigMap")["data"]["config.toml"]
    (tmp_path / "api-key").write_text("a-key\n", encoding="utf-8")
    moved = text.replace(mounts["secret"], str(tmp_path))
    (tmp_path / "config.toml").write_text(moved, encoding="utf-8")
    (account,) = load_settings(tmp_path / "config.toml").accounts

    assert "a-key" == account.key
    assert text != moved
    assert "/etc/fluence-watch" == mounts["config"]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "the API key is missing"),
        ({"secret": {"existing": "a", "create": {"api-key": "k"}}}, "one of the two"),
        (EXISTING | {"replicas": 2}, "replicas"),
        (EXISTING | {"image": {"digest": "latest"}}, "digest"),
        (EXISTING | {"networkPolicy": {"egressPorts": [0]}}, "egressPorts"),
    ],
)
def test_bad_values_are_refused(values: dict[str, Any], problem: str, render: Render) -> None:
    """With the name of what is wrong."""
    with pytest.raises(RefusedError, match=problem):
        render(values)


def test_the_schema_says_what_each_value_is() -> None:
    """Every value has a description and a default, and no value is missing from the schema."""

    def keys(values: Mapping[str, Any], schema: Mapping[str, Any], at: str = "") -> Iterator[str]:
        for name, part in schema["properties"].items():
            assert part["description"], f"{at}{name}"
            if name != "global":
                yield f"{at}{name}"
            if "properties" in part:
                yield from keys(values[name], part, f"{at}{name}.")
        assert values.keys() <= schema["properties"].keys(), at

    def found(values: Mapping[str, Any], name: str) -> bool:
        first, _, rest = name.partition(".")
        return first in values and (not rest or found(values[first], rest))

    jsonschema.validate(VALUES, SCHEMA)
    assert [] == [name for name in keys(VALUES, SCHEMA) if not found(VALUES, name)]


def test_it_is_of_this_version() -> None:
    """The chart installs the release that it comes with."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))

    assert fluence_watch.__version__ == chart["appVersion"] == chart["version"]
