"""Devices that look cloned: the trace of a refusal, and an administrator's confirmation that there is only one machine
(docs/design/authorizing.md, Device clones)."""

from __future__ import annotations

from uuid import UUID

from lts.errors import AdminError, Refusal, RefusalCode
from lts.rules.metering import clonetokens
from lts.service.core.context import Context
from lts.store.changes import records
from lts.store.tables import devices
from lts.store.tables.devices import Device
from lts.store.writing.transaction import Transaction


def refuse(tx: Transaction, device: Device, step: clonetokens.TokenStep, now: int) -> Refusal:
    """The refusal of a clone. The first one of a device stays known, so that it is shown as cloned from then on."""
    if not device.clone_state.refused:
        tx.emit(records.CloneTokenChange(device.key, *devices.pack_clone_state(step.state)), now)
    return refusal()


def refusal() -> Refusal:
    sentence = "Two devices use this device's identity; ask the administrator, or make a new identity for one."
    return Refusal(RefusalCode.CLONE, sentence)


def clear(ctx: Context, uuid: UUID, actor: str, now: int) -> None:
    """An administrator says that a device is not a clone: nobody is refused until two machines show up again.

    Raises AdminError if there is no such device, or it does not look cloned.
    """

    def operation(tx: Transaction) -> None:
        device = devices.find(tx.db, uuid.bytes)
        if device is None:
            raise AdminError("no-such-device", f"There is no device {uuid}.", status=404)
        if not device.clone_state.forked:
            raise AdminError("not-cloned", f"The device {uuid} does not look copied; there is nothing to clear.")
        tx.emit(
            records.CloneTokenChange(device.key, *devices.pack_clone_state(clonetokens.clear(device.clone_state))), now
        )
        tx.emit(records.EventChange(actor, "device-cleared", {"subject": str(uuid)}), now)

    ctx.store.write(operation)
