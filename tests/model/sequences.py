"""Random sequences of steps: plain data, so that a sequence can be printed, cut down and played again.

A step names things by small numbers that are taken modulo what there is when it is played. So any part of a sequence
is a sequence.
"""

from __future__ import annotations

import random
from typing import Any

Step = dict[str, Any]
MODULES = ("A", "B", "C")
WAYS = ("scan", "page", "device", "server", "concurrentDevice", "concurrentInstance", "domain")
SECONDS = (1, 7, 59, 179, 180, 181, 599, 3_607, 25_211, 86_399, 86_400, 86_413, 6 * 86_400 + 7, 31 * 86_400 + 5)
DOMAINS = ("example.com", "app.example.com", "badexample.com", "other.test")
DOWN = (0, 0, 5, 3_607, 90_061)
"""Seconds for which a server is stopped."""
STEPS = 40
ALIKE = 6
"""Number of the name by which codes of two organizations are spelled alike."""


def world(seed: int, features: dict[str, bool]) -> list[Step]:
    """What a sequence begins with: licenses and codes. Many sequences share one, since files are costly to make."""
    dice = random.Random(f"world {seed}")
    made = [_license(dice, 0, "1", "100"), _license(dice, 1, "2", "100")]
    if dice.random() < 0.4:
        made.append(_license(dice, 0, "1", "101"))
    if features["numbers"] and dice.random() < 0.3:
        made += [_license(dice, 0, "1", "2-3"), _license(dice, 1, "1-2", "3")]
    made += [_new_code(dice) for _ in range(dice.randint(0, 2))]
    return made + [_edit(dice) for _ in range(dice.randint(0, 3))]


def sequence(seed: int, length: int, features: dict[str, bool]) -> list[Step]:
    """Random steps in a world."""
    dice = random.Random(seed)
    focus = dice.randint(1, 3)
    kinds = [kind for kind in _KINDS if features["archive"] or kind != "archive"]
    chosen = dice.choices(kinds, [_KINDS[kind][0] for kind in kinds], k=length)
    return [{"do": kind, **_KINDS[kind][1](dice, focus)} for kind in chosen]


def _some(dice: random.Random, values: tuple[str, ...], least: int = 0) -> list[str]:
    return [value for value in values if dice.random() < 0.5] or list(values[:least])


def _item(dice: random.Random, number: int, way: str) -> Step:
    """An item's words; ends and starts are seconds from the moment of the step, None for never."""
    spec: Step = {
        "itemId": f"i{number}",
        "product": "p" if dice.random() < 0.9 else "q",
        "chargeWay": way,
        "starts_in": -dice.choice((5, 86_401, 86_400 * 300 + 17, 86_400 * 364 + 86_000)),
        "ends_in": dice.choice((None, 3_611, 86_400 + 3, 3 * 86_400 + 1_234, 20 * 86_400 + 77, 200 * 86_400 + 9)),
    }
    if dice.random() < 0.05:
        spec["starts_in"] = dice.choice((61, 3_607, 86_405))
    if way != "domain":
        spec["quota"] = _quota(dice, way)
    if dice.random() < 0.7:
        spec["modules"] = _some(dice, MODULES, 1)
    for field, chance, value in (
        ("productVersions", 0.2, lambda: _some(dice, ("1", "2"), 1)),
        ("editions", 0.15, lambda: _some(dice, ("pro", "lite"), 1)),
        ("graceDays", 0.5, lambda: dice.choice((0, 1, 3))),
        ("graceQuota", 0.5, lambda: dice.choice((0, 25, 50, 100))),
        ("maxOfflineDays", 0.25, lambda: dice.choice((1, 2, 10))),
    ):
        if dice.random() < chance:
            spec[field] = value()
    if way == "device" and dice.random() < 0.8:
        spec["activePeriod"] = dice.choice(("daily", "daily", "monthly", "quarterly", "yearly"))
    if way in ("concurrentDevice", "concurrentInstance"):
        spec["overdraft"] = dice.choice((0, 1, 2, 3, 5))
    if way == "concurrentInstance":
        spec["deploymentTypes"] = ["server"]
    elif dice.random() < 0.15:
        spec["deploymentTypes"] = _some(dice, ("server", "desktop"), 1)
    if way == "domain":
        spec["domains"] = _some(dice, ("example.com", "other.test"), 1)
    return spec


def _quota(dice: random.Random, way: str) -> int:
    return dice.choice((0, 5, 10, 11, 30)) if way in ("scan", "page") else dice.choice((0, 1, 1, 2, 2, 3, 4))


def _license(dice: random.Random, vendor: int, organization: str, license_id: str) -> Step:
    ways = [dice.choice(WAYS) for _ in range(dice.randint(1, 4))]
    items = [_item(dice, number, way) for number, way in enumerate(ways)]
    return {"do": "license", "vendor": vendor, "organization": organization, "license": license_id, "items": items}


def _new_code(dice: random.Random) -> Step:
    return {
        "do": "add code",
        "organization": dice.randint(0, 3),
        "name": dice.choice((0, 1, 2, 3, ALIKE)),
        **_changes(dice),
    }


def _edit(dice: random.Random, focus: int = 2) -> Step:
    return {"do": "edit code", "code": dice.randint(0, focus), **_changes(dice)}


def _changes(dice: random.Random) -> Step:
    changes: Step = {}
    if dice.random() < 0.6:
        changes["items"] = [
            (number, dice.choice((None, None, 0, 1, 1, 2, 6)))
            for number in dice.sample(range(6), dice.randint(0 if dice.random() < 0.1 else 1, 5))
        ]
    if dice.random() < 0.2:
        changes["manual"] = dice.random() < 0.7
    if dice.random() < 0.12:
        changes["password"] = dice.choice((None, "one", "two"))
    if dice.random() < 0.12:
        changes["bound"] = [dice.choice(((), (name,))) for name in ("example.com", "app", "x.exe")]
    if dice.random() < 0.06:
        changes["default"] = True
    return changes


def _spell_alike(dice: random.Random, _focus: int) -> Step:
    """A code of one of two organizations gets the name by which those of both are spelled alike, or another one, maybe
    while the clock is set back."""
    return {
        "organization": dice.choice(("1", "1-2")),
        "code": dice.randint(0, 3),
        "name": dice.choice((ALIKE, 4)),
        "back": dice.choice((0, 59, 3_001, 2 * 86_400)),
    }


def _authorize(dice: random.Random, focus: int) -> Step:
    asked: Step = {
        "device": dice.randint(0, dice.choice((1, 3, 5))),
        "by": dice.choices(("code", "organization", "both", "other", "neither", "unknown", "former"),
                           (60, 10, 10, 3, 1, 2, 3))[0],
        "code": dice.randint(0, focus),
        "token": _token(dice),
    }  # fmt: skip
    for field, chance, values in (
        ("product", 0.08, ("q", "r")),
        ("deployment", 0.15, ("desktop", "browser")),
        ("version", 0.15, ("1", "1.7", "2", "3")),
        ("edition", 0.1, ("pro", "lite")),
        ("way", 0.15, WAYS),
        ("instances", 0.3, (1, 2, 3)),
        ("domain", 0.4, DOMAINS),
        ("application", 0.15, ("app", "other")),
        ("process", 0.15, ("x.exe", "y.exe")),
        ("password", 0.1, ("wrong", None)),
    ):
        if dice.random() < chance:
            asked[field] = dice.choice(values)
    if dice.random() < 0.5:
        asked["modules"] = dice.sample(MODULES, dice.randint(1, 3))
    return asked


def _calm(dice: random.Random, focus: int) -> Step:
    """What a device asks for that asks often."""
    return {"device": dice.randint(0, 3), "by": "code", "code": dice.randint(0, focus)}


def _token(dice: random.Random) -> str:
    return dice.choices(("last", "none", "copy", "old"), (80, 5, 8, 4))[0]


def _report(dice: random.Random, _focus: int) -> Step:
    slots = dice.sample((0, 0, 0, -1, -1, -2, -7, -480, -481, -5 * 480, 1, 3, 4, -14_400, -14_401), dice.randint(1, 3))
    entries = []
    for offset in slots:
        counts = {} if dice.random() < 0.35 else {n: dice.randint(0, 9) for n in _some(dice, (*MODULES, "z"), 1)}
        entries.append((offset, counts, dice.choice((None, None, 1, 2, 3))))
    return {"lease": _recent(dice), "entries": entries, "token": _token(dice), "again": dice.random() < 0.15}


def _recent(dice: random.Random) -> int:
    """Which of the leases, counted from the newest."""
    return dice.choice((0, 0, 1, 2, 3, 5, 8, 13))


def _amend(dice: random.Random, _focus: int) -> Step:
    change: Step = {}
    for field, chance, value in (
        ("quota", 0.4, lambda: dice.choice((0, 1, 2, 3, 10, 40))),
        ("ends_in", 0.4, lambda: dice.choice((None, -3, -86_405, 61, 86_407, 40 * 86_400 + 1))),
        ("graceDays", 0.15, lambda: dice.choice((0, 1, 7))),
        ("graceQuota", 0.15, lambda: dice.choice((0, 10, 100))),
        ("overdraft", 0.2, lambda: dice.choice((0, 1, 4))),
        ("maxOfflineDays", 0.1, lambda: dice.choice((1, 3))),
        ("modules", 0.1, lambda: _some(dice, MODULES, 1)),
        ("product", 0.03, lambda: dice.choice(("p", "q"))),
    ):
        if dice.random() < chance:
            change[field] = value()
    step: Step = {"license": dice.randint(0, 3), "item": dice.randint(0, 4), "change": change}
    if dice.random() < 0.15:
        step["add"] = _item(dice, 9, dice.choice(WAYS))
    if dice.random() < 0.05:
        step["remove"] = True
    if dice.random() < 0.08:
        step["way"] = dice.choice(("scan", "device", "server", "concurrentDevice"))
    return step


_KINDS: dict[str, tuple[float, Any]] = {
    "authorize": (40, _authorize),
    "report": (32, _report),
    "release": (4, lambda dice, _: {"lease": _recent(dice)}),
    "free seat": (1, lambda dice, _: {"device": dice.randint(0, 5), "item": dice.randint(0, 5)}),
    "pass": (8, lambda dice, _: {"seconds": dice.choice(SECONDS)}),
    "pass to an edge": (8, lambda dice, _: {"edge": dice.randint(0, 3), "off": dice.choice((-1, 0, 0, 1))}),
    "step back": (
        1,
        lambda dice, _: {
            "seconds": dice.choice((59, 3_001, 7_001, 4 * 3_600 + 1, 2 * 86_400)),
            "times": dice.choice((1, 1, 1, 3, 9)),
        },
    ),
    "jump ahead": (2, lambda dice, focus: {"seconds": dice.choice((2, 35, 400)) * 86_400, **_authorize(dice, focus)}),
    "lose": (0.1, lambda dice, focus: {"times": dice.choice((3, 65)), **_calm(dice, focus)}),
    "take turns": (
        0.2,
        lambda dice, focus: {
            "copies": dice.choice((3, 5, 66, 100)),
            "rounds": dice.randint(2, 5),
            **_calm(dice, focus),
        },
    ),
    "amend": (5, _amend),
    "revoke": (1, lambda dice, _: {"license": dice.randint(0, 3), "item": dice.randint(0, 4)}),
    "same file": (2, lambda dice, _: {"license": dice.randint(0, 3)}),
    "edit code": (4, lambda dice, focus: {k: v for k, v in _edit(dice, focus).items() if k != "do"}),
    "add code": (1, lambda dice, _: {k: v for k, v in _new_code(dice).items() if k != "do"}),
    "rename code": (1, lambda dice, focus: {"code": dice.randint(0, focus), "name": dice.randint(0, 5)}),
    "spell alike": (4, _spell_alike),
    "remove code": (1, lambda dice, focus: {"code": dice.randint(0, focus)}),
    "restart": (2, lambda dice, _: {"down": dice.choice((*DOWN, 10 * 86_400, 33 * 86_400))}),
    "archive": (1, lambda dice, _: {"license": dice.randint(0, 3)}),
    "back up": (2, lambda dice, _: {}),
    "restore": (2, lambda dice, _: {"backup": dice.randint(0, 2), "down": dice.choice(DOWN)}),
    "undo": (1, lambda dice, _: {"down": dice.choice(DOWN), "machine": dice.choice((None, 0, 1))}),
    "move": (1, lambda dice, _: {"machine": dice.randint(0, 2), "down": dice.choice(DOWN)}),
    "stand in": (0.3, lambda dice, _: {"machine": dice.randint(1, 2)}),
    "activate": (1, lambda dice, _: {"license": dice.randint(0, 3)}),
}
"""By kind of step: how often, and what makes one."""
