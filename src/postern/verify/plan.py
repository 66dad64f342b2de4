"""Chooses the rows that a server dials, and gives the reason why it does not dial each of the others.

Pure: reads the settled table, the table of probes and the organization. A row that the program does not speak is "not built";
one whose roles or surroundings are missing here, or that nobody can dial from outside, is "not deployed"; one that only other
hosts can dial is "elsewhere". None of them ever counts as passed.
"""

from __future__ import annotations

from postern.model.organization import Organization, Role, Server
from postern.paths.deployment import closed, within_hosts
from postern.paths.places import ROLES
from postern.paths.row import Party, Path
from postern.verify.probes import PROBES, From
from postern.verify.report import Verdict


def verdict_without_probe(row: Path, organization: Organization, here: Server) -> tuple[Verdict, str] | None:
    """The verdict on a row that the server `here` cannot dial, with the reason; None if it can and must dial the row."""
    if row.waits:
        return Verdict.NOT_BUILT, row.waits
    probe = PROBES[row.id]
    # A row that is closed to the network because both its ends are on this host is dialled at its unix socket.
    asked_here = probe.run is not None and within_hosts(organization, row)
    if not asked_here and (reason := closed(organization, row)):
        return Verdict.NOT_DEPLOYED, reason
    if probe.run is None:
        return Verdict.NOT_DEPLOYED, probe.because
    for role in _roles(row):
        if not organization.with_role(role):
            return Verdict.NOT_DEPLOYED, f"no server has the role {role}"
    if probe.where is From.ANOTHER and len(organization.with_role(ROLES[row.callee])) == 1:
        return Verdict.NOT_DEPLOYED, f"waits for a second {row.callee}"
    if not targets(row, organization, here):
        return Verdict.ELSEWHERE, f"verify it on {', '.join(_callers(row, organization))}"
    return None


def targets(row: Path, organization: Organization, here: Server) -> tuple[Server, ...]:
    """The servers that `here` dials for a row with a probe. `here` itself stands for a callee that is no server of ours (a domain
    controller, a database)."""
    if here.name not in _callers(row, organization):
        return ()
    where = PROBES[row.id].where
    if where is From.HOME or row.callee not in ROLES:
        return (here,)
    callees = organization.with_role(ROLES[row.callee])
    return tuple(server for server in callees if where is not From.ANOTHER or server.name != here.name)


def has_probe(row_id: str) -> bool:
    """Whether a server of ours can dial the row at all."""
    return row_id in PROBES and PROBES[row_id].run is not None


def is_dialled_at_home(row_id: str) -> bool:
    """Whether the server that answers the row dials itself."""
    return row_id in PROBES and PROBES[row_id].where is From.HOME


def _roles(row: Path) -> list[Role]:
    """The roles that the row's probe needs: those at its ends, and those behind the callee."""
    ends = (ROLES[party] for party in (*row.caller, row.callee) if party in ROLES)
    return list(dict.fromkeys((*ends, *PROBES[row.id].behind)))


def _callers(row: Path, organization: Organization) -> list[str]:
    """The names of the servers that can dial the row. An edge is not in the domain and has no access to the private
    directory."""
    if PROBES[row.id].where is From.HOME:
        return [server.name for server in organization.with_role(_roles(row)[0])]
    if not {Party.ANY_SERVER, Party.MONITOR}.isdisjoint(row.caller):
        return [server.name for server in organization.servers if Role.EDGE not in server.roles]
    roles = {ROLES[party] for party in row.caller if party in ROLES}
    return [server.name for server in organization.servers if roles & server.roles]
