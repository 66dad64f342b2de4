"""Collects what `postern verify` needs of this host: the organization, its authority, and the secrets of the accounts that it
tries.

Reads the state folder; asks the running directory which mechanisms are enabled.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from postern.directory.slapd_adapter import SERVICE
from postern.host import (
    certificates,
    client_authorities,
    configuration,
    directory,
    edge,
    own_certificate,
    secret_files,
    state,
)
from postern.host.engines import start as engines
from postern.model.directory import PROBE, DirectoryUnavailable, DomainController, TrustedCertificate
from postern.model.organization import Organization, Role, Server, StateFolder
from postern.model.security import Mechanism
from postern.net.tls import Certificate, authorities_file
from postern.paths.table import settle
from postern.roles.secrets import Secret
from postern.verify.sasl_client import Credentials
from postern.verify.subject import Subject
from postern.verify.unix_sockets import reachable, under

_ENABLED = {"nt": Mechanism.NTLM, "scram-sha-256": Mechanism.SCRAM, "digest": Mechanism.DIGEST}


class NothingRuns(Exception):
    """The organization does not run, so that nothing can be verified; the text says what to do."""


def subject(state_dir: str | None, server: str | None = None) -> Subject:
    """The subject of a verification on this host. Root becomes the state folder's owner, for good. Raises ConfigurationError,
    StateError (NotStarted too), NothingRuns."""
    folder = state.find(state_dir)
    state.check_ours(folder)
    reached = reachable(under(folder.sockets)) if os.geteuid() == 0 and folder.sockets.is_dir() else None
    state.act_as_owner(folder)
    configured = configuration.load(folder)
    here = configuration.this_server(configured, server or configuration.recorded(folder), None)
    organization = engines.resolved(configured, folder, here)
    try:
        answers = asyncio.run(
            _edge(folder, organization, here) if Role.EDGE in here.roles else _ask(folder, organization, here)
        )
    except DirectoryUnavailable:
        raise NothingRuns(
            f"the organization at {folder.root} does not run, or its directory does not answer: start it with `postern run`"
        ) from None
    name, password = answers.probe
    realm = organization.realm
    principal = f"{name.partition('@')[0]}@{realm}" if realm else ""
    machine, keytab = f"{here.machine_account}@{realm}" if realm else "", organization.keytab if realm else ""
    return Subject(
        organization=organization,
        here=here,
        rows=settle(organization.profile),
        authority=Path(
            own_certificate.trusted_by_clients(folder, organization)
            or authorities_file("")
            or certificates.authority_file(folder)
        ),
        probe=Credentials(name, password, principal),
        machine=Credentials(here.machine_account, _secret(folder, Secret.MACHINE_ACCOUNT), machine, keytab),
        service=_service(folder, organization, here),
        enabled=frozenset(_ENABLED[kind] for kind in answers.kinds if kind in _ENABLED),
        sockets=folder.sockets,
        reached=reached,
        certificate=certificates.place(folder),
        probe_authority=_probe_authority(folder, organization),
        closed=answers.closed,
        trusted=answers.trusted,
        controllers=answers.controllers,
        subscribed=answers.subscribed,
        replication=answers.replication,
    )


def _probe_authority(folder: StateFolder, organization: Organization) -> Certificate | None:
    here = client_authorities.probe_authority(folder)
    return here if organization.client_certificates is not None and here.key.exists() else None


@dataclass(frozen=True, slots=True)
class _Known:
    """The answers of the running directory."""

    probe: tuple[str, str]
    kinds: frozenset[str] = frozenset()
    trusted: tuple[TrustedCertificate, ...] = ()
    controllers: tuple[DomainController, ...] = ()
    subscribed: Mapping[str, str] = field(default_factory=dict)
    replication: Mapping[str, tuple[Credentials, ...]] = field(default_factory=dict)
    closed: str = ""


async def _ask(folder: StateFolder, organization: Organization, here: Server) -> _Known:
    """Asks the organization's directory. Raises DirectoryUnavailable, SeedError."""
    async with directory.opened(folder, organization) as opened:
        probe = await directory.ensure_probe_account(opened, folder, organization)
        closed = await directory.ensure_closed_probe(opened, organization)
        kinds = await opened.read.enabled_verifiers()
        trusted = await opened.read.trusted_certificates()
        controllers = tuple(await opened.locator.controllers()) if opened.locator is not None else ()
    answers = _Known(probe, kinds, trusted, controllers, closed=closed)
    if Role.HUB not in here.roles or not organization.with_role(Role.EDGE):
        return answers
    async with edge.hub_side(organization, here, folder) as side:
        subscriptions = await side.logins()
    sites = {name: site for name, (site, _) in subscriptions.items()}
    accounts = {name: tuple(Credentials(*login) for login in logins) for name, (_, logins) in subscriptions.items()}
    return replace(answers, subscribed=sites, replication=accounts)


async def _edge(folder: StateFolder, organization: Organization, here: Server) -> _Known:
    """Asks an edge's directory. Nobody has an account there; the edge knows the probe's address by EdgeSync. Raises
    DirectoryUnavailable."""
    probe = f"{PROBE}@{organization.default_domain}", ""
    async with edge.replica(organization, here, folder) as replica:
        return _Known(probe, trusted=await replica.trusted_certificates())


def _service(folder: StateFolder, organization: Organization, here: Server) -> Credentials:
    """The account by which this host's own directory knows its processes; empty if the directory is Active Directory."""
    if Role.EDGE in here.roles:
        keytab = Path(organization.keytab) if organization.keytab else folder.keytab
        password = _secret(folder, Secret.ADAM_SERVICE)
        return Credentials(Secret.ADAM_SERVICE, password, keytab=str(keytab) if keytab.exists() else "")
    if organization.active_directory is not None:
        return Credentials("", "")
    return Credentials(SERVICE, _secret(folder, Secret.DIRECTORY))


def _secret(folder: StateFolder, secret: Secret) -> str:
    """Reads a secret, which exists because the organization has run. An edge has no machine account, so that its secret is "".
    Raises NotStarted, OSError."""
    try:
        return secret_files.known(folder, secret)
    except secret_files.NotStarted:
        if secret is not Secret.MACHINE_ACCOUNT:
            raise
        return ""
