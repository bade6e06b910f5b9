"""Print what is in the image as CycloneDX 1.6: the lock file's pins, with what is installed of them.

    sbom.py LOCK SITE-PACKAGES

A component has the licence and the needs that its metadata state, and the hashes that the lock
accepts. The same lock gives the same document. Debian's packages stand in dpkg's own database.
Fails when the pins for this machine are not what is installed.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OWN = "fluence-watch"
Json = dict[str, object]


def pins(lock: str) -> Iterator[tuple[str, list[str]]]:
    """Name and SHA-256 hashes of each pin that holds on this machine."""
    for entry in re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n?", "", lock, flags=re.MULTILINE)):
        first, *_ = entry.split("\\\n")
        pin = Requirement(first)
        if pin.marker is None or pin.marker.evaluate():
            yield canonicalize_name(pin.name), re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)


def purl(each: Distribution) -> str:
    """The package URL of what is installed."""
    return f"pkg:pypi/{canonicalize_name(each.name)}@{each.version}"


def licences(each: Distribution) -> list[Json]:
    """What its metadata say, in the most precise form that they have."""
    if expression := each.metadata.get("License-Expression"):
        return [{"expression": expression}]
    classified = [
        value.rpartition(" :: ")[2]
        for value in each.metadata.get_all("Classifier", [])
        if value.startswith("License :: ")
    ]
    text = each.metadata.get("License", "").strip()
    names = classified or ([text] if text and "\n" not in text else [])
    return [{"license": {"name": name}} for name in names]


def component(each: Distribution, kind: str, hashes: Iterable[str] = ()) -> Json:
    """One entry of the document."""
    made: Json = {"type": kind, "bom-ref": purl(each), "purl": purl(each)}
    made |= {"name": canonicalize_name(each.name), "version": each.version}
    if found := licences(each):
        made["licenses"] = found
    if accepted := [{"alg": "SHA-256", "content": each} for each in hashes]:
        made["hashes"] = accepted
    return made


def needs(each: Distribution, installed: Mapping[str, Distribution]) -> list[str]:
    """The package URLs of what it needs, of those that are installed."""
    wanted = (Requirement(text) for text in each.requires or [])
    names = {canonicalize_name(one.name) for one in wanted}
    return sorted(purl(installed[name]) for name in names & installed.keys())


def document(lock: str, site: Path) -> Json:
    """The whole."""
    installed = {canonicalize_name(each.name): each for each in distributions(path=[str(site)])}
    pinned = dict(pins(lock))
    if differing := pinned.keys() ^ (installed.keys() - {OWN}):
        sys.exit(f"pinned or installed, not both: {', '.join(sorted(differing))}")
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, purl(installed[OWN]) + lock)}",
        "version": 1,
        "metadata": {"component": component(installed[OWN], "application")},
        "components": [component(installed[n], "library", pinned[n]) for n in sorted(pinned)],
        "dependencies": [
            {"ref": purl(each), "dependsOn": needs(each, installed)}
            for _, each in sorted(installed.items())
        ],
    }


if __name__ == "__main__":
    lock_file, site_packages = map(Path, sys.argv[1:])
    json.dump(document(lock_file.read_text(encoding="utf-8"), site_packages), sys.stdout, indent=1)
