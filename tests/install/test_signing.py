"""The signing step of the packages, with a signer of our own that keeps a list and adds a mark to the file."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.needed import need
from tools import package
from tools.signing import SigningError, sign

MARK = b"\nsigned by the test\n"
SIGNER = f"""import pathlib, sys
record, file = map(pathlib.Path, sys.argv[1:])
with record.open("a", encoding="utf-8") as listed:
    print(file.name, file=listed)
with file.open("ab") as signed:
    signed.write({MARK!r})
"""


class Signer:
    """A command to give to --sign, and what it was given, in order."""

    def __init__(self, folder: Path) -> None:
        script, self._record = folder / "the signer.py", folder / "signed.txt"
        script.write_text(SIGNER, encoding="utf-8")
        words = [sys.executable, str(script), str(self._record), "{file}"]
        self.command = subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)

    @property
    def files(self) -> list[str]:
        return self._record.read_text(encoding="utf-8").split()


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path)


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where packages go, as if the programs had been frozen there: freezing takes a minute."""
    out = tmp_path / "the packages"
    folder = out / package.NAME
    folder.mkdir(parents=True)
    (folder / "LICENSE").write_text("free\n")
    for program in (folder / package.NAME, folder / "LTS.exe", out / "LTS.exe", out / "lts-portable"):
        program.write_bytes(b"a program")
    name = "LTS.exe" if package.WINDOWS else "lts-portable"
    monkeypatch.setattr(package, "build_programs", lambda _: (folder, out / name))
    return out


@pytest.fixture
def as_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pack as on Windows; makensis makes installers anywhere."""
    need("nsis")
    monkeypatch.setattr(package, "WINDOWS", True)
    monkeypatch.setattr(package, "NAME", "LTS")


def assert_summed_up(out: Path, files: list[Path]) -> None:
    """SHA256SUMS is of the files as they were signed."""
    lines = [line.split("  ") for line in (out / "SHA256SUMS").read_text().splitlines()]
    assert [name for _, name in lines] == [file.name for file in files]
    assert [digest for digest, _ in lines] == [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


@pytest.mark.needs("nsis")
def test_programs_for_windows_are_signed_before_they_are_packed(as_windows: None, built: Path, signer: Signer) -> None:
    files = package.build(built, signer.command)
    alone, packed, _uninstaller, installer = signer.files  # makensis names the uninstaller as it likes
    assert (alone, packed, installer) == ("LTS.exe", "LTS.exe", files[-1].name)
    with zipfile.ZipFile(files[1]) as archive:
        [program] = [name for name in archive.namelist() if name.endswith("/LTS.exe")]
        assert archive.read(program) == b"a program" + MARK
    assert installer.endswith("-setup.exe")
    assert_summed_up(built, files)


@pytest.mark.skipif(sys.platform != "linux", reason="packages for Linux")
def test_the_portable_program_and_the_package_for_debian_are_signed(built: Path, signer: Signer) -> None:
    files = package.build(built, signer.command)
    assert signer.files == ["lts-portable", *(file.name for file in built.glob("*.deb"))]
    assert all(file.read_bytes().endswith(MARK) for file in files if not file.name.endswith(".tar.gz"))
    assert_summed_up(built, files)


def test_nothing_is_signed_where_nobody_asked(built: Path) -> None:
    files = package.build(built)
    assert files[0].read_bytes() == b"a program"
    assert_summed_up(built, files)


@pytest.mark.skipif(sys.platform != "linux", reason="the program is named as on Linux")
def test_a_command_that_fails_ends_the_build_with_a_sentence_and_no_sums(
    built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (built / "SHA256SUMS").write_text("of an earlier build\n")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: True)
    fails = f'"{sys.executable}" -c "import sys; sys.exit(3)" {{file}}'
    monkeypatch.setattr(sys, "argv", ["package", str(built), "--sign", fails])
    assert package.main() == 1
    assert capsys.readouterr().err == "package: lts-portable is not signed: the command ended with code 3.\n"
    assert not (built / "SHA256SUMS").exists()


@pytest.mark.needs("nsis")
def test_an_uninstaller_that_cannot_be_signed_ends_the_build(as_windows: None, built: Path, tmp_path: Path) -> None:
    refuses = tmp_path / "refuses.py"
    refuses.write_text("import sys; sys.exit(0 if sys.argv[1].endswith('LTS.exe') else 3)")
    with pytest.raises(subprocess.CalledProcessError, match="makensis"):
        package.build(built, f'"{sys.executable}" "{refuses}" {{file}}')
    assert not (built / "SHA256SUMS").exists()


def test_a_command_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match=r"^LTS\.exe is not signed: the command cannot be started \(No such file"):
        sign("no-such-signer {file}", tmp_path / "LTS.exe")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sign", "signtool sign"], "write {file} behind the program"),
        (["--sign", "{file}"], "write {file} behind the program"),
        (["--sign", "signtool 'sign {file}"], "No closing quotation"),
        (["--sign", "signtool {file}", "--twice"], "not both"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_built(
    options: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["package", *options])
    with pytest.raises(SystemExit) as ended:
        package.main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
