"""Which changes a server of the pair protocol before this program's can read (docs/design/pair.md, Upgrading).

Others wait for its upgrade: a change written differently for it would have another hash in the chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from lts.rules.metering.usage import TOGETHER
from lts.store.changes.records import ChangeKind, EpochChange, ReportChange, decode_payload
from lts.store.history.exchange import OriginEntry

_SINCE_2 = (ChangeKind.CLONE_TOKEN, ChangeKind.ARCHIVE, ChangeKind.GRANTS_END)


def readable(given: Sequence[OriginEntry], protocol: int) -> list[OriginEntry]:
    """The changes up to the first that a server of this protocol cannot read, or would count otherwise."""
    return list(takewhile(lambda change: protocol >= 2 or _known_to_1(change[3], change[4]), given))


def _known_to_1(kind: int, payload: bytes) -> bool:
    """0.1 had no kind beyond DELIVERY, no generations, and only numbers for type names. It adds up the branches of a
    device, so common counts would be counted twice."""
    if kind == ChangeKind.REPORT:
        reported = decode_payload(kind, payload)
        assert isinstance(reported, ReportChange)
        numbered = all(isinstance(run.type, int) for run in reported.runs)
        return reported.branch != TOGETHER and reported.apart == 0 and numbered
    if kind == ChangeKind.EPOCH:
        epoch = decode_payload(kind, payload)
        assert isinstance(epoch, EpochChange)
        return epoch.generation == 0
    return kind not in _SINCE_2
