"""The agents in the order in which they run, which is Exchange Server 2007's: what each does and when, what it does when it
cannot find out, its settings, and those that are not built with what they wait for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from postern.transport.agents.connection_filter import ConnectionFilterSettings
from postern.transport.agents.dkim_signing import DkimSigningSettings
from postern.transport.agents.header_firewall import HeaderFirewallSettings
from postern.transport.agents.recipient_filter import RecipientFilterSettings
from postern.transport.agents.sender_filter import SenderFilterSettings
from postern.transport.agents.sender_policy import (
    AuthenticationResultsSettings,
    DkimVerificationSettings,
    DmarcSettings,
    SenderIdSettings,
    SpfSettings,
)


@dataclass(frozen=True, slots=True)
class Agent:
    """`when` are the SMTP moments it acts at; `doubt` is what it does when a look-up has no answer, or when it raises itself.
    `enabled` is where an edge starts. `waits_for` is not "" for one that is not built."""

    name: str
    says: str
    when: str
    doubt: str = ""
    settings: type[Any] | None = None
    enabled: bool = True
    waits_for: str = ""


_OPEN = "lets pass"
_AT_END = "lets pass; fails: 451, then 554"

CATALOGUE: tuple[Agent, ...] = (
    Agent(
        "connection-filter",
        "allow and block lists of addresses, DNS block lists",
        "connection, RCPT",
        _OPEN,
        ConnectionFilterSettings,
    ),
    Agent(
        "sender-filter",
        "blocked senders and domains, mail without a sender",
        "MAIL, end",
        _AT_END,
        SenderFilterSettings,
    ),
    Agent(
        "recipient-filter",
        "recipients closed to strangers, tarpit against harvesting",
        "RCPT",
        _OPEN,
        RecipientFilterSettings,
    ),
    Agent("sender-reputation", "levels from what a sender did before", "end", waits_for="a history of senders"),
    Agent(
        "header-firewall",
        "fields that only this organization may write",
        "end, outward",
        "fails: 451, then 554",
        HeaderFirewallSettings,
    ),
    Agent("spf", "may this address send for the sender's domain (RFC 7208)", "end", _AT_END, SpfSettings),
    Agent(
        "sender-id", "the same for the header's sender (RFC 4406, obsolete)", "end", _AT_END, SenderIdSettings, False
    ),
    Agent(
        "dkim-verification", "signatures of the sender's domain (RFC 6376)", "end", _AT_END, DkimVerificationSettings
    ),
    Agent("dmarc", "what From's domain wants done with forgeries (RFC 7489)", "end", _AT_END, DmarcSettings),
    Agent(
        "authentication-results",
        "tells these results to readers (RFC 8601)",
        "end",
        _AT_END,
        AuthenticationResultsSettings,
    ),
    Agent("content-filter", "spam confidence levels", "end", waits_for="a trained filter and a quarantine"),
    Agent("attachment-filter", "kinds of attachments that are taken out", "end", waits_for="the MIME writer"),
    Agent("transport-rules", "conditions and actions of the organization", "end", waits_for="rules in the directory"),
    Agent("journaling", "copies for an archive", "end", waits_for="rules in the directory"),
    Agent(
        "dkim-signing",
        "signs what leaves for other organizations",
        "outward",
        "sends unsigned",
        DkimSigningSettings,
    ),
)

BUILT = {agent.name: agent for agent in CATALOGUE if agent.settings is not None}
