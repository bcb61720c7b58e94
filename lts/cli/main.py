"""The command line's entry. Exit codes: 0 done, 1 failed with one plain sentence on stderr, 2 usage,
130 ended by Ctrl-C.

Only the module of the command that is asked for is loaded (lts/cli/commands.py).
"""

from __future__ import annotations

import sys
import traceback

from lts.cli import streams, systemfaults
from lts.cli.commands import COMMANDS
from lts.cli.parser import make_parser, nearest, overview_parser, refuse_dashes, split_place
from lts.errors import AdminError, LtsError

ENDED_BY_CTRL_C = 130
"""As shells report it: 128 and the number of SIGINT."""
_ALONE = ("--help", "--version", "-h")


def main(argv: list[str] | None = None) -> int:
    """Run one command; without any, serve."""
    streams.make_ready()
    try:
        return _run([_readable(word) for word in (sys.argv[1:] if argv is None else argv)])
    except LtsError as error:
        streams.complain(f"lts: {error.detail}")
        return 2 if error.code == "usage" else 1
    except KeyboardInterrupt:
        streams.complain("\nlts: Stopped by Ctrl-C.")  # in a line of its own: a question may be open
        return ENDED_BY_CTRL_C
    except Exception as error:  # noqa: BLE001 - printed in full, then in words: a closing window would lose it
        if isinstance(error, OSError) and error.filename is None and (lost := streams.lost_output()):
            if not isinstance(lost, BrokenPipeError):  # a reader that has seen enough
                streams.complain(f"lts: The output cannot be written ({lost.strerror}).")
            return 1
        if isinstance(error, OSError) and (words := systemfaults.words_of(error)):
            streams.complain(f"lts: {words}")
            return 1
        streams.complain(
            f"{traceback.format_exc()}lts: This is a fault of LTS itself; please report the lines above to its"
            " developers."
        )
        return 1
    finally:
        streams.settle()


def _readable(word: str) -> str:
    """An argument, whose bytes the system must have been able to read as text. Raises AdminError."""
    if any("\ud800" <= char <= "\udfff" for char in word):
        shown = word.encode("utf-8", "replace").decode()
        raise AdminError("usage", f"the argument {shown!r} is not text in {sys.getfilesystemencoding()}; retype it.")
    return word


def _run(arguments: list[str]) -> int:
    place, rest = split_place(arguments)
    refuse_dashes(overview_parser, rest)
    if rest and rest[0] in _ALONE:
        overview_parser().parse_args(rest[:1])
    name = _command(rest)
    if name not in COMMANDS:
        overview_parser().error(f"there is no command {name!r}{nearest(name, COMMANDS)}")
    args = make_parser([name]).parse_args([*place, name, *rest])
    try:
        result: int = args.run(args)
    except PermissionError as error:
        raise AdminError("not-open", systemfaults.not_open(error, args)) from error
    try:
        streams.write_out()
    except OSError as error:
        if result or isinstance(error, BrokenPipeError):
            raise
        streams.complain(f"lts: This was done, but its output cannot be written ({error.strerror}).")
        return 1
    return result


def _command(words: list[str]) -> str:
    """The command, taken from the front of the words; `serve` if there is none."""
    if words and not words[0].startswith("-"):
        return words.pop(0)
    if named := [word for word in words if word in COMMANDS]:
        make_parser([*named, "serve"]).name_owner(words, default="serve")
    return "serve"


if __name__ == "__main__":
    sys.exit(main())
