"""The log: text or JSON lines, written by a thread of its own so that a blocked console holds up nobody."""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import queue
import sys
import threading
import time

from lts.config import Log

WAITING_LINES = 10_000


class Lines(logging.Handler):
    """Hands lines to a thread of its own; drops them when it cannot keep up, instead of waiting."""

    def __init__(self, target: logging.Handler) -> None:
        super().__init__()
        self._target = target
        self._waiting: queue.Queue[logging.LogRecord | None] = queue.Queue(WAITING_LINES)
        self._thread = threading.Thread(target=self._write, name="lts-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a line; its text is made here, where its arguments still are what they were."""
        record.msg, record.args = record.getMessage(), None
        if record.exc_info:
            record.exc_text = record.exc_text or _plain.formatException(record.exc_info)
            record.exc_info = None
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(record)

    def finish(self, seconds: float) -> bool:
        """Write what waits, for so long at most; False when whatever reads the lines does not read them."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _write(self) -> None:
        while (record := self._waiting.get()) is not None:
            self._target.handle(record)


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
    """A handler that never blocks the thread that logs."""
    target: logging.Handler
    if settings.file is not None:
        settings.file.parent.mkdir(parents=True, exist_ok=True)
        target = logging.handlers.RotatingFileHandler(
            settings.file, maxBytes=10 << 20, backupCount=5, encoding="utf-8", delay=True
        )
    else:
        target = logging.StreamHandler(sys.stderr)
    target.setFormatter(_Json() if settings.format == "json" else _Text())
    return Lines(target)
