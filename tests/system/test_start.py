"""`run_lts.py` on a machine with Python and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lines import ROOT, Done, environment


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files a user has, in a folder with blanks and other letters in its name."""
    place = tmp_path_factory.mktemp("start") / "LTS é 许可"
    place.mkdir()
    shutil.copy(ROOT / "run_lts.py", place)
    for folder in ("lts", "requirements"):
        shutil.copytree(ROOT / folder, place / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return place


def start(place: Path, *arguments: str, python: str | None = None, **variables: str) -> Done:
    base = python or os.path.join(sys.base_prefix, "bin", "python3")  # noqa: PTH118 - a text for the process
    if not Path(base).exists():
        base = sys.executable
    inherited = {name: value for name, value in environment().items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [base, str(place / "run_lts.py"), *arguments], capture_output=True, text=True, encoding="utf-8", cwd="/",
        env={**inherited, **variables}, timeout=600, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def first(copy: Path) -> Done:
    """What the first start said."""
    return start(copy, "--version")


@pytest.mark.slow
def test_the_first_start_sets_up_with_progress_and_the_next_needs_no_network(copy: Path, first: Done) -> None:
    assert first.code == 0, first.err
    assert first.out.startswith("lts ")
    assert "Setting up" in first.err
    assert "[1/" in first.err
    again = start(copy, "--version", PIP_NO_INDEX="1", PIP_INDEX_URL="http://127.0.0.1:9/none")
    assert (again.code, again.err) == (0, "")
    assert (copy / ".venv" / ("Scripts" if os.name == "nt" else "bin")).exists()


@pytest.mark.slow
def test_a_half_made_environment_is_made_again(copy: Path, first: Done) -> None:
    assert first.code == 0, first.err
    (copy / ".venv" / "lts-stamp.txt").unlink()
    done = start(copy, "--version")
    assert done.code == 0, done.err
    assert "Setting up" in done.err


@pytest.mark.slow
def test_a_missing_network_is_one_sentence_and_not_a_trace(copy: Path, tmp_path: Path) -> None:
    place = tmp_path / "other"
    shutil.copytree(copy, place, ignore=shutil.ignore_patterns(".venv*"))
    done = start(place, "--version", PIP_INDEX_URL="http://127.0.0.1:9/none", PIP_NO_CACHE_DIR="1", PIP_RETRIES="0",
                 PIP_EXTRA_INDEX_URL="", PIP_FIND_LINKS="", PIP_CONFIG_FILE=os.devnull)  # fmt: skip
    assert done.code == 1
    assert "Traceback" not in done.err
    assert done.err.splitlines()[-1].startswith("lts: ")


def test_run_lts_can_be_read_by_a_python_that_is_too_old() -> None:
    text = (ROOT / "run_lts.py").read_text(encoding="utf-8")
    for newer in ('f"', "match ", ":=", "-> "):
        assert newer not in text
