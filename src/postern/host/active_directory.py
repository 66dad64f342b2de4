"""`postern setup ad` on this host: chooses the controller, plans the changes there, and stores the servers' secrets.

Reads postern.toml and the secrets that are there; writes keytabs and passwords into this host's state folder or into a folder
to be carried to other hosts. `directory.ad.setup`, `ad_servers` and `ad_removal` plan the changes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from postern.directory.ad import forest as ad_forest
from postern.directory.ad import removal as ad_removal
from postern.directory.ad import servers as ad_servers
from postern.directory.ad import setup as ad_setup
from postern.directory.ad.administrator_connection import AdministratorClient, check_tickets, take_ticket
from postern.directory.ad.forest import Executor, Root
from postern.directory.ad.names import PROBE_ACCOUNT
from postern.directory.ad.setup import Forest
from postern.directory.ad.steps import Plan, SetupStep
from postern.host import machine_files, state
from postern.host.domain_session import choose, domain_of, kerberos
from postern.host.machine_files import Places
from postern.model.directory import DomainController
from postern.model.organization import Organization, Server
from postern.net.tunnel import tunnel
from postern.paths.table import settle
from postern.roles.secrets import Secret


@dataclass(frozen=True, slots=True)
class SetupRequest:
    """The options of `postern setup ad`. `user` "" uses the tickets that are there; `controller` "" lets DNS or the [[host]]
    tables choose one. `servers` are the servers whose accounts are made. With `everything` the forest too is prepared or, with
    `remove`, restored."""

    organization: Organization
    servers: tuple[Server, ...]
    places: Places
    remove: bool = False
    everything: bool = True
    user: str = ""
    password: str = ""
    controller: str = ""

    @property
    def domain(self) -> str:
        """Raises SetupError in an organization without Active Directory."""
        return domain_of(self.organization).domain

    @property
    def realm(self) -> str:
        return self.domain.upper()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, and the controller where it was made and will be carried out."""

    plan: Plan
    controller: DomainController


async def prepare(request: SetupRequest) -> Prepared:
    """Reads the forest and plans. Raises SetupError, NotProven, DirectoryUnavailable."""
    controller = await choose(request.organization, request.controller)
    async with _session(request, controller) as (client, root):
        forest = await ad_forest.read(client, root, request.servers)
        plan = _plan(request, forest)
        master = await ad_forest.schema_master(client, root) if plan.changes_schema else ""
    if master and master.lower() != controller.fqdn.lower():
        # One controller for all, so that no step waits for replication; only the master takes changes of the schema.
        controller = await choose(request.organization, master)
    return Prepared(plan, controller)


async def carry_out(request: SetupRequest, prepared: Prepared, step: Callable[[SetupStep], None]) -> None:
    """Carries out the plan and calls `step` before each of its steps. Raises what `prepare` raises. After a failure, the steps
    done so far stay done. Each secret is stored as soon as it is made."""
    async with _session(request, prepared.controller) as (client, root):
        executor = Executor(client, root)
        servers = {server.machine_account: server for server in request.servers}
        for planned in prepared.plan.steps:
            step(planned)
            await executor.carry_out(planned)
            if planned.account in servers:
                server = servers[planned.account]
                dn = ad_servers.computer_dn(root.domain, server)
                version = await executor.version(dn)
                machine_files.keep(request.places, request.realm, server, executor.secrets[planned.account], version)
            elif planned.account == PROBE_ACCOUNT:
                machine_files.keep_probe(request.places, request.servers, executor.secrets[planned.account])
        if request.remove:
            machine_files.forget(request.places, request.servers)
        else:
            machine_files.complete(request.places, request.realm, request.servers)


def may_write(request: SetupRequest) -> None:
    """Makes the folder for secrets, or checks that it is ours, before anything changes. If that folder is the state folder, root
    becomes its owner, for good. Raises StateError, OSError."""
    if request.places.output is not None:
        request.places.output.mkdir(mode=0o700, parents=True, exist_ok=True)
    else:
        state.act_as_owner(state.create(request.places.state.root))


def complete(request: SetupRequest) -> None:
    """Writes the files that are missing although the directory is complete. Raises StateError, OSError."""
    if any(machine_files.lacking(request.places, request.servers)):
        may_write(request)
        machine_files.complete(request.places, request.realm, request.servers)


def _plan(request: SetupRequest, forest: Forest) -> Plan:
    organization = request.organization
    steps: list[SetupStep] = []
    if request.remove:
        steps += (ad_removal.everything if request.everything else ad_removal.servers)(forest, request.servers)
        return Plan(tuple(steps), ad_removal.NOTES)
    steps += ad_setup.steps(forest, organization.default_domain)
    for server in request.servers:
        version = ad_servers.key_version(forest, server)
        known = machine_files.is_known(request.places, server, version)
        steps += ad_servers.steps(forest, server, known)
    notes = []
    steps += ad_servers.database_steps(forest, organization.databases)
    address = f"{PROBE_ACCOUNT}@{organization.default_domain}"
    probe_known = machine_files.has_probe(request.places, request.servers)
    if not probe_known and forest.has(ad_servers.probe_dn(forest)) and request.places.output is None:
        notes.append(
            f"The password of {PROBE_ACCOUNT} is not on this host: `postern verify` needs secrets/{Secret.PROBE_ACCOUNT} of "
            "another server's state folder here."
        )
        probe_known = True
    home = next(iter(organization.databases), None)
    steps += ad_servers.probe_steps(forest, request.domain, address, home, probe_known)
    return Plan(tuple(steps), (*notes, *machine_files.lacking(request.places, request.servers)))


@asynccontextmanager
async def _session(
    request: SetupRequest, controller: DomainController
) -> AsyncIterator[tuple[AdministratorClient, Root]]:
    with kerberos(request.realm, controller):
        if request.user:
            take_ticket(request.user, request.realm, request.password)
        else:
            check_tickets()
        client = AdministratorClient(settle(request.organization.profile)["setup-ad"], controller, tunnel)
        try:
            yield client, await ad_forest.root(client)
        finally:
            await client.close()
