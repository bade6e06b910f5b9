"""`make pictures`: what the README shows, taken in Chromium of a daemon that watches a simulated fleet."""

import sys
from pathlib import Path

from tests.pictures.taking import take

if __name__ == "__main__":
    folder = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parents[2] / "docs/pictures"
    for picture in take(folder):
        sys.stdout.write(f"{picture}: {picture.stat().st_size / 1000:.0f} kB\n")
