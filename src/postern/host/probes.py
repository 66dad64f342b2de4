"""What `postern verify` needs of this host: the organization, its authority, and the probe's and the machine's credentials.

Reads the state folder; asks the running directory which mechanisms are enabled.
"""

from __future__ import annotations

import asyncio

from postern.host import certificates, configuration, directory, engines, secret_files, state
from postern.model.security import Mechanism
from postern.paths.table import settle
from postern.verify.runner import Subject
from postern.verify.sasl_client import Credentials

_ENABLED = {"nt": Mechanism.NTLM, "scram-sha-256": Mechanism.SCRAM}


def subject(state_dir: str | None, server: str | None = None) -> Subject:
    """Raises ConfigurationError, StateError, DirectoryUnavailable: nothing runs, or not here."""
    folder = state.find(state_dir)
    organization = engines.resolved(configuration.load(folder), folder)
    here = configuration.this_server(organization, server, None)

    async def ask() -> tuple[tuple[str, str], frozenset[str]]:
        async with directory.opened(folder, organization) as opened:
            probe = await directory.ensure_probe_account(opened, folder, organization)
            return probe, await opened.read.enabled_verifiers()

    (name, password), kinds = asyncio.run(ask())
    return Subject(
        organization=organization,
        rows=settle(organization.profile),
        authority=certificates.authority_file(folder),
        probe=Credentials(name, password),
        machine=Credentials(here.machine_account, secret_files.obtain(folder, secret_files.MACHINE_ACCOUNT)),
        enabled=frozenset(_ENABLED[kind] for kind in kinds if kind in _ENABLED),
    )
