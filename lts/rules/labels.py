"""Machine labels: which count, and whether a machine is still the one it was (docs/design/machine.md, Machine labels).

Pure: reading the labels from the machine is in lts/service/core/labels.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MACHINE_ID, PROCESSOR, MAC, BOARD, HOST = "machine-id", "processor-id", "mac", "board-serial", "host-id"
UNIQUE = frozenset({MACHINE_ID, MAC, BOARD, HOST})
"""Kinds that only one machine has; a processor id names a model."""
FEW = 3
_PLACEHOLDERS = re.compile(
    r"none|null|unknown|empty|invalid|standard|oem|xserial|default(?:string)?|tobefilled.*|not(?:specified|applicable|available).*|"
    r".*serial(?:no|num|number)?|(.)\1*|0?123456789\w{0,7}"
)
_VIRTUAL_MAKERS = frozenset(
    {
        "000569", "000c29", "001c14", "005056", "00155d", "0003ff", "00163e", "001c42", "080027",
    }
)  # fmt: skip
"""First half of addresses that hypervisors give out: of no adapter one could touch."""


def is_placeholder(value: str) -> bool:
    """Whether a serial or id is one of those makers leave in when they have none; blanks and points do not matter."""
    bare = re.sub(r"[\W_]", "", value).lower()
    return len(bare) < 4 or bool(_PLACEHOLDERS.fullmatch(bare))


def is_physical_mac(address: str) -> bool:
    """Globally administered, not multicast, not zero, not a hypervisor's: an address burnt into an adapter."""
    digits = re.sub(r"[:.-]", "", address).lower()
    if not re.fullmatch(r"[0-9a-f]{12}", digits) or not digits.strip("0"):
        return False
    return int(digits[:2], 16) & 0b11 == 0 and digits[:6] not in _VIRTUAL_MAKERS


@dataclass(frozen=True)
class Verdict:
    """`same`: the machine is the one that was known. `learnt`: labels to add to those known."""

    same: bool
    learnt: tuple[str, ...]
    matching: int
    known: int


def kind(fingerprint: str) -> str:
    """The kind in front of a fingerprint `kind:hash`."""
    return fingerprint.partition(":")[0]


def compare(known: tuple[str, ...], present: tuple[str, ...]) -> Verdict:
    """Known label fingerprints against those present now (docs/design/machine.md, Machine labels)."""
    matching = set(known) & set(present)
    unique_known = [label for label in known if kind(label) in UNIQUE]
    unique_match = any(kind(label) in UNIQUE for label in matching)
    same = not unique_known or (2 * len(matching) >= len(known) and unique_match)
    learnt = tuple(label for label in present if label not in known) if same else ()
    return Verdict(same, learnt, len(matching), len(known))


def recognize(known: tuple[str, ...], present: tuple[str, ...]) -> bool:
    """Whether the labels prove that it is this machine; without a label that is unique to one machine they do not."""
    return compare(known, present).same and any(kind(label) in UNIQUE for label in known)


def binding(labels: tuple[str, ...]) -> str:
    """`strong`, or `weak` when the labels are few or none is unique to the machine."""
    unique = any(kind(label) in UNIQUE for label in labels)
    return "strong" if unique and len(labels) >= FEW else "weak"
