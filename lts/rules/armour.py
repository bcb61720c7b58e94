"""The armour of a licence file: finding the signed text in whatever editors and mail programs left of it.

Only the armour counts (product.md, Licence file); the readable summary around it is for eyes.
"""

from __future__ import annotations

import re
import textwrap

from lts.errors import LicenseFileError

MAX_BYTES = 1 << 20
BEGIN = "-----BEGIN LTS LICENSE FILE-----"
END = "-----END LTS LICENSE FILE-----"
_ARMOUR = re.compile(r"-{5}\s*BEGIN\s+LTS\s+LICENSE\s+FILE\s*-{5}(.*?)-{5}\s*END\s+LTS\s+LICENSE\s+FILE\s*-{5}", re.S)
_QUOTES = re.compile(r"(?m)^(?:[ \t]*[>|])+")
_SOFT_BREAK = re.compile(r"=(?:\r\n|\r|\n)")


def extract(data: bytes) -> str:
    """The compact JWS within a licence file, whatever its encoding, line ends and wrapping.

    Raises LicenseFileError (empty, too-large, no-license, several-licenses) saying what to do.
    """
    if not data.strip(b"\x00 \t\r\n"):
        raise LicenseFileError("empty", "The file is empty; download the license file again.")
    if len(data) > MAX_BYTES:
        raise LicenseFileError("too-large", "The file is larger than 1 MiB; a license file never is.")
    found = _ARMOUR.findall(_text(data))
    if len(found) > 1:
        raise LicenseFileError("several-licenses", "The file holds more than one license; import them one by one.")
    if not found:
        raise LicenseFileError(
            "no-license",
            f'The file is not a license file: the line "{BEGIN}" or its end is missing. Use the file (.lic) as the'
            " vendor sent it.",
        )
    body = _SOFT_BREAK.sub("", _QUOTES.sub("", found[0]))
    return "".join(body.split()).replace("\u200b", "").replace("\ufeff", "")


def _text(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    zeros_even, zeros_odd = data[0:200:2].count(0), data[1:200:2].count(0)
    if zeros_odd > zeros_even and zeros_odd > 8:
        return data.decode("utf-16-le", "replace")
    if zeros_even > 8:
        return data.decode("utf-16-be", "replace")
    return data.decode("utf-8-sig", "replace")


def wrap(jws: str) -> str:
    """The armour around a compact JWS, in lines of 64 characters."""
    return "\n".join([BEGIN, *textwrap.wrap(jws, 64, break_on_hyphens=False), END]) + "\n"
