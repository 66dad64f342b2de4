"""The agents of a receive connector in their order: who is filtered, which agents are enabled, what each may cost and counts.

An agent (`transport.agents.agent`) decides; this module calls it at each of its moments, gives it look-ups and time, and turns
what it says into answers for `receive_connector.ConnectionAgents`. Agents filter strangers' mail; users and our own servers are
past them. At the end of a message an agent that fails keeps the message out; before that, a failing agent lets pass, and is
counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postern.model.directory import Directory
from postern.model.mail import Content, Envelope, EnvelopeRecipient
from postern.model.organization import DomainType, Organization
from postern.model.security import PrincipalKind
from postern.protocols.authentication import header as headers
from postern.protocols.smtp.address import domain_of
from postern.protocols.smtp.reply import Reply
from postern.services.agents.look_ups import BlockLists, LookUps
from postern.services.agents.state import AgentFile, AgentState, Statistics
from postern.services.smtp.data import BROKE, failed_again
from postern.services.smtp.receive_connector import AgentVerdict
from postern.services.smtp.recipients import of_directory
from postern.services.smtp.session import Session
from postern.telemetry.attempts import attempting
from postern.telemetry.log import Event, log
from postern.transport.agents.agent import Agent, AgentSources, IncomingMail, Stranger
from postern.transport.agents.catalogue import BUILT
from postern.transport.agents.connection_filter import client_address

FRESH = 2.0
"""Seconds until a change of the settings is known."""
TIME_LIMIT = 15.0
"""Seconds that DNS may take for one message, all its agents together; what is not answered then is unknown."""

_FILTERED = (PrincipalKind.ANONYMOUS, PrincipalKind.PEER)
_INWARD = ("at_connection", "at_mail", "at_rcpt", "at_unknown", "at_end")
_NOT_NOW = Reply(451, "4.3.0", "Local error in processing; try again later")


@dataclass(frozen=True, slots=True)
class AgentServices:
    """The services that agents use. The recipient filter looks recipients up in `directory`, None where the connector itself
    does so."""

    look_ups: LookUps
    block_lists: BlockLists
    statistics: Statistics
    directory: Directory | None = None
    clock: Callable[[], float] = time.time


@dataclass(frozen=True, slots=True)
class Chain:
    """The enabled agents under one version of the settings: all by name, and by moment those that act then."""

    by_name: dict[str, Agent[Any]]
    at: dict[str, tuple[Agent[Any], ...]]
    sources: AgentSources


class AgentPipeline:
    """The agents of a process; `for_connection` gives those of a connection. `state` is the state folder's root. `reorganize`
    takes over a changed organization."""

    def __init__(
        self, state: Path, services: AgentServices, fqdn: str, organization: Organization, on_edge: bool
    ) -> None:
        self._file = AgentFile(state)
        self._services = services
        self.statistics = services.statistics
        self._fqdn = fqdn
        self._on_edge = on_edge
        self._domains: dict[str, DomainType]
        self._own_names: frozenset[str]
        self._looked = float("-inf")
        self._state: AgentState | None = None
        self._chain: Chain
        self.reorganize(organization)

    def for_connection(self) -> ConnectionPipeline | None:
        """The agents of a new connection; None where no agent that filters is enabled: a hub's mail then costs nothing."""
        return ConnectionPipeline(self) if any(self.chain.at.values()) else None

    def reorganize(self, organization: Organization) -> None:
        """Takes over the accepted domains, and the names that nobody else may speak for in Authentication-Results."""
        self._domains = organization.domain_types()
        self._own_names = organization.own_names() | {self._fqdn.lower()}
        self._looked, self._renewed = float("-inf"), True

    @property
    def chain(self) -> Chain:
        """The chain under the present settings. The file is looked at every FRESH seconds."""
        now = time.monotonic()
        if now - self._looked >= FRESH:
            self._looked = now
            state = self._file.read()
            if state is not self._state or self._renewed:
                if self._state is not None and state is not self._state:
                    log(Event.AGENTS_CHANGED, enabled=[name for name in BUILT if state.is_enabled(name, self._on_edge)])
                self._chain = self._built(state, self._chain.by_name if self._state is not None else {})
                self._state, self._renewed = state, False
        return self._chain

    def _built(self, state: AgentState, former: dict[str, Agent[Any]]) -> Chain:
        agents: dict[str, Agent[Any]] = {}
        for name, kind in BUILT.items():
            if state.is_enabled(name, self._on_edge):
                agents[name] = kind(state.settings_of(name))
                if name in former:
                    agents[name].take_over(former[name])
        at = {moment: tuple(agent for agent in agents.values() if agent.acts(moment)) for moment in _INWARD}
        services, refused = self._services, self._refused_recipient
        sources = AgentSources(
            services.look_ups,
            services.block_lists,
            self._fqdn,
            self._own_names,
            refused if services.directory is not None else None,
            services.clock,
        )
        return Chain(agents, at, sources)

    async def _refused_recipient(self, address: str) -> Reply | None:
        directory = self._services.directory
        if directory is None or self._domains.get(domain_of(address)) is not DomainType.AUTHORITATIVE:
            return None
        if address.startswith("postmaster@"):
            return None
        answer = of_directory(directory, address, False)
        reply = answer if isinstance(answer, Reply) else await answer
        return reply if reply.code >= 300 else None


class ConnectionPipeline:
    """The agents of one connection (`receive_connector.ConnectionAgents`)."""

    __slots__ = ("_at", "_client", "_p", "_refusal")

    def __init__(self, pipeline: AgentPipeline) -> None:
        self._p = pipeline
        chain = pipeline.chain
        self._at = chain.at
        self._client = Stranger(chain.sources)
        self._refusal: tuple[Reply, str] | None = None
        """The last refusal, and the agent that gave it."""

    async def connected(self, session: Session) -> Reply | None:
        self._client.host = session.peer.host
        self._client.address = client_address(session.peer.host)
        if _is_filtered(session):
            for agent in self._at["at_connection"]:
                begun = time.perf_counter()
                try:
                    agent.at_connection(self._client)
                except Exception as error:
                    self._failed(agent, begun, error)
        return None

    def mail(self, session: Session, sender: str) -> Reply | None:
        chain = self._p.chain
        self._at, self._client.sources = chain.at, chain.sources
        if not _is_filtered(session):
            return None
        for agent in self._at["at_mail"]:
            begun = time.perf_counter()
            try:
                reply = agent.at_mail(self._client, sender)
            except Exception as error:
                self._failed(agent, begun, error)
            else:
                if self._decided(agent, begun, reply):
                    return reply
        return None

    async def rcpt(self, session: Session, recipient: EnvelopeRecipient) -> Reply | None:
        if not _is_filtered(session):
            return None
        for agent in self._at["at_rcpt"]:
            begun = time.perf_counter()
            try:
                reply = await agent.at_rcpt(self._client, recipient.address)
            except Exception as error:
                self._failed(agent, begun, error)
            else:
                if self._decided(agent, begun, reply):
                    return reply
        return None

    def unknown(self, session: Session, reply: Reply) -> float:
        if not _is_filtered(session) or self._client.is_allowed:
            return 0.0
        self._client.unknown += 1
        delay = 0.0
        for agent in self._at["at_unknown"]:
            begun = time.perf_counter()
            if not self.agent_of(reply):  # else its refusal is counted already
                self._p.statistics.add(agent.name, begun, reply.code)
            try:
                delay = max(delay, agent.at_unknown(self._client))
            except Exception as error:
                self._failed(agent, begun, error)
        return delay

    async def message(
        self, session: Session, envelope: Envelope, header: bytes, body: Content, key: str
    ) -> AgentVerdict:
        if not _is_filtered(session):
            return AgentVerdict()
        reply, mail = await self.examine(session, envelope, header, body, key)
        return AgentVerdict(reply, mail.header)

    async def examine(
        self, session: Session, envelope: Envelope, header: bytes, body: Content, key: str = ""
    ) -> tuple[Reply | None, IncomingMail]:
        """The agents at the end of a message: the refusal, and the message with what each of them found. An error counts against
        the message, which is refused for now, and for good the second time: no message passes that an agent could not look at.
        Never raises."""
        until, now = time.monotonic() + TIME_LIMIT, self._client.sources.clock()
        mail = IncomingMail(self._client, session.helo, envelope.sender, header, body, now, until, key)
        try:
            mail.fields = attempting(key, headers.fields, header)
        except Exception as error:
            log(Event.AGENT_FAILED, agent="message", error=repr(error))
            return _not_looked_at(key, error), mail
        for agent in self._at["at_end"]:
            begun = time.perf_counter()
            try:
                reply = await agent.at_end(mail)
            except Exception as error:
                reply = _not_looked_at(key, error)
                self._failed(agent, begun, error, reply.code)
                self._refusal = reply, agent.name
                return reply, mail
            if self._decided(agent, begun, None if self._client.is_allowed else reply):
                return reply, mail
        return None, mail

    def agent_of(self, reply: Reply) -> str:
        return self._refusal[1] if self._refusal is not None and self._refusal[0] is reply else ""

    def _decided(self, agent: Agent[Any], begun: float, reply: Reply | None) -> bool:
        """Counts a decision. Returns whether it refuses."""
        self._p.statistics.add(agent.name, begun, reply.code if reply is not None else 0)
        if reply is None:
            return False
        self._refusal = reply, agent.name
        return True

    def _failed(self, agent: Agent[Any], begun: float, error: Exception, code: int = 0) -> None:
        log(Event.AGENT_FAILED, agent=agent.name, error=repr(error))
        self._p.statistics.add(agent.name, begun, code, error=True)


def _is_filtered(session: Session) -> bool:
    return session.identity.kind in _FILTERED


def _not_looked_at(key: str, error: Exception) -> Reply:
    """The reply to a message at which an agent raised. A lack of resources does not count against the message."""
    if not isinstance(error, OSError | MemoryError) and failed_again(key, error):
        return BROKE
    return _NOT_NOW
