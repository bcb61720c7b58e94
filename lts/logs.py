"""The log: text or JSON lines, written by a thread of its own so that a blocked console delays nobody."""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import queue
import sys
import threading
import time
from pathlib import Path
from typing import TextIO

from lts.config import Log
from lts.errors import ConfigError, words_of

log = logging.getLogger("lts.log")

WAITING_LINES = 10_000


class Lines(logging.Handler):
    """Hands lines to a thread of its own; drops them when it cannot keep up, instead of waiting."""

    def __init__(self, target: logging.Handler) -> None:
        super().__init__()
        self._target = target
        self._waiting: queue.Queue[logging.LogRecord | None] = queue.Queue(WAITING_LINES)
        self._reopen = False
        self._thread = threading.Thread(target=self._write, name="lts-log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a line; its text is made here, before its arguments can change."""
        record.msg, record.args = record.getMessage(), None
        if record.exc_info:
            record.exc_text = record.exc_text or _plain.formatException(record.exc_info)
            record.exc_info = None
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(record)

    def reopen(self) -> None:
        """Continue in a new file if somebody has renamed the old one."""
        self._reopen = True
        self.handle(log.makeRecord(log.name, logging.INFO, "", 0, "the log continues here", (), None))

    def finish(self, seconds: float) -> bool:
        """Write queued lines, for this long at most; False if the reader of the log does not read them."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _write(self) -> None:
        while (record := self._waiting.get()) is not None:
            if self._reopen:
                self._reopen = False
                self._target.close()  # the next line reopens the file
            self._target.handle(record)


class _Console(logging.StreamHandler[TextIO]):
    """Standard error; what cannot be written there is dropped."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name in logging
        """There is nowhere to report it."""


class _File(logging.handlers.RotatingFileHandler):
    """A file; if it cannot be written, that is reported once on standard error, and again after it was reopened."""

    warned = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name in logging
        """A line is lost; the next one is tried again."""
        if not self.warned:
            self.warned = True
            with contextlib.suppress(OSError, ValueError):
                print(f"lts: The log {self.baseFilename} cannot be written ({_why()}).", file=sys.stderr)

    def close(self) -> None:
        """Let the file go; the next line reopens it."""
        super().close()
        self.warned = False


def _why() -> str:
    error = sys.exc_info()[1]
    return words_of(error) if isinstance(error, Exception) else "unknown"


_plain = logging.Formatter()


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_text:
            line["exception"] = record.exc_text
        return json.dumps(line, ensure_ascii=False)


class _Text(logging.Formatter):
    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")


def handler(settings: Log) -> Lines:
    """A handler that never blocks the thread that logs, to be started. Raises ConfigError when the log's file cannot be
    written."""
    target: logging.Handler
    if settings.file is not None:
        _try(settings.file)
        target = _File(settings.file, maxBytes=10 << 20, backupCount=5, encoding="utf-8", delay=True)
    else:
        target = _Console(sys.stderr)
    target.setFormatter(_Json() if settings.format == "json" else _Text())
    return Lines(target)


def _try(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() or path.is_dir() or not path.exists():  # opening a pipe waits for its reader
            path.open("ab").close()
    except OSError as error:
        way = "give this user the rights, or change log.file in lts.json"
        raise ConfigError([f"The log {path} cannot be written ({error.strerror}); {way}."]) from error
