"""The token that a program sends with a request."""

from __future__ import annotations

from flask import Request


def token_of(request: Request) -> bytes:
    """The token of `Authorization: Bearer TOKEN` (RFC 6750), the scheme in any case (RFC 9110); else nothing."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip().encode("utf-8", "replace") if scheme.lower() == "bearer" else b""
