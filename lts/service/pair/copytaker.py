"""The first copy, on the receiving side: gathered in a folder next to the data, put in place when the data folder is
next opened (lts/service/folder/placing.py)."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lts.errors import PeerError
from lts.service.core import vault
from lts.service.core.files import write_private
from lts.service.folder import placing
from lts.service.folder.contents import REPLACED_BY_COPY
from lts.service.pair import peermessages, secrecy
from lts.service.pair.contact import Contact
from lts.service.pair.peerclient import PeerClient
from lts.service.pair.peermessages import CopyDone, CopyFile, CopyOffer, CopyPartRequest, CopyRequest
from lts.service.pair.shared import Shared

log = logging.getLogger("lts.pair")
PART_BYTES = 4 << 20
PART_SECONDS = 30.0
OFFER_SECONDS = 600.0


def copy(shared: Shared, contact: Contact, connection: PeerClient) -> None:
    """Take everything from the other server, for the data folder when it is opened next. Raises PeerError."""
    data_dir = shared.ctx.store.path.parent
    folder = placing.prepare(data_dir)
    mine = X25519PrivateKey.generate()
    request = CopyRequest(mine.public_key().public_bytes_raw())
    offer = connection.call(peermessages.COPY, request, CopyOffer, OFFER_SECONDS)
    total = sum(file.size for file in offer.files)
    log.warning("taking a copy of the other server's data: %d files, %.1f MiB", len(offer.files), total / (1 << 20))
    write_private(folder / vault.FILE, secrecy.unseal(mine, offer.key, offer.sealed))
    for file in offer.files:
        _take_file(contact.peer.begin_silence, connection, folder, offer.token, file)
    for text in offer.vendor_keys:
        shared.ctx.trust.add(text.encode("utf-8"))
    connection.raw(peermessages.COPY_DONE, CopyDone(offer.token), PART_SECONDS)
    placing.decide(data_dir, REPLACED_BY_COPY, ("first-copy", {"url": shared.url}, "system"))
    log.warning("the copy is complete; opening the data folder again")


def _take_file(arrived: Callable[[], None], connection: PeerClient, folder: Path, token: str, file: CopyFile) -> None:
    head, slash, tail = file.name.rpartition("/")
    plain = tail.replace("-", "").replace(".", "").isalnum() and not tail.startswith(".")
    if (head, slash) not in (("", ""), ("archive", "/")) or not plain:
        raise PeerError("peer-message", f"The other server's copy holds a file {file.name!r}.")
    path = folder / file.name
    path.parent.mkdir(exist_ok=True)
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as out:
        done = 0
        while done < file.size:
            piece = connection.raw(peermessages.PART, CopyPartRequest(token, file.name, done, PART_BYTES), PART_SECONDS)
            if not piece:
                break
            out.write(piece)
            digest.update(piece)
            done += len(piece)
            arrived()
        out.flush()
        os.fsync(out.fileno())
    if digest.digest() != file.sha256:
        raise PeerError("peer-copy", f"{file.name} did not arrive completely; it is fetched again.")
