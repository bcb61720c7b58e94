"""Where a request comes from."""

from __future__ import annotations

import pytest

from lts.service.maintenance import attention
from lts.web.wire.addresses import Addresses, is_loopback
from tests.web.conftest import Web

ADDRESSES = Addresses(("10.0.0.0/8", "::1/128"))


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("192.0.2.1", {}, "192.0.2.1"),
        ("192.0.2.1", {"HTTP_X_FORWARDED_FOR": "198.51.100.7"}, "192.0.2.1"),
        ("10.0.0.1", {"HTTP_X_FORWARDED_FOR": "198.51.100.7"}, "198.51.100.7"),
        ("::ffff:10.0.0.1", {"HTTP_X_FORWARDED_FOR": "198.51.100.7:4711"}, "198.51.100.7"),
        ("10.0.0.1", {"HTTP_X_FORWARDED_FOR": "6.6.6.6, 198.51.100.7, 10.2.3.4"}, "198.51.100.7"),
        ("10.0.0.1", {"HTTP_X_FORWARDED_FOR": "10.9.9.9"}, "10.0.0.1"),
        ("10.0.0.1", {"HTTP_X_FORWARDED_FOR": " , "}, "10.0.0.1"),
        ("10.0.0.1", {}, "10.0.0.1"),
        ("10.0.0.1", {"HTTP_FORWARDED": 'for=6.6.6.6;proto=https, For="[2001:db8:1:2:3::4]:80"'}, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3::4", {}, "2001:db8:1:2::/64"),
        ("10.0.0.1", {"HTTP_X_FORWARDED_FOR": "unknown"}, "unknown"),
        ("", {}, ""),
    ],
)
def test_the_client_is_the_last_hop_that_no_trusted_proxy_vouches_for(
    peer: str, headers: dict[str, str], client: str
) -> None:
    assert ADDRESSES.client({"REMOTE_ADDR": peer, **headers}) == client


@pytest.mark.parametrize(
    ("environ", "loopback"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, True),
        ({"REMOTE_ADDR": "127.8.8.8"}, True),
        ({"REMOTE_ADDR": "::1"}, True),
        ({"REMOTE_ADDR": "::ffff:127.0.0.1"}, True),
        ({"REMOTE_ADDR": "192.0.2.1"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": "for=_x"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_REAL_IP": ""}, False),
        ({}, False),
    ],
)
def test_loopback_means_no_forwarding_header_either(environ: dict[str, str], loopback: bool) -> None:
    assert is_loopback(environ) is loopback


def test_a_proxy_that_is_not_trusted_is_reported_once() -> None:
    told: list[str] = []
    addresses = Addresses((), told.append)
    addresses.client({"REMOTE_ADDR": "192.0.2.9"})
    assert told == []
    for peer in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        addresses.client({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": "198.51.100.7"})
    assert told == ["192.0.2.1"]
    trusting = Addresses(("192.0.2.1/32",), told.append)
    trusting.client({"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": "198.51.100.7"})
    assert told == ["192.0.2.1"]


def test_an_administrator_is_shown_a_proxy_that_is_not_trusted(web: Web) -> None:
    def told() -> list[str]:
        return [notice.code for notice in attention.notices(web.lab.ctx, web.lab.time.now)]

    web.call("GET", "/api/v1/health", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="198.51.100.7")
    assert "untrusted-proxy" not in told()
    for _ in range(2):
        web.call("POST", "/api/v1/authorize", {}, REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="198.51.100.7")
        assert told().count("untrusted-proxy") == 1
    [notice] = [one for one in attention.notices(web.lab.ctx, web.lab.time.now) if one.code == "untrusted-proxy"]
    assert notice.params == {"address": "127.0.0.1"}
    assert notice.detail.startswith("Requests come through 127.0.0.1, which says that it forwards them")
