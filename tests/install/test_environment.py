"""The environment that a first start makes: what the lock names, and nothing that only setting up needs."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lts import bootstrap, envfolder
from lts.server import opened
from lts.whoami import user_name
from tests.support.kit import LABELS, config_for

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def lock_of(folder: Path, *names: str) -> Path:
    """A lock of some packages of ours, each in pure Python."""
    text = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    entries = re.findall(r"^([a-z0-9-]+)==.*(?:\n    .*)*", text, re.MULTILINE)
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert len(blocks) == len(entries)
    lock = folder / "lock.txt"
    lock.write_text("\n".join(b for b, name in zip(blocks, entries, strict=True) if name in names), encoding="utf-8")
    return lock


def imported(python: Path, *names: str) -> list[bool]:
    """Which modules an environment has."""
    code = f"import importlib.util as u; print([u.find_spec(n) is not None for n in {names!r}])"
    done = subprocess.run([str(python), "-I", "-c", code], capture_output=True, text=True, check=True)
    return [word == "True" for word in re.findall("True|False", done.stdout)]


def linked(source: Path, target: Path) -> None:
    """A copy of an environment by links, which cost little: for those who replace files and never write into them."""
    shutil.copytree(source, target, symlinks=True, copy_function=os.link)


@pytest.fixture(scope="module")
def for_work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an environment for work on the project, which keeps pip; `bare` is how it began."""
    folder = tmp_path_factory.mktemp("for work é")
    create = bootstrap._create

    def create_and_keep(venv: Path, prompt: str) -> None:
        create(venv, prompt)
        linked(venv, folder / "bare")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "ROOT", folder)
        patch.setattr(bootstrap, "_create", create_and_keep)
        bootstrap.ensure_venv("env", lock_of(folder, "blinker"))
    return folder


@pytest.fixture(scope="module")
def bare(for_work: Path) -> Path:
    """An environment with pip and nothing else, as Python's venv made it; making a new one takes seconds."""
    return for_work / "bare"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, bare: Path) -> Path:
    """A folder with a server's environment that holds blinker; it may be copied."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "ROOT", folder)
        patch.setattr(bootstrap, "_create", lambda venv, _: linked(bare, venv))
        bootstrap.ensure_venv("env", lock_of(folder, "blinker"), keep_pip=False)
    return folder


@pytest.fixture
def ran(root: Path, made: Path) -> Path:
    """The interpreter of an environment that holds blinker, made by an earlier start."""
    shutil.copytree(made / "env", root / "env", symlinks=True)
    lock_of(root, "blinker")
    return bootstrap.python_of(root / "env")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bare: Path) -> Path:
    """A project's folder with blanks and other letters in its name; environments in it begin as copies of `bare`."""
    folder = tmp_path / "with blank é 许可"
    folder.mkdir()
    monkeypatch.setattr(bootstrap, "ROOT", folder)
    monkeypatch.setattr(bootstrap, "_create", lambda venv, _: linked(bare, venv))
    return folder


def test_the_servers_environment_holds_the_locked_packages_and_neither_pip_nor_setuptools(made: Path) -> None:
    python = bootstrap.python_of(made / "env")
    assert imported(python, "blinker", "itsdangerous") == [True, False]
    assert imported(python, "pip", "setuptools", "pkg_resources", "_distutils_hack") == [False] * 4
    left = [path.name for path in (made / "env").rglob("*") if re.match(r"(pip|setuptools|easy_install)", path.name)]
    assert left == []


def test_a_changed_lock_rebuilds_it_though_it_has_no_pip(
    root: Path, ran: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    assert bootstrap.ensure_venv("env", root / "lock.txt", keep_pip=False) == ran
    assert capfd.readouterr().err == ""
    python = bootstrap.ensure_venv("env", lock_of(root, "itsdangerous"), keep_pip=False)
    assert imported(python, "blinker", "itsdangerous", "pip") == [False, True, False]
    assert left_in(root) == {"env", "env.lock"}


def test_an_environment_for_work_on_the_project_keeps_pip(for_work: Path) -> None:
    assert imported(bootstrap.python_of(for_work / "env"), "blinker", "pip") == [True, True]


@pytest.mark.skipif(sys.platform == "win32", reason="a file in use is not replaced there")
def test_a_pip_that_cannot_go_does_not_keep_the_server_from_starting(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def break_pip(venv: Path, lock: Path) -> None:
        for main in venv.rglob("pip/__main__.py"):
            main.unlink()  # it may be a link
            main.write_text("raise SystemExit('pip is broken')", encoding="ascii")

    monkeypatch.setattr(bootstrap, "_install", break_pip)
    assert bootstrap.ensure_venv("env", lock_of(root, "blinker"), keep_pip=False).exists()
    assert "pip stays" in capfd.readouterr().err


def go_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on pip finds neither an index that answers nor anything that it kept."""
    for name, value in {
        "PIP_INDEX_URL": "http://127.0.0.1:9/none", "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "1",
        "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)


def left_in(root: Path) -> set[str]:
    """Names in the project's folder but for the lock of packages."""
    return {path.name for path in root.iterdir()} - {"lock.txt"}


def test_a_first_set_up_without_network_leaves_nothing_and_names_no_earlier_version(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_offline(monkeypatch)
    with pytest.raises(bootstrap.SetupError) as fault:
        bootstrap.ensure_venv("env", lock_of(root, "blinker"), keep_pip=False)
    assert "need the network once" in str(fault.value)
    assert "before" not in str(fault.value)
    assert left_in(root) == {"env.lock"}


def test_a_changed_lock_without_network_leaves_the_version_that_ran_and_going_back_needs_none(
    root: Path, ran: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    go_offline(monkeypatch)
    with pytest.raises(bootstrap.SetupError, match=r"need the network once .* that ran before are still there\.$"):
        bootstrap.ensure_venv("env", lock_of(root, "itsdangerous"), keep_pip=False)
    assert imported(ran, "blinker", "itsdangerous") == [True, False]
    capfd.readouterr()
    assert bootstrap.ensure_venv("env", lock_of(root, "blinker"), keep_pip=False) == ran
    assert capfd.readouterr().err == ""
    assert left_in(root) == {"env", "env.lock"}


@pytest.mark.parametrize("when", ["while making", "between the renames", "while removing"])
def test_what_a_killed_set_up_left_is_tidied_at_the_next_start(
    root: Path, ran: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], when: str
) -> None:
    go_offline(monkeypatch)
    if when == "while making":
        (root / "env-new" / "lib").mkdir(parents=True)
    elif when == "between the renames":
        shutil.copytree(root / "env", root / "env-new", symlinks=True)
        (root / "env-new" / envfolder.STAMP).write_text("of another lock", encoding="utf-8")
        (root / "env").rename(root / "env-before-7")
    else:
        (root / "env-before-7" / "lib").mkdir(parents=True)
    assert bootstrap.ensure_venv("env", root / "lock.txt", keep_pip=False) == ran
    assert imported(ran, "blinker") == [True]
    assert (capfd.readouterr().err, left_in(root)) == ("", {"env", "env.lock"})


@contextlib.contextmanager
def running_from(python: Path) -> Iterator[None]:
    """A program that says that it runs from an environment, as the server does."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom pathlib import Path\nfrom lts import envfolder\n"
        "with envfolder.used(Path(sys.prefix)): print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([str(python), "-I", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline().strip() == b"ready"
        yield
        program.stdin.close()
        assert program.wait(30) == 0


@pytest.mark.slow
def test_an_environment_that_lts_runs_from_stays_and_the_next_start_after_it_needs_no_network(
    root: Path, ran: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_from(ran):
        with pytest.raises(bootstrap.SetupError, match=r"LTS runs from .*; stop it and start again"):
            bootstrap.ensure_venv("env", lock_of(root, "itsdangerous"), keep_pip=False)
        assert imported(ran, "blinker", "itsdangerous") == [True, False]
    go_offline(monkeypatch)
    bootstrap.ensure_venv("env", root / "lock.txt", keep_pip=False)
    assert imported(ran, "blinker", "itsdangerous") == [False, True]
    assert left_in(root) == {"env", "env.lock"}


def test_a_swap_that_fails_brings_the_old_one_back(root: Path, ran: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path.name == "env-new":
            raise PermissionError(13, "held by a scanner")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    monkeypatch.setattr(envfolder, "_PATIENCE_SECONDS", 0.5)
    with pytest.raises(bootstrap.SetupError, match="held by a scanner"):
        bootstrap.ensure_venv("env", lock_of(root, "itsdangerous"), keep_pip=False)
    assert imported(ran, "blinker") == [True]
    assert left_in(root) == {"env", "env-new", "env.lock"}


def as_python_3_99(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on another Python starts."""
    stamp = bootstrap._stamp
    monkeypatch.setattr(bootstrap, "_stamp", lambda lock: f"{stamp(lock).split()[0]} 3.99")


def test_another_python_starts_the_server_from_the_environment_that_is_there(
    root: Path, ran: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    as_python_3_99(monkeypatch)
    go_offline(monkeypatch)
    assert bootstrap.ensure_venv("env", root / "lock.txt", keep_pip=False) == ran
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("is_half_made", [False, True], ids=["of another Python", "half made"])
def test_an_environment_whose_stamp_is_of_another_python_or_missing_is_made_again(
    root: Path, ran: Path, capfd: pytest.CaptureFixture[str], is_half_made: bool
) -> None:
    stamp = root / "env" / envfolder.STAMP
    if is_half_made:
        stamp.unlink()
    else:
        stamp.write_text(f"{stamp.read_text(encoding='utf-8').split()[0]} 3.98", encoding="utf-8")
    capfd.readouterr()
    assert bootstrap.ensure_venv("env", root / "lock.txt", keep_pip=False) == ran
    assert "Setting up" in capfd.readouterr().err


def test_an_environment_for_work_is_of_the_python_that_starts(
    root: Path, for_work: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(for_work / "env", root / "env", symlinks=True)
    lock_of(root, "blinker")
    capfd.readouterr()
    as_python_3_99(monkeypatch)
    bootstrap.ensure_venv("env", root / "lock.txt")
    assert "Setting up" in capfd.readouterr().err


def test_programs_of_packages_start_from_where_they_ended_up(for_work: Path) -> None:
    python = bootstrap.python_of(for_work / "env")
    name = "pip.exe" if sys.platform == "win32" else "pip3"
    done = subprocess.run([str(python.parent / name), "--version"], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("pip "), done.stderr
    assert str(for_work / "env") in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="no folder that a program runs from is renamed there")
def test_a_server_keeps_the_environment_that_it_runs_from_until_it_ends(
    root: Path, ran: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(root / "env", root / "env-new", symlinks=True)
    monkeypatch.setattr(sys, "prefix", str(root / "env"))
    with opened(config_for(tmp_path / "data"), read_labels=lambda: LABELS), pytest.raises(BlockingIOError):
        envfolder.replace(root / "env")
    assert left_in(root) == {"env", "env-new"}
    envfolder.replace(root / "env")
    assert left_in(root) == {"env"}


def test_a_user_who_may_not_write_there_is_named_in_quotes_with_what_to_do(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "nobody")
    (root / "env.lock").mkdir()  # so the lock can be opened by no one, root included
    with pytest.raises(bootstrap.SetupError, match=r'cannot be written by the user "nobody" \(.*start it as the user'):
        bootstrap.ensure_venv("env", lock_of(root, "blinker"))
    assert user_name().startswith('the user "nobody"')
