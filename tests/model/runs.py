"""Running sequences, and cutting one that fails down to what is needed."""

from __future__ import annotations

from dataclasses import dataclass

from tests.model.features import TODAY
from tests.model.play import Play
from tests.model.scene import Differs
from tests.model.sequences import Step, sequence, world

RUNS_PER_WORLD = 20
Found = tuple[int, str]
"""(number of the step that differs, what differs)."""


@dataclass(frozen=True)
class Difference:
    """The first difference of a seed's sequence, cut down: the last of `steps` shows it."""

    seed: int
    steps: list[Step]
    what: str

    def __str__(self) -> str:
        lines = [f"Seed {self.seed} differs after {len(self.steps)} steps:", "["]
        return "\n".join([*lines, *(f"    {step!r}," for step in self.steps), "]", self.what])


class Worlds:
    """The world that the last sequence began in, shut, for the next ones."""

    def __init__(self, features: dict[str, bool]) -> None:
        self._features = features
        self._seed = -1
        self._play: Play | None = None

    def play(self, seed: int) -> Play:
        """A play that begins in the world of a seed. Raises Differs, and whatever the server raises."""
        if self._seed != seed or self._play is None:
            self.close()
            made = Play(self._features)
            self._seed, self._play = seed, made
            for step in world(seed, self._features):
                made.step(step)
            made.server.shut()
        return Play(self._features, self._play)

    def close(self) -> None:
        """Its folder goes."""
        if self._play is not None:
            self._play.close()
        self._play = None


def run(
    worlds: Worlds, seed: int, length: int, features: dict[str, bool], *, verify: bool = False
) -> Difference | None:
    """Play the sequence of a seed; `verify` looks through the data folder at its end. A difference is cut down."""
    begin = world(seed // RUNS_PER_WORLD, features)
    steps = [*begin, *sequence(seed, length, features)]
    try:
        found = _play(worlds.play(seed // RUNS_PER_WORLD), steps[len(begin) :], verify)
    except Exception:  # noqa: BLE001 - already the world differs
        worlds.close()
        found = replay(begin, features)
        assert found is not None, "A world that differs does so again."
        steps, begin = begin, []
    if found is None:
        return None
    smallest, what = shrink(steps[: len(begin) + found[0] + 1], found[1], features, verify)
    return Difference(seed, smallest, what)


def replay(steps: list[Step], features: dict[str, bool] = TODAY, *, verify: bool = False) -> Found | None:
    """Play steps from the very beginning."""
    return _play(Play(features), steps, verify)


def _play(play: Play, steps: list[Step], verify: bool) -> Found | None:
    """Any other failure of the server is a difference too."""
    number = 0
    try:
        for number, step in enumerate(steps):  # noqa: B007 - the last number is told
            play.step(step)
        if verify:
            play.verify()
    except Differs as error:
        return number, str(error)
    except Exception as error:  # noqa: BLE001 - whatever the server raises is no answer
        return number, f"{type(error).__name__}: {error}"
    finally:
        play.close()
    return None


def shrink(steps: list[Step], what: str, features: dict[str, bool], verify: bool) -> tuple[list[Step], str]:
    """Fewer steps that differ in the same kind of thing, and what then differs."""
    kind = what.split(":")[0].split(" of (")[0]
    size = max(1, len(steps) // 2)
    while True:
        begin, cut = 0, False
        while begin < len(steps):
            fewer = steps[:begin] + steps[begin + size :]
            found = replay(fewer, features, verify=verify)
            if found is not None and found[1].startswith(kind):
                steps, what, cut = fewer[: found[0] + 1], found[1], True
            else:
                begin += size
        if size == 1 and not cut:
            return steps, what
        size = max(1, size // 2)
