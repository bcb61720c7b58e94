"""Whether clients may be answered at this moment: no answer leaves a server that was paused, since the other one may
have taken over meanwhile (docs/design/pair.md, Invariants)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lts.errors import Refusal, RefusalCode
from lts.rules import pair as rules

if TYPE_CHECKING:
    from lts.service.pair.node import Node

NOT_NOW = "This server is not answering clients now; use the other server URL of the license key."


class Fence:
    """Open for as long as this process beats."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._beat_at = node.elapsed()

    def beat(self, now: float) -> bool:
        """The process runs at `now` (elapsed seconds); whether it stood still before."""
        stood_still, self._beat_at = now - self._beat_at > self._stall_limit(), now
        return stood_still

    def check(self) -> None:
        """Raises Refusal 100 where clients may not be answered."""
        node = self._node
        if not node.ctx.running.serves or node.elapsed() - self._beat_at > self._stall_limit():
            raise Refusal(RefusalCode.NOT_SERVING, NOT_NOW, retry_after=1)

    def _stall_limit(self) -> float:
        node = self._node
        other = node.peer.state.limit if node.peer.state is not None else node.limit
        return rules.stall_limit(min(node.limit, other))
