"""The armor of a license file: finding the signed text in whatever editors and mail programs left of it.

Only the armor counts (docs/design/license-files.md, The file); the readable summary around it is for people. What the
signed text says, and whether it is trusted, is decided elsewhere.
"""

from __future__ import annotations

import re

from lts.errors import LicenseFileError

MAX_BYTES = 1 << 20
BEGIN = "-----BEGIN LTS LICENSE FILE-----"
END = "-----END LTS LICENSE FILE-----"
MARK = "LTS LICENSE FILE"
"""By this UTF-16 is recognized."""
# Begin and end lines are searched one by one: a pattern over both would take quadratic time on many begins.
_BEGIN = re.compile(r"-{5}\s*BEGIN\s+LTS\s+LICENSE\s+FILE\s*-{5}")
_END = re.compile(r"-{5}\s*END\s+LTS\s+LICENSE\s+FILE\s*-{5}")
_QUOTES = re.compile(r"(?m)^(?:[ \t]*[>|])+")
_BLANKS = re.compile(r"(?:(?!\n)[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff])+")
_MOST_FAULTS = 10
"""Halves of surrogate pairs and the like that a text in UTF-16 may hold: replacing them is what takes long."""
_WORD = tuple("LICENSE".encode(encoding) for encoding in ("ascii", "utf-16-le", "utf-16-be"))
_BREAKS = re.compile(r"(?:=(?:20|09)?){0,2}(?:\n|\Z)")  # with quoted-printable's marks; no compact JWS holds a "="


def extract(data: bytes) -> str:
    """The compact JWS within a license file, whatever its encoding, line ends and wrapping.

    Raises LicenseFileError (empty, too-large, no-license, several-licenses) saying what to do.
    """
    if not data.strip(b"\x00 \t\r\n"):
        raise LicenseFileError("empty", "The file is empty; download the license file again.")
    if len(data) > MAX_BYTES:
        raise LicenseFileError("too-large", "The file is larger than 1 MiB; a license file never is.")
    may_be = any(word in data for word in _WORD)  # cheap: no other file is decoded here
    text = _QUOTES.sub("", decode(data, MARK).replace("\r", "\n")) if may_be else ""
    begins, ends = list(_BEGIN.finditer(text)), list(_END.finditer(text))
    if len(begins) > 1 or len(ends) > 1:
        raise LicenseFileError("several-licenses", "The file holds more than one license; import them one by one.")
    if not begins or not ends or ends[0].start() < begins[0].end():
        raise LicenseFileError(
            "no-license",
            f'The file is not a license file: the line "{BEGIN}" or its end is missing. Use the file (.lic) as the'
            " vendor sent it.",
        )
    return _BREAKS.sub("", _BLANKS.sub("", text[begins[0].end() : ends[0].start()]))


def is_license(text: str) -> bool:
    """Whether the armor of a license begins somewhere in a text; cheap, and trusts nothing."""
    return _BEGIN.search(text) is not None


def decode(data: bytes, mark: str = "") -> str:
    """The text of a file that an editor may have saved as UTF-8 or UTF-16, with a byte order mark or without.

    `mark` is an ASCII text in the file: by it UTF-16 without a mark of its own is recognized.
    """
    for encoding, start in (("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")):
        if data.startswith(start):
            return utf_16(data[2:], encoding)
    for encoding in ("utf-16-le", "utf-16-be") if mark else ():
        at = data.find(mark.encode(encoding))
        if at % 2 == 0:  # at an odd place it is the other byte order, and at -1 none
            return utf_16(data, encoding)
    return data.decode("utf-8-sig", "replace")


def utf_16(data: bytes, encoding: str) -> str:
    """The text, with what is none replaced; it ends where there is too much of that."""
    parts: list[str] = []
    for _ in range(_MOST_FAULTS):
        try:
            return "".join([*parts, data.decode(encoding)])
        except UnicodeDecodeError as error:
            parts += [data[: error.start].decode(encoding), "\ufffd"]
            data = data[error.end :]
    return "".join(parts)


def wrap(jws: str) -> str:
    """The armor around a compact JWS, in lines of 64 characters."""
    return "\n".join([BEGIN, *(jws[at : at + 64] for at in range(0, len(jws), 64)), END]) + "\n"
