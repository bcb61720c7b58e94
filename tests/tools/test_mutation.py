"""The mutation run: on a small project with known gaps, and what it changes and leaves alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.wait import PATIENCE, wait_until
from tools.mutate import ROOT, main
from tools.mutation import candidates
from tools.mutation.reach import KEPT, Unmeasured, measure
from tools.mutation.trial import Copy

pytestmark = pytest.mark.slow

PROGRAM = """
    import functools

    CHILD = 18


    @functools.cache
    def limit():
        return CHILD


    def ticket(age):
        return 5 if age < limit() else 10


    def nobody_asks(age):
        return age + 1
"""
TESTS = """
    import pytest
    from lts import fares


    @pytest.fixture
    def child():
        return fares.ticket(4)


    def test_children_pay_half(child):
        assert child == 5


    def test_others_pay_in_full():
        assert fares.ticket(44) == 10
"""


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each start of pytest would load plugins that the small project's tests have no use for."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "xdist.plugin,_hypothesis_pytestplugin")


def project(folder: Path, program: str = PROGRAM, tests: str = TESTS) -> Path:
    """A project with one module and its tests."""
    for name, text in (("lts/__init__.py", ""), ("lts/fares.py", program), ("tests/test_fares.py", tests)):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
    return folder


def changes(folder: Path, program: str) -> list[str]:
    """Every change of a program, as it is shown."""
    return [f"{m.before} → {m.after}" for m in candidates.find(project(folder, program), ["lts"])]


def contents(folder: Path) -> dict[str, bytes]:
    """All files but what the run keeps for the next one."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and KEPT not in file.parts
    }


def runs(number: int) -> bool:
    """Whether a process is there; one that ended and that nobody asked about is not."""
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def run(root: Path, *options: str) -> dict[str, Any]:
    """A whole run; returns what it writes as JSON."""
    out = root.parent / "verdicts.json"
    arguments = ["--only", "lts", "--tests", "tests", "--seed", "3", "--json", str(out), *options]
    assert main(arguments, root, Path(sys.executable)) == 0
    return dict(json.loads(out.read_text(encoding="utf-8")))


def test_a_gap_is_told_from_what_the_tests_notice_and_the_project_stays_untouched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project(tmp_path / "Fahrt nach Köln")
    before = contents(root)
    found = run(root)
    assert {(m["after"], m["outcome"], m["tests"]) for m in found["mutants"]} == {
        ("CHILD = 19", "survived", 2),
        ("return 5 if age <= limit() else 10", "survived", 2),
        ("return 5 if not (age < limit()) else 10", "noticed", 2),
        ("return 6 if age < limit() else 10", "noticed", 2),
        ("return 5 if age < limit() else 11", "noticed", 2),
        ("return age - 1", "not reached", 0),
        ("return age + 2", "not reached", 0),
    }
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "lts/fares.py:4  CHILD = 18 → CHILD = 19  (2 tests passed)",
        "lts/fares.py:13  return 5 if age < limit() else 10 → return 5 if age <= limit() else 10  (2 tests passed)",
        "lts/fares.py:17  return age + 1 → return age - 1  (not reached)",
        "lts/fares.py:17  return age + 1 → return age + 2  (not reached)",
        "seed 3: 7 mutants, 3 noticed, 4 survived (42.9 %)",
    ]
    assert contents(root) == before
    assert len(list((root / KEPT).iterdir())) == 1


def test_what_a_process_saw_is_there_before_it_may_be_ended(tmp_path: Path) -> None:
    root = project(tmp_path / "p")
    early = """
        import os, pytest


        @pytest.hookimpl(tryfirst=True)
        def pytest_unconfigure(config):
            if hasattr(config, "workerinput"):
                os._exit(1)
    """
    (root / "tests" / "conftest.py").write_text(textwrap.dedent(early), encoding="utf-8")
    assert run(root)["noticed"] == 3


def test_a_measurement_that_lost_what_a_test_reaches_is_invalid(tmp_path: Path) -> None:
    class Losing(Copy):
        def __init__(self) -> None:
            self.place = tmp_path

        def run(self, *_: object, **__: object) -> int:
            parts: list[dict[str, Any]] = [
                {"tests": {"a": 0.1, "b": 0.1}, "lines": {}},
                {"tests": {"a": 0.1}, "lines": {"x.py": {"1": [0]}}},
            ]
            for number, part in enumerate(parts):
                (tmp_path / "reached" / f"{number}.json").write_text(json.dumps({"failed": [], **part}))
            return 0

    with pytest.raises(Unmeasured, match="What 1 of 2 tests reach was lost"):
        measure(Losing(), [], [], [], tmp_path / "kept.json")


def test_tests_that_fail_by_themselves_notice_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = project(
        tmp_path / "p", tests="from lts import fares\n\ndef test_wrong():\n    assert fares.ticket(4) == 6\n"
    )
    assert main(["--only", "lts", "--tests", "tests"], root, Path(sys.executable)) == 1
    said = capfd.readouterr().err
    assert "assert 5 == 6" in said
    assert said.splitlines()[-1] == "mutate: The tests could not be measured; see what pytest says above."


def test_what_runs_without_end_is_ended(tmp_path: Path) -> None:
    root = project(tmp_path / "p", tests="def test_of_patience():\n    while True:\n        pass\n")
    copy = Copy(root, Path(sys.executable))
    try:
        assert copy.run(["tests"], 2) is None
    finally:
        copy.close()
    assert not copy.place.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without asking it")
def test_a_run_that_is_ended_leaves_neither_copies_nor_processes(tmp_path: Path) -> None:
    at_work = tmp_path / "at-work"
    slow = f"""
        import os, time


        def test_slow():
            with open({str(at_work)!r}, "w") as out:
                out.write(str(os.getpid()))
            time.sleep(60)
    """
    root = project(tmp_path / "p", tests=slow)
    (tmp_path / "copies").mkdir()
    code = (
        "import pathlib, signal, sys; from tools.mutate import main;"
        "signal.signal(signal.SIGTERM, signal.default_int_handler);"
        "sys.exit(main(['--only', 'lts', '--tests', 'tests'], pathlib.Path(sys.argv[1]), pathlib.Path(sys.executable)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "copies")}
    with subprocess.Popen([sys.executable, "-c", code, str(root)], env=environment) as process:
        wait_until(lambda: process.poll() is not None or (at_work.exists() and at_work.read_text()), "a test runs")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 1
    assert list((tmp_path / "copies").iterdir()) == []
    wait_until(lambda: not runs(int(at_work.read_text())), "the test has ended")


def test_the_same_seed_gives_the_same_sample_and_each_file_its_share() -> None:
    mutants = candidates.find(ROOT, ["lts/rules", "lts/store/tables/usage.py"])
    first, again, other = (candidates.sample(mutants, 50, seed) for seed in (7, 7, 8))
    assert first == again != other
    assert len(set(first)) == 50
    for path in {m.path for m in mutants}:
        share = 50 * sum(m.path == path for m in mutants) / len(mutants)
        assert abs(sum(m.path == path for m in first) - share) <= 1


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x = a < b", ["x = a < b → x = a <= b"]),
        ("x = (a) == (b)", ["x = (a) == (b) → x = (a) != (b)"]),
        ("x = a not in b", ["x = a not in b → x = a in b"]),
        ("x = a is None", ["x = a is None → x = a is not None"]),
        ("x = a and b and c", ["x = a and b and c → x = a or b or c"]),
        ("x = not (a or b)", ["x = not (a or b) → x = (a or b)", "x = not (a or b) → x = not (a and b)"]),
        ("x = a - 1", ["x = a - 1 → x = a + 1", "x = a - 1 → x = a - 2"]),
        ("x = True", ["x = True → x = False"]),
        ("x = min(a, b)", ["x = min(a, b) → x = max(a, b)"]),
        ("x = [y for y in a if y.b()]", ["x = [y for y in a if y.b()] → x = [y for y in a if not y.b()]"]),
        ("a.b = c", ["a.b = c → left out"]),
        ("a.b(c)", ["a.b(c) → left out"]),
        ("a += b", ["a += b → a -= b", "a += b → left out"]),
        ("raise a", ["raise a → left out"]),
        ("if a():\n    b", ["if a(): → if not a():"]),
        ("if a == b:\n    c", ["if a == b: → if a != b:"]),
        ("def f(a=1): return a", ["def f(a=1): return a → def f(a=2): return a"]),
    ],
)
def test_a_change_turns_one_decision_around(tmp_path: Path, line: str, expected: list[str]) -> None:
    assert sorted(changes(tmp_path, line)) == sorted(expected)


@pytest.mark.parametrize(
    "line",
    [
        '"""A text, 1 < 2 and not 3."""',
        'x = f"{a + 1}"',
        'x = "a" + b + "c"',
        "x: Literal[1, 2]",
        "def f(a: Literal[True]) -> Literal[1]: return a",
        "__all__ = [1]",
        '__version__ = "1" if a < b else 2',
        "if TYPE_CHECKING:\n    x = 1",
        "assert a < b",
        "log.warning(a + b)",
        "@dataclass(frozen=True)\nclass A: pass",
        f"import sys\nif sys.platform != {sys.platform!r}:\n    x = 1",
    ],
)
def test_texts_types_and_logs_stay_as_they_are(tmp_path: Path, line: str) -> None:
    assert changes(tmp_path, line) == []


def test_every_change_is_python() -> None:
    sources: dict[str, bytes] = {}
    for mutant in candidates.sample(candidates.find(ROOT, ["lts"]), 50, 1):
        source = sources.setdefault(mutant.path, (ROOT / mutant.path).read_bytes())
        assert mutant.apply(source) != source


def test_a_place_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "lts/nowhere"]) == 1
    assert "lts/nowhere" in capsys.readouterr().err
