"""A receive connector: what all SMTP conversations of one door share, and what the guard lets them be offered.

Built by a role from its parts; each connection is a `smtp_receive.ReceiveSession` of it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import NamedTuple, Protocol

from postern.model.directory import Directory, Recipient
from postern.model.domains import a_labels
from postern.model.mail import Accepted, Content, Envelope, EnvelopeRecipient, Intake, Origin
from postern.model.organization import AcceptedDomain, Limits, Organization
from postern.model.security import NOBODY, Identity, Peer, Seal
from postern.paths.guard import Guard, Offer, Refusal
from postern.paths.row import Path
from postern.protocols.authentication.results import without_claims
from postern.protocols.smtp.bounds import ServerBounds
from postern.protocols.smtp.reply import Reply
from postern.services.mailbox.room import Space
from postern.services.smtp.data import Clock
from postern.services.smtp.refusals import Refusals
from postern.telemetry.observed import Observed
from postern.telemetry.tracking import Step, Tracker, TrackingRecord
from postern.trust.authenticator import Authenticator
from postern.trust.framing import sasl

_ALWAYS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN", "ENHANCEDSTATUSCODES")


class Caller(NamedTuple):
    """The peer, as far as it is known at this moment of the conversation. `path` is the id of the row that it is on ("" while
    no row admits it), `helo` what it called itself."""

    peer: Peer
    helo: str
    identity: Identity
    seal: Seal | None
    path: str


@dataclass(frozen=True, slots=True)
class AgentVerdict:
    """What agents made of a message. `reply` refuses it (class 4 or 5) or, of class 2, is said instead of queueing it;
    `header` is the header section (CRLF lines, without the empty line) that goes into the queue instead of the one that came."""

    reply: Reply | None = None
    header: bytes | None = None


class Steps(Protocol):
    """The agents of one connection, asked in this order; a Reply refuses (421 also ends the connection), None lets it pass.
    They may take their time (a look-up, a tarpit): the connection waits. Must not raise; what they cannot find out, they let pass
    or refuse by a reply of class 4."""

    async def connected(self, caller: Caller) -> Reply | None:
        """Before the greeting, which a Reply stands instead of; the connection ends with it."""
        ...

    async def mail(self, caller: Caller, sender: str) -> Reply | None:
        """`sender` is "" for the null reverse-path. A new MAIL begins a new transaction."""
        ...

    def rcpt(self, caller: Caller, recipient: EnvelopeRecipient) -> Reply | Awaitable[Reply | None] | None:
        """Only for recipients that the connector itself would take. An answer at once where nothing must be waited for:
        thousands a second are asked."""
        ...

    def unknown(self, caller: Caller, address: str) -> float:
        """The connector is about to say 550 5.1.1 of this address: seconds to wait before it does (the tarpit against
        harvesting), 0 for none. Nothing is read from the connection meanwhile (`link.pause`)."""
        ...

    async def data(self, caller: Caller, envelope: Envelope, header: bytes, body: Content, key: str) -> AgentVerdict:
        """`key` names the message while something is computed on it (`telemetry.attempts`).
        `header` is the header section as it came, without our own trace line; `body` begins with the empty line. Header and
        body together are the message octet for octet."""
        ...

    def agent_of(self, reply: Reply) -> str:
        """The agent that gave this very refusal, if it was the last of an agent's; "" for a refusal of the connector's own."""
        ...

    def closed(self) -> None:
        """The connection has ended; the last call."""
        ...


class Agents(Protocol):
    """The agents of a connector, in their order."""

    def steps(self) -> Steps | None:
        """For a new connection; None where no agent has anything to say."""
        ...


class Room(Protocol):
    """Whether mailboxes have room (`mailbox_room.MailboxRoom`)."""

    def space(self, recipient: Recipient, size: int) -> Space | Awaitable[Space]:
        """What there is for a message of `size` octets (0: unknown)."""
        ...


class PeerCertificates(Protocol):
    """Identifies the peer by the certificate that it showed in the TLS handshake."""

    def identify(self, chain: Sequence[bytes]) -> Identity | None:
        """`chain` is DER, the peer's own certificate first; None: it proves nobody. Asked again before every message."""
        ...


class ReceiveConnector:
    """What all sessions of one door share. The door's rows, which the guard speaks for, decide whether it is one for
    the internet, for clients, for our own servers, or for several of them.

    Without an `authenticator` nobody logs on; without a `directory` every recipient of an accepted domain is taken; without
    `certificates` what a peer shows in TLS is not looked at; `agents` have their say after the connector's own rules.
    `may_call` says whether a server of ours has a role that calls on a row; without `room` no mailbox is asked whether it is
    full. `own_names` are those that nobody else may speak for in Authentication-Results (`Organization.own_names`).
    """

    def __init__(
        self,
        guard: Guard,
        authenticator: Authenticator | None,
        directory: Directory | None,
        domains: Sequence[AcceptedDomain],
        intake: Intake,
        limits: Limits,
        observed: Observed,
        tracker: Tracker,
        fqdn: str,
        spool: FilePath,
        certificates: PeerCertificates | None = None,
        agents: Agents | None = None,
        may_call: Callable[[Identity, Path], bool] = lambda identity, row: True,
        room: Room | None = None,
        own_names: frozenset[str] = frozenset(),
    ) -> None:
        self.guard = guard
        self.authenticator = authenticator
        self.directory = directory
        self.domains = {a_labels(domain.name): domain.type for domain in domains}
        """Accepted domains by name."""
        self.default_domain = a_labels(domains[0].name)
        self.intake = intake
        self.limits = limits
        self.observed = observed
        self.tracker = tracker
        self.refusals = Refusals(tracker)
        self.fqdn = fqdn
        self.spool = spool
        self.certificates = certificates
        self.agents = agents
        self.room = room
        self._may_call = may_call
        self._own_names = own_names | {fqdn.lower()}
        self.clock = Clock()
        self._strangers: dict[bool, Path | Refusal] = {}
        self._offers: dict[tuple[object, ...], tuple[Offer, tuple[str, ...]]] = {}
        self.bounds = ServerBounds(
            limits.line_length, limits.message_size, limits.recipients, limits.errors_per_connection
        )

    def reorganize(self, organization: Organization) -> None:
        """The accepted domains are others now."""
        self.domains = organization.domain_types()
        self._own_names = organization.own_names() | {self.fqdn.lower()}

    def stranger(self, seal: Seal | None) -> Path | Refusal:
        """The row of a caller who has proven nothing. Asked of the guard once: only whether there is a seal matters."""
        sealed = seal is not None
        if sealed not in self._strangers:
            self._strangers[sealed] = self.guard.row_for(NOBODY, seal)
        return self._strangers[sealed]

    def row_for(self, identity: Identity, seal: Seal | None) -> Path | Refusal:
        """The row that a proven caller is on."""
        return self.guard.row_for(identity, seal, lambda row: self._may_call(identity, row))

    def without_our_word(self, header: bytes) -> bytes:
        """The header without what claims to be found out by us, for mail that none of our servers brings: readers of it, our
        own among them, would believe it (RFC 8601 section 5)."""
        return without_claims(header, self._own_names, self.domains)

    def record(self, accepted: Accepted, envelope: Envelope, origin: Origin, seal: Seal | None) -> None:
        """That a message is in the queue: into the tracking log and the observations."""
        self.observed.seen(origin.path, origin.client, origin.mechanism, seal, time.time())
        self.tracker.record(
            TrackingRecord(
                *(Step.RECEIVE, accepted.message_id, accepted.queue_id, origin.path, origin.client),
                *(origin.mechanism, origin.cipher, envelope.sender, envelope.addresses, "250 2.0.0"),
            )
        )

    def offer(self, seal: Seal | None, can_upgrade: bool, binds: bool) -> tuple[Offer, tuple[str, ...]]:
        """What the guard offers on such a connection now, and as the lines that EHLO shows."""
        key = seal is not None, can_upgrade, binds, self.guard.available
        if key not in self._offers:
            offer = self.guard.offer(seal, can_upgrade)
            lines = [f"SIZE {self.limits.message_size}", *_ALWAYS]
            lines += ["STARTTLS"] if offer.upgrade else []
            names = sasl.names(offer.mechanisms, binds)
            lines += ["AUTH " + " ".join(names)] if names else []
            self._offers[key] = offer, tuple(lines)
        return self._offers[key]
