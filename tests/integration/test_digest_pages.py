"""The mail of a digest as its reader sees it: in Chromium, light and dark, on a desk and on a phone."""

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fluence_watch.model.digest import Digest
from fluence_watch.notify.digest import render_digest
from fluence_watch.notify.markup import BodyFormat
from tests.digests import NOW, fleet

if TYPE_CHECKING:
    from selenium import webdriver

LONG = "W" * 64  # the widest name that is shown
READABLE, VISIBLE = 4.5, 3.0  # contrasts that WCAG asks of text, and of what is not text
LOOK = """
const rgb = text => text.match(/[\\d.]+/g).map(Number);
const isSeen = ([r, g, b, a = 1]) => a > 0;
const light = channels => channels.slice(0, 3).map(c => c / 255)
  .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
const contrast = (one, other) => {
  const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const behind = element => {
  for (let at = element; at; at = at.parentElement) {
    const colour = rgb(getComputedStyle(at).backgroundColor);
    if (isSeen(colour)) return colour;
  }
  return [255, 255, 255];
};
const bright = element => {
  const style = getComputedStyle(element);
  const by = Number((style.filter.match(/brightness\\(([\\d.]+)\\)/) || [0, 1])[1]);
  return rgb(style.backgroundColor).map(c => Math.min(255, c * by));
};
const all = [...document.body.querySelectorAll("*")];
const texts = all.filter(each => [...each.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
const bars = all.filter(each => each.className === "filled");
return {
  width: document.documentElement.scrollWidth,
  cut: all.filter(each => each.scrollWidth > each.clientWidth && each.clientWidth).map(each => each.outerHTML.slice(0, 200)),
  texts: texts.map(each => [each.textContent.trim().slice(0, 60), contrast(rgb(getComputedStyle(each).color), behind(each))]),
  bars: bars.map(each => {
    const {width, height} = each.getBoundingClientRect();
    return [width, height, contrast(bright(each), behind(each.closest(".card")))];
  }),
};
"""


@pytest.fixture(scope="module")
def chrome(tool: Callable[..., str]) -> "Iterator[webdriver.Chrome]":
    """A Chromium for all pages."""
    for program in ("chromium", "chromedriver"):
        tool(program, "chromium-driver")
    from tests.pictures.taking import browser  # noqa: PLC0415 - it needs Selenium

    with browser() as found:
        yield found


def look(chrome: "webdriver.Chrome", width: int, scheme: str) -> Any:  # noqa: ANN401 - JSON
    """What the browser makes of the page that it has, at that width and in those colours."""
    view = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", view)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    return chrome.execute_script(LOOK)


@pytest.mark.parametrize(
    "digest",
    [fleet(1), fleet(20, accounts=3, disks=3), fleet(500, disks=40), fleet(20, disks=2, name=LONG)],
    ids=["1", "20", "500", "long-names"],
)
def test_a_digest_is_readable(digest: Digest, chrome: "webdriver.Chrome", tmp_path: Path) -> None:
    """Nothing is wider than the page, text has contrast, and each bar is seen."""
    page = tmp_path / "mail.html"
    page.write_text(render_digest(digest, BodyFormat.MAIL, NOW).body, encoding="utf-8")
    chrome.get(page.as_uri())
    for width, scheme in product((720, 360), ("light", "dark")):
        seen = look(chrome, width, scheme)
        assert width == seen["width"]
        assert [] == seen["cut"]
        assert seen["texts"]
        assert [] == [(text, ratio) for text, ratio in seen["texts"] if ratio < READABLE]
        assert seen["bars"]
        assert [] == [
            (w, h, ratio) for w, h, ratio in seen["bars"] if w < 1 or h < 4 or ratio < VISIBLE
        ]
