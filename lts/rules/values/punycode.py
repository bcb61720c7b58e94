"""Punycode (RFC 3492) that stops at a length: a domain's label has room for few characters, and a name that does not
fit is refused without the rest of the work."""

from __future__ import annotations

_BASE, _T_MIN, _T_MAX, _SKEW, _DAMP, _FIRST_BIAS, _FIRST = 36, 1, 26, 38, 700, 72, 0x80
"""Parameters of Punycode, RFC 3492, section 5."""
_DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789"


def encode(text: str, most: int) -> str | None:
    """The text in basic characters, None where these are over `most` (RFC 3492, section 6.3). The work is at most
    `most` times the length of the text."""
    points = list(map(ord, text))
    basic = [char for char in text if ord(char) < _FIRST]
    output = "".join(basic) + ("-" if basic else "")
    done, bias, delta, reached = len(basic), _FIRST_BIAS, 0, _FIRST
    for point in sorted({point for point in points if point >= _FIRST}):
        delta += (point - reached) * (done + 1)
        for other in points:
            if other < point:
                delta += 1
            elif other == point:
                output += _number(delta, bias)
                bias = _adapted(delta, done + 1, first=done == len(basic))
                delta, done = 0, done + 1
                if len(output) > most:
                    return None
        delta, reached = delta + 1, point + 1
    return output if len(output) <= most else None


def _number(delta: int, bias: int) -> str:
    """A number of variable length (RFC 3492, section 3.3)."""
    digits, base = "", _BASE
    while True:
        threshold = min(max(base - bias, _T_MIN), _T_MAX)
        if delta < threshold:
            return digits + _DIGITS[delta]
        delta, digit = divmod(delta - threshold, _BASE - threshold)
        digits += _DIGITS[threshold + digit]
        base += _BASE


def _adapted(delta: int, points: int, *, first: bool) -> int:
    """The next bias (RFC 3492, section 6.1)."""
    delta = delta // _DAMP if first else delta // 2
    delta += delta // points
    base = 0
    while delta > (_BASE - _T_MIN) * _T_MAX // 2:
        delta //= _BASE - _T_MIN
        base += _BASE
    return base + (_BASE - _T_MIN + 1) * delta // (delta + _SKEW)
