"""Who a server is over restarts and moves, what it keeps secret, and which leases it believes without looking again."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from lts.crypto import SigningKey, canonical_json, jws_header, sign_jws
from lts.errors import DataFolderError, NotVerified
from lts.protocol import CERTIFICATE_TYPE, DAY_SECONDS, Lease
from lts.rules.clock import ClockEvent
from lts.service.core import identity, leases
from lts.service.core.clock import Clock
from lts.service.core.identity import BEGUN, MOVED, NEW, Identity
from lts.service.core.leases import Leases
from lts.service.core.pinned import Delegation, PinnedFile, delegation_of
from lts.service.core.vault import Vault
from lts.service.licensing.catalog import self_signed
from tests.support.kit import NOON, Lab, item

LABELS = ("board-serial:b", "mac:1", "machine-id:m")


def load(folder: Path, *labels: str) -> Identity:
    return identity.load_or_create(folder, lambda: labels or LABELS)


def same(one: Identity, other: Identity) -> bool:
    """Of one key and all else."""
    return replace(one, key=other.key) == other and one.key.kid == other.key.kid


def test_a_new_server_has_a_uuid_of_version_8_that_is_never_made_again(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first, other = load(tmp_path), load(tmp_path / "other")
    for one in (first, other):
        made = uuid.UUID(one.uuid)
        assert (made.version, made.variant, one.uuid) == (8, uuid.RFC_4122, str(made).upper())
        assert (one.feed, one.causes, one.previous, one.has_moved, one.binding) == (NEW, (), (), False, "strong")
        assert len(bytes.fromhex(one.incarnation)) == 8
    assert first.uuid != other.uuid
    assert first.incarnation != other.incarnation
    assert first.key.kid != other.key.kid
    assert same(load(tmp_path), first)


def test_new_labels_of_the_same_machine_are_learned(tmp_path: Path) -> None:
    first = load(tmp_path)
    again = load(tmp_path, *LABELS, "host-id:h")
    assert (again.labels, again.events) == ((*LABELS, "host-id:h"), (("labels-learnt", {"count": 1}),))
    assert (again.uuid, again.key.kid) == (first.uuid, first.key.kid)
    later = load(tmp_path, *LABELS, "host-id:h")
    assert (later.labels, later.events) == (again.labels, ())


def test_on_another_machine_it_is_another_server_that_knows_what_it_was(tmp_path: Path) -> None:
    first = load(tmp_path)
    moved = load(tmp_path, "mac:1", "mac:8", "mac:9")
    assert moved.has_moved
    assert (moved.previous, moved.previous_keys) == ((first.uuid,), (first.key.public.x,))
    assert moved.key.kid != first.key.kid
    told = {"oldUuid": first.uuid, "newUuid": moved.uuid, "matching": 1, "known": 3}
    assert moved.causes == ((MOVED, told, "system"),)
    assert same(load(tmp_path, "mac:1", "mac:8", "mac:9"), moved)
    again = load(tmp_path)
    assert again.previous == (first.uuid, moved.uuid)
    assert len(again.causes) == 2


def test_a_feed_of_its_own_is_begun_and_each_cause_recorded_once(tmp_path: Path) -> None:
    first = load(tmp_path)
    begun = identity.begun(tmp_path, first)
    assert (begun.feed, load(tmp_path).feed) == (BEGUN, BEGUN)
    assert identity.begun(tmp_path, begun) is begun
    cause = ("restored", {"time": 1}, "admin")
    for _ in range(2):
        identity.renew_incarnation(tmp_path, cause)
        renewed = load(tmp_path)
        assert (renewed.causes, renewed.feed, renewed.uuid) == ((cause,), NEW, first.uuid)
        assert renewed.incarnation != begun.incarnation
        assert not renewed.has_moved
    assert identity.begun(tmp_path, renewed).causes == ()
    assert load(tmp_path).causes == ()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (identity.IDENTITY, None, "is missing"),
        (identity.IDENTITY, "{", "is damaged"),
        (identity.IDENTITY, "{}", "is damaged"),
        (identity.KEY, "no key", "is damaged"),
        (identity.KEY, None, "is missing"),
    ],
)
def test_a_lost_or_damaged_identity_is_named(tmp_path: Path, name: str, content: str | None, sentence: str) -> None:
    load(tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataFolderError, match=sentence):
        identity.load(tmp_path)


def test_an_identity_of_0_1_has_neither_feed_nor_causes(tmp_path: Path) -> None:
    load(tmp_path)
    path = tmp_path / identity.IDENTITY
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({name: fields[name] for name in ("uuid", "labels", "incarnation", "previous")}))
    found = identity.load(tmp_path)
    assert (found.feed, found.causes, found.previous_keys) == ("", (), ())


def test_a_vault_opens_what_it_sealed_for_one_purpose(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match="is missing"):
        Vault.load_or_create(tmp_path, create=False)
    vault = Vault.load_or_create(tmp_path, create=True)
    sealed = vault.seal("geheim é", "one")
    assert len(sealed) == 12 + len("geheim é".encode()) + 16
    assert Vault.load_or_create(tmp_path, create=True).unseal(sealed, "one") == "geheim é"
    for wrong, purpose in ((sealed, "other"), (sealed[:-1], "one"), (b"", "one")):
        with pytest.raises(DataFolderError, match="another vault"):
            vault.unseal(wrong, purpose)
    assert len({vault.derive("one"), vault.derive("two"), vault.derive("one")}) == 2
    assert len(vault.derive("one")) == 32
    for size in (31, 33):
        (tmp_path / "vault.key").write_bytes(bytes(size))
        with pytest.raises(DataFolderError, match="is damaged"):
            Vault.load(tmp_path)


def test_leases_seen_lately_cost_no_verification(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "REMEMBERED", 3)
    server.load(item("one"))
    texts = [server.authorize().lease for _ in range(5)]
    me = server.ctx.identity
    looked: list[str] = []
    fresh = Leases(me.uuid, me.key, b"secret")
    signed = fresh._signed

    def look(text: str) -> Lease:
        looked.append(text)
        return signed(text)

    monkeypatch.setattr(fresh, "_signed", look)
    for text in (*texts, texts[1], texts[4], texts[0]):
        assert fresh.verify(text).issuer == me.uuid
    # after three the young ones became the old ones; three more later those went
    assert looked == texts
    for text in (*texts, *texts):
        fresh.verify(text)
    assert looked == texts
    issuing, keys = server.ctx.leases, server.ctx.leases._keys
    monkeypatch.setattr(issuing, "_keys", {})
    assert issuing.verify(texts[4]).issuer == me.uuid, "a lease is known from when it was signed"
    with pytest.raises(NotVerified):
        issuing.verify(texts[4] + "A")
    monkeypatch.setattr(issuing, "_keys", keys)
    stranger = Leases(me.uuid, SigningKey.generate(), b"secret")
    with pytest.raises(NotVerified, match="signed by another key"):
        stranger.verify(texts[0])
    stranger.believe([me.key.public])
    assert stranger.verify(texts[0]).issuer == me.uuid
    with pytest.raises(NotVerified):
        fresh.verify(texts[0][:-4] + "AAAA")


def test_a_clock_reports_each_event_once() -> None:
    read = {"wall": NOON + 0.9, "elapsed": 5.0}
    clock = Clock(NOON - 40 * DAY_SECONDS, lambda: read["wall"], lambda: read["elapsed"])
    assert (clock.wall(), clock.now(), clock.elapsed()) == (NOON, NOON - 40 * DAY_SECONDS, 5.0)
    assert clock.look() == [ClockEvent("clock-ahead", 40 * DAY_SECONDS)]
    assert clock.look() == []
    assert clock.item_time(NOON) == NOON
    clock.adopt(clock.accepted())
    assert clock.state.highest == NOON
    read["wall"] = NOON - 3 * 3600
    assert clock.look() == [ClockEvent("clock-back", 3 * 3600)]
    assert clock.item_time(clock.now()) == NOON - 2 * 3600
    clock.adopt(clock.taken_back())
    assert clock.item_time(clock.now()) == NOON - 3 * 3600


def test_a_jump_between_two_checks_is_judged_by_a_request_and_reported_by_the_next_check() -> None:
    read = {"wall": NOON, "elapsed": 5.0}
    clock = Clock(NOON, lambda: read["wall"], lambda: read["elapsed"])
    far = NOON + 400 * DAY_SECONDS
    read["elapsed"] += 2
    assert clock.seat_time(far) == NOON + 1
    read["elapsed"] += 2
    assert clock.seat_time(far + 2) == NOON + 3
    assert clock.seat_time(far + 400 * DAY_SECONDS) == NOON + 3
    assert clock.seat_time(NOON + 2) == NOON + 2
    read["wall"] = NOON + 4
    assert clock.look() == [
        ClockEvent("clock-ahead", 400 * DAY_SECONDS - 2),
        ClockEvent("clock-ahead", 800 * DAY_SECONDS - 3),
    ]
    assert (clock.state.pending, clock.state.highest) == (None, NOON + 4)
    assert clock.seat_time(NOON + 5) == NOON + 5


def test_what_a_clock_showed_for_a_moment_is_not_accepted_later() -> None:
    read = {"wall": NOON, "elapsed": 5.0}
    clock = Clock(NOON, lambda: read["wall"], lambda: read["elapsed"])
    clock.seat_time(NOON + 400 * DAY_SECONDS)
    clock.adopt(clock.accepted())
    assert (clock.state.pending, clock.state.highest) == (None, NOON)


def word_until(end: int) -> tuple[str, str]:
    """A main's own certificate, and its delegation to a standby."""
    main = SigningKey.generate()
    signed = sign_jws(jws_header(main.public, CERTIFICATE_TYPE), canonical_json({"exp": end}), main)
    return self_signed("MAIN", main), signed


def test_the_mains_delegation_ends_when_signed_to_whatever_the_file_says(tmp_path: Path) -> None:
    given = word_until(NOON)
    pinned = PinnedFile(tmp_path)
    pinned.change(delegation=Delegation("MAIN", given, NOON + 30 * DAY_SECONDS))
    held = PinnedFile(tmp_path).now.delegation
    assert held == Delegation("MAIN", given, NOON)
    stranger = word_until(NOON + DAY_SECONDS)
    for bad in ((given[0], stranger[1]), given[:1], (), ("a", "b"), (given[1], given[1])):
        assert delegation_of("MAIN", bad).until == 0, bad


def test_the_mains_delegation_is_valid_before_its_end(tmp_path: Path) -> None:
    pinned = PinnedFile(tmp_path)
    assert (pinned.now.uuid, pinned.now.joined, pinned.now.retired, pinned.delegation(NOON, is_main=False)) == (
        None, False, False, None,
    )  # fmt: skip
    given = word_until(NOON)
    pinned.change(delegation=delegation_of("MAIN", given), joined=True)
    again = PinnedFile(tmp_path)
    assert again.now == pinned.now
    assert again.delegation(NOON - 1, is_main=False) == Delegation("MAIN", given, NOON)
    assert again.delegation(NOON, is_main=False) is None
    former = Delegation("MAIN", given, NOON, former=True)
    assert again.delegation(NOON - 1, is_main=True) == former, "this server is named first in servers"
    again.change(promoted_at="http://main")
    assert again.delegation(NOON - 1, is_main=False) == former, "it was promoted"
    assert again.delegation(NOON, is_main=True) is None
    stamp = (tmp_path / "pair.json").stat()
    pinned.change(joined=True)
    assert (tmp_path / "pair.json").stat().st_ino == stamp.st_ino
    (tmp_path / "pair.json").write_text("{")
    with pytest.raises(DataFolderError, match="cannot be read"):
        PinnedFile(tmp_path)


def test_a_start_by_a_clock_set_back_counts_on_from_the_highest_time() -> None:
    read = {"wall": NOON, "elapsed": 5.0}
    clock = Clock(0, lambda: read["wall"], lambda: read["elapsed"])
    assert clock.item_time(NOON) == NOON
    clock.begin(NOON + 6 * DAY_SECONDS)
    read["elapsed"] += 25 * 3600
    read["wall"] += 25 * 3600
    assert clock.item_time(NOON + 25 * 3600) == NOON + 6 * DAY_SECONDS + 23 * 3600 - 63
    clock.adopt(clock.taken_back())
    assert clock.item_time(NOON + 25 * 3600) == NOON + 25 * 3600


def test_one_bit_anywhere_in_it_is_damage_and_never_another_machine(tmp_path: Path) -> None:
    identity.with_prints(tmp_path, load(tmp_path), load(tmp_path).key.public.kid, "ab")
    path = tmp_path / identity.IDENTITY
    content = path.read_bytes()
    of_the_digests_name = range(content.index(b'"digest"') - 4, content.index(b'"digest"') + 8)
    taken = 0
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            assert load(tmp_path).previous == (), place
            taken += place not in of_the_digests_name
        except DataFolderError as error:
            assert "identity.json is damaged: " in error.detail, place
            assert "`lts restore BACKUP`" in error.detail
            assert str(path) in error.detail
    assert taken < content.count(b" "), "what is none of its content changes nothing"


def test_one_of_before_has_no_digest_and_gets_one(tmp_path: Path) -> None:
    first = load(tmp_path)
    fields = json.loads((tmp_path / identity.IDENTITY).read_bytes())
    del fields["digest"]
    (tmp_path / identity.IDENTITY).write_text(json.dumps(fields))
    assert same(load(tmp_path), first)
    load(tmp_path, *LABELS, "host-id:h")
    assert "digest" in json.loads((tmp_path / identity.IDENTITY).read_bytes())


@pytest.mark.parametrize("content", [b"[" * 100_000, b"null", b"[]", b"{}", b'{"uuid": NaN}', b"\xff", b""])
def test_what_is_no_identity_is_named_in_plain_words(content: bytes, tmp_path: Path) -> None:
    load(tmp_path)
    (tmp_path / identity.IDENTITY).write_bytes(content)
    with pytest.raises(DataFolderError, match=r"identity\.json is damaged: it is not what LTS wrote\."):
        load(tmp_path)
