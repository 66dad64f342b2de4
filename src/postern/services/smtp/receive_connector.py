"""A receive connector: it holds what all SMTP conversations of one door share, and asks the guard what to offer them.

Built by a role from its parts; each connection is a `receive.ReceiveConversation` of it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Protocol

from postern.model.directory import Recipient
from postern.model.domains import a_labels
from postern.model.mail import Accepted, Content, Envelope, EnvelopeRecipient, Intake, Origin
from postern.model.organization import AcceptedDomain, Limits, Organization
from postern.model.security import NOBODY, Identity, Mechanism, Seal
from postern.net.link import Link
from postern.paths.guard import Guard, Offer, Refusal
from postern.paths.row import Path
from postern.protocols.authentication.results import without_claims
from postern.protocols.smtp.bounds import ServerBounds
from postern.protocols.smtp.reply import Reply
from postern.services.mailbox.room import Space
from postern.services.senders import SenderDirectory
from postern.services.smtp.data import Clock
from postern.services.smtp.refusals import Refusals
from postern.services.smtp.session import Session
from postern.telemetry.observed import Observed
from postern.telemetry.tracking import Tracker, TrackingRecord, TrackingStep
from postern.trust.authenticator import Authenticator
from postern.trust.certificates.owners import PeerCertificates
from postern.trust.framing import sasl

_ALWAYS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN", "ENHANCEDSTATUSCODES")


@dataclass(frozen=True, slots=True)
class AgentVerdict:
    """The agents' result for a message. `reply` refuses it (class 4 or 5) or, of class 2, is given instead of queueing it;
    `header` is the header section (CRLF lines, without the empty line) that goes into the queue instead of the one that came."""

    reply: Reply | None = None
    header: bytes | None = None


class ConnectionAgents(Protocol):
    """The agents of one connection, asked in this order; a Reply refuses (421 also ends the connection), None lets it pass.
    Where they may wait (a look-up) the connection waits. Must not raise; what they cannot find out, they let pass or refuse by a
    reply of class 4."""

    async def connected(self, session: Session) -> Reply | None:
        """Called before the greeting. A Reply is sent in place of the greeting, and ends the connection."""
        ...

    def mail(self, session: Session, sender: str) -> Reply | None:
        """`sender` is "" for the null reverse-path. A new MAIL begins a new transaction. Look-ups for it are made at RCPT, or at
        the end: a client that names no recipient costs no look-up."""
        ...

    async def rcpt(self, session: Session, recipient: EnvelopeRecipient) -> Reply | None:
        """Called only for recipients that the connector itself would take."""
        ...

    def unknown(self, session: Session, reply: Reply) -> float:
        """The connector is about to give this reply, 550 5.1.1, to RCPT: seconds to wait before it does (the tarpit against
        harvesting), 0 for none. Nothing is read from the connection meanwhile (`link.pause`)."""
        ...

    async def message(
        self, session: Session, envelope: Envelope, header: bytes, body: Content, key: str
    ) -> AgentVerdict:
        """`key` names the message while something is computed on it (`telemetry.attempts`).
        `header` is the header section as it came, without our own trace line; `body` begins with the empty line. Header and
        body together are the message octet for octet."""
        ...

    def agent_of(self, reply: Reply) -> str:
        """The agent that gave this refusal, if no agent has refused since; "" for a refusal by the connector itself."""
        ...


class Agents(Protocol):
    """The agents of a connector, in their order."""

    def for_connection(self) -> ConnectionAgents | None:
        """The agents of a new connection; None where no agent acts."""
        ...


class Room(Protocol):
    """Tells whether mailboxes have room (`services.mailbox.room.MailboxRoom`)."""

    def space(self, recipient: Recipient, size: int) -> Space | Awaitable[Space]:
        """The space that the mailbox has for a message of `size` octets (0: unknown)."""
        ...


@dataclass(frozen=True, slots=True)
class ConnectorPolicy:
    """The organization's settings: its accepted domains, the bounds of connections and messages, and the names that nobody else
    may speak for in Authentication-Results (`Organization.own_names`)."""

    domains: Sequence[AcceptedDomain]
    limits: Limits
    own_names: frozenset[str] = frozenset()

    @staticmethod
    def of(organization: Organization) -> ConnectorPolicy:
        return ConnectorPolicy(organization.domains, organization.limits, organization.own_names())


@dataclass(frozen=True, slots=True)
class CallerProofs:
    """The means by which callers prove who they are. Without an `authenticator` nobody logs on; without `certificates` a peer's
    certificate is not looked at. `may_call` says whether a server of ours has a role that calls on a row."""

    authenticator: Authenticator | None = None
    certificates: PeerCertificates | None = None
    may_call: Callable[[Identity, Path], bool] = lambda identity, row: True


@dataclass(frozen=True, slots=True)
class RecipientSources:
    """The sources that are asked about recipients. Without a `directory` every recipient of an accepted domain is taken; without
    `room` no mailbox is asked whether it is full."""

    directory: SenderDirectory | None = None
    room: Room | None = None


@dataclass(frozen=True, slots=True)
class ConnectorStores:
    """The stores that a connector writes to: the queue, the spool folder for contents that come in, observations and tracking."""

    intake: Intake
    spool: FilePath
    observed: Observed
    tracker: Tracker


class ReceiveConnector:
    """The state that all sessions of one door share. The door's rows, which the guard speaks for, decide whether it is one for
    the internet, for clients, for our own servers, or for several of them. `agents` decide after the connector's own rules.
    """

    def __init__(
        self,
        guard: Guard,
        fqdn: str,
        policy: ConnectorPolicy,
        stores: ConnectorStores,
        proofs: CallerProofs | None = None,
        recipients: RecipientSources | None = None,
        agents: Agents | None = None,
    ) -> None:
        self.guard = guard
        self.fqdn = fqdn
        self.limits = policy.limits
        self.domains = {a_labels(domain.name): domain.type for domain in policy.domains}
        """Accepted domains by name."""
        self.default_domain = a_labels(policy.domains[0].name)
        self.stores = stores
        self.proofs = proofs or CallerProofs()
        self.recipients = recipients or RecipientSources()
        self.agents = agents
        self.refusals = Refusals(stores.tracker)
        self.clock = Clock()
        limits = policy.limits
        self.bounds = ServerBounds(
            limits.line_length, limits.message_size, limits.recipients, limits.errors_per_connection
        )
        self._own_names = policy.own_names | {fqdn.lower()}
        self._strangers: dict[bool, Path | Refusal] = {}
        self._offers: dict[tuple[object, ...], Offer] = {}

    def reorganize(self, organization: Organization) -> None:
        """Replaces the accepted domains."""
        self.domains = organization.domain_types()
        self._own_names = organization.own_names() | {self.fqdn.lower()}

    def stranger(self, seal: Seal | None) -> Path | Refusal:
        """The row of a caller that has proven nothing. It only depends on whether there is a seal, and is remembered."""
        sealed = seal is not None
        if sealed not in self._strangers:
            self._strangers[sealed] = self.guard.row_for(NOBODY, seal)
        return self._strangers[sealed]

    def row_for(self, identity: Identity, seal: Seal | None) -> Path | Refusal:
        """The row that a proven caller is on."""
        return self.guard.row_for(identity, seal, lambda row: self.proofs.may_call(identity, row))

    def without_our_word(self, header: bytes) -> bytes:
        """The header without results that falsely claim to be ours, for mail that none of our servers brings: its readers, our
        servers among them, would believe them (RFC 8601 section 5)."""
        return without_claims(header, self._own_names, self.domains)

    def record(self, accepted: Accepted, envelope: Envelope, origin: Origin, seal: Seal | None) -> None:
        """Writes into the tracking log and the observations that a message is in the queue."""
        self.stores.observed.seen(origin.path, origin.client, origin.mechanism, seal, time.time())
        self.stores.tracker.record(
            TrackingRecord(
                *(TrackingStep.RECEIVE, accepted.message_id, accepted.queue_id, origin.path, origin.client),
                *(origin.mechanism, origin.cipher, envelope.sender, envelope.addresses, "250 2.0.0"),
            )
        )

    def offer(self, link: Link) -> Offer:
        """The guard's offer to such a connection now."""
        key = link.seal is not None, link.tls is not None, self.guard.available
        if key not in self._offers:
            self._offers[key] = self.guard.offer(link.seal, link.tls is not None)
        return self._offers[key]

    def session(self, link: Link) -> Session:
        """The session of a stranger: a connection begins with it, and again inside TLS."""
        return Session(link.peer, link.seal, self.stranger(link.seal), self.offer(link), self.guard.door)

    def extensions(self, session: Session, binds: bool) -> list[str]:
        """The lines that EHLO shows; `binds`: the connection's TLS gives a channel binding. A server of ours sees by
        AUTH EXTERNAL that its certificate is known; it may say so, too, and need not."""
        offer = session.offer
        is_known = session.identity.mechanism is Mechanism.DIRECT_TRUST
        mechanisms = ("EXTERNAL",) if is_known else sasl.names(offer.mechanisms, binds)
        lines = [f"SIZE {self.limits.message_size}", *_ALWAYS]
        lines += ["STARTTLS"] if offer.upgrade else []
        lines += ["AUTH " + " ".join(mechanisms)] if mechanisms else []
        return lines
