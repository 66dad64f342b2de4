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
from postern.model.security import NOBODY, Peer
from postern.net.dns import Resolver
from postern.paths.table import settle
from postern.protocols.authentication.header import addresses, fields, named
from postern.protocols.mime.header import lines_end
from postern.protocols.smtp.reply import Reply
from postern.services.agents.look_ups import BlockLists, LookUps, no_dns
from postern.services.agents.pipeline import AgentPipeline, AgentSteps
from postern.services.agents.state import Statistics
from postern.services.smtp.receive_connector import Caller
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
    end = lines_end(data)
    header = data[:end] if end >= 0 else data
    if sender is None:
        sender = next(iter(addresses([each.value for each in named(fields(header), "from")])), "")
    envelope = Envelope(sender.strip("<>"), tuple(map(EnvelopeRecipient, recipients)))
    caller = Caller(Peer(client, 0), helo, NOBODY, None, "edge-to-edge" if on_edge else "internet-to-hub")

    async def run() -> Trial:
        rows = settle(organization.profile)

        def look_ups(row: str) -> LookUps:
            return no_dns() if offline else LookUps(Resolver(rows[row], organization.dns_servers).look_up)

        pipeline = AgentPipeline(
            folder.root,
            look_ups("any-server-to-dns"),
            BlockLists(look_ups("dnsbl")),
            Statistics(None),
            fqdn,
            organization,
            on_edge,
        )
        return await _run(AgentSteps(pipeline), pipeline, caller, envelope, header, Content.of(data[len(header) :]))

    return asyncio.run(run())


async def _run(
    steps: AgentSteps, pipeline: AgentPipeline, caller: Caller, envelope: Envelope, header: bytes, body: Content
) -> Trial:
    trial, chain = Trial(), pipeline.chain
    await steps.connected(caller)
    refusal = await steps.mail(caller, envelope.sender)
    if refusal is not None:
        return _refused(trial, "sender-filter", refusal)
    for recipient in envelope.recipients or (EnvelopeRecipient("somebody@invalid"),):
        said = steps.rcpt(caller, recipient)
        refusal = said if said is None or isinstance(said, Reply) else await said
        if refusal is not None:
            by = "connection-filter" if str(caller.peer.host) in refusal.text else "recipient-filter"
            return _refused(trial, by, refusal)
    if chain.connection is not None:
        trial.steps.append(("connection-filter", "passed", "on no list"))
    if chain.recipient is not None and envelope.recipients:
        trial.steps.append(("recipient-filter", "passed", "the directory was not asked"))
    examined = await steps.examine(caller, envelope, header, body)
    trial.steps += examined.steps
    before = [each.raw for each in fields(header)]
    after = [each.raw for each in fields(examined.header)]
    trial.added = [raw.decode("utf-8", "replace").rstrip() for raw in after if raw not in before]
    trial.removed = [raw.decode("utf-8", "replace").rstrip() for raw in before if raw not in after]
    trial.reply = examined.reply
    return trial


def _refused(trial: Trial, agent: str, reply: Reply) -> Trial:
    trial.steps.append((agent, "refused", reply.words))
    trial.reply = reply
    return trial
