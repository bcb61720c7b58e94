"""Where and how the server is started (docs/design/surface.md, Start): folders, pipes, time zones, a second start."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lts.service.folder.datafolder import running_server
from tests.support.lines import environment, lts
from tests.support.wait import PATIENCE


class Started:
    """A server process; standard output is read up to its first line only."""

    def __init__(self, data: Path, *, folder: Path | None = None, **variables: str) -> None:
        command = [sys.executable, "-m", "lts.cli.main", "serve", "--no-browser", "--port", "0", "--data", str(data)]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment(), **variables},
            cwd=folder,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert "running" in line, line
        self.port = int(line.split(":")[3].split("/")[0])

    def get(self, path: str) -> int:
        """Status of a GET."""
        return self._ask("GET", path, b"")

    def post(self, path: str, body: object) -> int:
        """Status of a POST."""
        return self._ask("POST", path, json.dumps(body).encode())

    def _ask(self, method: str, path: str, body: bytes) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body)
            return connection.getresponse().status
        finally:
            connection.close()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Signal it and wait; its exit code."""
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=PATIENCE)
        finally:
            self.process.kill()
            for stream in (self.process.stdout, self.process.stderr):
                assert stream is not None
                stream.close()


def test_it_starts_from_any_working_folder(tmp_path: Path) -> None:
    server = Started(tmp_path / "data", folder=Path("/"))
    assert server.get("/lts/api/v1/health") == 200
    assert server.end() == 0
    assert (tmp_path / "data" / "lts.db").exists()


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["Not/AZone", "", ":/nowhere", "America/New_York"])
def test_any_time_zone_will_do(tmp_path: Path, zone: str) -> None:
    server = Started(tmp_path / "data", TZ=zone)
    assert server.get("/api/v1/health") == 200
    assert server.end() == 0


@pytest.mark.slow
def test_a_console_that_nobody_reads_holds_up_nobody(tmp_path: Path) -> None:
    server = Started(tmp_path / "data")
    body = {"deviceId": "6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b11", "product": "x" * 200, "deploymentType": "server",
            "handshakeCode": "nothing" * 20}  # fmt: skip
    statuses = {server.post("/api/v1/authorize", body) for _ in range(1500)}
    assert statuses <= {404, 429}
    assert server.get("/api/v1/health") == 200
    assert server.end() == 0


def test_ctrl_c_stops_it_and_the_folder_is_free(tmp_path: Path) -> None:
    server = Started(tmp_path / "data")
    assert server.end(signal.SIGINT) == 0
    assert running_server(tmp_path / "data") is None


def test_a_lock_left_by_a_killed_server_is_taken_over(tmp_path: Path) -> None:
    server = Started(tmp_path / "data")
    assert running_server(tmp_path / "data") is not None
    server.end(signal.SIGKILL)
    again = Started(tmp_path / "data")
    assert again.get("/api/v1/health") == 200
    assert again.end() == 0


def test_a_configuration_with_faults_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "lts.json").write_text('{\n"port": "48080",\n"typo": 1\n}', encoding="utf-8")
    done = lts("serve", "--config", tmp_path / "lts.json")
    assert done.code == 1
    assert "line 2: port" in done.err
    assert "line 3: typo" in done.err
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_only_the_owner_can_read_keys_and_database(tmp_path: Path) -> None:
    server = Started(tmp_path / "data")
    data = tmp_path / "data"
    assert data.stat().st_mode & 0o077 == 0
    for name in ("server.key", "vault.key", "identity.json", "cli.token", "lts.db"):
        assert (data / name).stat().st_mode & 0o077 == 0, name
    assert server.end() == 0
    assert not (data / "cli.token").exists()


def test_the_administrators_api_is_closed_to_others(tmp_path: Path) -> None:
    server = Started(tmp_path / "data")
    assert server.get("/api/v1/admin/status") == 401
    token = (tmp_path / "data" / "cli.token").read_text()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    for headers, status in (
        ({"Authorization": f"Bearer {token}"}, 200),
        ({"Authorization": f"Bearer {token}x"}, 401),
        ({"Authorization": f"Bearer {token}", "X-Forwarded-For": "127.0.0.1"}, 401),
    ):
        connection.request("GET", "/lts/api/v1/admin/status", headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()
    assert server.end() == 0
