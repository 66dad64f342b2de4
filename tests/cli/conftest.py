"""An organization with a running private directory and nothing else, for the commands that need no more."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import structlog
from click.testing import CliRunner, Result

from postern.cli import state_folder as state_folder_option
from postern.cli.alias import alias
from postern.cli.database import database
from postern.cli.domain import domain
from postern.cli.group import group
from postern.cli.mailbox import mailbox
from postern.cli.room import room
from postern.cli.user import user
from postern.directory.settings import AdministrationError
from postern.directory.slapd_adapter import SlapdDirectory
from postern.host import configuration, directory
from postern.host import state as state_folder
from postern.host.engines import start as engines
from postern.model.directory import RecipientType
from postern.model.organization import Organization, StateFolder
from postern.model.security import Peer
from postern.trust.acceptor import Granted
from postern.trust.authenticator import Authenticator
from postern.trust.passwords.realm_hash import KeptRealmHashes
from tests.support.needs import needs

COMMANDS: dict[str, click.Command] = {
    "user": user,
    "group": group,
    "alias": alias,
    "database": database,
    "domain": domain,
    "mailbox": mailbox,
    "room": room,
}
PASSWORD = "through the glass"


class Organized:
    """Gives commands on one state folder."""

    def __init__(self, state: StateFolder, organization: Organization) -> None:
        self.state = state
        self.organization = organization

    def postern(self, *words: str, typed: str | None = None) -> Result:
        command, *rest = words
        return CliRunner().invoke(COMMANDS[command], [*rest, "--state", str(self.state.root)], input=typed)

    def done(self, *words: str, typed: str | None = None) -> str:
        result = self.postern(*words, typed=typed)
        assert result.exit_code == 0, result.output or repr(result.exception)
        return result.output

    def json(self, *words: str) -> Any:
        return json.loads(self.done(*words, "--json"))

    def refused(self, *words: str, typed: str | None = None) -> str:
        """The one line that a person sees."""
        result = self.postern(*words, typed=typed)
        assert result.exit_code != 0
        if isinstance(result.exception, AdministrationError):
            return str(result.exception)
        assert isinstance(result.exception, SystemExit), repr(result.exception)
        return result.output

    def add(self, name: str, *more: str) -> None:
        self.done("user", "add", name, *more, "--password-stdin", typed=PASSWORD + "\n")

    def without_postmaster(self) -> None:
        """Removes what no command removes, so that those who are listed are those whom a test added."""

        async def work() -> None:
            async with directory.opened(self.state, self.organization) as opened:
                for one in await opened.write.listings(RecipientType.USER):
                    if one.name.startswith("postmaster@"):
                        await opened.write.remove(one.name, RecipientType.USER)

        asyncio.run(work())

    def logs_on(self, name: str, password: str) -> bool:
        async def ask() -> bool:
            async with directory.opened(self.state, self.organization) as opened:
                authenticator = Authenticator(opened.read)
                outcome = await authenticator.password(name, password, Peer("192.0.2.1", 1))
                authenticator.close()
                return isinstance(outcome, Granted)

        return asyncio.run(ask())

    def digest_hash(self, name: str) -> str | None:
        async def ask() -> str | None:
            async with directory.opened(self.state, self.organization) as opened:
                account = await opened.read.account(name)
                assert account is not None and isinstance(opened.read, SlapdDirectory)
                return await KeptRealmHashes(opened.read).realm_hash(account, name, "SHA-256")

        return asyncio.run(ask())


@pytest.fixture(scope="session")
@needs("slapd")
def started() -> Iterator[Organized]:
    folder = Path(tempfile.mkdtemp(prefix="cli-", dir="/tmp"))
    folder.chmod(0o711)
    state = state_folder.create(folder / "state")
    organization = engines.resolved(configuration.default(state), state)
    engine = engines.DirectoryEngine(state)
    engine.start()
    try:
        asyncio.run(directory.seed(state, organization, organization.servers[0]))
        yield Organized(state, organization)
    finally:
        engine.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def org(started: Organized) -> Organized:
    """Without what other tests added."""
    for kind in ("group", "user"):
        for entry in started.json(kind, "list"):
            if not entry["hidden"] and not entry["name"].startswith("postmaster@"):
                started.done(kind, "remove", entry["name"], "--yes")
    started.without_postmaster()
    for entry in started.json("domain", "list"):
        if entry["source"] == "directory":
            started.done("domain", "remove", entry["name"])
    for mechanism in ("digest", "ntlm", "scram"):
        started.done("domain", "auth", "disable", mechanism)
    return started


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Commands quieten the log of their process; here that is the tests' own."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _account_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's commands would make this process the state folder's owner for good, once a test has gone by way of `main`."""
    monkeypatch.setattr(state_folder_option, "become_owner", lambda value, *_: value)
