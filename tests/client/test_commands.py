"""`lts authorize` and `lts report` of a server that answers, and of one that no longer does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from lts.cli.main import main
from lts.service.licensing import serverurls
from tests.support.kit import Lab, item

Said = pytest.CaptureFixture[str]
GONE = "http://127.0.0.1:9/lts/"


@pytest.fixture
def device(served: Lab, tmp_path: Path, capsys: Said) -> list[str]:
    """The options of a device that is authorized."""
    served.load(item(quota=5, expiresAt=None))
    options = [
        "--server", serverurls.server_urls(served.ctx)[0], "--code", "216998-100",
        "--state", str(tmp_path / "state"), "--product", "reader",
    ]  # fmt: skip
    assert main(["authorize", *options]) == 0
    assert "is authorized for reader (desktop) until" in capsys.readouterr().out
    return options


def by(url: str, options: list[str]) -> list[str]:
    """The same device, asking another server."""
    return ["--server", url, *options[2:]]


@contextmanager
def not_lts() -> Iterator[str]:
    """A web server that has no such page."""

    class Nothing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Nothing) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/lts/"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_report_that_is_rejected_is_a_failure_in_either_form(
    form: tuple[str, ...], device: list[str], capsys: Said
) -> None:
    assert main(["report", *device, "--usage", "QR=1", *form]) == 0
    assert capsys.readouterr().err == ""
    assert main(["report", *device, "--usage", "QR=1", "--slot", "2020-01-01T00:00:00Z", *form]) == 1
    told = capsys.readouterr()
    assert "rejected" in told.out
    assert told.err == "lts: The server rejected the report (143): The slot is over 30 days old.\n"


def test_a_lease_that_is_kept_since_no_server_answers_is_called_that(device: list[str], capsys: Said) -> None:
    assert main(["authorize", *by(GONE, device)]) == 0
    told = capsys.readouterr().out
    assert "is authorized" not in told
    assert told.startswith(f"No server answered: {GONE}api/v1/authorize cannot be reached (")
    assert f"The lease in {device[5]} is still valid" in told
    assert main(["authorize", *by(GONE, device), "--json"]) == 0
    assert "cannot be reached (" in json.loads(capsys.readouterr().out)["unanswered"]
    assert main(["authorize", *device, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unanswered"] is None


def test_a_server_that_is_not_lts_has_not_answered(device: list[str], capsys: Said) -> None:
    with not_lts() as url:
        assert main(["authorize", *by(url, device)]) == 0
    assert "answered 404 with something that is not from LTS" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "127.0.0.1", "http://[", "http://127.0.0.1:99999/lts/"])
def test_a_malformed_server_is_refused_whatever_lease_is_kept(url: str, device: list[str], capsys: Said) -> None:
    assert main(["authorize", *by(url, device)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("lts: --server is wrong: ")
