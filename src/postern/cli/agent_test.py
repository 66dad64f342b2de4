"""Tries a message on the agents, for `postern agent test`.

It runs the pipeline itself, with the agents' file of the state folder; counts nothing and asks no directory.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import Any

from postern.cli.failures import Failure
from postern.model.mail import Content, Envelope, EnvelopeRecipient
from postern.model.organization import Organization, StateFolder
from postern.model.security import Peer
from postern.net.dns import Resolver
from postern.paths.guard import Offer
from postern.paths.table import settle
from postern.protocols.authentication.header import addresses, fields, named
from postern.protocols.mime.header import split_section
from postern.protocols.smtp.reply import Reply
from postern.services.agents.look_ups import BlockLists, LookUps, no_dns
from postern.services.agents.pipeline import AgentPipeline, AgentServices, Chain, ConnectionPipeline
from postern.services.agents.state import Statistics
from postern.services.smtp.session import Session
from postern.telemetry.log import configure
from postern.transport.agents.connection_filter import client_address


@dataclass
class Trial:
    """The outcome of a message at the agents. `steps` are (agent, verdict, why)."""

    steps: list[tuple[str, str, str]] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    reply: Reply | None = None

    @property
    def refused(self) -> bool:
        return self.reply is not None

    @property
    def outcome(self) -> str:
        return f"refused: {self.reply.words}" if self.reply is not None else "it would be taken"

    def as_json(self) -> dict[str, Any]:
        return {
            "steps": [dict(zip(("agent", "verdict", "why"), step, strict=True)) for step in self.steps],
            "added_fields": self.added,
            "removed_fields": self.removed,
            "reply": self.reply.words if self.reply is not None else None,
        }


def tried(
    folder: StateFolder,
    organization: Organization,
    fqdn: str,
    on_edge: bool,
    data: bytes,
    client: str,
    helo: str,
    sender: str | None,
    recipients: tuple[str, ...],
    offline: bool,
) -> Trial:
    configure("postern", None, "critical")  # a table shows what is refused
    if client_address(client) is None:
        raise Failure(f'"{client}" is no IP address: write one such as 192.0.2.1', os.EX_DATAERR)
    data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    header, rest = split_section(data)
    if sender is None:
        sender = next(iter(addresses([each.value for each in named(fields(header), "from")])), "")
    envelope = Envelope(sender.strip("<>"), tuple(map(EnvelopeRecipient, recipients)))
    rows = settle(organization.profile)
    row = rows["edge-to-edge" if on_edge else "internet-to-hub"]
    session = Session(Peer(client, 0), None, row, Offer(False, (), False), row.id, helo)

    async def run() -> Trial:
        def look_ups(row: str) -> LookUps:
            return no_dns() if offline else LookUps(Resolver(rows[row], organization.dns_servers).look_up)

        services = AgentServices(look_ups("any-server-to-dns"), BlockLists(look_ups("dnsbl")), Statistics(None))
        pipeline = AgentPipeline(folder.root, services, fqdn, organization, on_edge)
        agents, content = ConnectionPipeline(pipeline), Content.of(rest)
        return await _run(agents, pipeline.chain, session, envelope, header, content)

    return asyncio.run(run())


async def _run(
    agents: ConnectionPipeline, chain: Chain, session: Session, envelope: Envelope, header: bytes, body: Content
) -> Trial:
    trial = Trial()
    await agents.connected(session)
    refusal = agents.mail(session, envelope.sender)
    for recipient in envelope.recipients or (EnvelopeRecipient("somebody@invalid"),):
        refusal = refusal or await agents.rcpt(session, recipient)
    if refusal is not None:
        return _refused(trial, agents.agent_of(refusal), refusal)
    asked = [agent for agent in chain.at["at_rcpt"] if envelope.recipients or agent.acts("at_connection")]
    trial.steps = [(agent.name, "passed", agent.passed) for agent in asked]
    trial.reply, mail = await agents.examine(session, envelope, header, body)
    trial.steps += mail.notes
    before = [field.raw for field in fields(header)]
    after = [field.raw for field in fields(mail.header)]
    trial.added = [raw.decode("utf-8", "replace").rstrip() for raw in after if raw not in before]
    trial.removed = [raw.decode("utf-8", "replace").rstrip() for raw in before if raw not in after]
    return trial


def _refused(trial: Trial, agent: str, reply: Reply) -> Trial:
    trial.steps.append((agent, "refused", reply.words))
    trial.reply = reply
    return trial
