"""Which rows are dialled, and what each of the others waits for.

Pure: reads the settled table and the organization. A row that the program does not speak is "not built"; one whose roles or
surroundings are missing here, or that nobody can dial from outside, is "not deployed"; one that only other hosts can dial is
"elsewhere". None of them ever counts as passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from postern.model.organization import Organization, Role, Server
from postern.model.security import Mechanism
from postern.paths.deployment import closed
from postern.paths.row import Party, Path
from postern.trust.kerberos.library import AVAILABLE
from postern.verify.report import Verdict

ROLES: Mapping[str, tuple[Role, ...]] = MappingProxyType(
    {
        "internet-to-hub": (Role.HUB,),
        "client-to-hub-smtp": (Role.HUB,),
        "imap4": (Role.CLIENT_ACCESS, Role.MAILBOX),
        "pop3": (Role.CLIENT_ACCESS, Role.MAILBOX),
        "mailbox-to-hub-submission": (Role.MAILBOX, Role.HUB),
        "hub-to-mailbox-mapi": (Role.HUB, Role.MAILBOX),
        "cas-to-mailbox": (Role.CLIENT_ACCESS, Role.MAILBOX),
        "hub-to-hub": (Role.HUB,),
        "hub-to-edge": (Role.HUB, Role.EDGE),
        "edge-to-hub": (Role.EDGE, Role.HUB),
        "edge-to-edge": (Role.EDGE,),
        "edgesync": (Role.HUB, Role.EDGE),
        "edge-adam": (Role.EDGE,),
        "hub-to-ad": (Role.HUB,),
        "mailbox-to-ad": (Role.MAILBOX,),
        "client-access-to-ad": (Role.CLIENT_ACCESS,),
        "dsaccess-to-ad": (Role.MAILBOX,),
        "recipient-update-to-ad": (Role.MAILBOX,),
        "attendant-to-ad": (Role.MAILBOX,),
        "ad-topology": (),
        "rus-rpc": (Role.MAILBOX,),
        "postgresql": (Role.MAILBOX,),
        "private-directory": (),
    }
)
"""The rows that have a probe, with the roles that must be there for it."""

AT_HOME = frozenset(
    {"internet-to-hub", "client-to-hub-smtp", "imap4", "pop3", "edge-to-edge", "edge-adam", "postgresql"}
)
"""Rows that strangers, users or processes of the same host call: a server that answers them dials itself. All others only their
caller can dial, which alone has the credentials and the way through the firewalls."""

_PRIVATE = ("postgresql", "private-directory")
"""Rows that `paths.deployment` calls closed because only a unix socket of this host is open on them: they are asked there."""

_OUTWARD = {
    "hub-to-internet": "the hub dials strangers here; nobody can dial it (`postern paths observed` shows its traffic)",
    "any-server-to-dns": "our servers ask the name servers here; nobody can dial it",
    "any-server-to-kdc": "our servers ask the realm's KDC here; it is not ours to verify",
    "setup-ad": "the administrator's own: `postern setup ad`",
    "client-to-kdc": "between clients and their domain controllers; it is not ours to verify",
    "ad-replication": "between domain controllers; it is not ours to verify",
    "recipient-filter": "the edge asks its own directory here: see edge-adam",
    "dnsbl": "our servers ask block lists here; nobody can dial it",
    "ssh": "the machine's own, not Postern's",
    "ntp": "the machine's own, not Postern's",
    "dhcp": "the machine's own, not Postern's",
    "neighbour-discovery": "the machine's own, not Postern's",
}


def verdict_without_probe(row: Path, organization: Organization, here: Server) -> tuple[Verdict, str] | None:
    """Why a row cannot be dialled from the server `here`; None if it can and must be."""
    if row.waits:
        return Verdict.NOT_BUILT, row.waits
    if row.id not in _PRIVATE and (reason := closed(organization, row)):
        return Verdict.NOT_DEPLOYED, reason
    if row.id not in ROLES:
        return Verdict.NOT_DEPLOYED, _OUTWARD[row.id]
    if row.id == "private-directory" and organization.active_directory is not None:
        return Verdict.NOT_DEPLOYED, "the directory is Active Directory"
    for role in ROLES[row.id]:
        if not organization.with_role(role):
            return Verdict.NOT_DEPLOYED, f"no server has the role {role}"
    if row.id == "hub-to-hub" and len(organization.with_role(Role.HUB)) == 1:
        return Verdict.NOT_DEPLOYED, "waits for a second hub"
    if not targets(row, organization, here):
        return Verdict.ELSEWHERE, f"verify it on {', '.join(_callers(row, organization))}"
    return None


def targets(row: Path, organization: Organization, here: Server) -> tuple[Server, ...]:
    """The servers that `here` dials for a row with a probe; `here` itself stands for what is no server of ours (a domain
    controller, a database)."""
    if row.id in AT_HOME:
        return (here,) if here.name in _callers(row, organization) else ()
    if here.name not in _callers(row, organization):
        return ()
    if row.callee not in _ROLES:
        return (here,)
    callees = organization.with_role(Role(row.callee))
    return tuple(server for server in callees if row.id != "hub-to-hub" or server.name != here.name)


def _callers(row: Path, organization: Organization) -> list[str]:
    """The names of the servers that can dial the row. An edge is neither in the domain nor has it the private directory."""
    if row.id in AT_HOME:
        return [server.name for server in organization.with_role(ROLES[row.id][0])]
    if Party.ANY_SERVER in row.caller:
        return [server.name for server in organization.servers if Role.EDGE not in server.roles]
    roles = {Role(party) for party in row.caller if party in _ROLES}
    return [server.name for server in organization.servers if roles & server.roles]


_ROLES = frozenset(Party(role.value) for role in Role)


def no_realm(organization: Organization) -> str:
    """Why there is no Kerberos; "" if there is."""
    if not organization.realm:
        return "no realm"
    return "" if AVAILABLE else "the extra postern[kerberos] is not installed"


def waiting_mechanisms(organization: Organization, enabled: frozenset[Mechanism]) -> dict[Mechanism, str]:
    """Mechanisms that users cannot have now, with the reason. `enabled` are those an administrator has switched on for users."""
    waiting = {}
    if reason := no_realm(organization):
        waiting[Mechanism.KERBEROS] = reason
    if organization.active_directory is not None:
        waiting[Mechanism.SCRAM] = "Active Directory keeps no SCRAM verifiers"  # and NTLM is the domain's own
    else:
        for mechanism, name in ((Mechanism.NTLM, "ntlm"), (Mechanism.SCRAM, "scram")):
            if mechanism not in enabled:
                waiting[mechanism] = f"not enabled (postern domain auth enable {name})"
    for mechanism in (Mechanism.CERTIFICATE, Mechanism.DIRECT_TRUST):
        waiting[mechanism] = "no client certificates are registered"
    return waiting
