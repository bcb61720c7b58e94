"""The thread that delivers messages: mail servers may be slow or silent, and neither clients nor jobs wait for them."""

from __future__ import annotations

import logging
import threading

from lts.errors import LtsError
from lts.service.alerting import outbox
from lts.service.alerting.smtp import MailSender
from lts.service.core.context import Context

log = logging.getLogger("lts.background.courier")
LOOK_SECONDS = 10.0
STOP_SECONDS = 2.0


class Courier:
    """Checks for messages that are due, in its own thread, from `start` until `stop`."""

    def __init__(self, ctx: Context, look_seconds: float = LOOK_SECONDS) -> None:
        self._ctx = ctx
        self._look_seconds = look_seconds
        self._sender = MailSender()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lts-courier", daemon=True)

    def start(self) -> None:
        """Start checking."""
        self._thread.start()

    def stop(self) -> None:
        """End; a mail under way is broken off, and sent again later."""
        self._stopping.set()
        self._sender.cancel()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(self._look_seconds):
            try:
                if self._ctx.running.serves and self._ctx.running.may_write:
                    outbox.deliver(self._ctx, self._ctx.clock.now(), self._sender)
            except LtsError as error:
                log.warning("messages are waiting: %s", error.detail)
            except Exception:
                log.exception("messages could not be delivered")
