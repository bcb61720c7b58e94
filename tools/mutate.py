"""`python3 -m tools.mutate`: changes the program a little, one change at a time, and says which ones no test notices.

A survivor is a line that could be wrong without a test that fails. The changes are a random sample; each meets only the
tests that run its line, in a copy of the project. Tests that start the program as a process of its own do not count.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lts.bootstrap import SetupError, ensure_venv, say
from tools.mutation import candidates
from tools.mutation.candidates import Mutant
from tools.mutation.reach import Unmeasured
from tools.mutation.trials import Plan, Verdict, try_all

CHANGED = ["lts/rules", "lts/service", "lts/store", "lts/client"]
"""What is changed by default."""
SOURCES = ["lts", "tests"]
"""Where lines count for whether a test reaches something."""
TESTS = ["tests/rules", "tests/store", "tests/service", "tests/client", "tests/vendor", "tests/web"]
"""Tests that may notice: the quick ones that run the program in their own process."""
OPTIONS = [
    "-m", "not slow", "--hypothesis-seed=0", "-p", "no:randomly", "-p", "no:schemathesis",
    "--ignore=tests/web/test_openapi.py",
]  # fmt: skip
"""Further options of pytest: the same examples and order for every mutant; and without schemathesis and its one long
test, since loading it alone costs each mutant a second.
"""


def main(arguments: list[str] | None = None, root: Path = ROOT, python: Path | None = None) -> int:
    """Exit code 0 when it ran, however many survived; 1 when it could not, or was stopped.

    `root` is the project that is tried, `python` an interpreter with its tests' packages instead of the usual one.
    """
    asked = _parser().parse_args(arguments)
    missing = [name for name in [*asked.only, *asked.tests] if not (root / name.split("::")[0]).exists()]
    if missing:
        return _fail(f"There is no {missing[0]} in {root}; name folders or files below it.")
    seed = random.SystemRandom().randrange(10_000) if asked.seed is None else asked.seed
    mutants = candidates.sample(candidates.find(root, asked.only), asked.sample, seed)
    if asked.list:
        print("\n".join(map(_change, mutants)))
        return 0
    verdicts: list[Verdict] = []
    try:
        python = python or ensure_venv(".venv-tests", ROOT / "requirements" / "dev.txt")
        plan = Plan(SOURCES, asked.tests, OPTIONS, asked.workers, asked.timeout)
        try_all(root, python, mutants, plan, lambda verdict: _progress(verdicts, verdict, len(mutants)))
    except (SetupError, Unmeasured, OSError, SyntaxError) as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail(f"stopped after {len(verdicts)} of {len(mutants)} mutants; the project is as it was.")
    _tell(seed, verdicts)
    return _write(asked.json, _as_json(seed, verdicts)) if asked.json else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m tools.mutate", description=(__doc__ or "").split("\n\n", 1)[1])
    parser.add_argument("--sample", type=_number, default=40, metavar="N", help="mutants to try (40)")
    parser.add_argument("--seed", type=int, metavar="N", help="the same number gives the same mutants; else random")
    parser.add_argument(
        "--only", nargs="+", default=CHANGED, metavar="PATH", help=f"change these ({' '.join(CHANGED)})"
    )
    parser.add_argument("--tests", nargs="+", default=TESTS, metavar="PATH", help="ask these tests (the quick ones)")
    parser.add_argument(
        "--timeout", type=float, default=30, metavar="S", help="seconds for a mutant beyond 4 times its tests (30)"
    )
    parser.add_argument("--workers", type=_number, default=2, metavar="N", help="mutants at once (2)")
    parser.add_argument("--list", action="store_true", help="show the sample and try none")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every verdict there")
    return parser


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("give a whole number from 1 on")
    return int(text)


def _fail(sentence: str) -> int:
    say(f"mutate: {sentence}")
    return 1


def _progress(verdicts: list[Verdict], verdict: Verdict, total: int) -> None:
    verdicts.append(verdict)
    text = f"{len(verdicts)} of {total} mutants, {sum(each.survived for each in verdicts)} survived"
    if sys.stderr.isatty():
        print(f"\r{text}", end="\n" if len(verdicts) == total else "", file=sys.stderr, flush=True)
    else:
        say(f"{text}: {_change(verdict.mutant)}" if verdict.survived else text)


def _change(mutant: Mutant) -> str:
    return f"{mutant.path}:{mutant.line}  {mutant.before} → {mutant.after}"


def _tell(seed: int, verdicts: list[Verdict]) -> None:
    """A line for each survivor in the order of the files, then the sums."""
    survivors = sorted((v for v in verdicts if v.survived), key=lambda v: (v.mutant.path, v.mutant.start))
    for verdict in survivors:
        passed = f"{verdict.tests} test{'s'[: verdict.tests > 1]} passed" if verdict.tests else verdict.outcome
        print(f"{_change(verdict.mutant)}  ({passed})")
    total, noticed = len(verdicts), len(verdicts) - len(survivors)
    share = f" ({100 * noticed / total:.1f} %)" if total else ""
    print(f"seed {seed}: {total} mutants, {noticed} noticed, {len(survivors)} survived{share}")


def _write(file: Path, verdicts: dict[str, Any]) -> int:
    try:
        file.write_text(json.dumps(verdicts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        return _fail(f"{file} cannot be written ({error.strerror}); name another file for --json.")
    return 0


def _as_json(seed: int, verdicts: list[Verdict]) -> dict[str, Any]:
    told = sorted(verdicts, key=lambda v: (v.mutant.path, v.mutant.start))
    mutants = [
        {**asdict(v.mutant), "names": sorted(v.mutant.names), "outcome": v.outcome, "tests": v.tests} for v in told
    ]
    survived = sum(verdict.survived for verdict in told)
    return {"seed": seed, "noticed": len(told) - survived, "survived": survived, "mutants": mutants}


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # an end asked for is an orderly one
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
