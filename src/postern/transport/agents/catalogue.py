"""The agents in the order in which they run, which is Exchange Server 2007's, with those that are not built.

What each does, when, and what it does when it cannot find out, stands on its class (`agent.Agent`).
"""

from __future__ import annotations

from typing import Any

from postern.transport.agents.agent import Agent, Planned
from postern.transport.agents.authentication import AuthenticationResults, DkimVerification, Dmarc, SenderId, Spf
from postern.transport.agents.connection_filter import ConnectionFilter
from postern.transport.agents.dkim_signing import DkimSigning
from postern.transport.agents.header_firewall import HeaderFirewall
from postern.transport.agents.recipient_filter import RecipientFilter
from postern.transport.agents.sender_filter import SenderFilter

CATALOGUE: tuple[type[Agent[Any]] | Planned, ...] = (
    ConnectionFilter,
    SenderFilter,
    RecipientFilter,
    Planned("sender-reputation", "levels from what a sender did before", "a history of senders"),
    HeaderFirewall,
    Spf,
    SenderId,
    DkimVerification,
    Dmarc,
    AuthenticationResults,
    Planned("content-filter", "spam confidence levels", "a trained filter and a quarantine"),
    Planned("attachment-filter", "kinds of attachments that are taken out", "the MIME writer"),
    Planned("transport-rules", "conditions and actions of the organization", "rules in the directory"),
    Planned("journaling", "copies for an archive", "rules in the directory"),
    DkimSigning,  # after everything that changes the message
)

BUILT: dict[str, type[Agent[Any]]] = {agent.name: agent for agent in CATALOGUE if not isinstance(agent, Planned)}
