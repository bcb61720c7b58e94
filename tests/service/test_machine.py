"""A state machine of everything that devices, administrators and time do, against the model of tests/model.

Its sequences are those of hypothesis: tests/model/sequences.py draws blindly, these go on from what they found.
`python3 -m tests.soak.machine` runs 2,000 examples; here it is a short run.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.model.features import TODAY
from tests.model.play import Play

DAY = 86_400
DEVICES = st.integers(0, 5)
LEASES = st.integers(0, 12)
CODES = st.integers(0, 2)
TOKENS = st.sampled_from(["last", "last", "last", "none", "copy", "old"])
CAPS = st.sampled_from([None, None, 0, 1, 2, 6])
MODULES = st.lists(st.sampled_from("ABC"), unique=True, max_size=3)


def words(item_id: str, way: str, quota: int, ends_in: int | None, **more: Any) -> dict[str, Any]:
    """An item as tests/model/sequences.py writes it, from a day and a second ago."""
    return {"itemId": item_id, "product": "p", "chargeWay": way, "quota": quota, "starts_in": -DAY - 1,
            "ends_in": ends_in, **more}  # fmt: skip


ITEMS = [
    words("seats", "device", 2, 20 * DAY + 77, graceQuota=50, activePeriod="daily", modules=["A"]),
    words("scans", "scan", 30, 20 * DAY + 3_611, graceQuota=5, graceDays=1, modules=["B"]),
    words("many", "concurrentDevice", 2, None, overdraft=3, modules=["C"]),
    words("instances", "concurrentInstance", 3, 6 * DAY + 9, overdraft=2, maxOfflineDays=1, deploymentTypes=["server"]),
    words("servers", "server", 1, 40 * DAY + 1, modules=["A", "B"]),
]


class Machine(RuleBasedStateMachine):
    """Each rule is a step of the model's language; after each the server and the model are compared in everything."""

    def __init__(self) -> None:
        super().__init__()
        self.play = Play(TODAY)

    def teardown(self) -> None:
        try:
            self.play.verify()
        finally:
            self.play.close()

    def step(self, do: str, **more: Any) -> None:
        self.play.step({"do": do, **more})

    @initialize(caps=st.lists(CAPS, min_size=5, max_size=5), manual=st.booleans())
    def two_organizations_and_three_codes(self, caps: list[int | None], manual: bool) -> None:
        self.step("license", vendor=0, organization="1", license="100", items=ITEMS)
        self.step("license", vendor=1, organization="2", license="100", items=ITEMS[1:4])
        self.step("add code", organization=0, name=1, items=list(enumerate(caps)), manual=manual)

    @rule(
        device=DEVICES,
        code=CODES,
        by=st.sampled_from(["code", "code", "both", "organization", "other", "former"]),
        token=TOKENS,
        modules=MODULES,
        way=st.sampled_from([None, *sorted({item["chargeWay"] for item in ITEMS})]),
        instances=st.integers(1, 4),
    )
    def authorize(self, way: str | None, **asked: Any) -> None:
        self.step("authorize", **asked, **({} if way is None else {"way": way}))

    @precondition(lambda self: self.play.leases)
    @rule(
        lease=LEASES,
        entries=st.dictionaries(
            st.sampled_from([0, -1, -2, -37, -480, -4_800, 3, 4, -14_400, -14_401]),
            st.tuples(
                st.dictionaries(st.sampled_from(["A", "B", "other"]), st.integers(0, 9)),
                st.sampled_from([None, 1, 2, 3]),
            ),
            min_size=1,
            max_size=3,
        ),
        token=TOKENS,
        again=st.booleans(),
    )
    def report(self, entries: dict[int, Any], **more: Any) -> None:
        self.step("report", entries=[(offset, *entry) for offset, entry in entries.items()], **more)

    @precondition(lambda self: self.play.leases)
    @rule(lease=LEASES)
    def give_back(self, lease: int) -> None:
        self.step("release", lease=lease)

    @rule(device=DEVICES, item=st.integers(0, 7))
    def free_a_seat(self, device: int, item: int) -> None:
        self.step("free seat", device=device, item=item)

    @rule(seconds=st.sampled_from([1, 59, 179, 180, 3_607, DAY - 1, DAY, 6 * DAY + 7, 31 * DAY + 5]))
    def time_passes(self, seconds: int) -> None:
        self.step("pass", seconds=seconds)

    @rule(edge=st.integers(0, 4), off=st.sampled_from([-1, 0, 1]))
    def time_passes_to_the_second_at_which_something_ends(self, edge: int, off: int) -> None:
        self.step("pass to an edge", edge=edge, off=off)

    @rule(seconds=st.sampled_from([60, 3_001, 7_001, 4 * 3_600 + 1, 2 * DAY]))
    def clock_steps_back(self, seconds: int) -> None:
        self.step("step back", seconds=seconds)

    @rule(days=st.sampled_from([2, 35, 400]), device=DEVICES, code=CODES)
    def clock_is_ahead_for_a_moment(self, days: int, device: int, code: int) -> None:
        self.step("jump ahead", seconds=days * DAY, device=device, code=code, by="code", token="last")

    @rule(down=st.sampled_from([0, 5, 3_607, DAY + 61]))
    def restart(self, down: int) -> None:
        self.step("restart", down=down)

    @rule(
        license=st.integers(0, 1),
        item=st.integers(0, 4),
        change=st.fixed_dictionaries({}, optional={
            "quota": st.integers(0, 5), "ends_in": st.sampled_from([None, -3, 61, DAY + 7, 30 * DAY + 1]),
            "overdraft": st.integers(0, 5), "graceDays": st.integers(0, 2),
        }),
    )  # fmt: skip
    def amend(self, **more: Any) -> None:
        self.step("amend", **more)

    @rule(license=st.integers(0, 1), item=st.integers(0, 4))
    def revoke(self, license: int, item: int) -> None:
        self.step("revoke", license=license, item=item)

    @rule(
        code=CODES,
        change=st.fixed_dictionaries({}, optional={
            "items": st.lists(st.tuples(st.integers(0, 4), CAPS), min_size=1, max_size=4), "manual": st.booleans(),
            "password": st.sampled_from([None, "one"]), "default": st.just(True),
        }),
    )  # fmt: skip
    def edit_a_code(self, code: int, change: dict[str, Any]) -> None:
        self.step("edit code", code=code, **change)

    @rule(code=CODES, name=st.integers(0, 5))
    def rename_a_code(self, code: int, name: int) -> None:
        self.step("rename code", code=code, name=name)

    @rule(code=CODES)
    def remove_a_code(self, code: int) -> None:
        self.step("remove code", code=code)

    @rule(organization=st.integers(0, 1), name=st.integers(0, 3), caps=st.lists(CAPS, min_size=1, max_size=4))
    def add_a_code(self, organization: int, name: int, caps: list[int | None]) -> None:
        self.step("add code", organization=organization, name=name, items=list(enumerate(caps)))


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
