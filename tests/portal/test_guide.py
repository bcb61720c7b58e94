"""The administrator's guide followed by a browser, from the first visit to a client with a key copied from the page."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lts.rules.licensing import activation, licensefile
from lts.vendor import issuing
from tests.support.kit import Vendor, item
from tests.support.lines import environment, lts
from tests.support.visitor import Visitor
from tests.support.wait import PATIENCE

ALWAYS: dict[str, Any] = {"startsAt": "2026-11-01T00:00:00Z", "expiresAt": None}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The address that `lts serve` prints, of a process on a new data folder."""
    command = [sys.executable, "-m", "lts.cli.main", "serve", "--no-browser", "--port", "0",
               "--data", str(tmp_path / "data")]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environment()) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found
        yield found[0]
        process.terminate()
        process.wait(PATIENCE)


def test_the_guide_works_as_written(url: str, visit: Callable[..., Visitor], tmp_path: Path) -> None:
    base = url.partition("page/")[0]
    visitor = visit(base)
    page = visitor.page

    # Log in LTS management portal: you will be asked to set a password
    page.goto(url)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/lts/page/#/index\.html\?setup=.*", url)
    page.get_by_label("New password").fill("a few good words")
    page.get_by_label("Repeat the password").fill("a few good words")
    page.get_by_role("button", name="Set the password").click()
    page.get_by_role("heading", name="Home").wait_for()
    assert "setup=" not in page.url

    # you should be able to see the UUID of the LTS on the home page
    uuid = page.get_by_label("LTS UUID", exact=True).input_value()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download activation request").click()
    request = activation.read(Path(downloading.value.path()).read_bytes())
    assert request.uuid == uuid

    # the vendor activates a license for it
    vendor = Vendor()
    license_file = vendor.issue(
        item("QR codes", quota=1000, **ALWAYS), item("Seats", "device", 10, **ALWAYS), license_id="100028117"
    )
    activated = issuing.activate(license_file, [request], vendor.key, vendor.name, license_file.issued_at)
    path = tmp_path / "LTS 许可证.lic"
    path.write_bytes(licensefile.render(activated).encode())

    # Click "License Items" on the menu, click "Select File", select "Import"
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="License Items").click()
    page.get_by_text("No license yet").wait_for()
    with page.expect_file_chooser() as choosing:
        page.get_by_role("button", name="Select File").click()
    choosing.value.set_files(path)
    preview = page.get_by_role("region", name="What will change")
    preview.get_by_text("QR codes, Seats").wait_for()
    assert preview.get_by_role("button", name="Import").is_disabled()  # the vendor's key is not known yet
    preview.get_by_label("I have compared this fingerprint").check()
    preview.get_by_role("button", name="Import").click()

    # You will see the license items in the Activated License Items table
    table = page.get_by_role("table", name="Activated License Items")
    table.get_by_role("row").filter(has_text="QR codes").wait_for()
    assert table.get_by_role("row").filter(has_text="Seats").count() == 1

    # A Handshake Code will be generated which includes all the license items
    page.get_by_role("link", name="216998-100028117").click()
    row = page.get_by_role("table", name="Handshake Codes").get_by_role("row").filter(has_text="216998-100028117")
    row.wait_for()
    assert "QR codes" in row.inner_text()
    assert "Seats" in row.inner_text()

    # the key string, copied from the page into an application
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    row.get_by_role("button", name="Copy").click()
    row.get_by_text("Copied").wait_for()
    key = page.evaluate("navigator.clipboard.readText()")
    assert key == page.get_by_label("License key of 216998-100028117", exact=True).input_value()
    product = ["--key", key, "--product", "reader", "--deployment", "server"]
    authorized = lts("authorize", *product, "--state", tmp_path / "app")
    assert authorized.code == 0, authorized.err
    reported = lts("report", *product, "--usage", "QR=7", "--state", tmp_path / "app")
    assert reported.code == 0, reported.err

    # the statistics show what it used
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Statistics").click()
    page.get_by_role("table", name="Figures").get_by_text("7").first.wait_for()
    visitor.settled()
