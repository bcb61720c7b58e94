"""The pair, two nodes in one process: who serves, and what the other has (docs/design/pair.md, Taking over)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from lts.crypto import PublicKey, b64url, unb64url
from lts.errors import AdminError
from lts.protocol import CERTIFICATE_TYPE, DAY_SECONDS, slot_of, verify_lease
from lts.rules.metering import workload
from lts.rules.metering.usage import BadEntry, Entry
from lts.service.licensing import handshakes, licenses
from lts.service.licensing.licenses import Choice
from lts.service.metering import report as reporting
from lts.service.pair import pairstatus
from lts.store.changes import records
from lts.store.tables import pair as stored_pair
from lts.web.wire import answers
from tests.service.conftest import DEVICE, fail_over, refused
from tests.support import receipts
from tests.support.duet import Duet
from tests.support.kit import NOON, ORGANIZATION, entry, item
from tests.support.picture import counts, picture


def test_a_standby_refuses_every_client_while_the_main_works(duet: Duet) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    for call in (
        lambda: duet.standby.server.authorize(None, DEVICE),
        lambda: duet.standby.server.report(lease, {"QR": 1}),
    ):
        assert refused(call) == 100
    assert duet.main.server.report(lease, {"QR": 1}).durable == "both"
    assert counts(duet.standby.server) == {(DEVICE, slot_of(int(duet.time.wall))): 1}


def test_what_was_reported_to_either_is_on_both_once(duet: Duet) -> None:
    first = duet.main.server.authorize(None, DEVICE)
    duet.main.server.report(first.lease, {"QR": 3})
    acting = fail_over(duet)
    assert acting.report(first.lease, {"QR": 3}).results[0].status == "unchanged"
    done = acting.report(first.lease, {"QR": 5})
    assert (done.results[0].status, done.durable, done.lease) == ("counted", "local", None)
    duet.settle()
    assert duet.main.server.report(first.lease, {"QR": 5}).durable == "both"
    assert list(counts(duet.main.server).values()) == [5]
    assert picture(duet.main.server) == picture(duet.standby.server)


def test_a_standby_that_never_was_in_step_does_not_take_over(tmp_path: Path) -> None:
    duet = Duet(tmp_path)
    duet.standby.open()
    duet.run(60)
    assert duet.standby.server.ctx.running.status == "standby"
    duet.close()


def test_one_slow_answer_changes_nothing(duet: Duet) -> None:
    for _ in range(28):
        duet.forward(0.5)
        duet.standby.beat()
        duet.main.beat()
    duet.standby.follow()
    duet.run(14)
    assert not duet.standby.answers()
    assert duet.main.answers()


def test_a_process_that_stood_still_asks_before_it_answers(duet: Duet) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    for _ in range(40):
        duet.forward(0.5)
        duet.standby.beat()
        duet.standby.node.peer.followed = 0.0
    duet.standby.beat()
    assert duet.standby.answers()
    assert refused(duet.main.server.report, lease, {"QR": 1}) == 100
    duet.main.beat()
    assert duet.main.server.ctx.running.status == "starting"
    duet.settle()
    assert duet.main.answers()
    assert not duet.standby.answers()


def test_an_answer_under_way_when_the_server_gave_way_is_no_200(duet: Duet) -> None:
    acting = fail_over(duet)
    waiting_serial = acting.ctx.store.serial
    duet.standby.node.leadership.give_way("a test")
    assert refused(acting.ctx.running.partner.confirm, waiting_serial) == 100


def test_codes_passwords_and_later_imports_are_on_the_standby(duet: Duet) -> None:
    ctx = duet.main.server.ctx
    handshakes.add(ctx, ORGANIZATION, {"custom": "p", "password": "secret", "items": [{"id": 2}]}, "admin", NOON)
    duet.main.server.load(item("late", "scan", 5, product="late"), license_id="200")
    duet.turn()
    acting = fail_over(duet)
    assert refused(acting.authorize, "216998-p", DEVICE, session_password="wrong") == 102
    acting.authorize("216998-p", DEVICE, session_password="secret")
    acting.authorize("216998-200", DEVICE, product="late")


def test_what_is_imported_at_the_acting_standby_is_on_the_main_afterwards(duet: Duet) -> None:
    data = duet.vendor.file(duet.main.server.ctx, item("late", "scan", 5, product="late"), license_id="300")
    acting = fail_over(duet)
    licenses.import_license(acting.ctx, data, Choice(), "admin", int(duet.time.wall))
    acting.authorize("216998-300", DEVICE, product="late")
    duet.settle()
    assert "216998-300" in duet.main.server.ctx.store.catalog.codes


def test_the_server_that_does_not_serve_takes_no_settings(duet: Duet) -> None:
    with pytest.raises(AdminError, match="make changes on the one"):
        duet.standby.server.ctx.running.check_in_charge()
    duet.main.server.ctx.running.check_in_charge()


# trust


def test_leases_of_the_acting_standby_verify_by_the_vendors_key_alone(duet: Duet) -> None:
    main_uuid = duet.main.server.ctx.identity.uuid
    done = fail_over(duet).authorize(None, DEVICE)
    lease = verify_lease(done.lease, list(done.certificates), duet.vendor.key.public)
    assert lease.issuer == duet.standby.server.ctx.identity.uuid != main_uuid
    assert len(done.certificates) == 2


def test_a_report_after_a_take_over_brings_a_receipt_and_the_certificates_of_its_key(duet: Duet) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    acting = fail_over(duet)
    body = b"the body of the report"
    digest = b64url(hashlib.sha256(body).digest())
    sent: list[Any] = [entry(slot_of(duet.time.wall), {"QR": 1})]
    done = reporting.begin(acting.ctx, acting.ctx.leases.verify(lease), None, sent, acting.time.now, digest).finish()
    told = json.loads(answers.reported(done, acting.time.now))
    claims = receipts.check(told, body, DEVICE, [], duet.vendor.key.public.x)
    assert (told["lease"], len(told["certificates"])) == (None, 2)
    assert (claims["iss"], claims["origin"]) == (acting.ctx.identity.uuid, acting.ctx.identity.incarnation)
    assert claims["receipt"]["durable"] == "local"


def test_a_delegation_that_has_ended_authorizes_nobody_and_is_counted_down(duet: Duet) -> None:
    acting = fail_over(duet)
    assert any("more hours" in notice.detail for notice in pairstatus.notices(duet.standby.node))
    duet.forward(7 * DAY_SECONDS)
    duet.standby.beat()
    duet.run(17)
    assert refused(acting.authorize, None, DEVICE) == 113
    duet.settle()
    duet.main.server.authorize(None, DEVICE)


def test_a_promoted_standby_is_the_main_and_the_old_one_never_serves_again(duet: Duet) -> None:
    acting = fail_over(duet)
    duet.standby.node.promote()
    acting.authorize(None, DEVICE)
    assert pairstatus.describe(duet.standby.node).promoted
    duet.standby.close()
    duet.standby.open()
    duet.run(2)
    assert duet.standby.answers()
    assert duet.standby.node.role == "main"
    duet.main.open()
    duet.run(40)
    assert not duet.main.answers()
    assert "promoted" in duet.main.node.peer.faults["peer-promoted"]
    duet.main.close()
    duet.main.open()
    duet.cut = True
    duet.run(60)
    assert not duet.main.answers()


def test_a_main_cannot_be_promoted_nor_a_standby_that_has_nothing(duet: Duet, tmp_path: Path) -> None:
    with pytest.raises(AdminError, match="already"):
        duet.main.node.promote()
    fresh = Duet(tmp_path / "fresh")
    fresh.standby.open()
    with pytest.raises(AdminError, match="never had everything"):
        fresh.standby.node.promote()
    fresh.close()


def test_days_are_closed_only_while_both_have_everything(duet: Duet) -> None:
    from lts.background import jobs

    ctx = duet.main.server.ctx
    duet.main.server.report(duet.main.server.authorize(None, DEVICE).lease, {"QR": 2})
    duet.turn()
    ctx.store._served = set(range(NOON // DAY_SECONDS - 60, NOON // DAY_SECONDS + 60))
    duet.main.node.acknowledgments.fall_out()
    jobs.close_days(ctx)
    assert "closedDay" not in ctx.store.catalog.settings
    duet.settle()
    jobs.close_days(ctx)
    assert "closedDay" in ctx.store.catalog.settings
    duet.turn()
    assert "closedDay" in duet.standby.server.ctx.store.catalog.settings


def test_the_key_of_a_delegation_is_the_standbys(duet: Duet) -> None:
    held = duet.standby.node.pinned.now.delegation
    assert held is not None
    _, key = _last(held.certificates)
    assert key == duet.standby.server.ctx.identity.key.public


def _last(certificates: tuple[str, ...]) -> tuple[str, PublicKey]:
    from lts.crypto import read_jws

    claims = read_jws(certificates[-1], CERTIFICATE_TYPE).claims()
    return claims["sub"], PublicKey(unb64url(claims["cnf"]["jwk"]["x"]))


def test_every_kind_of_change_is_known_to_the_numbers_of_another_database() -> None:
    class Tx:
        aliases = {(stored_pair.DEVICE, 1): 11, (stored_pair.CODE, 2): 12, (stored_pair.ITEM, 3): 13,
                   (stored_pair.TYPE, 4): 14}  # fmt: skip

    tx: Any = Tx()
    seat = records.SeatRecord(3, 1, 10, 0, (2,))
    granted = stored_pair.resolve(tx, records.GrantChange(1, None, 2, 0, 0, None, (seat,)))
    assert (granted.device, granted.code, granted.seats[0].item, granted.seats[0].codes) == (11, 12, 13, (12,))
    reported = stored_pair.resolve(
        tx, records.ReportChange(1, None, 2, 0, 0, 0, None, (), (records.Run(3, 4, 0, [1]),))
    )
    assert (reported.device, reported.code, reported.runs[0].item, reported.runs[0].type) == (11, 12, 13, 14)
    assert stored_pair.resolve(tx, records.ReleaseChange(1, ((3, 9),))).seats == ((13, 9),)
    assert stored_pair.resolve(tx, records.CodeChange("a", 2, "o", "c", False, {}, ((3, None),))).items == ((13, None),)
    assert stored_pair.resolve(tx, records.CodeRemovalChange("a", 2)).code == 12
    assert stored_pair.resolve(tx, records.RefusalsChange(((2, 120, 3),))).counts == ((12, 120, 3),)
    assert stored_pair.resolve(tx, records.EventChange("a", "n", {})) == records.EventChange("a", "n", {})


def test_a_report_in_pieces_is_on_both_before_it_is_answered(duet: Duet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workload, "PIECE", 40)
    monkeypatch.setattr(workload, "DAY", 5)
    first = duet.main.server.authorize(None, DEVICE)
    entries: list[Entry | BadEntry] = [entry(slot_of(NOON) - 7 * n, {"QR": 1 + n % 3}) for n in range(100)]
    answer = duet.main.server.report_many(first.lease, entries, first.clone_token)
    assert (answer.durable, {result.status for result in answer.results}) == ("both", {"counted"})
    assert picture(duet.main.server) == picture(duet.standby.server)
    acting = fail_over(duet)
    again = acting.report_many(first.lease, entries, answer.clone_token)
    assert {result.status for result in again.results} == {"unchanged"}
    duet.settle()
    assert picture(duet.main.server) == picture(duet.standby.server)
