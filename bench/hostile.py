"""What one hostile request does to another client's authorizations, and what all of them at once do to the server.

Each request is as large as its kind may be. Under them one client authorizes again and again; what it waits at
most is the figure. An attacker needs no right for any of them, but a license key for those of bench.hostilereports.
Then all are sent at once for a minute: which answers there are, what the memory does, and how long the server takes to
end on SIGTERM.
"""

from __future__ import annotations

import gzip
import http.client
import json
import signal
import socket
import struct
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.hostilereports import COPIED, GIVE_UP_SECONDS, GZIP, ITEMS, LEASED, Holder, ask
from bench.processes import Process, prepare
from lts.crypto import SigningKey, b64url, jws_header, sign_jws
from lts.httpd.framing import BYTES_PER_CHUNK, FREE_CHUNKS
from lts.rules.licensing import armor, licensefile

ROOM = 64
"""Left for the text around the repeated part."""
MIB = (1 << 20) - ROOM
LARGEST_AUTHORIZE = (64 << 10) - ROOM
SETTLE_SECONDS = 1.0
TOGETHER_SECONDS = 60.0
MEMORY_READINGS = 6
NEIGHBOR = "127.0.0.2"
"""Another address than the hostile requests come from: that one is soon told to wait."""
ASKED = '{"deviceId":"00000000-0000-4000-8000-000000000001","product":"x","deploymentType":"server","handshakeCode":"x"'
"""The beginning of an authorization that is valid except for its code."""
CLOSED = -1
"""In place of a status: the connection ended before the answer."""


def endless_string(size: int) -> bytes:
    """JSON whose only text is full of escaped quotes and never ends."""
    return b'{"deviceId": "' + rb"\"" * (size // 2)


def deep_lists(size: int) -> bytes:
    """JSON lists in lists."""
    return b"[" * size


def closed_lists(size: int) -> bytes:
    """A report with many nested lists next to each other; a few kilobytes of gzip."""
    return gzip.compress(b'{"lease":"x","reports":[],"a":[' + b"[[]]," * (size // 5) + b"0]}", mtime=0)


def deep_faults(size: int) -> bytes:
    """A report with a member of infinite numbers 27 lists deep; a few kilobytes of gzip."""
    numbers = b",".join([b"1e999"] * (size // 6))
    return gzip.compress(b'{"lease":"x","reports":[],"a":' + b"[" * 27 + numbers + b"]" * 27 + b"}", mtime=0)


def twin_keys(size: int) -> bytes:
    """A JSON object in which every key appears twice."""
    names = ",".join(f'"{number}":0' for number in range(size // 22))
    return f"{{{names},{names}}}".encode()


def late_twin(size: int) -> bytes:
    """A JSON object in which the last key appears twice."""
    names = [f'"{number:x}":0' for number in range(size // 12)]
    return f"{{{','.join([*names, names[-1]])}}}".encode()


def many_lists(size: int) -> bytes:
    """A report of thousands of entries, none of which is one."""
    return b'{"lease":"x","reports":[' + b",".join([b'{"slot":[],"usage":[]}'] * (size // 23)) + b"]}"


def token_header(size: int) -> bytes:
    """A lease whose header holds as many names as fit, one of them twice."""
    return json.dumps({"lease": f"{b64url(late_twin(size))}.e30.{b64url(bytes(64))}"[:262_144]}).encode()


def empty_members(size: int) -> bytes:
    """Gzip members without content, one after another."""
    member = gzip.compress(b"", mtime=0)
    return member * (size // len(member))


def empty_blocks(size: int, body: bytes = b"{}") -> bytes:
    """A gzip member with a body of up to 65,535 bytes, and after it deflate blocks that hold nothing: each has code
    tables of its own (RFC 1951, section 3.2.7), so that it costs CPU."""
    two = bytes.fromhex("04c0810800000000207feb43001c880000000000f2b73e")
    held = b"\0" + struct.pack("<HH", len(body), len(body) ^ 0xFFFF) + body
    last = b"\1" + struct.pack("<HH", 0, 0xFFFF) + struct.pack("<II", zlib.crc32(body), len(body))
    blocks = two * ((size - 10 - len(held) - len(last)) // (2 * len(two)) * 2)
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + held + blocks + last


def scheme_of_digits(size: int) -> bytes:
    """A request whose target begins with a scheme and goes on in digits."""
    return b"GET x://" + b"1" * size + b" X\r\n\r\n"


def blanks_before_zero(size: int) -> bytes:
    """A request with a header value of blanks before a zero byte."""
    return b"GET / HTTP/1.1\r\nHost: a\r\nA:" + b" " * size + b"\0\r\n\r\n"


def long_extension(size: int) -> bytes:
    """A chunked request whose first chunk has one long extension."""
    return CHUNKED + b'1;a="' + b"x" * size + b'"\r\n'


def tiny_chunks(size: int) -> bytes:
    """A request in chunks of a byte."""
    return CHUNKED + b"1\r\na\r\n" * (size // 6)


def smallest_chunks(size: int) -> bytes:
    """A request in as many chunks as may be, with extensions, to its end."""
    chunk = b"%x;%b\r\n%b\r\n" % (BYTES_PER_CHUNK, b"x" * 200, b"a" * BYTES_PER_CHUNK)
    return CHUNKED + b"1\r\na\r\n" * FREE_CHUNKS + chunk * (size // len(chunk)) + b"0\r\n\r\n"


def list_headers(_: int) -> bytes:
    """A request for a file with lists of very many members in its header."""
    lists = [b"Accept-Encoding: " + b'a;b="c",' * 250, b"If-None-Match: " + b"," * 2000]
    return b"\r\n".join([b"GET /static/portal/app.js HTTP/1.1", b"Host: a", *lists, b"Connection: close", b"", b""])


def many_cookies(_: int) -> bytes:
    """A request of the portal with very many cookies."""
    return b"GET /api/v1/admin/status HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: " + b";" * 8000 + b"\r\n\r\n"


def long_header(size: int) -> bytes:
    """A request whose header is as large as it may be, of lines that nobody reads."""
    lines = [b"X-%d: " % number + b"a," * 155 for number in range(size // 320)]
    return b"\r\n".join([b"GET /api/v1/health HTTP/1.1", b"Host: a", b"Connection: close", *lines, b"", b""])


def awaited_body(size: int) -> bytes:
    """An authorization whose header alone is sent."""
    return b"POST /api/v1/authorize HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size


def unknown_values(size: int) -> bytes:
    """An authorization whose unknown fields the careful reader has to go through."""
    names = ",".join(f'"{number:012x}":0' for number in range(min(3900, size // 18)))
    return f'{ASKED},"x":{{{names}}}}}'.encode()


def odd_modules(size: int) -> bytes:
    """An authorization of as many modules as may be, with letters that have to be normalized."""
    modules = ",".join(f'"\u00fc{number:030d}"' for number in range(min(1000, size // 40)))
    return f'{ASKED},"modules":[{modules}]}}'.encode()


def tiny_requests(size: int) -> bytes:
    """Requests for nothing, one behind the other."""
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    return request * (size // len(request) - 1) + b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def lone_line_feeds(size: int) -> bytes:
    """A request whose lines end without a carriage return."""
    return b"GET / HTTP/1.1\n" + b"A: b\n" * (size // 5)


def client_hello(size: int) -> bytes:
    """How TLS begins."""
    return bytes.fromhex("1603010200010001fc0303") + b"\x01" * size


def signed_by_anybody(size: int) -> bytes:
    """A license file of very many items, signed by a key that nobody knows."""
    key = SigningKey.generate()
    items = [{"itemId": str(number), "product": "x" * 400} for number in range(size * 5 // 7 // 440)]
    fields = {"licenseTextVersion": "2.0", "vendor": {"name": "x", "keyId": key.kid}, "items": items}
    header = jws_header(key.public, licensefile.JWS_TYPE, jwk=key.public.jwk)
    return armor.wrap(sign_jws(header, json.dumps(fields).encode(), key)).encode()


CHUNKED = b"POST /api/v1/report HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
RAW: dict[str, tuple[Callable[[int], bytes], int]] = {
    "digits after a scheme, 8 KB": (scheme_of_digits, 8000),
    "digits after a scheme, 32 KB": (scheme_of_digits, 32_000),
    "blanks before a zero byte, 32 KB": (blanks_before_zero, 32_000),
    "chunk extension, 4 MiB": (long_extension, 4 * MIB),
    "chunks of a byte, 4 MiB": (tiny_chunks, 4 * MIB),
    "smallest chunks, 4 MiB": (smallest_chunks, 4 * MIB - (8 << 10)),
    "lists in a header": (list_headers, 0),
    "cookies, 8 KB": (many_cookies, 0),
    "header of 32 KB": (long_header, 31_000),
    "authorization without its body": (awaited_body, 60_000),
    "authorization announced as larger": (awaited_body, 70_000),
    "requests for nothing, 64 KiB": (tiny_requests, 64 << 10),
    "lines without CR, 8 KB": (lone_line_feeds, 8000),
    "TLS, 8 KB": (client_hello, 8000),
}
"""Requests that no client library sends: maker and size in bytes."""
Kind = tuple[str, Callable[[int], bytes], int, dict[str, str]]
KINDS: dict[str, Kind] = {
    "endless string, 64 KiB": ("authorize", endless_string, LARGEST_AUTHORIZE, {}),
    "deep lists, 64 KiB": ("authorize", deep_lists, LARGEST_AUTHORIZE, {}),
    "twin keys, 64 KiB": ("authorize", twin_keys, LARGEST_AUTHORIZE, {}),
    "late twin, 64 KiB": ("authorize", late_twin, LARGEST_AUTHORIZE, {}),
    "unknown values, 64 KiB": ("authorize", unknown_values, LARGEST_AUTHORIZE, {}),
    "odd modules, 64 KiB": ("authorize", odd_modules, LARGEST_AUTHORIZE, {}),
    "endless string, 1 MiB": ("release", endless_string, MIB, {}),
    "bad entries, 4 MiB": ("report", many_lists, 4 * MIB, {}),
    "names in a token's header, 256 KiB": ("release", token_header, 190_000, {}),
    "empty gzip members, 4 MiB": ("report", empty_members, 4 * MIB, GZIP),
    "empty deflate blocks, 4 MiB": ("report", empty_blocks, 4 * MIB, GZIP),
    "lists in lists, 4 MiB": ("report", closed_lists, 4 * MIB, GZIP),
    "deep faults, 4 MiB": ("report", deep_faults, 4 * MIB, GZIP),
    "twin keys at the sign-in, 16 KiB": ("admin/session", twin_keys, (16 << 10) - ROOM, {"X-LTS-CSRF": "sign-in"}),
    "license file without a session, 1 MiB": ("admin/licenses", signed_by_anybody, MIB, {}),
}
"""Path, maker, size in bytes and headers."""


class Neighbor(threading.Thread):
    """Another client, which authorizes one device again and again and remembers its longest wait."""

    def __init__(self, port: int, code: str) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=GIVE_UP_SECONDS, source_address=(NEIGHBOR, 0)
        )
        self._body = {"handshakeCode": code, "product": "reader", "deploymentType": "server"}
        self._ended = threading.Event()
        self._number = 0
        self._waits: list[float] = []

    def longest(self) -> float:
        """Seconds of the longest wait since the last time this was asked."""
        waits, self._waits = self._waits, []
        return max(waits, default=GIVE_UP_SECONDS)

    def run(self) -> None:
        while not self._ended.is_set():
            self._number += 1
            body = {**self._body, "deviceId": f"00000000-0000-4000-8000-{self._number:012x}"}
            begun = time.perf_counter()
            try:
                self._connection.request("POST", "/api/v1/authorize", json.dumps(body))
                answer = self._connection.getresponse()
                answer.read()
            except TimeoutError:
                return
            assert answer.status == 200, answer.status
            self._waits.append(time.perf_counter() - begun)
            self._ended.wait(0.005)

    def end(self) -> None:
        """Stop asking."""
        self._ended.set()
        self.join()


def _send(port: int, data: bytes) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=GIVE_UP_SECONDS) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return int(connection.recv(12)[-3:] or CLOSED)
        except TimeoutError:
            return 0


def _requests(port: int) -> Iterator[tuple[str, Callable[[], int]]]:
    for kind, (path, make, size, headers) in KINDS.items():
        yield kind, partial(ask, port, path, make(size), headers)
    for kind, (raw, size) in RAW.items():
        yield kind, partial(_send, port, raw(size))
    holder = Holder(port)
    for kind, leased in LEASED.items():
        yield kind, partial(holder.send, leased)
    yield COPIED, holder.copied


def longest_waits(quick: bool) -> dict[str, Any]:
    """Milliseconds that another client waits at most, with nobody hostile and under each request, its answer, and the
    processor's time until then (what the other client asked meanwhile is in it); then `all of them at once`."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        code = prepare(Path(name), ITEMS)
        with Process("bench.serve", name) as server:
            port = int(server.read())
            found.update(_one_by_one(server, port, code))
            found["all of them at once"] = _all_at_once(server, port, code, 5.0 if quick else TOGETHER_SECONDS)
    return found


def _one_by_one(server: Process, port: int, code: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    neighbor = Neighbor(port, code)
    neighbor.start()
    time.sleep(SETTLE_SECONDS * 3)
    found["nobody hostile"] = {"longestMs": round(neighbor.longest() * 1000)}
    for kind, send in _requests(port):
        neighbor.longest()
        begun, cpu = time.perf_counter(), server.cpu()
        status = send()
        took, cpu = time.perf_counter() - begun, server.cpu() - cpu
        time.sleep(SETTLE_SECONDS)
        longest = round(neighbor.longest() * 1000)
        found[kind] = {"longestMs": longest, "answer": status, "tookMs": round(took * 1000), "cpuMs": round(cpu * 1000)}
        if status == 0:
            raise RuntimeError(f"{kind}: no answer within {GIVE_UP_SECONDS:.0f} s; so far {found}")
    neighbor.end()
    return found


def _all_at_once(server: Process, port: int, code: str, seconds: float) -> dict[str, Any]:
    """One sender for each kind of request, each sending again and again."""
    answers: Counter[int] = Counter()
    until = time.monotonic() + seconds

    def send_again(send: Callable[[], int]) -> None:
        while time.monotonic() < until:
            try:
                answers[send()] += 1
            except (OSError, http.client.HTTPException):
                answers[CLOSED] += 1

    neighbor = Neighbor(port, code)
    neighbor.start()
    senders = [threading.Thread(target=send_again, args=(send,), daemon=True) for _, send in _requests(port)]
    memory = [int(server.ask("memory"))]
    for sender in senders:
        sender.start()
    while time.monotonic() < until:
        time.sleep(seconds / MEMORY_READINGS)
        memory.append(int(server.ask("memory")))
    longest = neighbor.longest()
    neighbor.end()
    return {
        "answers": {str(status): number for status, number in sorted(answers.items())},
        "longestMs": round(longest * 1000),
        "memoryMiB": [round(one / (1 << 20)) for one in memory],
        "endedAfterMs": round(server.end(signal.SIGTERM) * 1000),
    }
