"""Making the virtual environment that LTS runs in, from locked and hashed packages; standard library only.

Says what it does on standard error, works offline once set up, and is safe against two starts at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STAMP = "lts-stamp.txt"
WAIT_SECONDS = 900


class SetupError(Exception):
    """Set-up cannot go on; the text is one sentence that says what to do."""


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def python_of(venv: Path) -> Path:
    """The interpreter inside a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ensure_venv(name: str, lock: Path) -> Path:
    """The interpreter of the environment `name` beside the project, made or renewed when the lock file changed.

    Raises SetupError.
    """
    venv = ROOT / name
    stamp = _stamp(lock)
    if _is_ready(venv, stamp):
        return python_of(venv)
    with _alone(ROOT / f"{name}.lock"):
        if not _is_ready(venv, stamp):
            _make(venv, lock)
            (venv / STAMP).write_text(stamp, encoding="utf-8")
    return python_of(venv)


def _stamp(lock: Path) -> str:
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    return f"{digest} {sys.version_info.major}.{sys.version_info.minor} {ROOT}"


def _is_ready(venv: Path, stamp: str) -> bool:
    try:
        return (venv / STAMP).read_text(encoding="utf-8") == stamp and python_of(venv).exists()
    except OSError:
        return False


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Only one process sets up at a time; a lock left by one that died is taken over."""
    waited = 0.0
    while True:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > WAIT_SECONDS:
                    path.unlink()
            if waited == 0:
                say("Another start is setting up; waiting for it …")
            if waited > WAIT_SECONDS:
                raise SetupError(f"Another start seems stuck; delete {path} and try again.") from None
            time.sleep(0.5)
            waited += 0.5
        except OSError as error:
            raise SetupError(
                f"The folder {ROOT} cannot be written ({error.strerror}); LTS keeps its packages there."
            ) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _make(venv: Path, lock: Path) -> None:
    say(f"Setting up in {venv} (once) …")
    shutil.rmtree(venv, ignore_errors=True)
    _create(venv)
    _install(venv, lock)
    _link(venv)
    say("Set up.")


def _create(venv: Path) -> None:
    command = [sys.executable, "-m", "venv", str(venv)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return
    shutil.rmtree(venv, ignore_errors=True)
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"Installing the system package {package} …")
        for tried in (package, "python3-venv"):
            if (
                subprocess.run(["apt-get", "install", "-y", tried], stdout=subprocess.DEVNULL, check=False).returncode
                == 0
            ):
                break
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode == 0:
            return
    raise SetupError(
        f"Python's venv or pip is missing ({_last_line(done.stdout + done.stderr)}); install the system package"
        f" {package} (Debian, Ubuntu: apt install {package}) and start again."
    )


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no output"


def _install(venv: Path, lock: Path) -> None:
    """pip with hashes required; a line for each package, so that nobody waits in the dark."""
    wanted = sum(1 for line in lock.read_text(encoding="utf-8").splitlines() if "==" in line)
    command = [
        str(python_of(venv)), "-m", "pip", "install", "--require-hashes", "--no-deps", "--only-binary", ":all:",
        "--disable-pip-version-check", "--no-input", "--progress-bar", "off", "-r", str(lock),
    ]  # fmt: skip
    said, kept = 0, []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            kept.append(line)
            if line.startswith("Collecting "):
                said += 1
                say(f"  [{said}/{wanted}] {line.split()[1]}")
            elif line.startswith("Installing collected"):
                say("  installing …")
    if pip.returncode != 0:
        raise SetupError(_pip_fault("".join(kept)))


def _pip_fault(output: str) -> str:
    if "DO NOT MATCH THE HASHES" in output:
        return "A downloaded package is not the one that was locked; it was not installed. Try again, or ask for help."
    if any(word in output for word in ("NewConnectionError", "ConnectionError", "Temporary failure", "Max retries",
                                       "No route", "ProxyError", "NameResolutionError")):  # fmt: skip
        return "The package index cannot be reached; the first start needs the network (or a pip index of your own)."
    errors = [line for line in output.splitlines() if line.startswith("ERROR")]
    return f"The packages could not be installed: {errors[0][7:] if errors else _last_line(output)}"


def _link(venv: Path) -> None:
    """Make the project importable in the environment, and `lts` a command of it."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    out = subprocess.run([str(python_of(venv)), "-c", code], capture_output=True, check=True)
    site = Path(os.fsdecode(out.stdout.strip()))
    (site / "lts-project.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    if os.name == "nt":
        (venv / "Scripts" / "lts.cmd").write_text('@"%~dp0python.exe" -I -m lts.cli.main %*\r\n', encoding="ascii")
        return
    script = venv / "bin" / "lts"
    script.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -I -m lts.cli.main "$@"\n', encoding="ascii")
    script.chmod(0o755)


def run(arguments: list[str]) -> int:
    """Set up if need be, then run the command line with these arguments; returns its exit code."""
    try:
        python = ensure_venv(".venv", ROOT / "requirements" / "runtime.txt")
    except SetupError as error:
        say(f"lts: {error}")
        return _end(1)
    except KeyboardInterrupt:
        say("lts: stopped during set-up; start again to go on.")
        return 1
    command = [str(python), "-I", "-m", "lts.cli.main", *arguments]
    if os.name != "nt":
        sys.stdout.flush()
        os.execv(command[0], command)  # noqa: S606 - our own interpreter
    return _end(_wait(command))


def _wait(command: list[str]) -> int:
    """Run to the end; Ctrl-C reaches the child by itself, we only wait for it."""
    with subprocess.Popen(command) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue


def _end(code: int) -> int:
    """Keep the window of a double-click open after a failure, until a key is pressed."""
    if code and os.name == "nt" and _owns_console():
        with contextlib.suppress(EOFError, KeyboardInterrupt):
            input("Press Enter to close this window.")
    return code


def _owns_console() -> bool:
    """Whether this window was opened for us alone: a double-click, not a shell or a service."""
    if sys.platform != "win32":
        return False
    import ctypes

    processes = (ctypes.c_uint * 4)()
    return bool(0 < ctypes.windll.kernel32.GetConsoleProcessList(processes, 4) <= 2)
