"""Tells whether an organization deploys a row, or why not. The firewall closes a row that is closed here, and a socket on it is a
rogue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from postern.model.organization import Organization, Role
from postern.paths.row import Need, Party, Path


def filtering_role(organization: Organization) -> Role:
    """The role whose agents filter strangers' mail: the edge where there is one, else the hub."""
    return Role.EDGE if organization.with_role(Role.EDGE) else Role.HUB


def within_hosts(organization: Organization, row: Path) -> bool:
    """True if the callee and all callers run on this host, so that the row uses a unix socket. `closed` is about the network
    only."""
    if row.needs is Need.DATABASE_URL:
        return _only_private(organization)
    if row.callee is Party.PRIVATE_DIRECTORY:
        by_edge = row.needs is Need.FILTERS and filtering_role(organization) is Role.EDGE
        return by_edge or (not organization.directory and organization.active_directory is None)
    return False


def _only_private(organization: Organization) -> bool:
    """Whether every mailbox database is in the private cluster of its server."""
    return not any(database.url for database in organization.databases)


def closed(organization: Organization, row: Path) -> str:
    """The reason why no socket may exist on this row in this organization; "" if one may."""
    return row.waits or (_MISSING[row.needs](organization) if row.needs is not None else "")


def _no_directory_url(organization: Organization) -> str:
    if organization.active_directory is not None:
        return "the directory is Active Directory"
    return "" if organization.directory else "the private directory listens on its unix socket only"


_MISSING: Mapping[Need, Callable[[Organization], str]] = MappingProxyType(
    {
        Need.EDGE: lambda org: "" if org.with_role(Role.EDGE) else "the organization has no edge",
        Need.NO_EDGE: lambda org: "strangers' mail passes the edge, not the hub" if org.with_role(Role.EDGE) else "",
        Need.DOMAIN: lambda org: "the organization has no Active Directory" if org.active_directory is None else "",
        Need.REALM: lambda org: "" if org.realm else "the organization has no realm",
        Need.METRICS: lambda org: "" if org.metrics else "metrics are not switched on",
        Need.ACME: lambda org: "" if org.acme else "ACME is not switched on",
        Need.AVAILABILITY: lambda org: (
            "" if org.availability else "no other organization is asked when its people are busy"
        ),
        Need.PUSH: lambda org: "" if org.push_notifications else "push notifications are not switched on",
        Need.FILTERS: lambda org: (
            "" if org.with_role(filtering_role(org)) else "no server here takes mail from strangers"
        ),
        Need.DIRECTORY_URL: _no_directory_url,
        Need.DATABASE_URL: lambda org: (
            "the private database cluster listens on its unix socket only" if _only_private(org) else ""
        ),
    }
)
"""By need, the reason why an organization lacks it; "" if it does not."""
