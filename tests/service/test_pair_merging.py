"""Two nodes that both served, and what they agree on afterwards (docs/design/pair.md, Both serving)."""

from __future__ import annotations

from uuid import UUID

import pytest

from lts.errors import AdminError
from lts.service.core.pairmodels import Overshoot
from lts.service.licensing import handshakes
from lts.service.maintenance import attention
from lts.service.metering import release
from lts.service.pair import pairstatus
from lts.service.statistics import usage
from lts.store.tables import pair as stored_pair
from tests.service.conftest import DEVICE, fail_over, refused
from tests.support.duet import Duet
from tests.support.kit import NOON, ORGANIZATION
from tests.support.picture import counts, picture


def test_both_serving_merge_and_the_overshoot_is_shown(duet: Duet) -> None:
    duet.cut = True
    duet.run(20)
    main, standby = duet.main.server, duet.standby.server
    for number in (1, 2):
        main.authorize(None, str(UUID(int=number)), product="seats")
        standby.authorize(None, str(UUID(int=number + 10)), product="seats")
    both = main.authorize(None, DEVICE)
    again = standby.authorize(None, DEVICE)
    main.report(both.lease, {"A": 4, "B": 1})
    standby.report(again.lease, {"A": 6, "C": 2})
    duet.settle()
    assert picture(main) == picture(standby)
    assert list(counts(main).values()) == [6 + 1 + 2]
    assert pairstatus.describe(duet.main.node).overshoot == [Overshoot(1, "seats", 2)]
    assert pairstatus.describe(duet.main.node).merged
    assert refused(main.authorize, None, str(UUID(int=99)), product="seats") == 120
    assert duet.main.faults() == duet.standby.faults() == []


@pytest.mark.parametrize("skew", [-18_000, 18_000])
def test_a_seat_given_back_to_both_while_they_are_apart_ended_at_the_earlier_time(duet: Duet, skew: int) -> None:
    device = str(UUID(int=1))
    lease = duet.main.server.authorize(None, device, product="seats").lease
    duet.settle()
    duet.standby.clock.skew = skew
    duet.cut = True
    duet.run(20)
    for player in duet.players:
        release.release(player.server.ctx, lease, player.clock.now)
    duet.settle()
    assert picture(duet.main.server) == picture(duet.standby.server)
    assert duet.main.faults() == duet.standby.faults() == []


def test_names_made_on_both_sides_are_one_thing_afterwards(duet: Duet) -> None:
    duet.cut = True
    duet.run(20)
    for player in duet.players:
        handshakes.add(player.server.ctx, ORGANIZATION, {"custom": "new", "items": [{"id": 2}]}, player.name, NOON)
        lease = player.server.authorize("216998-new", DEVICE).lease
        player.server.report(lease, {"Brand new": 3 if player.name == "main" else 2})
    duet.settle()
    assert picture(duet.main.server) == picture(duet.standby.server)
    assert list(counts(duet.main.server).values()) == [3]
    assert len([code for code in duet.main.server.ctx.store.catalog.present if code.custom == "new"]) == 1


def test_a_lease_by_a_number_that_stands_for_another_one_goes_on_after_a_merge_and_a_rename(duet: Duet) -> None:
    duet.cut = True
    duet.run(20)
    leases, numbers = {}, {}
    for player in duet.players:
        handshakes.add(player.server.ctx, ORGANIZATION, {"custom": "new", "items": [{"id": 2}]}, player.name, NOON)
        leases[player.name] = player.server.authorize("216998-new").lease
        numbers[player.name] = max(player.server.ctx.store.catalog.codes_by_key)
    assert numbers["main"] != numbers["standby"]
    duet.settle()
    handshakes.edit(duet.main.server.ctx, "216998-new", {"custom": "moved"}, "admin", int(duet.time.wall))
    duet.turn()
    assert duet.main.server.report(leases["main"], {"A": 1}).lease is not None
    assert duet.main.server.report(leases["standby"], {"A": 2}).lease is None, "it is of the other server"
    standby = fail_over(duet)
    for name in ("main", "standby"):
        assert (standby.report(leases[name], {"A": 4}).lease is not None) == (name == "standby"), name
    assert usage.usage(standby.ctx, code="216998-moved").total == 8


def test_codes_made_one_after_another_under_one_name_on_both_sides_are_the_same_pairs(duet: Duet) -> None:
    duet.cut = True
    duet.run(20)
    for player, times in zip(duet.players, (3, 2), strict=True):
        for n in range(times):
            if n:
                handshakes.remove(player.server.ctx, "216998-new", player.name, int(duet.time.wall))
            handshakes.add(player.server.ctx, ORGANIZATION, {"custom": "new", "note": f"{n}"}, player.name, NOON)
    duet.settle()
    assert picture(duet.main.server) == picture(duet.standby.server)
    assert len(duet.main.server.ctx.store.catalog.codes_by_key) == 1 + 3
    for player in duet.players:
        assert player.faults() == []


def test_a_code_made_again_on_one_side_and_changed_on_the_other_is_two_that_can_be_told_apart(duet: Duet) -> None:
    handshakes.add(duet.main.server.ctx, ORGANIZATION, {"custom": "x", "items": [{"id": 2}]}, "admin", NOON)
    duet.turn()
    duet.cut = True
    duet.run(20)
    handshakes.remove(duet.main.server.ctx, "216998-x", "admin", int(duet.time.wall))
    handshakes.add(duet.main.server.ctx, ORGANIZATION, {"custom": "x"}, "admin", int(duet.time.wall))
    handshakes.edit(duet.standby.server.ctx, "216998-x", {"note": "by the standby"}, "admin", int(duet.time.wall))
    duet.settle()
    assert picture(duet.main.server) == picture(duet.standby.server)
    main = duet.main.server
    assert [(c.key, c.note) for c in main.ctx.store.catalog.present if c.custom == "x"] == [
        (2, "by the standby"),
        (3, ""),
    ]
    assert main.authorize("216998-x").items[0].item_id == "scans", "the older one"
    handshakes.edit(main.ctx, "#3", {"note": "the other"}, "admin", NOON)
    with pytest.raises(AdminError):
        handshakes.edit(main.ctx, "216998-100", {"custom": "x"}, "admin", NOON)
    assert handshakes.edit(main.ctx, "#3", {"custom": "y"}, "admin", NOON).name == "216998-y"


@pytest.mark.parametrize("skew", [-3600, 0, 3600])
def test_both_mean_the_same_of_two_codes_that_got_one_name_apart_whatever_the_clocks_say(duet: Duet, skew: int) -> None:
    for custom in ("a", "b"):
        handshakes.add(duet.main.server.ctx, ORGANIZATION, {"custom": custom, "items": [{"id": 2}]}, "admin", NOON)
    duet.turn()
    duet.cut = True
    duet.run(20)
    handshakes.edit(duet.standby.server.ctx, "216998-b", {"custom": "z"}, "admin", NOON + skew)
    handshakes.edit(duet.main.server.ctx, "216998-a", {"custom": "z"}, "admin", NOON)
    duet.settle()
    assert picture(duet.main.server) == picture(duet.standby.server)
    for player in duet.players:
        known = player.server.ctx.store.catalog
        assert [code.key for code in known.present if code.custom == "z"] == [2, 3]
        assert known.codes["216998-z"].key == 2, "that of the main, whose epoch is the earlier one"
        assert player.faults() == []


def test_passwords_changed_on_both_sides_are_two_changes(duet: Duet) -> None:
    ctx = duet.main.server.ctx
    handshakes.add(ctx, ORGANIZATION, {"custom": "p", "password": "one", "items": [{"id": 2}]}, "admin", NOON)
    duet.turn()
    duet.cut = True
    duet.run(20)
    leases = {}
    for player in duet.players:
        handshakes.edit(player.server.ctx, "216998-p", {"password": player.name}, "admin", NOON)
        leases[player.name] = player.server.authorize("216998-p", session_password=player.name).lease
    duet.settle()
    [code] = [code for code in duet.main.server.ctx.store.catalog.present if code.custom == "p"]
    assert code.session_password == "standby", "it took over"
    assert duet.main.server.report(leases["main"], {"A": 1}).lease is None
    handshakes.edit(duet.main.server.ctx, "216998-p", {"password": "main"}, "admin", NOON)
    assert duet.main.server.report(leases["main"], {"A": 2}).lease is None, "of that change nobody knows any more"


# settings


def test_settings_changed_on_both_merge_one_by_one_and_the_loser_is_kept_for_the_audit(duet: Duet) -> None:
    for custom in ("x", "y"):
        handshakes.add(duet.main.server.ctx, ORGANIZATION, {"custom": custom}, "admin", NOON)
    duet.turn()
    duet.cut = True
    duet.run(20)
    main, standby = duet.main.server, duet.standby.server
    handshakes.edit(main.ctx, "216998-x", {"note": "by the main"}, "admin", NOON)
    handshakes.edit(main.ctx, "216998-y", {"note": "only here"}, "admin", NOON)
    handshakes.edit(standby.ctx, "216998-x", {"note": "by the standby"}, "admin", NOON)
    duet.settle()
    for one in (main, standby):
        notes = {code.custom: code.note for code in one.ctx.store.catalog.codes.values()}
        assert notes["x"] == "by the standby"
        assert notes["y"] == "only here"
        with one.ctx.store.reader() as db:
            assert stored_pair.overruled(db) == 1
    handshakes.edit(main.ctx, "216998-x", {"note": "after all"}, "admin", NOON)
    duet.turn()
    assert standby.ctx.store.catalog.codes["216998-x"].note == "after all"


def test_a_default_moved_on_one_side_and_removed_on_the_other_leaves_exactly_one(duet: Duet) -> None:
    handshakes.add(duet.main.server.ctx, ORGANIZATION, {"custom": "y"}, "admin", NOON)
    duet.turn()
    duet.cut = True
    duet.run(20)
    handshakes.edit(duet.main.server.ctx, "216998-y", {"isDefault": True}, "admin", NOON)
    handshakes.remove(duet.standby.server.ctx, "216998-y", "admin", NOON)
    duet.settle()
    defaults = {p.name: p.server.ctx.store.catalog.defaults[ORGANIZATION].name for p in duet.players}
    assert defaults["main"] == defaults["standby"]
    assert picture(duet.main.server) == picture(duet.standby.server)


def test_codes_that_got_one_name_on_both_sides_are_named_and_told_apart_by_number(duet: Duet) -> None:
    for custom in ("k1", "k2"):
        handshakes.add(duet.main.server.ctx, ORGANIZATION, {"custom": custom}, "main", NOON)
    duet.settle()
    duet.cut = True
    duet.run(20)
    for player, custom in zip(duet.players, ("k1", "k2"), strict=True):
        handshakes.edit(player.server.ctx, f"216998-{custom}", {"custom": "x"}, player.name, NOON)
    duet.settle()
    for player in duet.players:
        [told] = [one for one in attention.notices(player.server.ctx, NOON) if one.code == "code-named-twice"]
        numbers = [code.key for code in player.server.ctx.store.catalog.present if code.custom == "x"]
        assert told.params["codes"] == " and ".join(f"#{number}" for number in sorted(numbers))
        for organization in (None, ORGANIZATION):
            with pytest.raises(AdminError, match=r"Name # and the number instead"):
                handshakes.find(player.server.ctx.store.catalog, "216998-x", organization)
    meant = str(told.params["meant"])
    handshakes.edit(duet.main.server.ctx, meant, {"custom": "y"}, "main", NOON)
    duet.settle()
    assert not [one for one in attention.notices(duet.main.server.ctx, NOON) if one.code == "code-named-twice"]
