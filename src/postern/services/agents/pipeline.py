"""The agents of a receive connector in their order: who is filtered, which agents are enabled, what each may cost and counts.

`transport.agents` decides; this module gives it facts, look-ups and time, and turns what it says into answers for
`receive_connector.ConnectionAgents`. Agents filter strangers' mail; users and our own servers are past them. An agent that
fails does what its line in the catalogue says, and is counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postern.model.directory import Directory
from postern.model.domains import a_labels, fold
from postern.model.mail import Content, Envelope, EnvelopeRecipient
from postern.model.organization import DomainType, Organization
from postern.model.security import PrincipalKind
from postern.protocols.smtp.address import domain_of
from postern.protocols.smtp.reply import Reply
from postern.services.agents.look_ups import BlockLists, LookUps
from postern.services.agents.message import Examined, MessageAgents
from postern.services.agents.state import AgentFile, AgentState, Statistics
from postern.services.smtp.receive_connector import AgentVerdict
from postern.services.smtp.recipients import of_directory
from postern.services.smtp.session import Session
from postern.telemetry.log import Event, log
from postern.transport.agents.block_lists import Provider, parse_provider
from postern.transport.agents.catalogue import BUILT
from postern.transport.agents.connection_filter import ConnectionFilter, IpAddress, Standing, client_address
from postern.transport.agents.recipient_filter import RecipientFilter
from postern.transport.agents.sender_filter import SenderFilter

FRESH = 2.0
"""Seconds until a change of the settings is known."""

_FILTERED = (PrincipalKind.ANONYMOUS, PrincipalKind.PEER)


@dataclass(frozen=True, slots=True)
class Chain:
    """The enabled agents under one version of the settings; None where one is disabled."""

    connection: ConnectionFilter | None
    providers: tuple[Provider, ...]
    sender: SenderFilter | None
    recipient: RecipientFilter | None
    message: MessageAgents


class AgentPipeline:
    """One a process; `for_connection` for each. `directory` is where the recipient filter looks recipients up, None where the
    connector itself does. `reorganize` when the organization is another one."""

    def __init__(
        self,
        state: Path,
        look_ups: LookUps,
        block_lists: BlockLists,
        statistics: Statistics,
        fqdn: str,
        organization: Organization,
        on_edge: bool,
        directory: Directory | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = AgentFile(state)
        self._look_ups = look_ups
        self.block_lists = block_lists
        self.statistics = statistics
        self._fqdn = fqdn
        self._on_edge = on_edge
        self.directory = directory
        self.clock = clock
        self.domains: dict[str, DomainType]
        self._own_names: frozenset[str]
        self._looked = float("-inf")
        self._state: AgentState | None = None
        self._chain: Chain
        self.reorganize(organization)

    def for_connection(self) -> ConnectionPipeline | None:
        """None where no agent that filters is enabled: a hub's mail then costs no step."""
        chain = self.chain
        idle = chain.connection is None and chain.sender is None and chain.recipient is None and chain.message.idle
        return None if idle else ConnectionPipeline(self)

    def reorganize(self, organization: Organization) -> None:
        """Accepted domains, and the names that nobody else may speak for in Authentication-Results."""
        self.domains = {a_labels(domain.name): domain.type for domain in organization.domains}
        self._own_names = organization.own_names() | {self._fqdn.lower()}
        self._looked, self._renewed = float("-inf"), True

    @property
    def chain(self) -> Chain:
        """What is valid now; the file is looked at every FRESH seconds."""
        now = time.monotonic()
        if now - self._looked >= FRESH:
            self._looked = now
            state = self._file.read()
            if state is not self._state or self._renewed:
                if self._state is not None and state is not self._state:
                    log(Event.AGENTS_CHANGED, enabled=[name for name in BUILT if state.is_enabled(name, self._on_edge)])
                self._chain = self._built(state)
                self._state, self._renewed = state, False
        return self._chain

    def _built(self, state: AgentState) -> Chain:
        connection: ConnectionFilter | None = self._agent(state, "connection-filter", ConnectionFilter)
        recipient: RecipientFilter | None = self._agent(state, "recipient-filter", RecipientFilter)
        if recipient is not None and self._state is not None and self._chain.recipient is not None:
            recipient.take_over(self._chain.recipient)
        providers = tuple(map(parse_provider, connection.settings.providers)) if connection is not None else ()
        sender: SenderFilter | None = self._agent(state, "sender-filter", SenderFilter)
        settings = {name: self._settings(state, name) for name in BUILT if state.is_enabled(name, self._on_edge)}
        message = MessageAgents(settings, sender, self._look_ups, self.statistics, self._fqdn, self._own_names)
        return Chain(connection, providers, sender, recipient, message)

    def _agent(self, state: AgentState, name: str, kind: Callable[[Any], Any]) -> Any:
        return kind(self._settings(state, name)) if state.is_enabled(name, self._on_edge) else None

    def _settings(self, state: AgentState, name: str) -> Any:
        try:
            return state.of(name)
        except ValueError as error:
            log(Event.AGENT_FAILED, agent=name, error=f"its settings are wrong, it runs with its defaults: {error}")
            return AgentState().of(name)


class ConnectionPipeline:
    """The agents of one connection (`receive_connector.ConnectionAgents`)."""

    __slots__ = ("_address", "_chain", "_p", "_refusal", "_standing", "_unknown")

    def __init__(self, pipeline: AgentPipeline) -> None:
        self._p = pipeline
        self._chain = pipeline.chain
        self._address: IpAddress | None = None
        self._standing = Standing.UNKNOWN
        self._unknown = 0
        self._refusal: tuple[Reply, str] | None = None
        """The last one, and the agent that gave it."""

    async def connected(self, session: Session) -> Reply | None:
        """Block lists are asked while greetings are said; who is listed hears of it at RCPT, when it is known for whom."""
        self._address = client_address(session.peer.host)
        chain = self._chain
        if chain.connection is not None and self._address is not None and session.identity.kind in _FILTERED:
            self._standing = chain.connection.standing(self._address, self._p.clock())
            unasked = self._standing is Standing.UNKNOWN and bool(chain.providers)
            if unasked and self._p.block_lists.known(self._address, chain.providers) is None:
                self._p.block_lists.start(self._address, chain.providers)
        return None

    def mail(self, session: Session, sender: str) -> Reply | None:
        self._chain = self._p.chain
        agent = self._chain.sender
        if agent is None or self._allowed or not self._filtered(session):
            return None
        return self._decided("sender-filter", lambda: agent.mail(sender))

    async def rcpt(self, session: Session, recipient: EnvelopeRecipient) -> Reply | None:
        if not self._filtered(session):
            return None
        return await self._connection(recipient.address) or await self._recipient(recipient)

    async def _connection(self, recipient: str) -> Reply | None:
        agent, providers, address = self._chain.connection, self._chain.providers, self._address
        if agent is None or address is None or self._allowed:
            return None
        if self._standing is Standing.UNKNOWN and not providers:
            return None
        if agent.bypassed(recipient):
            return None
        if self._standing is Standing.BLOCKED:
            return self._decided("connection-filter", lambda: agent.refusal(address))
        begun = time.perf_counter()
        zone = self._p.block_lists.known(address, providers)
        if zone is None:
            # Others may wait for the same answer: whoever hangs up leaves it to them. It ends in time and does not raise.
            zone = await asyncio.shield(self._p.block_lists.start(address, providers))
        return self._decided("connection-filter", lambda: agent.refusal(address, zone) if zone else None, begun)

    async def _recipient(self, recipient: EnvelopeRecipient) -> Reply | None:
        agent, directory = self._chain.recipient, self._p.directory
        if agent is None:
            return None
        address = fold(recipient.address)
        refusal = self._decided("recipient-filter", lambda: agent.rcpt(address))
        if refusal is not None or directory is None or not agent.settings.validate:
            return refusal
        if self._p.domains.get(domain_of(address)) is not DomainType.AUTHORITATIVE or address.startswith("postmaster@"):
            return None
        answer = of_directory(directory, address, False)
        reply = answer if isinstance(answer, Reply) else await answer
        return reply if reply.code >= 300 else None

    def unknown(self, session: Session, address: str) -> float:
        agent = self._chain.recipient
        if agent is None or self._allowed or not self._filtered(session):
            return 0.0
        self._unknown += 1
        self._p.statistics.add("recipient-filter", time.perf_counter(), 550)
        return agent.unknown(session.peer.host, self._unknown, self._p.clock())

    async def message(
        self, session: Session, envelope: Envelope, header: bytes, body: Content, key: str
    ) -> AgentVerdict:
        if not self._filtered(session):
            return AgentVerdict()
        examined = await self.examine(session, envelope, header, body, key)
        if examined.reply is not None:
            self._refusal = examined.reply, examined.by
        return AgentVerdict(examined.reply, examined.header)

    async def examine(
        self, session: Session, envelope: Envelope, header: bytes, body: Content, key: str = ""
    ) -> Examined:
        """The agents at the end of a message, with what each of them found."""
        return await self._chain.message.examine(
            self._address, session.helo, envelope.sender, header, body, self._p.clock(), self._allowed, key
        )

    def agent_of(self, reply: Reply) -> str:
        return self._refusal[1] if self._refusal is not None and self._refusal[0] is reply else ""

    def _filtered(self, session: Session) -> bool:
        return session.identity.kind in _FILTERED

    @property
    def _allowed(self) -> bool:
        """On the allow list: nothing that such a caller sends is refused as unwanted; what it writes into headers is still
        looked through, and recipients that do not exist still do not."""
        return self._standing is Standing.ALLOWED

    def _decided(
        self,
        name: str,
        decide: Callable[[], Reply | None],
        begun: float | None = None,
    ) -> Reply | None:
        """One agent's decision, counted. These agents let pass what they fail at."""
        begun = time.perf_counter() if begun is None else begun
        try:
            reply = decide()
        except Exception as error:
            log(Event.AGENT_FAILED, agent=name, error=repr(error))
            self._p.statistics.add(name, begun, error=True)
            return None
        self._p.statistics.add(name, begun, reply.code if reply is not None else 0)
        if reply is not None:
            self._refusal = reply, name
        return reply
