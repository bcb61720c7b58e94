"""Driving any client through the vectors (docs/protocol.md, Vectors): what it trusts, sends, and reports.

A client is driven by JSON objects, one after another: lines to a command's standard input, each answered by a line, or
POSTs to a URL. This program plays the servers for the client, as the vectors script them.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lts import plainfile
from lts.errors import AdminError, words_of
from lts.protocol import LicenseKey
from lts.reach import Deadline, ask, http_connection

Json = dict[str, Any]
Drive = Callable[[Json], Json]
"""Sends a call to the client and gives its answer."""
ANSWER_SECONDS = 30
MAX_ANSWER_BYTES = 1 << 20
LOOK_SECONDS = 0.01
"""How often a simulated server checks whether its scenario is over."""


@dataclass
class Played:
    """The servers of a scenario: the requests they still expect, and the faults found."""

    expected: list[Json] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, server: int, path: str, body: Any) -> Json:
        """The scripted answer to a request; one that was not expected is a fault."""
        with self.lock:
            while self.expected and self.expected[0].get("optional") and self.expected[0]["path"] != path:
                self.expected.pop(0)
            if not self.expected:
                self.faults.append(f"sent {path} to {_name(server)} though nothing was to be sent")
                return {"status": 500, "text": "unexpected"}
            ask = self.expected.pop(0)
            if (path, server) != (ask["path"], ask.get("server", 0)):
                place = f"{ask['path']} to {_name(ask.get('server', 0))}"
                self.faults.append(f"sent {path} to {_name(server)}, where {place} was expected")
            self.faults += [f"{path}: {one}" for one in differences(ask.get("body", {}), body)]
            found: Json = ask["answer"]
            return found


def _name(server: int) -> str:
    return ("the main", "the standby")[server]


def differences(expected: Any, found: Any, place: str = "") -> list[str]:
    """How `found` differs from what is expected: objects may have more fields, lists may not have more elements."""
    if isinstance(expected, dict):
        if not isinstance(found, dict):
            return [f"{place or 'the body'} is {_short(found)}, not an object"]
        lacking = []
        for name, value in expected.items():
            at = f"{place}.{name}" if place else name
            if name == "usage" and value == {} and found.get(name):
                lacking.append(f"{at} is {_short(found[name])}, though nothing waits")
            elif value is None and found.get(name) is None:
                continue
            elif name not in found:
                lacking.append(f"{at} is missing; it should be {_short(value)}")
            else:
                lacking += differences(value, found[name], at)
        return lacking
    if isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            return [f"{place} is {_short(found)}, where a list of {len(expected)} like {_short(expected)} was expected"]
        return [one for i, value in enumerate(expected) for one in differences(value, found[i], f"{place}[{i}]")]
    same = type(expected) is type(found) and expected == found
    return [] if same else [f"{place} is {_short(found)}, where {_short(expected)} was expected"]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 90 else f"{text[:60]}…{text[-24:]}"


@contextmanager
def playing(played: Played, count: int) -> Iterator[list[str]]:
    """Real servers on loopback that answer as the scenario says; their URLs."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), _handler(played, number)) for number in range(count)]
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(LOOK_SECONDS,), daemon=True).start()
    try:
        yield [f"http://127.0.0.1:{server.server_port}/lts/" for server in servers]
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def _handler(played: Played, number: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_OPTIONS(self) -> None:
            self._send(204, b"", "text/plain")

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                body = json.loads(data)
            except ValueError:
                body = None
            answer = played.answer(number, self.path.rpartition("/")[2], body)
            if answer["status"] == 0:
                # begun and broken off: browsers repeat a request by themselves if they get no byte of an answer
                self.close_connection = True
                self._send(200, b"{", "application/json", length=100)
            elif "body" in answer:
                kind = "application/json" if answer["status"] == 200 else "application/problem+json"
                self._send(answer["status"], json.dumps(answer["body"]).encode(), kind)
            else:
                self._send(answer["status"], answer.get("text", "").encode(), "text/html")

        def _send(self, status: int, body: bytes, kind: str, length: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Access-Control-Allow-Headers", "Content-Type")
            if status != 204:
                self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    return Handler


def run_scenario(drive: Drive, common: Json, scenario: Json) -> list[str]:
    """Everything that the client did otherwise than it must, of one scenario."""
    played = Played()
    with playing(played, scenario.get("servers", 1)) as urls:
        key = LicenseKey(tuple(urls), None, common["handshakeCode"], None, None).encode()
        opening = {"do": "open", "licenseKey": key, "vendorKey": common["vendorKey"], "deviceId": common["deviceId"],
                   "product": common["product"], "now": common["now"], **scenario.get("opened", {})}  # fmt: skip
        if "ok" not in (answer := drive(opening)):
            return [f"open: {_short(answer)}"]
        for number, step in enumerate(scenario["steps"], 1):
            call = {name: value for name, value in step.items() if name not in ("asks", "result")}
            played.expected = [dict(ask) for ask in step.get("asks", [])]
            answer = drive(call)
            faults, played.faults = played.faults, []
            faults += [f"{call['do']} answered: {one}" for one in differences(step.get("result", {}), answer)]
            left = [ask for ask in played.expected if not ask.get("optional")]
            faults += [f"did not send {ask['path']} to {_name(ask.get('server', 0))}" for ask in left]
            if faults:
                return [f"step {number}, {call['do']}: {fault}" for fault in faults]
    return []


def run_all(drive: Drive, folder: Path, report: Callable[[str, list[str]], None]) -> int:
    """Run every vector; `report` gets the name of each and its faults. Returns how many failed."""
    failed = 0
    for one in _load(folder, "license-keys.json"):
        answer = drive({"do": "key", "text": one["text"]})
        faults = [] if answer.get("ok") == one["fields"] else [f"reads {_short(answer)}, not {_short(one['fields'])}"]
        failed += bool(faults)
        report(f"license key: {one['name']}", faults)
    for one in _load(folder, "verification.json"):
        call = {"do": "verify", **{name: one[name] for name in ("lease", "certificates", "vendorKey")}}
        believed = drive(call).get("ok")
        word = "accepts" if one["believed"] else "does not accept"
        faults = [] if believed is one["believed"] else [f"a correct client {word} it, this one says {believed}"]
        failed += bool(faults)
        report(f"lease: {one['name']}", faults)
    common = _load(folder, "scenarios.json")
    for scenario in common["scenarios"]:
        faults = run_scenario(drive, common, scenario)
        failed += bool(faults)
        report(f"client: {scenario['name']}", faults)
    return failed


def _load(folder: Path, name: str) -> Any:
    try:
        return json.loads((folder / name).read_text(encoding="utf-8"))
    except OSError as error:
        raise AdminError("cannot-read", plainfile.not_read(folder / name, error)) from error


@contextmanager
def driver(target: str) -> Iterator[Drive]:
    """The client behind a URL or a command. Raises AdminError when it does not answer as a driver."""
    if target.startswith(("http://", "https://")):
        yield lambda call: _post(target, call)
        return
    with _started(target) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        to, back = process.stdin, process.stdout

        def drive(call: Json) -> Json:
            try:
                to.write(json.dumps(call) + "\n")
                to.flush()
                answer = back.readline()
            except OSError:  # of a driver that has ended
                answer = ""
                with contextlib.suppress(OSError):
                    to.close()
            if not answer:
                raise AdminError("no-driver", f"The driver {target!r} ended instead of answering {call['do']}.")
            return _object(answer, call)

        yield drive
        with contextlib.suppress(BrokenPipeError):  # it may have ended by itself
            to.close()
        try:
            process.wait(ANSWER_SECONDS)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise AdminError("no-driver", f"The driver {target!r} keeps running though its input has ended.") from error


def _started(command: str) -> subprocess.Popen[str]:
    if not command.strip():
        raise AdminError("no-driver", "Name the client's driver: the URL of one, or the command that starts it.")
    try:
        return subprocess.Popen(  # noqa: S603 - the command that its user names
            shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
    except (OSError, ValueError, IndexError) as error:
        raise AdminError(
            "no-driver", f"The driver {command!r} cannot be started ({words_of(error)}); check the command."
        ) from error


def _post(url: str, call: Json) -> Json:
    try:
        parts = urlsplit(url)
        secure = ssl.create_default_context() if parts.scheme == "https" else None
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        with contextlib.closing(
            http_connection(parts.hostname or "", parts.port, Deadline(ANSWER_SECONDS), secure)
        ) as one:
            headers = {"Content-Type": "application/json"}
            answer = ask(one, "POST", target, json.dumps(call).encode(), headers, MAX_ANSWER_BYTES)
        if not 200 <= answer.status < 300:
            raise ValueError(f"HTTP status {answer.status}")
    except (OSError, ValueError) as error:
        raise AdminError(
            "no-driver", f"{url} does not answer ({words_of(error)}); check that the driver runs there."
        ) from error
    return _object(answer.body.decode("utf-8", "replace"), call)


def _object(text: str, call: Json) -> Json:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise AdminError("no-driver", f"The driver answered {text[:80]!r} to {call['do']}; it must be a JSON object.")
    return found
