"""Which rows an organization deploys, and what each of the others waits for. What is closed here is closed in the firewall, and a
socket on it is a rogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from postern.model.organization import Organization, Role
from postern.paths.row import Path

_UM = "waits for the unified messaging role"
_WEB = "waits for the web services of client access"
_REPLICATION = "waits for database replication"
_BACKUP = "waits for backup"
_ADMINISTRATION = "waits for remote administration"
_ATTENDANT = "waits for the system attendant's legacy interfaces"

NOT_BUILT: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("um-to-hub", "um-submission", "um-to-mailbox", "um-fax", "um-phone", "um-web-service"), _UM)
    | dict.fromkeys(("cas-to-um", "rtp", "sip-redirect"), _UM)
    | dict.fromkeys(
        ("log-shipping", "seeding", "clustering", "cluster-heartbeat", "database-replication"), _REPLICATION
    )
    | dict.fromkeys(("vss-backup", "legacy-backup"), _BACKUP)
    | dict.fromkeys(("admin-remote-registry", "admin-smb"), _ADMINISTRATION)
    | dict.fromkeys(("attendant-listen", "attendant-mapi"), _ATTENDANT)
    | dict.fromkeys(("mailbox-webdav", "autodiscover", "availability", "owa", "outlook-anywhere", "activesync"), _WEB)
    | dict.fromkeys(("cas-to-cas-activesync", "cas-to-cas-owa", "cas-webdav", "outlook-oab-web"), _WEB)
    | dict.fromkeys(("mapi-over-http", "acme"), _WEB)
    | {
        "open-proxy-test": "waits for sender reputation",
        "mapi-access": "waits for MAPI (EMSMDB and NSPI)",
        "mailbox-assistants": "waits for the mailbox assistants",
        "availability-to-mailbox": "waits for the availability service",
        "content-indexing": "waits for the content index",
        "oab-to-ad": "waits for the offline address book",
        "outlook-oab-rpc": "waits for the offline address book",
        "cas-to-legacy-mailbox": "waits for coexistence with earlier versions",
    }
)
"""Rows that the program does not speak yet, and what each waits for."""

OF_THE_MACHINE = frozenset({"ssh", "ntp", "dhcp", "neighbour-discovery"})
"""Rows that the machine's own services use: the firewall opens them, no process of ours ever does."""

_OF_EDGES = frozenset({"hub-to-edge", "edge-to-hub", "edge-to-edge", "edgesync", "edge-adam"})
_OF_THE_DOMAIN = frozenset(
    {
        *("hub-to-ad", "mailbox-to-ad", "client-access-to-ad", "dsaccess-to-ad", "attendant-to-ad"),
        *("recipient-update-to-ad", "rus-rpc", "ad-topology", "setup-ad", "client-to-kdc", "ad-replication"),
    }
)
_OF_FILTERS = frozenset({"recipient-filter", "dnsbl"})


def filtering_role(organization: Organization) -> Role:
    """The role whose agents look at mail from strangers: the edge where there is one."""
    return Role.EDGE if organization.with_role(Role.EDGE) else Role.HUB


def within_hosts(organization: Organization, row: Path) -> bool:
    """True if the callee and all callers run on this host, so that the row uses a unix socket; `closed` speaks of the network
    only."""
    if row.id == "postgresql":
        return not organization.postgres
    if row.id == "private-directory":
        return not organization.directory and organization.active_directory is None
    if row.id == "recipient-filter":
        edge = filtering_role(organization) is Role.EDGE
        return edge or (not organization.directory and organization.active_directory is None)
    return False


def closed(organization: Organization, row: Path) -> str:
    """Why no socket may exist on this row in this organization; "" if one may."""
    if row.id in NOT_BUILT:
        return NOT_BUILT[row.id]
    if row.id in _OF_EDGES and not organization.with_role(Role.EDGE):
        return "the organization has no edge"
    if row.id in _OF_THE_DOMAIN and organization.active_directory is None:
        return "the organization has no Active Directory"
    if row.id in _OF_FILTERS and not organization.with_role(filtering_role(organization)):
        return "no server here takes mail from strangers"
    if row.id in ("internet-to-hub", "hub-to-internet") and organization.with_role(Role.EDGE):
        return "strangers' mail passes the edge, not the hub"
    if row.id == "metrics" and not organization.metrics:
        return "metrics are not switched on"
    if row.id == "any-server-to-kdc" and not organization.realm:
        return "the organization has no realm"
    if row.id == "private-directory" and organization.active_directory is not None:
        return "the directory is Active Directory"
    if row.id == "private-directory" and not organization.directory:
        return "the private directory listens on its unix socket only"
    if row.id == "postgresql" and not organization.postgres:
        return "the private database cluster listens on its unix socket only"
    return ""
