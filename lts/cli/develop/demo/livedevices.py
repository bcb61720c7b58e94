"""Three devices of the demo as they are now: the client library, over HTTP, each with a state folder of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lts.cli.develop.demo.company import LIVE
from lts.cli.develop.demo.past import Player
from lts.client import Client
from lts.client.state import State

NOW = ({"QR Code": 3, "1D barcode": 1}, {"QR Code": 7}, {"1D barcode": 12, "QR Code": 2})
"""What each uses while somebody watches."""


@dataclass(frozen=True)
class Live:
    """A device that was authorized just now; `until` is the end of its lease (UTC seconds), `reported` are its units
    by type since the first day."""

    name: str
    device_id: str
    lease: str
    certificates: list[str]
    until: int
    reported: dict[str, int]


def call(key: str, vendor_key: str, players: dict[str, Player], folder: Path) -> list[Live]:
    """Let the devices authorize and report; each lease is verified with the vendor's public key (JWK x)."""
    return [_call(key, vendor_key, players[name], used, folder / name) for name, used in zip(LIVE, NOW, strict=True)]


def _call(key: str, vendor_key: str, player: Player, used: dict[str, int], folder: Path) -> Live:
    _take_over(player, folder)
    device = player.device
    with Client(key, product=device.product, version=device.version, charge_way=device.way, vendor_key=vendor_key,
                state=folder) as client:  # fmt: skip
        for name, count in used.items():
            client.use(name, count)
        client.flush()
        lease, text = client.lease, client.lease_text
        assert lease is not None
        assert text is not None
        player.reported.update(used)
        return Live(
            device.name, client.device_id, text, list(client.certificates), lease.expires_at, dict(player.reported)
        )


def _take_over(player: Player, folder: Path) -> None:
    """The device continues as the one that it was: with its identity and the token of its last call."""
    state = State(folder)
    state.keep("device", str(player.uuid))
    state.keep("chain", player.clone_token)
    state.close()
