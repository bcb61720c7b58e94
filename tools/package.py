"""`python -m tools.package [OUT]`: the one-dir build, a tarball, a .deb and SHA256SUMS for this machine's system.

Needs PyInstaller beside the runtime's packages (requirements/package.txt); the .deb also `dpkg-deb`.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from lts import __version__

ROOT = Path(__file__).resolve().parents[1]
DEBIAN = ROOT / "deploy" / "debian"
EPOCH = "1795608000"
"""Time of every file in a package (2026-11-25T12:00:00Z), so that the same sources give the same package."""
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def build_folder(out: Path) -> Path:
    """The one-dir build: a folder that needs no Python."""
    with tempfile.TemporaryDirectory() as work:
        environment = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "PYTHONHASHSEED": "1"}
        command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", "--distpath", str(out),
                   "--workpath", work, str(ROOT / "deploy" / "pyinstaller" / "lts.spec")]  # fmt: skip
        subprocess.run(command, check=True, env=environment)
    return out / "lts"


def build_tarball(folder: Path, out: Path) -> Path:
    """`lts-VERSION-linux-MACHINE.tar.gz` with one folder inside."""
    name = f"lts-{__version__}-{sys.platform}-{platform.machine()}"
    path = out / f"{name}.tar.gz"

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = int(EPOCH)
        return member

    with tarfile.open(path, "w:gz", compresslevel=9) as archive:
        archive.add(folder, name, filter=plain)
    return path


def build_deb(folder: Path, out: Path) -> Path:
    """`lts_VERSION_ARCH.deb`: the program in /opt/lts, its configuration in /etc/lts, a service of the user lts."""
    architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
    path = out / f"lts_{__version__}_{architecture}.deb"
    with tempfile.TemporaryDirectory() as name:
        stage = Path(name)
        shutil.copytree(folder, stage / "opt" / "lts", symlinks=True)
        placed = {
            "usr/lib/systemd/system/lts.service": ROOT / "deploy" / "systemd" / "lts.service",
            "usr/lib/sysusers.d/lts.conf": ROOT / "deploy" / "systemd" / "lts.sysusers",
            "etc/lts/lts.json": DEBIAN / "lts.json",
            "usr/share/doc/lts/copyright": ROOT / "LICENSE",
            "usr/share/doc/lts/administrator.md": ROOT / "docs" / "administrator.md",
        }
        for target, source in placed.items():
            (stage / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, stage / target)
            (stage / target).chmod(0o644)
        (stage / "usr" / "bin").mkdir(parents=True)
        (stage / "usr" / "bin" / "lts").symlink_to("/opt/lts/lts")
        _control(stage, architecture)
        for file in stage.rglob("*"):
            os.utime(file, (int(EPOCH), int(EPOCH)), follow_symlinks=False)
        subprocess.run(["dpkg-deb", "--build", "--root-owner-group", "-Zxz", str(stage), str(path)], check=True,
                       stdout=subprocess.DEVNULL, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})  # fmt: skip
    return path


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


def write_sums(out: Path, files: list[Path]) -> None:
    """SHA256SUMS of the packages, as `sha256sum -c` reads it."""
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (out / "SHA256SUMS").write_text("".join(lines), encoding="ascii")


def main() -> int:
    """Build everything that this machine can."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").resolve()
    out.mkdir(parents=True, exist_ok=True)
    print("building the program …", flush=True)
    folder = build_folder(out)
    files = [build_tarball(folder, out)]
    if shutil.which("dpkg-deb"):
        print("building the .deb …", flush=True)
        files.append(build_deb(folder, out))
    write_sums(out, files)
    for file in files:
        print(f"{file} {file.stat().st_size // 1024} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
