"""Which rows this organization deploys, and what each of the others waits for.

Pure: reads the settled table and the organization. A row that has no probe yet is «not built»; one whose roles or
surroundings are missing here is «not deployed». Neither ever counts as passed.
"""

from __future__ import annotations

from postern.model.organization import Organization, Role
from postern.model.security import Mechanism
from postern.paths.row import Path
from postern.verify.report import Verdict

PROBED = frozenset(
    {
        "internet-to-hub",
        "client-to-hub-smtp",
        "imap4",
        "pop3",
        "mailbox-to-hub-submission",
        "hub-to-mailbox-mapi",
        "cas-to-mailbox",
    }
)

_EDGE = "waits for the edge transport role"
_AD = "waits for Active Directory as directory"
_WEB = "waits for the web services of client access"
_UM = "waits for the unified messaging role"
_CLUSTER = "waits for database replication"

_WAITS = {
    "hub-to-hub": "waits for a second hub and Kerberos between hubs",
    "hub-to-edge": _EDGE,
    "edge-to-hub": _EDGE,
    "edge-to-edge": _EDGE,
    "edgesync": _EDGE,
    "edge-adam": _EDGE,
    "um-to-hub": _UM,
    "um-submission": _UM,
    "um-to-mailbox": _UM,
    "um-fax": _UM,
    "um-phone": _UM,
    "um-web-service": _UM,
    "cas-to-um": _UM,
    "hub-to-ad": _AD,
    "mailbox-to-ad": _AD,
    "attendant-to-ad": _AD,
    "recipient-update-to-ad": _AD,
    "dsaccess-to-ad": _AD,
    "oab-to-ad": _AD,
    "rus-rpc": _AD,
    "ad-topology": _AD,
    "log-shipping": _CLUSTER,
    "seeding": _CLUSTER,
    "clustering": _CLUSTER,
    "vss-backup": "waits for backup",
    "legacy-backup": "waits for backup",
    "mapi-access": "waits for MAPI (EMSMDB and NSPI)",
    "mailbox-assistants": "waits for the mailbox assistants",
    "availability-to-mailbox": "waits for the availability service",
    "content-indexing": "waits for the content index",
    "admin-remote-registry": "waits for remote administration (winreg)",
    "admin-smb": "waits for remote administration (SMB)",
    "attendant-listen": "waits for the system attendant",
    "attendant-mapi": "waits for the system attendant",
    "outlook-oab-rpc": "waits for the offline address book",
    "cas-to-legacy-mailbox": "waits for coexistence with earlier versions",
}

_ROLES = {
    "internet-to-hub": (Role.HUB,),
    "client-to-hub-smtp": (Role.HUB,),
    "imap4": (Role.CLIENT_ACCESS, Role.MAILBOX),
    "pop3": (Role.CLIENT_ACCESS, Role.MAILBOX),
    "mailbox-to-hub-submission": (Role.MAILBOX, Role.HUB),
    "hub-to-mailbox-mapi": (Role.HUB, Role.MAILBOX),
    "cas-to-mailbox": (Role.CLIENT_ACCESS, Role.MAILBOX),
}


def verdict_without_probe(row: Path, organization: Organization) -> tuple[Verdict, str] | None:
    """Why a row cannot be dialled here; None if it can and must be."""
    if row.id not in PROBED:
        return Verdict.NOT_BUILT, _WAITS.get(row.id, "ours: no probe yet" if row.ours else _WEB)
    for role in _ROLES[row.id]:
        if not organization.with_role(role):
            return Verdict.NOT_DEPLOYED, f"no server has the role {role}"
    if row.id == "internet-to-hub" and organization.with_role(Role.EDGE):
        return Verdict.NOT_DEPLOYED, "strangers reach the edge, not the hub"
    return None


def waiting_mechanisms(organization: Organization, enabled: frozenset[Mechanism]) -> dict[Mechanism, str]:
    """Mechanisms that cannot be there now, with the reason. `enabled` are those an administrator has switched on for users."""
    waiting = {}
    if not organization.realm:
        waiting[Mechanism.KERBEROS] = "no realm"
    for mechanism, name in ((Mechanism.NTLM, "ntlm"), (Mechanism.SCRAM, "scram")):
        if mechanism not in enabled:
            waiting[mechanism] = f"not enabled (postern domain auth enable {name})"
    for mechanism in (Mechanism.CERTIFICATE, Mechanism.DIRECT_TRUST):
        waiting[mechanism] = "no client certificates are registered"
    return waiting
