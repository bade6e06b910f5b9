"""Write the dashboards, each into the file of its name."""

from pathlib import Path

from grafana.source.rendering import DASHBOARDS, render

FOLDER = Path(__file__).parents[1] / "dashboards"


def main() -> None:
    """Write `grafana/dashboards/*.json`."""
    FOLDER.mkdir(exist_ok=True)
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(render(name), encoding="utf-8")


main()
