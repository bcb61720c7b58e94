"""Tables and numbered migrations; each runs in one transaction (docs/design/architecture.md, Failure).

Every table but _OWN_TABLES is what replaying the change feed gives (of `origins` the numbers), so `lts verify` can
rebuild and compare it. Integers for devices, items, codes and types keep rows short.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import apsw

from lts.store.rows import deviceunits
from lts.store.tables import codenames, likeness

APPLICATION_ID = 0x4C545332  # "LTS2"

V1 = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- Browsers signed in here: of the cookie only a digest, of the password a mark that changes with it.
CREATE TABLE sessions (id TEXT PRIMARY KEY, digest BLOB NOT NULL UNIQUE, user TEXT NOT NULL, mark BLOB NOT NULL,
    begun INTEGER NOT NULL, seen INTEGER NOT NULL, address TEXT NOT NULL, agent TEXT NOT NULL) WITHOUT ROWID;

-- The change feed: one row a change, chained by SHA-256 within its origin.
-- `numbers` is where an origin's own range of device, code, item and type numbers begins.
CREATE TABLE origins (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL, incarnation TEXT NOT NULL,
    numbers INTEGER NOT NULL DEFAULT 1, UNIQUE (uuid, incarnation));
CREATE TABLE changes (origin INTEGER, serial INTEGER, time INTEGER NOT NULL, kind INTEGER NOT NULL,
    payload BLOB NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (origin, serial)) WITHOUT ROWID;
-- The order in which this database took them: from `first` of `origin` on, until the next turn.
CREATE TABLE turns (position INTEGER PRIMARY KEY, origin INTEGER NOT NULL, first INTEGER NOT NULL);
CREATE TABLE heads (origin INTEGER, serial INTEGER, time INTEGER NOT NULL, hash BLOB NOT NULL,
    signature BLOB NOT NULL, PRIMARY KEY (origin, serial)) WITHOUT ROWID;
CREATE TABLE archives (origin INTEGER, first INTEGER, last INTEGER NOT NULL, file TEXT NOT NULL,
    digest BLOB NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (origin, first)) WITHOUT ROWID;

-- Licenses: the signed files are the truth, these rows only number them.
CREATE TABLE licenses (id INTEGER PRIMARY KEY, vendor TEXT NOT NULL, license_id TEXT NOT NULL,
    revision INTEGER NOT NULL, digest TEXT NOT NULL, UNIQUE (vendor, license_id));
CREATE TABLE license_files (license INTEGER, revision INTEGER, time INTEGER NOT NULL, jws TEXT NOT NULL,
    PRIMARY KEY (license, revision)) WITHOUT ROWID;
CREATE TABLE items (id INTEGER PRIMARY KEY, license INTEGER NOT NULL, item_id TEXT NOT NULL,
    UNIQUE (license, item_id));

-- Handshake codes; `fields` is JSON (order, password sealed, validation, note), `born_…` the change that made the code.
CREATE TABLE codes (id INTEGER PRIMARY KEY, organization TEXT NOT NULL, custom TEXT NOT NULL,
    removed INTEGER, fields TEXT NOT NULL, born_origin INTEGER NOT NULL, born_serial INTEGER NOT NULL);
CREATE TABLE defaults (organization TEXT PRIMARY KEY, code INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE code_items (code INTEGER, item INTEGER, position INTEGER NOT NULL, cap INTEGER,
    PRIMARY KEY (code, item)) WITHOUT ROWID;
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trusted (kid TEXT PRIMARY KEY, pub TEXT NOT NULL) WITHOUT ROWID;
-- Who did what when, newest found first; `detail` is JSON without secrets.
CREATE TABLE audit (time INTEGER, origin INTEGER, serial INTEGER, actor TEXT NOT NULL, action TEXT NOT NULL,
    subject TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (time, origin, serial)) WITHOUT ROWID;

-- The pair: epochs of each origin, which change decided a setting, what lost, one thing under two numbers.
CREATE TABLE epochs (origin INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, main INTEGER NOT NULL,
    server_key TEXT NOT NULL, knows BLOB NOT NULL);
CREATE TABLE stamps (subject TEXT PRIMARY KEY, epoch INTEGER NOT NULL, main INTEGER NOT NULL,
    origin INTEGER NOT NULL, serial INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE overruled (origin INTEGER, serial INTEGER, by_origin INTEGER NOT NULL, by_serial INTEGER NOT NULL,
    PRIMARY KEY (origin, serial)) WITHOUT ROWID;
CREATE TABLE aliases (what INTEGER, number INTEGER, ours INTEGER NOT NULL, PRIMARY KEY (what, number)) WITHOUT ROWID;

-- Usage alerts: alerted levels, events that were checked, messages and what became of them. Attempts are only this
-- server's.
CREATE TABLE alert_levels (key TEXT PRIMARY KEY, level INTEGER NOT NULL, base INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE alert_seen (origin INTEGER PRIMARY KEY, serial INTEGER NOT NULL);
CREATE TABLE messages (id TEXT PRIMARY KEY, time INTEGER NOT NULL, events TEXT NOT NULL, channels TEXT NOT NULL)
    WITHOUT ROWID;
CREATE TABLE deliveries (message TEXT, channel TEXT, outcome TEXT NOT NULL, time INTEGER NOT NULL, detail TEXT NOT NULL,
    PRIMARY KEY (message, channel)) WITHOUT ROWID;
CREATE TABLE attempts (message TEXT, channel TEXT, tries INTEGER NOT NULL, next INTEGER NOT NULL, error TEXT NOT NULL,
    rest TEXT NOT NULL, PRIMARY KEY (message, channel)) WITHOUT ROWID;

-- Devices and their seats. `lag` is given - newest returned token; `chain` the clone state where that is not all.
CREATE TABLE devices (id INTEGER PRIMARY KEY, uuid BLOB NOT NULL, contact INTEGER NOT NULL,
    given INTEGER NOT NULL, lag INTEGER NOT NULL, chain BLOB);
CREATE INDEX devices_by_uuid ON devices (substr(uuid, 1, 4));
CREATE TABLE seats (device INTEGER, item INTEGER, grants INTEGER NOT NULL, ends INTEGER NOT NULL,
    flags INTEGER NOT NULL, codes, PRIMARY KEY (device, item)) WITHOUT ROWID;
CREATE TABLE leases (item INTEGER, device INTEGER, grants INTEGER NOT NULL, ends INTEGER NOT NULL,
    flags INTEGER NOT NULL, codes, since INTEGER NOT NULL, instances INTEGER NOT NULL,
    PRIMARY KEY (item, device)) WITHOUT ROWID;

-- Usage: a device's day packed in one row (35 days; then its sums), rollups by hour and by day forever.
CREATE TABLE types (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE usage_days (day INTEGER, device INTEGER, code INTEGER, data BLOB NOT NULL,
    PRIMARY KEY (day, device, code)) WITHOUT ROWID;
CREATE TABLE usage_hours (code INTEGER, item INTEGER, type INTEGER, hour INTEGER, units INTEGER NOT NULL,
    PRIMARY KEY (code, item, type, hour)) WITHOUT ROWID;
CREATE TABLE usage_dates (code INTEGER, item INTEGER, type INTEGER, day INTEGER, units INTEGER NOT NULL,
    PRIMARY KEY (code, item, type, day)) WITHOUT ROWID;
CREATE TABLE activity (scope INTEGER, id INTEGER, day INTEGER, data BLOB NOT NULL,
    PRIMARY KEY (scope, id, day)) WITHOUT ROWID;
CREATE TABLE tallies (code INTEGER, what INTEGER, hour INTEGER, n INTEGER NOT NULL,
    PRIMARY KEY (code, what, hour)) WITHOUT ROWID;
CREATE TABLE tally_dates (code INTEGER, what INTEGER, day INTEGER, n INTEGER NOT NULL,
    PRIMARY KEY (code, what, day)) WITHOUT ROWID;
"""

_DAYS = ", ".join(f"d{n} INTEGER NOT NULL DEFAULT 0" for n in range(64))
V2 = f"""
-- Units by device, which were read from the day rows before: a row for 64 days, their sum and a column for each.
CREATE TABLE usage_devices (code INTEGER, span INTEGER, device INTEGER, item INTEGER, type INTEGER,
    units INTEGER NOT NULL, {_DAYS}, PRIMARY KEY (code, span, device, item, type)) WITHOUT ROWID;
"""

V3 = """
-- What devices that look alike have in common (lts.rules.metering.likeness); NULL where nobody made one.
ALTER TABLE devices ADD COLUMN mark INTEGER;
"""

V4 = """
-- Among the origins of one epoch, who went on with what others wrote (lts.store.tables.pair.continue_others).
ALTER TABLE epochs ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stamps ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
"""

V5 = """
-- What migration 8 replaces.
CREATE TABLE code_names (name TEXT, since INTEGER, code INTEGER, PRIMARY KEY (name, since, code)) WITHOUT ROWID;
"""

V6 = """
-- Archived licenses: at which revision, and which turn of it (odd = archived, even = taken back).
CREATE TABLE archived (vendor TEXT, license_id TEXT, revision INTEGER NOT NULL, turn INTEGER NOT NULL,
    PRIMARY KEY (vendor, license_id)) WITHOUT ROWID;
-- Items whose grants were ended all at once: those of earlier rounds hold no more.
CREATE TABLE rounds (item INTEGER PRIMARY KEY, number INTEGER NOT NULL);
"""

V7 = """
-- When seats end, by item: those released are left out. All that is asked of a seat's end stands in the index itself.
CREATE INDEX seats_by_end ON seats (item, ends, codes) WHERE flags & 2 = 0;
CREATE INDEX leases_by_end ON leases (item, ends, codes, instances) WHERE flags & 2 = 0;
CREATE INDEX leases_by_device ON leases (device);
"""

V8 = """
-- Every name that a code was given, as `{organization}-{custom}`: a row for each change that gave it, at `since` (UTC
-- seconds). In order by the weight of its origin's epoch, of the origin, and the serial; a clock may be set back.
DROP TABLE code_names;
CREATE TABLE code_names (origin INTEGER, serial INTEGER, epoch INTEGER NOT NULL, main INTEGER NOT NULL,
    generation INTEGER NOT NULL, since INTEGER NOT NULL, code INTEGER NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (origin, serial)) WITHOUT ROWID;
"""

MIGRATIONS: tuple[str, ...] = (V1, V2, V3, V4, V5, V6, V7, V8)
"""Scripts in order; the database's user_version is how many have run."""

FILLS: dict[int, Callable[[apsw.Connection], None]] = {2: deviceunits.fill, 3: likeness.fill, 8: codenames.fill}
"""What fills new tables from older ones or from the feed, after the script of that number and in its transaction."""

_OWN_TABLES = ("archives", "attempts", "changes", "heads", "meta", "sessions", "turns")
DERIVED_TABLES = tuple(
    dict.fromkeys(
        name for script in MIGRATIONS for name in re.findall(r"CREATE TABLE (\w+)", script) if name not in _OWN_TABLES
    )
)
"""Tables that a replay of the feed must give again, row by row."""
