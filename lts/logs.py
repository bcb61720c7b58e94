"""The log: text or JSON lines, written by a thread of its own so that a blocked console holds up nobody."""

from __future__ import annotations

import json
import logging
import logging.handlers
import queue
import sys
import time

from lts.config import Log

WAITING_LINES = 10_000


class _Dropping(logging.handlers.QueueHandler):
    """Drops lines when the writer cannot keep up, instead of waiting."""

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            pass


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


def handler(settings: Log) -> logging.Handler:
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
    lines: queue.Queue[logging.LogRecord] = queue.Queue(WAITING_LINES)
    listener = logging.handlers.QueueListener(lines, target)
    listener.start()
    return _Dropping(lines)
