"""`lts sandbox`: every situation gives what it says, to the Python client and to a page in a browser."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from lts.cli.develop.sandbox import situations
from lts.client import Client, Refused, Unreachable
from tests.support.lines import environment
from tests.support.wait import PATIENCE

REFUSED = {"expired": 111, "not-begun": 112, "full": 120, "password": 102, "bound": 114, "other-module": 124,
           "no-code": 101, "clone": 151, "standby": 100, "full-disk": 150, "limited": 130}  # fmt: skip
UNREACHABLE = {"slow", "offline", "portal", "half", "redirect"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[dict[str, Any]]:
    """What `lts sandbox --json` prints, while it runs."""
    command = [sys.executable, "-m", "lts.cli.main", "sandbox", "--json", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.terminate()
        assert process.wait(PATIENCE) == 0


def client_of(sandbox: dict[str, Any], name: str, **more: Any) -> Client:
    one = next(each for each in sandbox["situations"] if each["name"] == name)
    kind = "server" if name == "instances" else "desktop"
    return Client(one["licenseKey"], product="demo", vendor_key=one["vendorKey"], modules=tuple(one["modules"]),
                  deployment_type=kind, timeout=1.0 if name == "slow" else PATIENCE, **more)  # fmt: skip


@pytest.mark.parametrize("name", [one.name for one in situations()])
def test_every_situation_is_as_it_says(sandbox: dict[str, Any], name: str) -> None:
    client = client_of(sandbox, name)
    if name in REFUSED:
        with pytest.raises(Refused) as caught:
            client.authorize()
        assert caught.value.code == REFUSED[name]
        assert caught.value.advice
    elif name in UNREACHABLE:
        with pytest.raises(Unreachable):
            client.authorize()
    else:
        before = client.now()
        lease = client.authorize()
        assert lease.items[0].grace == (name == "grace")
        client.use("QR Code")
        result = client.flush()[0]
        if name == "clock":
            assert client.now() - before > 86_000
            assert (result["status"], result["code"]) == ("rejected", 142)
            assert client.flush()[0]["code"] == 142  # kept, and sent again
        else:
            assert result["status"] == "counted"
    client.close()


def test_the_switch_changes_while_an_application_runs(sandbox: dict[str, Any]) -> None:
    def switch(mode: str) -> None:
        asked = urllib.request.Request(f"{sandbox['url']}sandbox/switch?mode={mode}", method="POST")
        assert json.load(urllib.request.urlopen(asked, timeout=PATIENCE))["mode"] == mode

    client = client_of(sandbox, "switch")
    client.authorize()
    switch("portal")
    client.use("QR Code", 2)
    with pytest.raises(Unreachable):
        client.flush()
    assert client.authorize() == client.lease  # the lease at hand goes on
    switch("standby")
    with pytest.raises(Refused):
        client.flush()
    switch("works")
    assert client.flush()[0]["status"] == "counted"
    client.close()


def test_the_page_tries_every_situation(sandbox: dict[str, Any], browser: Browser) -> None:
    page = browser.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if "Content Security" in message.text else None)
    page.goto(f"{sandbox['url']}static/sandbox/index.html")
    page.get_by_text("The product is demo").wait_for()
    for name in (
        "works",
        "grace",
        "expired",
        "full",
        "no-code",
        "standby",
        "offline",
        "portal",
        "redirect",
        "failover",
    ):
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name, exact=True))
        row.get_by_role("button").click()
        refused = f"Refused {REFUSED[name]}" if name in REFUSED else None
        expected = refused or ("Unreachable" if name in UNREACHABLE else "authorized until")
        row.get_by_text(expected).wait_for(timeout=1000 * PATIENCE)
    assert not faults
    page.close()
