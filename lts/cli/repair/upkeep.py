"""`lts backup`, `restore`, `verify`, `doctor`, `clock reset`: upkeep on the machine itself."""

from __future__ import annotations

import argparse
import contextlib
import errno
import sys
from pathlib import Path
from typing import Any

from lts import plainfile
from lts.cli import streams
from lts.cli.admin import check_holds_data, session, user
from lts.cli.files import is_output, named_backup, place_for, write_output
from lts.cli.options import config_of
from lts.config import Config, check_text
from lts.errors import AdminError, DataFolderError, LtsError
from lts.rules.licensing import filekind
from lts.rules.values.plural import counted
from lts.service.core.files import move_private


def add_parsers(commands: Any) -> None:
    """Register the commands."""
    backup = commands.add_parser("backup", help="copy the whole data folder into one file, also while serving")
    backup.set_defaults(run=_backup)
    backup.add_argument("output", type=Path, help="the file to write, which only you can read; - is standard output")
    restore = commands.add_parser("restore", help="replace the data folder's content with a backup")
    restore.set_defaults(run=_restore)
    what = restore.add_mutually_exclusive_group()
    what.add_argument("file", type=Path, nargs="?", help="the backup, - is standard input; the server must be stopped")
    what.add_argument("--list", action="store_true", help="list what was replaced in this data folder and kept")
    what.add_argument(
        "--undo",
        metavar="NAME",
        nargs="?",
        const=True,
        help="put back the newest content that was replaced, or a folder that --list names; can be undone as well",
    )
    restore.add_argument(
        "--accept-as-is",
        action="store_true",
        help="use a data folder or a backup as it is, though something in it was lost",
    )
    verify = commands.add_parser("verify", help="recompute every total from the change feed and check all signatures")
    verify.set_defaults(run=_verify)
    verify.add_argument(
        "file", type=Path, nargs="?", help="a backup to check instead of the data folder, - is standard input"
    )
    verify.add_argument(
        "--rebuild-indexes", action="store_true", help="first rebuild all indexes; the server must be stopped"
    )
    check = commands.add_parser("doctor", help="check this installation and say what to fix")
    check.set_defaults(run=_doctor)
    clock = commands.add_parser("clock", help="the highest time the server has seen")
    sub = clock.add_subparsers(required=True, metavar="COMMAND")
    for name, words in (
        ("reset", "reset a wrong highest time"),
        ("accept", "trust a jump ahead at once"),
    ):
        one = sub.add_parser(name, help=words)
        one.set_defaults(run=_clock, clock_call=name)


def _backup(args: argparse.Namespace) -> int:
    if is_output(args.output) and sys.stdout.isatty():
        raise AdminError("terminal", "A backup is not text; name a file, or a program to pipe it to: lts backup - | …")
    place = args.output if is_output(args.output) else place_for(args.output, filekind.BACKUP)
    with session(config_of(args)) as server:
        done = server.call("POST", "/backup")
    made = Path(done["path"])
    words = "It holds the server's private key: keep it as safe as the server."
    if is_output(args.output):
        _pour(made)
        streams.complain(f"{counted(done['bytes'], 'byte')}. {words}")
        return _complain(done)
    try:
        move_private(made, place)
    except OSError as error:
        raise AdminError(
            "cannot-write", f"{plainfile.not_written(args.output, error)} The backup is {made}."
        ) from error
    print(f"{args.output}: {counted(done['bytes'], 'byte')}. {words}")
    return _complain(done)


def _complain(done: dict[str, Any]) -> int:
    """Print what is incomplete in a backup; returns the exit code."""
    for words in done.get("faults", ()):
        streams.complain(f"lts: {words}")
    return int(bool(done.get("faults")))


def _pour(file: Path) -> None:
    """A file's content on standard output; the file goes. Raises AdminError where nobody reads it to its end,
    OSError."""
    try:
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                write_output(block)
        taken = streams.is_taken()
    except OSError as error:
        if not isinstance(error, BrokenPipeError) and (sys.platform != "win32" or error.errno != errno.EINVAL):
            raise
        taken = False
    finally:
        file.unlink()
    if not taken:
        raise AdminError("no-reader", "The program that reads the backup ended early; see its output.")


def _restore(args: argparse.Namespace) -> int:
    looks = args.list or args.undo is not None
    if not looks and not args.accept_as_is and args.file is None:
        raise AdminError("usage", "Name a backup, or say --list, --undo or --accept-as-is.")
    if looks and args.accept_as_is:
        raise AdminError("usage", "--accept-as-is is used alone, or with a backup.")
    data_dir = config_of(args).data_dir
    if args.list:
        return _list_replaced(data_dir)
    if args.file is None and not data_dir.exists():
        raise AdminError("no-data", f"There is no data folder {data_dir}.")
    with named_backup(args.file) if args.file is not None else contextlib.nullcontext() as file:
        return _restore_into(data_dir, args, file)


def _restore_into(data_dir: Path, args: argparse.Namespace, file: Path | None) -> int:
    from lts.service.folder import datafolder, placing, restoring

    folder = datafolder.DataFolder.hold(data_dir)
    try:
        if args.undo is not None:
            _undo(data_dir, None if args.undo is True else args.undo)
        elif file is None:
            print(f"{data_dir}: {restoring.accept(data_dir, user()).words}.")
        else:
            before = placing.numbers(data_dir)
            names = restoring.restore(file, data_dir, user(), as_it_is=args.accept_as_is, called=_called(args.file))
            new = [f"{placing.REPLACED}{one}" for one in placing.numbers(data_dir) if one not in before]
            kept = f"; what was there is kept in {new[-1]}" if new else ""
            print(f"{counted(len(names), 'file')} restored into {data_dir}{kept}.")
            if len(config_of(args).servers) > 1:
                print(
                    "This server is one of a pair: the other one has what came after the backup, and gives it back once"
                    " the two are in contact. docs/admin/backup.md says how both go back."
                )
    finally:
        folder.release()
    return 0


def _undo(data_dir: Path, name: str | None) -> None:
    """Put back what is kept, and say which it is."""
    from lts.service.folder import restoring

    known = {one.name: one for one in restoring.replaced(data_dir)}
    done = restoring.undo(data_dir, user(), name)
    one = known[done.detail["from"]]
    print(f"{data_dir}: {done.words}. In {one.name} was what was in place {one.since}: {one.holds}.")


def _called(file: Path) -> str:
    return "Standard input" if str(file) == "-" else str(file)


def _list_replaced(data_dir: Path) -> int:
    from lts.service.folder import placing, restoring

    if words := placing.unfinished(data_dir):
        raise DataFolderError(words)
    found = restoring.replaced(data_dir)
    for one in found:
        print(one.words)
    if not found:
        print(f"Nothing was replaced in {data_dir}.")
    return 0


def _progress(done: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{counted(done, 'change')} replayed", end="", file=sys.stderr, flush=True)


def _verify(args: argparse.Namespace) -> int:
    config = config_of(args)
    if args.rebuild_indexes:
        _rebuild_indexes(args, config)
    faults = _faults(config) if args.file is None else _faults_of_backup(args.file, config)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    for fault in faults:
        print(fault)
    if faults:
        raise DataFolderError(f"{counted(len(faults), 'fault')} found.")
    print("Everything matches the change feed; all signatures are valid.")
    return 0


def _rebuild_indexes(args: argparse.Namespace, config: Config) -> None:
    from lts.service.folder import datafolder, placing
    from lts.service.maintenance import verify

    if args.file is not None:
        raise AdminError("usage", "--rebuild-indexes works on the data folder; leave out the backup.")
    check_holds_data(config)
    folder = datafolder.DataFolder.hold(config.data_dir)
    try:
        placing.finish(config.data_dir)
        verify.rebuild_indexes(config.data_dir)
    finally:
        folder.release()
    print("All indexes were rebuilt.")


def _faults(config: Config) -> list[str]:
    from lts.service.core.trust import TrustStore
    from lts.service.folder import datafolder
    from lts.service.maintenance import verify

    check_holds_data(config)
    try:
        in_use = True
        with contextlib.suppress(DataFolderError):  # otherwise it is unknown, and nothing here needs the lock
            in_use = datafolder.running_server(config.data_dir) is not None
        trust = TrustStore(config.vendor_keys, config.data_dir)
        return verify.verify_folder(config.data_dir, trust, _progress, in_use=in_use)
    except PermissionError as error:
        raise DataFolderError(datafolder.not_open(config.data_dir)) from error


def _faults_of_backup(file: Path, config: Config) -> list[str]:
    from lts.service.maintenance import verify

    with named_backup(file) as backup:
        check_text(backup.parent, "The folder in which the backup is unpacked to be checked")
        try:
            return verify.verify_backup(backup, config.vendor_keys, _progress, _called(file))
        except PermissionError as error:
            raise AdminError(
                "cannot-unpack",
                f"A backup is unpacked next to it to be checked, and {backup.parent} cannot be written"
                f" ({error.strerror}); copy it to a folder of your own.",
            ) from error


def _doctor(args: argparse.Namespace) -> int:
    from lts.service.maintenance import doctor

    try:
        config = config_of(args)
    except LtsError as error:
        findings = [doctor.Finding(doctor.FAULT, error.detail)]
    else:
        seen = (doctor.Finding(doctor.FAULT, words) for words in _seen_by_server(config))
        findings = [*doctor.examine(config), *seen]
    for finding in findings:
        print(f"[{finding.level}] {finding.words}")
    if faults := sum(finding.level == doctor.FAULT for finding in findings):
        raise DataFolderError(f"{counted(faults, 'fault')} found.")
    return 0


def _seen_by_server(config: Config) -> list[str]:
    """Problems of the pair, the clocks and the licenses that only the running server knows."""
    from lts.service.folder import datafolder

    try:
        if not datafolder.running_server(config.data_dir):
            return []
        with session(config) as server:
            home = server.call("GET", "/home")
            faults = home["pair"]["faults"] if home["pair"] else []
            return [one["detail"] for one in (*faults, *home["attention"]) if one in faults or one["code"] in _TOLD]
    except LtsError:  # it is starting, or asks for more rights than doctor has
        return []


_TOLD = ("pair-clocks", "clock-unconfirmed", "clock-unused", "clock-back", "item-none")


def _clock(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        done = server.call("POST", f"/clock/{args.clock_call}")
    print(f"Highest time seen: {done['before']} before, {done['after']} now.")
    return 0
