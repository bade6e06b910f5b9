"""The status page in a real browser."""

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest
import uvicorn
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import title_contains, url_contains, url_to_be
from selenium.webdriver.support.wait import WebDriverWait

from fluence_watch.model.vm import Status, Vm
from fluence_watch.notify.render import brief
from fluence_watch.web.alert import ActionView
from fluence_watch.web.app import create_app
from fluence_watch.web.backend import Backend
from fluence_watch.web.query import read_query
from fluence_watch.web.status import AccountReport, ReceiverReport, build_status

NOW = datetime(2025, 6, 1, 17, 17, tzinfo=UTC)
HOSTILE = (
    "<script>document.title = 'taken'</script>",
    "<img src=x onerror=\"document.title='taken'\">",
    "</td></table><style>body { display: none }</style>",
    "x" * 5000,
    "line\u2028separator \u202e and back",
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        missing = pytest.fail if os.environ.get("TESTS_REQUIRE_TOOLS") == "1" else pytest.skip
        missing("chromium and its driver are not installed (Debian: chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = str(chromium)
    for switch in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-first-run",
        f"--user-data-dir={tmp_path}",
    ):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options, webdriver.ChromeService(str(driver)))
    yield chrome
    chrome.quit()


class Pages:
    """Pages of alerts, of which none is known; each link may be used."""

    def page(self, _: str) -> None:
        """No alert is known."""

    def asked(self, *_: str) -> ActionView:
        """A link shows what it does."""
        return ActionView(200, "Do it?", HOSTILE[0], "Do it")

    async def carry_out(self, *_: str) -> ActionView:
        """And does it."""
        return ActionView(200, "Done", HOSTILE[1])


@pytest.fixture
def address() -> Iterator[str]:
    """The address of a server with a fleet of hostile names."""
    plain = Vm(id="0xa1", name=None, status=Status.ACTIVE, status_word="ACTIVE")
    vms = [replace(plain, id=f"0x{i}", name=name) for i, name in enumerate(HOSTILE)]
    fleet = AccountReport("main", up=True, last_good_at=NOW, vms={vm.key: vm for vm in vms})

    refuses = ReceiverReport("ops", failing_since=NOW, error=HOSTILE[0] + HOSTILE[3], waiting=3)

    async def reload() -> list[str]:
        return []

    backend = Backend(
        metrics=lambda *_: (b"", "text/plain", None),
        ready=list,
        remarks=list,
        reload=reload,
        status=lambda match: build_status(
            [fleet], [], NOW, brief, receivers=[refuses], query=read_query(match)
        ),
        alerts=Pages,
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # the browser may be faster than the server's start
        server = uvicorn.Server(uvicorn.Config(create_app(backend), log_level="error"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.should_exit = True
        thread.join(10)


def test_a_query_stays_text(browser: webdriver.Chrome, address: str) -> None:
    """What the address asks is shown as it is, with the error; the link leads back."""
    browser.get(f"{address}?{urlencode({'match': HOSTILE[0]})}")
    assert HOSTILE[0] in browser.find_element(By.TAG_NAME, "bdi").text
    assert [] == browser.find_elements(By.CSS_SELECTOR, "script, img, body style")
    browser.get(f"{address}?{urlencode({'match': 'vm=web'})}")
    assert "0 of 0 firing alerts match vm=web" in browser.find_element(By.TAG_NAME, "main").text
    browser.find_element(By.LINK_TEXT, "Show all").click()
    WebDriverWait(browser, 30).until_not(url_contains("match"))
    assert "vm=web" not in browser.find_element(By.TAG_NAME, "main").text


def test_the_button_of_a_link(browser: webdriver.Chrome, address: str) -> None:
    """The policy of the page lets its form through, and nothing of what it says is markup."""
    browser.get(f"{address}alerts/a1/ack/t0ken")
    assert HOSTILE[0] in browser.find_element(By.TAG_NAME, "main").text
    browser.find_element(By.TAG_NAME, "button").click()
    WebDriverWait(browser, 30).until(title_contains("Done"))
    assert HOSTILE[1] in browser.find_element(By.TAG_NAME, "main").text
    assert [] == browser.find_elements(By.CSS_SELECTOR, "script, img, form, body style")
    assert [] == browser.get_log("browser")
    browser.find_element(By.LINK_TEXT, "all alerts").click()
    WebDriverWait(browser, 30).until(url_to_be(address))


@pytest.mark.parametrize("width", [360, 1400])
def test_hostile_names_stay_text(browser: webdriver.Chrome, address: str, width: int) -> None:
    """No script of a VM's name runs, the style is applied, nothing is wider than the window."""
    device = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
    browser.get(address)
    text = browser.find_element(By.TAG_NAME, "body").text

    assert "All is well · fluence-watch" == browser.title
    assert HOSTILE[0] in text
    assert HOSTILE[1] in text
    assert HOSTILE[2] in text
    assert [] == browser.find_elements(By.CSS_SELECTOR, "script, img, body style")
    assert "tabular-nums" == browser.find_element(By.TAG_NAME, "body").value_of_css_property(
        "font-variant-numeric"
    )
    root = "return document.documentElement"
    assert browser.execute_script(f"{root}.clientWidth") == browser.execute_script(
        f"{root}.scrollWidth"
    )
    assert [] == browser.get_log("browser")
