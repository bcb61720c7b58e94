"""Whether clients may be answered at this moment: no answer leaves a server that was paused, since the other one may
have taken over meanwhile (docs/design/pair.md, Invariants)."""

from __future__ import annotations

from lts.errors import Refusal, RefusalCode
from lts.rules import pair as rules
from lts.service.pair.contact import Contact
from lts.service.pair.shared import Shared

NOT_NOW = "This server is not answering clients now; use the other server URL of the license key."


class Fence:
    """Open for as long as this process beats."""

    def __init__(self, shared: Shared, contact: Contact) -> None:
        self._shared = shared
        self._contact = contact
        self._beat_at = shared.elapsed()

    def beat(self, now: float) -> bool:
        """The process runs at `now` (elapsed seconds); whether it stood still before."""
        stood_still, self._beat_at = now - self._beat_at > self._stall_limit(), now
        return stood_still

    def check(self) -> None:
        """Raises Refusal 100 where clients may not be answered."""
        shared = self._shared
        if not shared.ctx.running.serves or shared.elapsed() - self._beat_at > self._stall_limit():
            raise Refusal(RefusalCode.NOT_SERVING, NOT_NOW, retry_after=1)

    def _stall_limit(self) -> float:
        mine, state = self._shared.limit, self._contact.peer.state
        return rules.stall_limit(min(mine, mine if state is None else state.limit))
