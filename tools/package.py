"""`python3 -m tools.package [OUT] [--twice] [--try] [--sign 'COMMAND {file}']`: every package of this machine.

The one-dir build and the one-file build by PyInstaller (deploy/pyinstaller/lts.spec); of the one-dir build a tarball
and a .deb on Linux, a .zip and an installer on Windows; of all of them SHA256SUMS. Makes an environment of its own from
requirements/package.txt unless PyInstaller is there. `--twice` builds again and compares; `--try` starts what was
built; `--sign` has somebody's own command sign it (docs/developer.md).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lts import __version__
from lts.bootstrap import SetupError, ensure_venv
from tools.signing import SigningError, line_for, parse, sign

DEBIAN = ROOT / "deploy" / "debian"
PROXY = ROOT / "deploy" / "proxy"
WINDOWS = sys.platform == "win32"
NAME = "LTS" if WINDOWS else "lts"
EPOCH = 1795608000
"""Time of every file in a package (2026-11-25T12:00:00Z), so that the same sources give the same package."""
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
BESIDE = ("lts.json.sample", "LICENSE")
"""What a person who opens the folder should find at once, with the folders `docs` and `proxy`."""
GUIDE = ("administrator.md", "configuration.md", "admin", "pictures")
"""Of docs/, what an administrator reads: its links lead to each other alone."""


def build_programs(out: Path) -> tuple[Path, Path]:
    """The folder of the one-dir build, and the one-file build; neither needs a Python."""
    with tempfile.TemporaryDirectory() as work:
        cache = str(Path(work) / "cache")  # its own: two builds at once spoil a common one
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), "PYTHONHASHSEED": "1",
                       "PYINSTALLER_CONFIG_DIR": cache}  # fmt: skip
        command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", "--distpath", str(out),
                   "--workpath", work, str(ROOT / "deploy" / "pyinstaller" / "lts.spec")]  # fmt: skip
        subprocess.run(command, check=True, env=environment)
    folder = out / NAME
    for name in BESIDE:
        shutil.copy(ROOT / name, folder)
    shutil.copytree(PROXY, folder / "proxy")
    copy_guide(folder / "docs")
    return folder, out / ("LTS.exe" if WINDOWS else "lts-portable")


def copy_guide(target: Path) -> None:
    """Put the administrator's guide with its pictures into a new folder."""
    target.mkdir()
    for name in GUIDE:
        source = ROOT / "docs" / name
        if source.is_dir():
            shutil.copytree(source, target / name)
        else:
            shutil.copy(source, target)


def _release_name() -> str:
    return f"lts-{__version__}-{'windows' if WINDOWS else sys.platform}-{platform.machine().lower()}"


def build_tarball(folder: Path, out: Path) -> Path:
    """`lts-VERSION-linux-MACHINE.tar.gz` with one folder inside."""
    path = out / f"{_release_name()}.tar.gz"

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = EPOCH
        member.mode = _mode(member.mode)
        return member

    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", 9, file, EPOCH) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        archive.add(folder, _release_name(), filter=plain)
    return path


def build_zip(folder: Path, out: Path) -> Path:
    """`lts-VERSION-windows-MACHINE.zip` with one folder inside."""
    path = out / f"{_release_name()}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            member = zipfile.ZipInfo(
                f"{_release_name()}/{file.relative_to(folder).as_posix()}", (2026, 11, 25, 12, 0, 0)
            )
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, file.read_bytes())
    return path


def build_installer(folder: Path, out: Path, signing: str | None = None) -> Path:
    """`lts-VERSION-setup.exe`, by NSIS (makensis, of any system) from the one-dir build for Windows.

    `signing` is for the uninstaller, which makensis alone ever holds as a file.
    """
    path = out / f"lts-{__version__}-setup.exe"
    values = [f"-DVERSION={__version__}", f"-DFOLDER={folder}", f"-DOUT={path}"]
    values += [f"-DSIGN={line_for(signing, '%1')}"] if signing else []
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}
    for file in folder.rglob("*"):
        os.utime(file, (EPOCH, EPOCH))  # the installer keeps the times of its files
    subprocess.run(["makensis", "-V2", *values, str(ROOT / "deploy" / "windows" / "lts.nsi")], check=True,
                   env=environment)  # fmt: skip
    return path


def build_deb(folder: Path, out: Path) -> Path:
    """`lts_VERSION_ARCH.deb`: the program in /opt/lts, its configuration in /etc/lts, a service of the user lts."""
    from lts.cli import place
    from lts.cli.serving import service_linux

    architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
    path = out / f"lts_{__version__}_{architecture}.deb"
    with tempfile.TemporaryDirectory() as name:
        stage = Path(name)
        shutil.copytree(folder, stage / "opt" / "lts", symlinks=True)
        place.write_pointer(stage / "opt" / "lts", service_linux.CONFIG.parent)
        placed = {
            "usr/lib/systemd/system/lts.service": ROOT / "deploy" / "systemd" / "lts.service",
            "usr/lib/sysusers.d/lts.conf": ROOT / "deploy" / "systemd" / "lts.sysusers",
            "usr/share/doc/lts/copyright": ROOT / "LICENSE",
        }
        for target, source in placed.items():
            (stage / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, stage / target)
            (stage / target).chmod(0o644)
        (stage / "etc" / "lts").mkdir(parents=True)
        for config in ("lts.json", place.SAMPLE):
            (stage / "etc" / "lts" / config).write_text(service_linux.configuration(), encoding="utf-8")
        (stage / "usr" / "bin").mkdir(parents=True)
        (stage / "usr" / "bin" / "lts").symlink_to("/opt/lts/lts")
        (stage / "usr" / "share" / "doc" / "lts" / "guide").symlink_to("/opt/lts/docs")
        _control(stage, architecture)
        for file in [stage, *stage.rglob("*")]:
            if not file.is_symlink():
                file.chmod(_mode(file.stat().st_mode))
            os.utime(file, (EPOCH, EPOCH), follow_symlinks=False)
        subprocess.run(["dpkg-deb", "--build", "--root-owner-group", "-Zxz", str(stage), str(path)], check=True,
                       stdout=subprocess.DEVNULL, env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)})  # fmt: skip
    return path


def _mode(mode: int) -> int:
    """Readable for all and changed by root alone, whatever the umask of whoever builds."""
    return 0o755 if mode & 0o100 else 0o644


def _control(stage: Path, architecture: str) -> None:
    folder = stage / "DEBIAN"
    folder.mkdir()
    size = sum(file.lstat().st_size for file in stage.rglob("*")) // 1024
    text = (DEBIAN / "control").read_text(encoding="utf-8")
    control = text.format(version=__version__, architecture=architecture, size=size)
    (folder / "control").write_text(control, encoding="utf-8")
    (folder / "conffiles").write_text("/etc/lts/lts.json\n", encoding="utf-8")
    for script in ("postinst", "prerm", "postrm"):
        shutil.copy(DEBIAN / script, folder / script)
        (folder / script).chmod(0o755)


def build(out: Path, signing: str | None = None) -> list[Path]:
    """Everything that this machine can make, and SHA256SUMS of it, as `sha256sum -c` reads them.

    Programs for Windows are signed before they are packed, packages before they are summed up. Raises SigningError.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / "SHA256SUMS").unlink(missing_ok=True)  # written last: without it the packages are not complete
    print("building the programs …", flush=True)
    folder, program = build_programs(out)
    sign(signing, program)
    if WINDOWS:
        sign(signing, folder / "LTS.exe")
    print("packing …", flush=True)
    packages: list[Path] = []
    if WINDOWS:
        archive = build_zip(folder, out)
        packages += [build_installer(folder, out, signing)] if shutil.which("makensis") else []
    else:
        archive = build_tarball(folder, out)
        packages += [build_deb(folder, out)] if shutil.which("dpkg-deb") else []
    for package in packages:
        sign(signing, package)
    files = [program, archive, *packages]
    sums = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    text = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    (out / "SHA256SUMS").write_text(text, encoding="ascii")
    return files


def _build_again(files: list[Path]) -> bool:
    with tempfile.TemporaryDirectory() as name:
        again = build(Path(name))
        same = {file.name: file.read_bytes() == other.read_bytes() for file, other in zip(files, again, strict=True)}
    for file, is_same in same.items():
        print(f"{file}: {'the same when built again' if is_same else 'NOT the same when built again'}")
    return all(same.values())


def _try(out: Path, files: list[Path]) -> bool:
    """Start what was built, where this machine can: in a bare root, and the .deb in a booted system."""
    tries = [["-m", "tests.install.bareroot", str(out / NAME)]]
    tries += [["-m", "tests.install.boot", str(file), str(out / NAME)] for file in files if file.suffix == ".deb"]
    codes = [subprocess.run([sys.executable, *one], cwd=ROOT, check=False).returncode for one in tries]
    return not any(codes)


def main() -> int:
    """Exit code 0 when everything was built, and held."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.package")
    parser.add_argument("out", nargs="?", type=Path, default=ROOT / "dist")
    parser.add_argument("--twice", action="store_true", help="build again and compare")
    parser.add_argument("--try", action="store_true", dest="tried", help="start what was built")
    parser.add_argument("--sign", metavar="COMMAND", type=parse, help="runs on each file to sign, {file}")
    args = parser.parse_args()
    if args.sign and args.twice:
        parser.error("a signature holds its time, so no two are the same; give --twice or --sign, not both")
    try:
        if importlib.util.find_spec("PyInstaller") is None:
            python = ensure_venv(".venv-package", ROOT / "requirements" / "package.txt")
            command = [str(python), "-m", "tools.package", *sys.argv[1:]]
            return subprocess.run(command, cwd=ROOT, check=False).returncode
        files = build(args.out.resolve(), args.sign)
    except (SetupError, SigningError) as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        name = Path(error.cmd[0]).name
        print(f"package: {name} ended with code {error.returncode}; the lines above say why.", file=sys.stderr)
        return 1
    for file in files:
        print(f"{file} {file.stat().st_size // 1024} KiB")
    good = not args.twice or _build_again(files)
    return 0 if (not args.tried or _try(args.out.resolve(), files)) and good else 1


if __name__ == "__main__":
    sys.exit(main())
