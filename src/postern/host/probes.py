"""What `postern verify` needs of this host: the organization, its authority, and the secrets of the accounts that it tries.

Reads the state folder; asks the running directory which mechanisms are enabled.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from postern.directory.slapd_adapter import SERVICE
from postern.host import certificates, configuration, directory, engines, secret_files, state
from postern.model.directory import DirectoryUnavailable
from postern.model.security import Mechanism
from postern.paths.table import settle
from postern.verify.sasl_client import Credentials
from postern.verify.subject import Subject
from postern.verify.unix_sockets import reachable, under

_ENABLED = {"nt": Mechanism.NTLM, "scram-sha-256": Mechanism.SCRAM}


class NothingRuns(Exception):
    """There is nobody to verify; the text says what to do."""


def subject(state_dir: str | None, server: str | None = None) -> Subject:
    """Root becomes the state folder's owner here, for good. Raises ConfigurationError, StateError, NothingRuns."""
    folder = state.find(state_dir)
    if not state.is_ours(folder):
        raise NothingRuns(f"no organization at {folder.root}: start one with «postern run», or name it with --state")
    reached = reachable(under(folder.sockets)) if os.geteuid() == 0 and folder.sockets.is_dir() else None
    state.act_as_owner(folder)
    organization = engines.resolved(configuration.load(folder), folder)
    here = configuration.this_server(organization, server, None)

    async def ask() -> tuple[tuple[str, str], frozenset[str]]:
        async with directory.opened(folder, organization) as opened:
            probe = await directory.ensure_probe_account(opened, folder, organization)
            return probe, await opened.read.enabled_verifiers()

    try:
        (name, password), kinds = asyncio.run(ask())
    except DirectoryUnavailable:
        raise NothingRuns(
            f"the organization at {folder.root} does not run, or its directory does not answer: start it with «postern run»"
        ) from None
    principal = f"{name.partition('@')[0]}@{organization.realm}" if organization.realm else ""
    return Subject(
        organization=organization,
        here=here,
        rows=settle(organization.profile),
        authority=certificates.authority_file(folder),
        probe=Credentials(name, password, principal),
        machine=Credentials(here.machine_account, _secret(folder.secrets / secret_files.MACHINE_ACCOUNT)),
        service=Credentials(SERVICE, _secret(folder.secrets / secret_files.DIRECTORY)),
        enabled=frozenset(_ENABLED[kind] for kind in kinds if kind in _ENABLED),
        sockets=folder.sockets,
        reached=reached,
    )


def _secret(file: Path) -> str:
    """It is there, for the organization has run: nothing is made up here. Raises OSError."""
    return file.read_text(encoding="utf-8").strip()
