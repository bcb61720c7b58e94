"""A license item with its state and use: what lists, alerts, notices and the calendar are made from."""

from __future__ import annotations

from lts.rules.values.readmodel import ReadModel

STATES = ("active", "grace", "pending", "expired", "revoked", "invalid", "archived")


class ItemStatus(ReadModel, frozen=True, kw_only=True):
    """A license item and its state; times in UTC seconds. `grace` is how many units beyond the quota are allowed,
    `used` counts units, live seats, or instances active now; only ways that count concurrent use have an overdraft.
    `used_up_on` is the day (UTC) on which a count item runs out at the present rate, if that can be predicted."""

    id: int
    item_id: str
    license_id: str
    organization_id: str
    description: str
    product: str
    product_versions: tuple[str, ...]
    editions: tuple[str, ...]
    deployment_types: tuple[str, ...]
    modules: tuple[str, ...]
    domains: tuple[str, ...]
    charge_way: str
    quota: int
    grace: int
    grace_days: int
    active_period: str
    max_offline_days: int | None
    trial: bool
    used: int
    overdraft: int | None = None
    overdraft_spent: int | None = None
    starts_at: int
    expires_at: int | None
    days_left: int | None
    state: str
    reason: str | None
    handshake_codes: tuple[str, ...]
    codes: tuple[int, ...]
    used_up_on: str | None
