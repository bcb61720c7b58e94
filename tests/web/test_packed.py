"""What unpacking a body costs is charged before it is done, to device and address, whatever comes out of it."""

from __future__ import annotations

import gzip
import json
import os
import random
import zlib
from collections.abc import Callable
from uuid import UUID

import pytest

from bench import hostile
from lts.config import RateLimits
from lts.errors import Malformed
from lts.protocol import iso
from lts.rules.metering import workload
from lts.web.client import limits
from lts.web.wire import body as web_body
from tests.support.cost import HARMLESS_SECONDS, seconds
from tests.support.kit import NOON, Lab
from tests.web.conftest import Answer, Web

MIB = 1 << 20
REPORTS = [{"slot": iso(NOON), "usage": {"QR": 1}}]
AWAY = "192.0.2.1"


def message(lease: str, more: str = "") -> bytes:
    """A report, or a release, with a member that no version knows."""
    return json.dumps({"lease": lease, "reports": REPORTS, "more": more}).encode()


def noise(size: int) -> str:
    """Text that cannot be packed."""
    return os.urandom(size // 2).hex()


def empty_blocks(lease: str) -> bytes:
    """A small body and 60,000 bytes of blocks that hold nothing."""
    return hostile.empty_blocks(60_000, message(lease))


def not_packed(lease: str) -> bytes:
    """A body of 60,000 bytes, stored in gzip as it is."""
    return gzip.compress(message(lease, noise(60_000)), 0)


def cut(lease: str) -> bytes:
    """A large one that ends early."""
    return gzip.compress(message(lease, noise(200_000)))[:-3]


def too_large(lease: str) -> bytes:
    """A few thousand bytes of which five million come."""
    return gzip.compress(message(lease, " " * 5_000_000))


def far_too_large(lease: str) -> bytes:
    """One that is found to be in very large packing behind its opening."""
    return hostile.empty_blocks(300_000, message(lease, " " * 60_000))


def send(web: Web, path: str, packed: bytes, address: str = AWAY) -> Answer:
    return web.call("POST", f"/api/v1/{path}", packed, HTTP_CONTENT_ENCODING="gzip", REMOTE_ADDR=address)


@pytest.mark.parametrize("path", ["report", "release"])
@pytest.mark.parametrize("make", [not_packed, cut, too_large, far_too_large])
def test_a_packed_body_is_charged_to_its_device_by_what_unpacking_it_costs(
    server: Lab, make: Callable[[str], bytes], path: str
) -> None:
    web = Web(server, RateLimits(device_requests_per_minute=1, device_burst=3, address_refusals_per_minute=1000))
    lease = web.authorize().json["lease"]
    found = send(web, path, make(lease)).status
    assert found in ((200, 204) if make is not_packed else (400, 413))
    assert send(web, path, gzip.compress(message(lease))).status == 429


@pytest.mark.parametrize("path", ["report", "release"])
@pytest.mark.parametrize("make", [cut, too_large, far_too_large])
def test_an_address_that_has_to_wait_with_large_bodies_has_none_unpacked(
    server: Lab, make: Callable[[str], bytes], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WORK_BURST", 3)
    monkeypatch.setattr(limits, "WORK_PER_MINUTE", 1)
    web = Web(server, RateLimits(1000, 1000, 1000))
    leases = [web.authorize(deviceId=str(UUID(int=n + 1))).json["lease"] for n in range(2)]
    assert send(web, path, make(leases[0])).status in (400, 413)
    monkeypatch.setattr(web_body.Sent, "unpacked", lambda _: pytest.fail("it was unpacked"))
    told = send(web, path, make(leases[1]))
    assert (told.status, "large reports from this address" in told.json["detail"]) == (429, True)


def test_what_a_body_was_packed_in_is_charged_before_it_is_unpacked(
    server: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = Web(server, RateLimits(device_requests_per_minute=1, device_burst=4, address_refusals_per_minute=1000))
    lease = web.authorize().json["lease"]
    meanwhile: list[int] = []
    unpacked = web_body.Sent.unpacked

    def unpack(sent: web_body.Sent) -> bytes:
        sent_too = {"lease": lease, "reports": REPORTS}
        meanwhile.append(web.call("POST", "/api/v1/report", sent_too, REMOTE_ADDR=AWAY).status)
        return unpacked(sent)

    monkeypatch.setattr(web_body.Sent, "unpacked", unpack)
    assert send(web, "report", gzip.compress(message(lease, noise(150_000)), 0)).status == 200
    assert meanwhile == [429]


def test_a_packed_body_of_little_content_is_refused_before_its_end_whoever_sends_it(server: Lab) -> None:
    web = Web(server, RateLimits(1000, 1000, 1000))
    lease = web.authorize().json["lease"]
    for path in ("authorize", "report", "release"):
        answer = send(web, path, empty_blocks(lease))
        assert (answer.status, "far larger" in answer.json["detail"]) == (400, True)


def unzip(packed: bytes) -> bytes:
    return web_body.Sent(packed, len(packed), MIB).unpacked()


def test_deflate_blocks_without_content_are_not_unpacked_to_their_end() -> None:
    packed = hostile.empty_blocks(MIB)
    assert zlib.decompress(hostile.empty_blocks(4096), wbits=31) == b"{}"
    with pytest.raises(Malformed, match="far larger than what is in it"):
        unzip(packed)
    assert seconds(unzip, packed) < HARMLESS_SECONDS


def test_a_gzip_body_in_very_short_pieces_is_read() -> None:
    pack = zlib.compressobj(wbits=31)
    text = random.Random(1).randbytes(25_000)
    pieces = [pack.compress(text[n : n + 8]) + pack.flush(zlib.Z_SYNC_FLUSH) for n in range(0, len(text), 8)]
    packed = b"".join(pieces) + pack.flush()
    assert len(packed) > 1.5 * len(text)
    assert unzip(packed) == text


def test_an_ordinary_report_is_charged_no_more_when_it_is_packed() -> None:
    slots = [{"slot": iso(NOON - 180 * n), "usage": {"QR Code": n % 7, "Data Matrix": n % 5}} for n in range(14_400)]
    body = json.dumps({"lease": noise(3000), "reports": slots}).encode()
    assert workload.least_units(body, len(gzip.compress(body))) == workload.least_units(body)
