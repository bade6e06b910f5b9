"""Takes the pictures: pages in Chromium, and commands in a terminal that becomes one."""

import base64
import io
import os
import pty
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from rich.console import Console
from rich.text import Text
from selenium import webdriver

from fluence_watch.notify.digest import render_digest
from fluence_watch.notify.markup import BodyFormat
from tests.digests import NOW, fleet
from tests.pictures.scene import Scene, scene, until

COLUMNS = 108
COMMANDS = ("check", "forecast")
SHARP = 1.5  # pixels of the picture for one of the page
FONT = "DejaVu Sans Mono"


@contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """A Chromium without a window."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        raise FileNotFoundError("chromium and chromedriver (Debian: chromium-driver)")
    with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for switch in ("headless=new", "no-sandbox", "hide-scrollbars", f"user-data-dir={folder}"):
            options.add_argument(f"--{switch}")
        chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
        yield chrome
        chrome.quit()


def picture(chrome: webdriver.Chrome, url: str, width: int, file: Path) -> Path:
    """The whole page as a WebP, as wide as said."""
    view = {"width": width, "height": 10, "deviceScaleFactor": SHARP, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", view)
    transparent = {"color": {"r": 0, "g": 0, "b": 0, "a": 0}}
    chrome.execute_cdp_cmd("Emulation.setDefaultBackgroundColorOverride", transparent)
    chrome.get(url)
    height = chrome.execute_script("return document.documentElement.scrollHeight")
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", view | {"height": height})
    how = {"format": "webp", "quality": 80, "captureBeyondViewport": True}
    taken = chrome.execute_cdp_cmd("Page.captureScreenshot", how)
    file.write_bytes(base64.b64decode(taken["data"]))
    return file


def typed(command: Sequence[str], env: dict[str, str]) -> str:
    """What a command prints on a terminal."""
    printed = io.BytesIO()
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(command[0], [*command], env)
    while True:
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # its end on Linux
            break
        if not part:
            break
        printed.write(part)
    os.waitpid(child, 0)
    os.close(terminal)
    return printed.getvalue().decode().replace("\r\n", "\n")


def session(found: Scene) -> str:
    """The commands, each after its prompt, as one SVG."""
    sizes = {"COLUMNS": str(COLUMNS), "LINES": "50", "TERM": "xterm-256color"}
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for command in COMMANDS:
        console.print(Text.assemble(("$ ", "bold green"), f"fluence-watch {command}"))
        words = [sys.executable, "-m", "fluence_watch", command]
        printed = typed(words, found.environment | sizes).strip("\n")
        console.print(Text.from_ansi(printed), "", sep="\n", soft_wrap=True)
    svg = console.export_svg(title="fluence-watch")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL).replace("Fira Code", FONT)


def shown(html: str, style: str) -> str:
    """A page of its own, as an address."""
    page = f"<!doctype html><meta charset=utf-8><style>{style}</style>{html}"
    return f"data:text/html;charset=utf-8,{quote(page)}"


def digest() -> str:
    """The mail with the digest of a fleet that has run for months; the scene has only begun."""
    return render_digest(fleet(4, disks=1), BodyFormat.MAIL, NOW).body


def take(folder: Path) -> list[Path]:
    """Take all of them into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with scene() as found, browser() as chrome:
        mail = until(lambda: found.mailbox.html("topup_failed"), "a mail about the reserve")
        terminal = shown(session(found), "body { margin: 0 } svg { display: block; width: 100% }")
        return [
            picture(chrome, shown(mail, ""), 720, folder / "mail.webp"),
            picture(chrome, shown(digest(), ""), 720, folder / "digest.webp"),
            picture(chrome, terminal, 1100, folder / "terminal.webp"),
            # the last: it loads itself again each second, also over another page
            picture(chrome, found.page, 1500, folder / "status.webp"),
        ]
