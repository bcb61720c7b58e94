"""The demo, as its readers use it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from lts.protocol import LicenseKey
from tests.support.demos import SECONDS, Running, begin, interrupt, start
from tests.support.lines import ROOT, environment, lts

README = (ROOT / "README.md").read_text(encoding="utf-8")
TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running demo, in a folder with a blank in its name."""
    running = begin(tmp_path_factory.mktemp("a demo"))
    yield running
    running.process.kill()
    running.process.communicate()


@pytest.fixture(scope="module")
def ended(started: Running, tmp_path_factory: pytest.TempPathFactory) -> Running:
    """A demo that found the port of another one taken, and was ended by Ctrl-C."""
    running = begin(tmp_path_factory.mktemp("another"), "--port", str(urlsplit(started.link).port))
    assert str(running.folder) in interrupt(running.process)
    return running


@pytest.fixture(scope="module")
def demo() -> dict[str, Any]:
    """The JSON of a demo."""
    done = lts("demo", "--exit", "--json", "--port", "0")
    assert done.code == 0, done.err
    result: dict[str, Any] = json.loads(done.out)
    return result


@pytest.mark.slow
def test_a_demo_that_fails_leaves_no_folder_behind(tmp_path: Path) -> None:
    process = start(tmp_path, "--exit", "--host", "192.0.2.1")
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "192.0.2.1 is no address of this machine" in said
    assert list(tmp_path.iterdir()) == []


def sign_in(link: str, **headers: str) -> tuple[int, dict[str, Any]]:
    """(status, answer) of a browser that follows the printed address."""
    address, code = link.split("page/")[0], link.rpartition("sign-in=")[2]
    request = Request(
        f"{address}api/v1/admin/sign-in-link",
        json.dumps({"code": code}).encode(),
        {"Content-Type": "application/json", "X-LTS-CSRF": "sign-in", **headers},
    )
    try:
        with urlopen(request) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        return error.code, json.loads(error.read())


def test_the_usage_is_what_the_devices_reported(demo: dict[str, Any]) -> None:
    reported: Counter[str] = Counter()
    for device in demo["devices"]:
        reported.update(device["reported"])
    assert len(demo["devices"]) == 3
    assert sum(reported.values()) > 10_000
    assert demo["usage"] == dict(reported)
    assert LicenseKey.decode(demo["licenseKey"]).handshake_code == demo["handshakeCode"]


def test_the_json_holds_what_is_promised_and_no_more(demo: dict[str, Any]) -> None:
    assert demo.keys() == {"serverUuid", "vendorKey", "handshakeCode", "licenseKey", "devices", "usage"}
    for device in demo["devices"]:
        assert device.keys() == {"deviceId", "lease", "certificates", "reported"}


def test_ten_lines_with_a_jose_library_verify_a_lease_by_the_vendors_key_alone(demo: dict[str, Any]) -> None:
    for device in demo["devices"]:
        key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": demo["vendorKey"]})
        subject = None
        for certificate in device["certificates"]:
            claims = json.loads(jws.deserialize_compact(certificate, key, ["EdDSA"]).payload)
            subject, key = claims["sub"], OKPKey.import_key(claims["cnf"]["jwk"])
        lease = json.loads(jws.deserialize_compact(device["lease"], key, ["EdDSA"]).payload)
        assert lease["iss"] == subject == demo["serverUuid"]
        assert lease["sub"] == device["deviceId"]
        assert abs(lease["iat"] - time.time()) < 600, "authorized just now"


def test_the_history_was_made_by_the_server_itself_and_verifies(started: Running) -> None:
    done = lts("verify", data=started.folder / "data")
    assert done.code == 0, done.out + done.err


def test_the_clock_never_jumped_and_nothing_but_the_story_needs_attention(started: Running) -> None:
    status = lts("status", "--json", data=started.folder / "data")
    warnings = json.loads(status.out)["warnings"]  # the one of a proxy where the test of the printed address ran before
    assert [told for told in warnings if "forwards them" not in told] == []
    link = urlsplit(started.link)
    with (started.folder / "data" / "cli.token").open(encoding="utf-8") as file:
        token = file.read().strip()
    call = Request(f"http://{link.netloc}/lts/api/v1/admin/home", headers={"Authorization": f"Bearer {token}"})
    with urlopen(call) as answer:
        home = json.loads(answer.read())
    assert sorted(one["code"] for one in home["attention"] if one["code"] != "untrusted-proxy") == [
        "item-ends", "item-in-grace", "quota-nearly-used", "quota-nearly-used", "url-local",
    ]  # fmt: skip
    assert home["clock"]["unconfirmed"] is False


def test_sixty_days_of_a_dozen_devices_are_there(started: Running) -> None:
    data = started.folder / "data"
    days = json.loads(lts("usage", "--by", "day", "--format", "json", data=data).out)
    assert len({row["group"] for row in days["rows"]}) > 45
    devices = json.loads(lts("usage", "--by", "device", "--format", "json", data=data).out)
    assert len({row["group"] for row in devices["rows"]}) == 12


def test_it_tells_people_a_screen_of_it_without_tokens(started: Running) -> None:
    assert len(started.text.splitlines()) <= 40
    assert not TOKEN.search(started.text)
    keys = re.findall(r"LTS2\S+", started.text)
    assert [LicenseKey.decode(key).handshake_code for key in keys] == ["216998-stores"]
    wide = [line for line in started.text.splitlines() if len(line) > 100]
    assert all("LTS2" in line or str(started.folder) in line for line in wide), wide
    assert "216998-stores" in started.text


@pytest.mark.skipif(sys.platform == "win32", reason="read by cmd there, not by a POSIX shell")
def test_its_commands_do_their_work_when_they_are_pasted(started: Running) -> None:
    pasted = [words for line in started.text.splitlines() if "lts.cli.main " in line or re.search(r"/lts ", line)
              for words in [shlex.split(line)]]  # fmt: skip
    said = {}
    for words in pasted:
        name = next(word for word in words if word in ("usage", "explain", "authorize", "serve", "password"))
        if name not in ("serve", "password"):  # those are for later
            said[name] = subprocess.run(
                words, capture_output=True, text=True, encoding="utf-8", env=environment(), timeout=SECONDS, check=True
            ).stdout
    assert "1D barcode" in said["usage"]
    assert said["explain"].startswith("120: ")
    assert "216998-stores" in said["authorize"]


def test_the_printed_address_signs_in_once_and_on_this_machine_alone(started: Running) -> None:
    assert sign_in(started.link, **{"X-Forwarded-For": "192.0.2.7"})[0] == 403
    status, answer = sign_in(started.link)
    assert (status, answer["user"]) == (200, "admin")
    assert sign_in(started.link)[0] == 403


@pytest.mark.slow
def test_a_second_demo_finds_another_port_and_a_folder_of_its_own(started: Running, ended: Running) -> None:
    taken, port = urlsplit(started.link).port, urlsplit(ended.link).port
    assert port != taken
    assert f"\nThis server listens on port {port}, since {taken} is not free.\n" in ended.text
    assert ended.folder != started.folder


def test_served_again_it_has_the_address_that_its_license_key_names(started: Running, ended: Running) -> None:
    for running in (started, ended):
        [serve] = re.findall(r" serve (--data .*)", running.text)
        [key] = re.findall(r"LTS2\S+", running.text)
        [url] = LicenseKey.decode(key).servers
        assert shlex.split(serve) == ["--data", str(running.folder / "data"), "--port", str(urlsplit(url).port)]
        assert f"\nThis server listens on port {urlsplit(url).port}" in running.text


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Running]:
    """A demo that no other test looks at, so that it may get a device more."""
    running = begin(tmp_path)
    yield running
    running.process.kill()
    running.process.communicate()


def test_the_snippet_of_the_readme_works_with_the_keys_that_are_printed(fresh: Running, tmp_path: Path) -> None:
    [snippet] = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    [key] = re.findall(r"LTS2\S+", fresh.text)
    [vendor_key] = re.findall(r"vendor's public key, to embed with it: (\S+)", fresh.text)
    filled = snippet.replace('"LTS2…"', repr(key)).replace('"…"', repr(vendor_key))
    done = subprocess.run([sys.executable, "-c", filled], cwd=tmp_path, env=environment(), capture_output=True,
                          text=True, encoding="utf-8", timeout=SECONDS, check=True)  # fmt: skip
    assert done.stdout == "counted\n"


@pytest.mark.slow
def test_what_ctrl_c_left_behind_verifies_and_can_be_served_later(ended: Running) -> None:
    data = ended.folder / "data"
    assert lts("verify", data=data).code == 0
    done = lts("password", "reset", "--yes", data=data)
    assert done.code == 0, done.err
    assert "setup=" in done.out


def test_ctrl_c_ends_it_while_the_history_is_made(tmp_path: Path) -> None:
    process = start(tmp_path, "--port", "0")
    assert process.stdout is not None
    assert "Playing" in process.stdout.readline()
    rest = interrupt(process)
    assert rest.startswith("The demo has stopped.")
    assert len(rest.splitlines()) == 1
