"""A first copy of a main's data: what it consists of, how it is asked for, and that it puts nothing beside its place
(docs/design/pair.md, Restored and copied servers)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lts.errors import PeerError
from lts.service.core import vault
from lts.service.pair import copygiver, copytaker, peermessages, secrecy
from lts.service.pair.copygiver import CopyGiver
from lts.service.pair.peer import Peer
from lts.service.pair.peermessages import CopyDone, CopyFile, CopyOffer, CopyPartRequest, CopyRequest
from lts.store.store import DATABASE
from tests.support.duet import Duet


@pytest.fixture
def offer(duet: Duet, monkeypatch: pytest.MonkeyPatch) -> tuple[CopyGiver, CopyOffer, Path, X25519PrivateKey]:
    """The main's first copy for somebody, with an archive; the file of its database, and the key it was asked with."""
    node, key = duet.main.node, X25519PrivateKey.generate()
    node.archives.mkdir(exist_ok=True)
    for name in ("b.ltsa", "a.ltsa", "c.other"):
        (node.archives / name).write_bytes(name.encode())
    made = CopyGiver(node.ctx, node.archives)
    told = peermessages.decode(
        made.offer(peermessages.encode(CopyRequest(key.public_key().public_bytes_raw()))), CopyOffer
    )
    [path] = node.ctx.store.path.parent.glob("copy-for-standby-*")
    return made, told, path, key


def test_a_first_copy_says_what_it_consists_of(offer: tuple[CopyGiver, CopyOffer, Path, Any], duet: Duet) -> None:
    _, told, path, key = offer
    assert [file.name for file in told.files] == [DATABASE, "archive/a.ltsa", "archive/b.ltsa"]
    data = path.read_bytes()
    assert told.files[0] == CopyFile(DATABASE, len(data), hashlib.sha256(data).digest())
    assert told.vendor_keys == [one.text for one in duet.main.node.ctx.trust.keys().values()]
    secret = (duet.main.folder / "data" / vault.FILE).read_bytes()
    assert secrecy.unseal(key, told.key, told.sealed) == secret


def test_the_secret_is_sealed_as_other_versions_read_it(
    offer: tuple[CopyGiver, CopyOffer, Path, X25519PrivateKey],
) -> None:
    """X25519, HKDF-SHA256 to 32 bytes, AES-GCM with a nonce of 12 bytes in front: read without this program."""
    _, told, _, key = offer
    shared = key.exchange(X25519PublicKey.from_public_bytes(told.key))
    cipher = AESGCM(HKDF(hashes.SHA256(), 32, None, b"LTS pair: first copy").derive(shared))
    assert cipher.decrypt(told.sealed[:12], told.sealed[12:], b"vault.key") == secrecy.unseal(
        key, told.key, told.sealed
    )
    for damaged in (told.sealed[:-1], b"", bytes(40)):
        with pytest.raises(PeerError, match="cannot be read"):
            secrecy.unseal(key, told.key, damaged)
    with pytest.raises(PeerError, match="is not valid"):
        secrecy.seal(b"secret", b"short")


def test_parts_of_a_first_copy_are_bounded_and_nothing_else_is_given(
    offer: tuple[CopyGiver, CopyOffer, Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, told, path, _ = offer
    data = path.read_bytes()
    assert len(told.token) == 24

    def part(offset: int, length: int, name: str = DATABASE, token: str = told.token) -> bytes:
        return made.part(peermessages.encode(CopyPartRequest(token, name, offset, length)))

    assert copygiver.MAX_PART == copytaker.PART_BYTES == 4 << 20
    monkeypatch.setattr(copygiver, "MAX_PART", 100)
    for offset, length, expected in (
        (0, 10, data[:10]), (5, 10, data[5:15]), (-5, 10, data[:10]), (0, -1, b""), (0, 0, b""), (0, 1, data[:1]),
        (1, 101, data[1:101]), (len(data) - 3, 10, data[-3:]), (len(data), 10, b""),
    ):  # fmt: skip
        assert part(offset, length) == expected, (offset, length)
    assert part(0, 99, "archive/a.ltsa") == b"a.ltsa"
    made.done(peermessages.encode(CopyDone("another")))
    assert part(0, 1)
    for name, token in ((DATABASE, "another"), ("archive/c.other", told.token), ("../x", told.token)):
        with pytest.raises(PeerError) as caught:
            part(0, 1, name, token)
        assert (caught.value.code, caught.value.status) == ("peer-copy", 404)
    assert made.done(peermessages.encode(CopyDone(told.token))) == b""
    assert not path.exists()
    with pytest.raises(PeerError):
        part(0, 1)


def taken(folder: Path, file: CopyFile, pieces: list[bytes]) -> list[CopyPartRequest]:
    """What is asked for to take a file that comes in these pieces."""
    asked: list[CopyPartRequest] = []

    def raw(path: str, request: CopyPartRequest, timeout: float) -> bytes:
        assert (path, timeout) == (peermessages.PART, 30.0)
        asked.append(request)
        return pieces.pop(0)

    clock = iter([0.0, 0.0])
    peer = Peer(lambda: next(clock, 7.0))
    line: Any = SimpleNamespace(raw=raw)
    copytaker._take_file(peer.begin_silence, line, folder, "token", file)
    assert (peer.followed, peer.heard_at, peer.alive) == ((7.0,) * 3 if file.size else (0.0,) * 3)
    return asked


@pytest.mark.parametrize(
    ("name", "good"),
    [(DATABASE, True), ("archive/feed-1-000000000001-000000000004.ltsa", True), ("", False), (".x", False),
     ("archive/.x", False), ("archive/", False), ("archive/a b", False), ("trust/x", False), ("archive/x/y", False),
     ("/x", False), ("a\\b", False), ("..", False)],
)  # fmt: skip
def test_a_first_copy_puts_nothing_beside_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, good: bool
) -> None:
    file = CopyFile(name, 0, hashlib.sha256(b"").digest())
    if good:
        assert taken(tmp_path, file, []) == []
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
        return
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("it would have been written"))
    with pytest.raises(PeerError) as caught:
        taken(tmp_path, file, [])
    assert caught.value.code == "peer-message"


def test_a_file_of_a_first_copy_is_asked_for_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    file = CopyFile(DATABASE, 5, hashlib.sha256(b"abcde").digest())
    asked = taken(tmp_path, file, [b"ab", b"cde"])
    assert asked == [CopyPartRequest("token", DATABASE, done, 4 << 20) for done in (0, 2)]
    assert (tmp_path / DATABASE).read_bytes() == b"abcde"
    assert synced == [5], "all of it was on the disk"
    for pieces in ([b"ab", b""], [b"abcdx"]):
        with pytest.raises(PeerError) as caught:
            taken(tmp_path, file, list(pieces))
        assert caught.value.code == "peer-copy"
