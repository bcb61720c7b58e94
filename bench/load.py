"""The load generator: keep-alive connections over one poll loop, in a process of its own.

Reads a JSON command a line from standard input, answers with a JSON line of figures.
"""

from __future__ import annotations

import json
import random
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any
from uuid import UUID

SLOT = 180


class Pool:
    """Devices that were authorized, with their newest lease and clone token."""

    def __init__(self) -> None:
        self.devices: list[str] = []
        self.state: dict[str, tuple[str, str]] = {}
        self.counts: dict[str, int] = {}
        self.turn = 0

    def next(self) -> str:
        """Devices in turn, so that none comes near its rate limit."""
        self.turn = (self.turn + 1) % len(self.devices)
        return self.devices[self.turn]

    def learn(self, device: str, answer: dict[str, Any]) -> None:
        """Take what an authorization or report gave."""
        if device not in self.state:
            self.devices.append(device)
        lease = answer.get("lease") or self.state[device][0]
        self.state[device] = (lease, answer["chain"])


Request = tuple[bytes, str | None]
"""Bytes to send, and the device whose answer is to be learnt."""


def _post(path: str, body: dict[str, Any]) -> bytes:
    return _request(path, json.dumps(body).encode())


def _request(path: str, data: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


class Traffic:
    """Makes requests of one kind."""

    def __init__(self, pool: Pool, code: str, slots: int) -> None:
        self._pool = pool
        self._code = code
        self._slots = slots
        self._newest = 0
        self._reports = ""

    def _authorization(self, device: str, chain: str | None) -> bytes:
        return _post("/api/v1/authorize", {"handshakeCode": self._code, "deviceId": device, "product": "reader",
                                           "deploymentType": "server", "modules": ["QR"], "chain": chain})  # fmt: skip

    def hello(self) -> Request:
        return b"GET /bench/hello HTTP/1.1\r\nHost: bench\r\n\r\n", None

    def authorize(self) -> Request:
        device = str(UUID(int=random.getrandbits(128), version=4))
        return self._authorization(device, None), device

    def renew(self) -> Request:
        device = self._pool.next()
        return self._authorization(device, self._pool.state[device][1]), device

    def report(self) -> Request:
        pool = self._pool
        device = pool.next()
        lease, chain = pool.state[device]
        count = pool.counts[device] = pool.counts.get(device, 0) + 1
        newest = int(time.time()) // SLOT
        if newest != self._newest:
            self._newest, self._reports = newest, self._template(newest)
        body = f'{{"lease":"{lease}","chain":"{chain}","reports":{self._reports.replace("COUNT", str(count))}}}'
        return _request("/api/v1/report", body.encode()), device

    def _template(self, newest: int) -> str:
        """The slots of a report, so that making a request costs the generator next to nothing."""
        times = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime((newest - n) * SLOT)) for n in range(self._slots)]
        entries = [f'{{"slot":"{text}","usage":{{"QR":COUNT}}}}' for text in times]
        return f"[{','.join(entries)}]"


class Connection:
    """One keep-alive connection with one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.begun = 0.0
        self.device: str | None = None

    def send(self, request: Request) -> None:
        """Send the next request."""
        data, self.device = request
        self.begun = time.perf_counter()
        self.socket.sendall(data)

    def answer(self) -> tuple[int, bytes] | None:
        """(status, body) once it is whole."""
        data = self.socket.recv(1 << 18)
        if not data:
            return 0, b""
        self.buffer += data
        head, split, body = self.buffer.partition(b"\r\n\r\n")
        if not split:
            return None
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        length = int(lowered[at + 15 :].split(b"\r\n", 1)[0])
        if len(body) < length:
            return None
        self.buffer = body[length:]
        return int(head[9:12]), body[:length]


def run(
    port: int, make: Callable[[], Request], pool: Pool, connections: int, seconds: float, limit: int, rate: float
) -> dict[str, Any]:
    """Figures of one window: requests, errors, latencies in seconds. At a `rate` (requests a second, 0: as fast as
    answers come) a latency begins when the request was due, so that those which had to wait to be sent count too."""
    channels = {c.socket.fileno(): c for c in (Connection(port) for _ in range(connections))}
    poll = select.epoll()
    for number in channels:
        poll.register(number, select.EPOLLIN)
    begun = time.perf_counter()
    latencies: list[float] = []
    errors: dict[str, int] = {}
    busy, idle, sent = set(channels), deque(channels.values()), 0
    while busy:
        due = begun + sent / rate if rate else 0.0
        while idle and due <= time.perf_counter():
            channel = idle.popleft()
            channel.send(make())
            sent += 1
            if rate:
                channel.begun, due = due, begun + sent / rate
        for number, _ in poll.poll(max(0.0, due - time.perf_counter()) if rate and idle else 10):
            channel = channels[number]
            got = channel.answer()
            if got is None:
                continue
            now = time.perf_counter()
            status, body = got
            if status in (200, 204):
                latencies.append(now - channel.begun)
                if channel.device is not None:
                    pool.learn(channel.device, json.loads(body))
            else:
                errors[f"{status} {body[:200]!r}"] = errors.get(f"{status} {body[:200]!r}", 0) + 1
            if status == 0 or now - begun >= seconds or len(latencies) >= limit:
                busy.discard(number)
                poll.unregister(number)
            else:
                idle.append(channel)
    took = time.perf_counter() - begun
    for channel in channels.values():
        channel.socket.close()
    latencies.sort()
    return {
        "requests": len(latencies),
        "perSecond": len(latencies) / took,
        "p50": latencies[len(latencies) // 2] if latencies else 0,
        "p95": latencies[len(latencies) * 95 // 100] if latencies else 0,
        "p99": latencies[len(latencies) * 99 // 100] if latencies else 0,
        "max": latencies[-1] if latencies else 0,
        "errors": errors,
    }


def main() -> None:
    """Answer commands until standard input ends."""
    pool = Pool()
    for line in sys.stdin:
        command = json.loads(line)
        traffic = Traffic(pool, command.get("code", ""), command.get("slots", 20))
        figures = run(command["port"], getattr(traffic, command["kind"]), pool, command["connections"],
                      command["seconds"], command.get("limit", 10**9), command.get("rate", 0.0))  # fmt: skip
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
