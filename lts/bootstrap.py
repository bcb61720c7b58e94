"""Making the virtual environment that LTS runs in, from locked and hashed packages; standard library only.

Says what it does on standard error, works offline once set up, and is safe against two starts at once. It knows
nothing about LTS itself; run_lts.py and `python3 -m tests` share it.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lts import envfolder, plainfile
from lts.envfolder import STAMP

ROOT = Path(__file__).resolve().parents[1]
STARTED_AS = "LTS_STARTED_AS"
"""Environment variable that says how the program was called, as JSON: for commands that it prints."""
WAIT_SECONDS = 900
NO_NETWORK = (
    "NewConnectionError", "ConnectionError", "Temporary failure", "Max retries", "No route", "ProxyError",
    "NameResolutionError", "ReadTimeoutError", "ConnectTimeoutError",
)  # fmt: skip
"""What pip prints when it reached no index."""


_PACKAGE = re.compile(r"(?:Collecting|Obtaining dependency information for|Processing) (?:\S*[\\/])?(\S+)")
"""A package that pip begins with: from the index, or from a file."""


class SetupError(Exception):
    """Set-up cannot continue; the text is one sentence that says what to do."""


def say(text: str) -> None:
    """A line on standard error; where it is full or read by nobody, the interpreter would complain at the end."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stderr.fileno())
        os.close(null)


def python_of(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ensure_venv(name: str, lock: Path, *, keep_pip: bool = True) -> Path:
    """The interpreter of the environment `name` in the project's folder, made or replaced when the lock file changed.

    Without `keep_pip` it is the server's: it holds the packages of the lock and nothing else, and one made by another
    Python is accepted. Otherwise it must be of this Python. A new one replaces the old one once it is complete
    (docs/decisions/0017-environment.md). Raises SetupError.
    """
    try:
        return _ensured(ROOT / name, lock, keep_pip=keep_pip)
    except PermissionError as error:
        raise SetupError(
            f"{error.filename} is not open to {_user()} ({error.strerror}), and LTS needs it to start; start it as the"
            " user who set it up, or give this one access to that path."
        ) from error


def _ensured(venv: Path, lock: Path, *, keep_pip: bool) -> Path:
    stamp = _stamp(lock)
    if _is_ready(venv, stamp, any_python=not keep_pip) and not envfolder.has_leftovers(venv):
        return python_of(venv)
    with alone(venv.with_name(f"{venv.name}.lock")):
        try:
            envfolder.bring_back(venv)
            if not _is_ready(venv, stamp, any_python=not keep_pip):
                _replace(venv, lock, stamp, keep_pip)
            envfolder.remove_leftovers(venv)
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            raise SetupError(f"The environment {venv} could not be made: {error.strerror or error}{where}.") from error
    return python_of(venv)


def _stamp(lock: Path) -> str:
    """What the environment depends on. Not its place: it holds relative paths, so the folder may be moved."""
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    return f"{digest} {sys.version_info.major}.{sys.version_info.minor}"


def _is_ready(venv: Path, stamp: str, *, any_python: bool) -> bool:
    try:
        found = (venv / STAMP).read_text(encoding="utf-8")
    except OSError:
        return False
    if not _is_there(python_of(venv)):
        return False
    return found == stamp or (any_python and found.split()[:1] == stamp.split()[:1] and _runs(venv, found))


def _is_there(python: Path) -> bool:
    """Whether an environment's Python is there, which may be a link to one that is gone. Raises PermissionError if it
    leads to a place that this user may not open, such as another user's Python."""
    try:
        python.stat()
    except PermissionError:
        raise
    except OSError:
        return False
    return True


def _runs(venv: Path, stamp: str) -> bool:
    """Whether the Python that made it is still there: an upgrade of the system replaces its `python3`."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([str(python_of(venv)), "-I", "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.returncode == 0 and stamp.split()[1:] == done.stdout.split()


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Only one process sets up at a time. The system releases the lock of a process however it ends."""
    try:
        held = os.open(path, os.O_CREAT | os.O_RDWR)
    except OSError as error:
        raise SetupError(
            f"The folder {ROOT} cannot be written by {_user()} ({error.strerror}), and LTS keeps its packages there;"
            " start it as the user who owns that folder, or give this one the right to write."
        ) from error
    try:
        _wait_for(lambda: plainfile.try_lock(held), path)
        yield
    finally:
        os.close(held)


def _wait_for(try_lock: Callable[[], bool], path: Path) -> None:
    given_up = time.monotonic() + WAIT_SECONDS
    if try_lock():
        return
    say("Another start is setting up; waiting for it …")
    while not try_lock():
        if time.monotonic() > given_up:
            raise SetupError(f"Another start holds {path} and seems stuck; end it and start again.")
        time.sleep(0.2)


def _user() -> str:
    try:
        return f'the user "{getpass.getuser()}"'
    except (OSError, KeyError, ImportError):  # an id without a name, as in containers
        return "this user"


def _replace(venv: Path, lock: Path, stamp: str, keep_pip: bool) -> None:
    """Make the environment next to the old one and put it into its place; a complete one that waits there is taken."""
    new = envfolder.new_of(venv)
    if not _is_ready(new, stamp, any_python=not keep_pip):
        say(f"Setting up in {venv} (once for this version) …")
        try:
            _make(venv, lock, stamp, keep_pip)
        except SetupError as error:
            if not (venv / STAMP).exists():
                raise
            fault = str(error).rstrip(".")
            raise SetupError(f"{fault}. The packages of the version that ran before are still there.") from error
        finally:
            if not (new / STAMP).exists():
                envfolder.discard(new)
    try:
        envfolder.replace(venv)
    except OSError as error:
        why = "" if isinstance(error, BlockingIOError) else f" ({error.strerror})"
        raise SetupError(f"LTS runs from {venv}{why}; stop it and start again. The new packages are ready.") from error
    say("Set up.")


def _make(venv: Path, lock: Path, stamp: str, keep_pip: bool) -> None:
    new = envfolder.new_of(venv)
    envfolder.discard(new)
    _create(new, venv.name)
    _install(new, lock)
    if not keep_pip:
        _remove_pip(new)
    _link(new)
    envfolder.name_place(python_of(new).parent, new, venv)
    (new / STAMP).write_text(stamp, encoding="utf-8")


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this Python on its own: neither PYTHONPATH nor a `venv.py` in the working folder may interfere."""
    command = [sys.executable, "-I", *arguments]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def _create(venv: Path, prompt: str) -> None:
    if _python("-c", "import venv, ensurepip").returncode:
        _bring_venv_module()
    done = _python("-m", "venv", "--prompt", prompt, str(venv))
    if done.returncode:
        raise SetupError(f"The environment {venv} could not be made: {_last_line(done.stdout + done.stderr)}")


def _bring_venv_module() -> None:
    """Debian has venv in a separate package: install it as root, else name it."""
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if sys.platform != "win32" and os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"Installing the system package {package} …")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "-y", package], ["install", "-y", "python3-venv"]):
            subprocess.run(["apt-get", *words], stdout=subprocess.DEVNULL, env=environment, check=False)
            if _python("-c", "import venv, ensurepip").returncode == 0:
                return
    if sys.platform == "win32":
        raise SetupError(
            "This Python lacks venv or pip, as the embeddable package does; install the full Python for Windows and"
            " start again with that."
        )
    raise SetupError(
        f"Python's venv or pip is missing; install the system package {package}"
        f" (Debian, Ubuntu: apt install {package}) and start again."
    )


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no output"


def _install(venv: Path, lock: Path) -> None:
    """pip with hashes required; a line for each package, so that nobody waits in the dark."""
    wanted = sum(1 for line in lock.read_text(encoding="utf-8").splitlines() if "==" in line)
    command = [
        str(python_of(venv)), "-I", "-m", "pip", "install", "--require-hashes", "--no-deps", "--only-binary", ":all:",
        "--disable-pip-version-check", "--no-input", "--progress-bar", "off", "-r", str(lock),
    ]  # fmt: skip
    # pip set up to install for the user, or elsewhere, would refuse or miss the environment
    environment = {**os.environ, "PIP_USER": "0", "PIP_TARGET": "", "PIP_PREFIX": ""}
    kept: list[str] = []
    seen: set[str] = set()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            kept.append(line)
            if line.startswith("Ignoring "):  # meant for another system or Python
                wanted -= 1
            elif (found := _PACKAGE.match(line)) and found[1] not in seen:
                seen.add(found[1])
                say(f"  [{len(seen)}/{wanted}] {found[1]}")
            elif line.startswith("Installing collected"):
                say("  installing …")
    if pip.returncode != 0:
        raise SetupError(_pip_fault("".join(kept)))


def _remove_pip(venv: Path) -> None:
    """Uninstall pip by itself, and setuptools, which venv adds before Python 3.12. This works since pip runs as a
    module."""
    command = [str(python_of(venv)), "-I", "-m", "pip", "uninstall", "-y", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, "setuptools", "pip"], capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        say(f"pip stays in {venv}, which does no harm: {_last_line(done.stdout + done.stderr)}")


def _pip_fault(output: str) -> str:
    """One sentence about pip's error."""
    if "DO NOT MATCH THE HASHES" in output:
        return "A downloaded package is not the one that was locked; it was not installed. Try again, or ask for help."
    if any(word in output for word in NO_NETWORK):
        return (
            "The package index cannot be reached; the packages of this version need the network once"
            " (or a pip index of your own)."
        )
    if "No space left" in output:
        return f"The disk that holds {ROOT} is full; free some space and start again."
    errors = [line for line in output.splitlines() if line.startswith("ERROR")]
    return f"The packages could not be installed: {errors[0][7:] if errors else _last_line(output)}"


def _link(venv: Path) -> None:
    """Make the project importable in the environment, and `lts` a command of it.

    The path is relative, hence ASCII: Pythons read a .pth file in different encodings, and the folder may be moved.
    """
    code = "import sysconfig; print(sysconfig.get_path('purelib', vars={'base': '.'}))"
    out = subprocess.run([str(python_of(venv)), "-I", "-c", code], capture_output=True, text=True, check=True)
    inside = Path(out.stdout.strip())
    (venv / inside / "lts-project.pth").write_text("/".join([".."] * (len(inside.parts) + 1)) + "\n", encoding="ascii")
    if os.name == "nt":
        (venv / "Scripts" / "lts.cmd").write_text('@"%~dp0python.exe" -I -m lts.cli.main %*\r\n', encoding="ascii")
        return
    script = venv / "bin" / "lts"
    script.write_text(envfolder.SCRIPT, encoding="ascii")
    script.chmod(0o755)


def run(arguments: list[str]) -> int:
    """Set up if need be, then run the command line with these arguments; returns its exit code."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed: otherwise a file would get its number
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - open until the end
    try:
        python = ensure_venv(".venv", ROOT / "requirements" / "runtime.txt", keep_pip=False)
    except SetupError as error:
        say(f"lts: {error}")
        return end(1, arguments)
    except KeyboardInterrupt:
        say("lts: stopped during set-up; start again to continue.")
        return 130
    command = [str(python), "-I", "-m", "lts.cli.main", *arguments]
    os.environ[STARTED_AS] = json.dumps(started_as(sys.orig_argv[: len(sys.orig_argv) - len(arguments)]))
    if os.name != "nt":
        sys.stdout.flush()
        try:
            os.execv(command[0], command)  # noqa: S606 - our own interpreter
        except OSError as error:
            say(f"lts: {command[0]} cannot be started ({error.strerror}); check the disk it is on, or remove"
                f" {python.parents[1]} and start again.")  # fmt: skip
            return end(1, arguments)
    return end(_wait(command), arguments)


def started_as(words: list[str]) -> list[str]:
    """How to call LTS again from any folder, given the words that called it: interpreter, its options, script.

    The script gets its full path. The interpreter keeps its name if the search path leads to it by that name.
    """
    name = Path(words[0]).name
    python = name if _is_this_python(shutil.which(name)) else sys.executable
    return [python, *words[1:-1], os.path.abspath(words[-1])]


def _is_this_python(found: str | None) -> bool:
    try:
        return found is not None and Path(found).samefile(sys.executable)
    except OSError:  # a name in the search path that leads nowhere
        return False


def _wait(command: list[str]) -> int:
    """Run to the end; Ctrl-C reaches the child by itself, we only wait for it."""
    with subprocess.Popen(command) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue


def end(code: int, arguments: list[str]) -> int:
    """Keep the window of a double-click open after a failure, until a key is pressed."""
    if code and not arguments and _is_double_click():
        with contextlib.suppress(EOFError, KeyboardInterrupt):
            input("Press Enter to close this window.")
    return code


def _is_double_click() -> bool:
    """Whether somebody sees this window and it was opened for us alone: neither a shell nor a service."""
    if sys.platform != "win32":
        return False
    import ctypes

    kernel = ctypes.windll.kernel32
    session = ctypes.c_ulong()
    kernel.ProcessIdToSessionId(os.getpid(), ctypes.byref(session))
    processes = (ctypes.c_ulong * 16)()
    count = kernel.GetConsoleProcessList(processes, len(processes))
    return is_window_of_our_own(session.value, [_program(kernel, process) for process in processes[:count]])


def is_window_of_our_own(session: int, programs: list[str]) -> bool:
    """Judge by the Windows session (0 is that of services) and the names of the programs in our console."""
    return session != 0 and bool(programs) and all(name.lower().startswith(("py", "lts")) for name in programs)


def _program(kernel: Any, process: int) -> str:
    """File name of a Windows process, such as `py.exe`; empty when it may not be asked."""
    import ctypes

    handle = kernel.OpenProcess(0x1000, False, process)  # PROCESS_QUERY_LIMITED_INFORMATION
    size = ctypes.c_ulong(1024)
    name = ctypes.create_unicode_buffer(size.value)
    found = kernel.QueryFullProcessImageNameW(handle, 0, name, ctypes.byref(size))
    kernel.CloseHandle(handle)
    return Path(name.value).name if found else ""
