"""Which headers of a request the server reads, and how long each may be: no other is passed to the application.

Libraries would parse lists, dates and cookies that LTS does not use, at up to half a microsecond a byte. Knows nothing
about what the headers mean.
"""

from __future__ import annotations

from lts.httpd.framing import Unreadable

USUAL_BYTES = 2 << 10
COOKIE_BYTES = 6 << 10
"""Browsers send the cookies of all programs on a machine; more would cost more than five authorizations."""
MOST_BYTES = {
    **dict.fromkeys(
        (
            *("CONNECTION", "CONTENT_ENCODING", "CONTENT_LENGTH", "CONTENT_TYPE", "HOST", "USER_AGENT"),
            *("FORWARDED", "VIA", "X_FORWARDED_FOR", "X_FORWARDED_HOST", "X_FORWARDED_PROTO", "X_REAL_IP"),
            *("ACCESS_CONTROL_REQUEST_HEADERS", "AUTHORIZATION", "ORIGIN", "SEC_FETCH_SITE"),
            *("X_LTS_CSRF", "X_LTS_USER", "LTS_PEER_SESSION", "LTS_PEER_COUNTER", "LTS_PEER_SIGNATURE"),
            *("ACCEPT_ENCODING", "IF_NONE_MATCH"),
        ),
        USUAL_BYTES,
    ),
    "COOKIE": COOKIE_BYTES,
}
"""By name as in WSGI, of all values under it together."""


def known(headers: dict[str, str]) -> dict[str, str]:
    """Those of a request that are read here, by names as in WSGI. Raises Unreadable 431 where one is too long."""
    kept = {name: value for name, value in headers.items() if name in MOST_BYTES}
    for name, value in kept.items():
        if len(value) > MOST_BYTES[name]:
            shown = name.replace("_", "-").title()
            raise Unreadable(f"its header {shown} is longer than {MOST_BYTES[name]} bytes", 431)
    return kept
