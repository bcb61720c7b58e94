"""Who the other server is (docs/design/pair.md, Trust): its key is pinned at the first contact; a promotion changes
it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from lts.crypto import PublicKey
from lts.errors import AdminError, PeerError
from lts.rules import pair as rules
from lts.rules.licensing.vendorkey import fingerprint, is_fingerprint
from lts.rules.pair import MAIN, SERVING, STANDBY
from lts.service.core.pinned import PinnedFile
from lts.service.pair import delegating
from lts.service.pair.contact import Contact
from lts.service.pair.delegating import Delegating
from lts.service.pair.leadership import Leadership
from lts.service.pair.membership import Membership
from lts.service.pair.peermessages import Introduction
from lts.service.pair.shared import Shared
from lts.service.pair.starts import Starts

log = logging.getLogger("lts.pair")


@dataclass
class Meeting:
    """What follows from who answered at the configured URL."""

    _shared: Shared
    _membership: Membership
    _starts: Starts
    _contact: Contact
    _leadership: Leadership
    _delegating: Delegating

    def believe(self, who: Introduction) -> None:
        """Who answered at the configured URL: pin its key at the first contact. Raises PeerError where nothing may be
        exchanged with it. A decision of an administrator takes effect entirely before or after it."""
        with self._shared.changing:
            self._recognize(who)
            self._starts.met(who.first_number)
            self._contact.peer.said_hello(who)
            if who.promoted:
                raise self._leadership.retire(who)
            self._speak_alike(who)
            roles = rules.role_fault(self._membership.role, who.role)
            if roles is not None:
                raise self._contact.fault("peer-roles", roles)
            self._contact.peer.mend("peer-roles")
            if self._membership.role == STANDBY:
                self._shared.pinned.change(line=delegating.line_of(who))

    def _recognize(self, who: Introduction) -> None:
        """Raises PeerError unless it is the pinned server; at the first contact it is pinned."""
        pinned, me = self._shared.pinned.now, self._shared.ctx.identity
        contact, url = self._contact, self._shared.url
        if who.key == me.key.public.x or (pinned.key not in (None, who.key) and who.key in me.previous_keys):
            raise self._itself(who)
        contact.peer.mend("peer-self", *(() if contact.peer.is_refused else ("peer-twin",)))
        if pinned.came_after(who.key):
            if self._membership.role != MAIN:
                words = f"The old main is at {url}, and another server was promoted in its place. Stop that one."
                raise contact.fault("peer-replaced", words)
            raise contact.fault(
                "peer-replaced",
                f"The old main is at {url}, and this server was promoted in its place."
                + (
                    " All that it alone held is taken. Set that one up as the standby, with an empty data folder."
                    if contact.peer.has_given_all
                    else " What it alone holds is taken from it first. Then set that one up as the standby, with an"
                    " empty data folder."
                ),
            )
        contact.peer.mend("peer-replaced")
        if pinned.key is None and pinned.promoted_at is not None:
            self._shared.pinned.change(offered=who.key)
            raise contact.fault(
                "peer-new-standby",
                f"Another server ({fingerprint(kid(who.key))}) is at {url}, where the old main was. It gets"
                " nothing until an administrator has compared the fingerprint and approved it: lts pair --approve"
                " FINGERPRINT.",
            )
        if pinned.key is None:
            log.info("first contact with %s, key %s", who.uuid, fingerprint(kid(who.key)))
            self._shared.pinned.change(uuid=who.uuid, key=who.key, offered=None)
            self._membership.learn_keys()
        elif who.key != pinned.key and self._delegating.vouched_since(who):
            log.warning("%s at %s was approved after the backup was made", fingerprint(kid(who.key)), self._shared.url)
            self._pin_again(who)
        elif who.key != pinned.key and delegating.is_replaced_by(me, pinned, who):
            raise self._leadership.retire(who)
        elif who.key != pinned.key:
            self._shared.pinned.change(offered=who.key)
            raise contact.fault(
                "peer-key-changed",
                f"The server at {url} shows another key ({fingerprint(kid(who.key))}) than at the first contact"
                f" ({fingerprint(kid(pinned.key))}). Nothing is exchanged until an administrator has compared the"
                " fingerprints and approved the new one: lts pair --approve FINGERPRINT.",
            )
        else:
            contact.peer.mend("peer-key-changed")
            self._shared.pinned.change(uuid=who.uuid, offered=None)

    def _itself(self, who: Introduction) -> PeerError:
        """This server, or a twin, whose data folder or this one's is a copy (docs/design/pair.md, Restored and copied
        servers): of the two, the one that serves continues."""
        contact, url = self._contact, self._shared.url
        if who.first_number == self._shared.first_number:
            contact.peer.mend("peer-twin")
            return contact.fault("peer-self", f"{url} leads to this server itself; write the other server's URL there.")
        contact.peer.mend("peer-self")
        contact.peer.met_twin(holds_back=who.status == SERVING and not self._shared.ctx.running.serves)
        return contact.fault(
            "peer-twin",
            f"Another server with this server's identity runs at {url}: the data folder of one of the two is a copy,"
            " or a backup, of the other's. Stop the one that came later, and put its own data folder back (lts restore"
            " --undo, where lts restore --list names it) or begin with an empty one. If this server serves nobody, that"
            " stays so until it has contact with the other server of the pair, or is started again.",
        )

    def refused_as_copy(self, words: str) -> None:
        """The other server is in contact with a twin of this one: this one does not begin to serve."""
        self._contact.peer.met_twin(holds_back=not self._shared.ctx.running.serves, refused=True)
        self._contact.fault("peer-twin", words)

    def forget_twin(self) -> None:
        """The other server of the pair, which has another key, exchanges with this one: it has contact with no twin."""
        self._contact.peer.forget_twin()
        self._contact.peer.mend("peer-twin")

    def _pin_again(self, who: Introduction) -> None:
        """The other server is one that this one had approved and no longer knows. If this one had been promoted, it is
        the main again, and the old main is refused."""
        now, promoted = self._shared.pinned.now, self._membership.role == who.role == STANDBY
        was_standby = now.delegation is not None and now.delegation.main_uuid == now.uuid
        self._shared.pinned.change(
            uuid=who.uuid,
            key=who.key,
            offered=None,
            replaced=now.key if promoted or (was_standby and who.role == STANDBY) else now.replaced,
            promoted_at=self._shared.url if promoted else now.promoted_at,
        )
        self._contact.peer.mend("peer-key-changed")
        self._membership.learn_keys()

    def _speak_alike(self, who: Introduction) -> None:
        """Raises PeerError when the two cannot follow each other. The other one never answers with a protocol above
        this one's, unless it knows no other."""
        self._contact.peer.speaks(who.protocol)
        if rules.spoken(who.protocol) != who.protocol:
            older = "the other" if who.protocol < rules.PROTOCOL else "this"
            raise self._contact.fault(
                "peer-version",
                f"The other server runs another LTS ({who.version}), and they cannot follow each other;"
                f" upgrade {older} one.",
            )
        self._contact.peer.mend("peer-version")


def offered_as(shared: Shared, given: str) -> str:
    """The key that waits for approval, of the fingerprint `given`. Raises AdminError, with the reason where it is one
    that is never approved here."""
    now = shared.pinned.now
    if is_fingerprint(given, shared.ctx.identity.key.kid):
        words = "That is the fingerprint of this server itself; approve it on the other one, which refuses it."
        raise AdminError("wrong-fingerprint", words)
    if any(is_fingerprint(given, key_id) for key_id in now.former):
        raise AdminError(
            "wrong-fingerprint",
            "That is the key of the main in whose place this server was promoted, which never gets contact again. Set"
            " that server up with an empty data folder, and approve the key that it then has.",
        )
    if now.offered is None:
        raise AdminError("nothing-to-approve", "The other server's key has not changed; there is nothing to approve.")
    if not is_fingerprint(given, kid(now.offered)):
        words = f"The key that waits for approval has another fingerprint, {fingerprint(kid(now.offered))}; compare"
        raise AdminError("wrong-fingerprint", f"{words} it with what that server says of itself (lts pair).")
    return now.offered


def kid(key: str) -> str:
    """The key id of a public key (base64url)."""
    return PublicKey.from_x(key).kid


def replace_main(pinned: PinnedFile, url: str) -> None:
    """This standby is the main from now on: the server at `url` is no longer pinned, and never will be again."""
    now = pinned.now
    pinned.change(promoted_at=url, replaced=now.key or now.replaced, key=None, uuid=None, offered=None)


def settle_promotion(pinned: PinnedFile, url: str, configured: str) -> None:
    """The meaning of `servers` after a promotion. As long as it is unchanged, a server at the old main's URL needs
    approval. If it was changed, the administrator has named another standby or main, which is treated as at set-up."""
    if pinned.now.promoted_at is None:
        return
    if pinned.now.replaced is None:  # 0.1 kept the old main's key as the pinned one
        replace_main(pinned, pinned.now.promoted_at)
    if configured == MAIN:
        pinned.change(promoted_at=None, offered=None)
    elif pinned.now.promoted_at != url:
        pinned.change(promoted_at=None, offered=None, joined=False)
