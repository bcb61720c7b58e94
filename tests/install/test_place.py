"""Where a program that was carried along keeps its data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lts.cli.place import POINTER, can_write, folder_of, read_pointer, write_pointer, write_sample


def chosen(tmp_path: Path, *, writable: bool, windows: bool = False, **environ: str) -> Path:
    program = tmp_path / "Programs" / "LTS 许可" / "LTS.exe"
    program.parent.mkdir(parents=True, exist_ok=True)
    return folder_of(program.parent, lambda _: writable, environ, windows=windows)


def test_data_lie_beside_the_program_where_that_can_be_written(tmp_path: Path) -> None:
    assert chosen(tmp_path, writable=True, HOME=str(tmp_path)) == tmp_path / "Programs" / "LTS 许可"


@pytest.mark.parametrize(
    ("windows", "environ", "expected"),
    [
        (True, {"LOCALAPPDATA": "/users/ana/local"}, Path("/users/ana/local/LTS")),
        (False, {"HOME": "/home/ana"}, Path("/home/ana/.local/share/lts")),
        (False, {"HOME": "/home/ana", "XDG_DATA_HOME": "/data"}, Path("/data/lts")),
    ],
)
def test_else_in_the_users_own_folder(tmp_path: Path, windows: bool, environ: dict[str, str], expected: Path) -> None:
    assert chosen(tmp_path, writable=False, windows=windows, **environ) == expected


def test_a_folder_in_use_stays_the_one(tmp_path: Path) -> None:
    own = tmp_path / ".local" / "share" / "lts"
    (own / "data").mkdir(parents=True)
    assert chosen(tmp_path, writable=True, HOME=str(tmp_path)) == own
    (tmp_path / "Programs" / "LTS 许可" / "data").mkdir(parents=True)
    assert chosen(tmp_path, writable=False, HOME=str(tmp_path)) == tmp_path / "Programs" / "LTS 许可"


def test_without_a_folder_of_ones_own_it_stays_beside(tmp_path: Path) -> None:
    assert chosen(tmp_path, writable=False, windows=True) == tmp_path / "Programs" / "LTS 许可"


def test_rights_are_tried(tmp_path: Path) -> None:
    assert can_write(tmp_path)
    assert not can_write(tmp_path / "missing")
    assert list(tmp_path.iterdir()) == []


def test_an_installed_program_works_on_the_configuration_of_its_service(tmp_path: Path) -> None:
    assert read_pointer(tmp_path) is None
    write_pointer(tmp_path, Path("/etc/lts 许可"))
    assert read_pointer(tmp_path) == Path("/etc/lts 许可")
    (tmp_path / POINTER).write_bytes("\ufeffC:\\ProgramData\\LTS\r\n".encode())  # saved by an editor of Windows
    assert read_pointer(tmp_path) == Path("C:\\ProgramData\\LTS")


def test_the_sample_is_laid_once(tmp_path: Path) -> None:
    write_sample(tmp_path / "new")
    sample = tmp_path / "new" / "lts.json.sample"
    assert '"servers"' in sample.read_text()
    sample.write_text("mine")
    write_sample(tmp_path / "new")
    assert sample.read_text() == "mine"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no umask")
def test_what_everybody_reads_is_readable_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_pointer(tmp_path, Path("/etc/lts"))
        write_sample(tmp_path)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}
