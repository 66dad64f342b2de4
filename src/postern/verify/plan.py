"""Which rows are dialled, and what each of the others waits for.

Pure: reads the settled table and the organization. A row that the program does not speak is «not built»; one whose roles or
surroundings are missing here, or that nobody can dial from outside, is «not deployed». Neither ever counts as passed.
"""

from __future__ import annotations

from postern.model.organization import Organization, Role
from postern.model.security import Mechanism
from postern.paths.deployment import NOT_BUILT, closed
from postern.paths.row import Path
from postern.trust import kerberos
from postern.verify.report import Verdict

ROLES = {
    "internet-to-hub": (Role.HUB,),
    "client-to-hub-smtp": (Role.HUB,),
    "imap4": (Role.CLIENT_ACCESS, Role.MAILBOX),
    "pop3": (Role.CLIENT_ACCESS, Role.MAILBOX),
    "mailbox-to-hub-submission": (Role.MAILBOX, Role.HUB),
    "hub-to-mailbox-mapi": (Role.HUB, Role.MAILBOX),
    "cas-to-mailbox": (Role.CLIENT_ACCESS, Role.MAILBOX),
    "postgresql": (Role.MAILBOX,),
    "private-directory": (),
}
"""The rows that have a probe, with the roles that must be there for it."""

_PRIVATE = ("postgresql", "private-directory")
"""Rows that `paths.deployment` calls closed because only a unix socket of this host is open on them: they are asked there."""

_OUTWARD = {
    "hub-to-hub": "waits for a second hub",
    "hub-to-internet": "the hub dials strangers here; nobody can dial it («postern paths observed» shows its traffic)",
    "any-server-to-dns": "our servers ask the name servers here; nobody can dial it",
    "any-server-to-kdc": "our servers ask the realm's KDC here; it is not ours to verify",
    "ssh": "the machine's own, not Postern's",
    "ntp": "the machine's own, not Postern's",
    "dhcp": "the machine's own, not Postern's",
    "neighbour-discovery": "the machine's own, not Postern's",
}


def verdict_without_probe(row: Path, organization: Organization) -> tuple[Verdict, str] | None:
    """Why a row cannot be dialled here; None if it can and must be."""
    if row.id in NOT_BUILT:
        return Verdict.NOT_BUILT, NOT_BUILT[row.id]
    if row.id not in _PRIVATE and (reason := closed(organization, row)):
        return Verdict.NOT_DEPLOYED, reason
    if row.id not in ROLES:
        return Verdict.NOT_DEPLOYED, _OUTWARD[row.id]
    for role in ROLES[row.id]:
        if not organization.with_role(role):
            return Verdict.NOT_DEPLOYED, f"no server has the role {role}"
    return None


def no_realm(organization: Organization) -> str:
    """Why there is no Kerberos; "" if there is."""
    if not organization.realm:
        return "no realm"
    return "" if kerberos.AVAILABLE else "the extra postern[kerberos] is not installed"


def waiting_mechanisms(organization: Organization, enabled: frozenset[Mechanism]) -> dict[Mechanism, str]:
    """Mechanisms that users cannot have now, with the reason. `enabled` are those an administrator has switched on for users."""
    waiting = {}
    if reason := no_realm(organization):
        waiting[Mechanism.KERBEROS] = reason
    for mechanism, name in ((Mechanism.NTLM, "ntlm"), (Mechanism.SCRAM, "scram")):
        if mechanism not in enabled:
            waiting[mechanism] = f"not enabled (postern domain auth enable {name})"
    for mechanism in (Mechanism.CERTIFICATE, Mechanism.DIRECT_TRUST):
        waiting[mechanism] = "no client certificates are registered"
    return waiting
