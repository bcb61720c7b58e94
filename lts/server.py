"""Composition: data folder, store, keys, jobs and web server, put together and taken apart in order."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from lts import envfolder, memory
from lts.background.courier import Courier
from lts.background.heartbeat import Heartbeat
from lts.background.jobs import Jobs, log_clock
from lts.background.watchdog import Watchdog
from lts.config import Config
from lts.crypto import PublicKey
from lts.errors import CannotStore, DataFolderError
from lts.httpd.listen import Listener
from lts.logs import Lines
from lts.logs import handler as handler_of
from lts.notify import READY, STOPPING, notify
from lts.rules.alerting.notices import ERROR, Notice
from lts.service.core import identity, labels
from lts.service.core.clock import Clock
from lts.service.core.context import Context
from lts.service.core.leases import Leases
from lts.service.core.licensefiles import LicenseFiles
from lts.service.core.partner import Partner
from lts.service.core.pinned import Delegation, PinnedFile
from lts.service.core.refusals import Refusals
from lts.service.core.running import Running, Warnings
from lts.service.core.trust import TrustStore
from lts.service.core.vault import Vault
from lts.service.folder import datafolder, folderstate, placing, restoring, workfolder
from lts.service.folder.datafolder import DataFolder
from lts.service.folder.mark import Mark
from lts.service.licensing import moved
from lts.service.licensing.catalog import Builder
from lts.service.maintenance import ownkeys
from lts.service.pair.alone import Alone
from lts.service.pair.node import Node
from lts.service.pair.parted import Parted, of_a_pair
from lts.store.file import database
from lts.store.store import DATABASE, Store, prepare
from lts.store.tables import meta, pair, vendorkeys
from lts.web.app import App
from lts.web.wire.application import Application

log = logging.getLogger("lts.server")
LEAVE_SECONDS = 2.0
"""How long letting the standby serve may take of a stop."""


@dataclass
class Opened:
    """A data folder held and open: what the server serves, and the command line works on when none runs."""

    ctx: Context
    folder: DataFolder
    token: str

    def app(self, config: Config) -> App:
        return App(self.ctx, config, self.token)


@contextlib.contextmanager
def opened(
    config: Config,
    *,
    read_labels: Callable[[], tuple[str, ...]] = labels.fingerprints,
    clock: Clock | None = None,
    moves: bool = True,
) -> Iterator[Opened]:
    """Open the data folder for this process. `moves`: a folder of another machine becomes this machine's; otherwise it
    is only read (docs/design/machine.md, Machine labels). Raises DataFolderError and its subclasses; closes everything
    at the end."""
    memory.return_large_blocks()
    with envfolder.used(Path(sys.prefix)), _held(config.data_dir) as folder:
        workfolder.clear(folder.path)
        if placed := placing.finish(folder.path):
            log.warning("%s", placed.words)
        # The identity is written last: a first start that was killed half-way simply begins again.
        fresh = folderstate.check(folder.path)
        if prepare(folder.path, create=fresh, unclean=folder.unclean) and fresh:
            raise DataFolderError(
                f"{folder.path / identity.IDENTITY} is missing though the database is in use; restore a backup."
            )
        vault = Vault.load_or_create(folder.path, create=fresh)
        present = cache(read_labels)
        if moves and not fresh and (back := restoring.go_back(folder.path, present())):
            log.warning("%s", back.words)
        me = identity.load_or_create(folder.path, present, placing.keep_identity, moves=moves)
        with _translating_refusal(folder.path / DATABASE):
            ctx = _context(config, folder.path, vault, me, clock)
        try:
            yield Opened(ctx, folder, folder.new_token())
        finally:
            try:
                if ctx.running.may_write:
                    ctx.refusals.flush(ctx.store, ctx.clock.now())
            except CannotStore as error:
                log.warning("the last refusals were not counted: %s", error.detail)
            ctx.keep_mark()
            ctx.store.close()


@contextlib.contextmanager
def _translating_refusal(path: Path) -> Iterator[None]:
    """Turns a failure to store into an error for the person who starts the server. Raises DataFolderError."""
    try:
        yield
    except CannotStore as error:
        with database.translating_errors(path):
            raise error.__cause__ or error from error


@contextlib.contextmanager
def _held(path: Path) -> Iterator[DataFolder]:
    folder = DataFolder.hold(path)
    try:
        yield folder
    finally:
        folder.release()


def _context(config: Config, path: Path, vault: Vault, me: identity.Identity, clock: Clock | None) -> Context:
    trust = TrustStore(config.vendor_keys, path)
    files = LicenseFiles(trust)
    warnings = Warnings()
    pinned = PinnedFile(path)
    if me.has_moved:
        pinned.change(delegation=None)  # it was for the previous key
    own_clock = clock or Clock(0)
    mark = Mark(path)

    def delegation() -> Delegation | None:
        now = own_clock.item_time(own_clock.now())
        return pinned.delegation(now, is_main=config.servers[0] == "self")

    store = Store(
        path,
        (me.uuid, me.incarnation),
        Builder(trust, files, me, vault, delegation),
        on_fault=lambda error: _storage_fault(warnings, error),
        on_log=lambda: mark.keep(store.watermark),
    )
    with store.reader() as db:
        texts, server_keys, refused = vendorkeys.trusted(db), pair.server_keys(db), meta.refusals(db)
    if clock is None:
        own_clock.begin(store.highest_time, store.least_time, store.newest_time)
    if trust.settle(texts) or pinned.now.delegation is not None:
        store.refresh_catalog()
    ctx = Context(
        config=config,
        store=store,
        clock=own_clock,
        delegation=delegation,
        trust=trust,
        files=files,
        vault=vault,
        leases=Leases(me.uuid, me.key, vault.derive("leases")),
        refusals=Refusals(refused),
        clone_key=vault.derive("chain tokens"),
        likeness_key=vault.derive("device marks"),
        running=Running(me, config.url, store.serial, warnings),
        keep_mark=partial(mark.keep, store.watermark),
    )
    ctx.leases.believe(PublicKey.from_x(key) for key in (*server_keys, *me.previous_keys))
    ctx.keep_mark()
    if lost := folderstate.lost_archives(path):
        warnings.put(Notice("archive-lost", folderstate.archive_words(path, lost), ERROR, {"name": lost[0]}))
    single = Parted(ctx, pinned) if of_a_pair(pinned) else Alone(ctx)
    partner: Partner = Node(ctx, pinned) if len(config.servers) > 1 else single
    ctx.running.join(partner)
    partner.begin()
    # Before any other change, since the evidence of an edit depends on what was recorded (lts.service.folder).
    log_clock(ctx, logging.INFO)
    ownkeys.state(ctx)
    for passed in trust.warnings:
        log.warning("%s", passed.detail)
    for name, detail in me.events:
        ctx.note_event(name, detail)
    if warning := datafolder.network_warning(path):
        warnings.put(Notice("network-folder", warning, params={"folder": str(path)}))
    if bound_elsewhere := moved.notice(ctx):
        warnings.put(bound_elsewhere)
    return ctx


def _storage_fault(warnings: Warnings, error: Exception | None) -> None:
    if error is None:
        warnings.clear("cannot-store")
        log.warning("storing works again")
    else:
        sentence = (
            f"Nothing can be stored now: {error}. Clients are asked to try again; storing resumes by itself once this"
            " is fixed."
        )
        before = warnings.put(Notice("cannot-store", sentence, ERROR, {"reason": str(error)}))
        if before is None or before.params["reason"] != str(error):  # else it was logged
            log.error("nothing can be stored: %s", error)


class Server:
    """A server over an opened data folder: `run` serves until `stop`."""

    def __init__(
        self,
        opened_folder: Opened,
        config: Config,
        wrap: Callable[[App], Application] = lambda app: app,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._watchdog = watchdog or Watchdog()
        ctx = self.ctx = opened_folder.ctx
        self._folder = opened_folder.folder
        app = opened_folder.app(config)
        self.listener = Listener(wrap(app), config)
        app.metrics.gauges["lts_http_queue"] = ("Requests waiting for a thread", lambda: self.listener.queue_depth)
        app.metrics.gauges["lts_http_connections"] = ("Open connections", lambda: self.listener.connections)
        self.url = config.own_url(self.listener.port)
        if config.public_url is None:
            ctx.running.listen_at(self.url)
        self._jobs = Jobs(ctx)
        self._courier = Courier(ctx)
        self.reopen = False
        """Whether the server ended only to reopen its data folder, with a first copy in place."""
        self._leaving = False
        app.metrics.gauges.update(ctx.running.partner.gauges())
        self._heartbeat = Heartbeat(ctx.running.partner.work(self._end_to_reopen))

    def run(self, announced: Callable[[Server], None] | None = None) -> None:
        """Serve in this thread until `stop`. `announced` is called once the data folder names the address."""
        self._folder.announce(self.url.rstrip("/"))
        if announced is not None:
            announced(self)
        gc.freeze()  # what is there by now stays: a collection that looked at it all would hold up every thread
        self._jobs.start()
        self._courier.start()
        self._heartbeat.start()
        notify(READY, f"STATUS=Serving at {self.url}")
        try:
            self.listener.run(self._watchdog.beat)
        finally:
            self._watchdog.rest()
            if not self.reopen:  # else it serves again soon
                notify(STOPPING)
            self._heartbeat.stop()
            self._courier.stop()
            self._jobs.stop()

    def _end_to_reopen(self) -> None:
        self.reopen = True
        self.listener.stop()

    def stop(self) -> None:
        """End `run` from another thread; a main first lets the standby serve. A second call waits for nothing."""
        began = time.monotonic()
        if not self._leaving:
            self._leaving = True
            self._heartbeat.leave(LEAVE_SECONDS)
        self.listener.stop(time.monotonic() - began)


def stop_on_signals(stop: Callable[[], None], hang_up: Callable[[], None] | None = None) -> None:
    """SIGTERM, SIGINT and the closing of a console end the server cleanly. SIGHUP calls `hang_up` where it does not say
    that the terminal is gone. Main thread only."""
    terminals = [number for number in (0, 1, 2) if os.isatty(number)]

    def handle(number: int, frame: object) -> None:
        threading.Thread(target=stop, name="lts-stop").start()

    def handle_hang_up(number: int, frame: object) -> None:
        gone = terminals and not any(map(os.isatty, terminals))
        if gone or hang_up is None:
            handle(number, frame)
        else:
            threading.Thread(target=hang_up, name="lts-hang-up").start()

    for name, handler in (("SIGTERM", handle), ("SIGINT", handle), ("SIGBREAK", handle), ("SIGHUP", handle_hang_up)):
        number = getattr(signal, name, None)  # Windows has no SIGHUP, others no SIGBREAK
        if number is not None:
            signal.signal(number, handler)


def set_up_logging(config: Config) -> Lines:
    """Log as the configuration says; a full pipe or closed console never blocks a worker. Raises ConfigError."""
    root = logging.getLogger()
    lines = handler_of(config.log)
    root.handlers[:] = [lines]
    lines.start()
    root.setLevel(config.log.level.upper())
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    return lines
