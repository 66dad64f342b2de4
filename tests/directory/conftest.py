"""A private slapd a test run, and its entries emptied for every test that asks for a directory."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from postern.directory.administration import Administration
from postern.directory.ldap.client import SUBTREE, Client
from postern.directory.slapd_adapter import SERVICE, SUFFIX, SlapdDirectory
from postern.host.engines.slapd import PrivateSlapd, SlapdError
from postern.paths.table import TABLE
from tests.directory.domain_reader import prepared
from tests.support.needs import needs

__all__ = ["RunningSlapd", "empty_slapd", "prepared", "slapd"]

ROW = TABLE["private-directory"]


@dataclass(frozen=True)
class RunningSlapd:
    server: PrivateSlapd
    password: str

    def client(self, timeout: float = 5.0) -> Client:
        return Client(ROW, self.server.uri, SERVICE, self.password, timeout=timeout)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[SlapdDirectory, Administration]]:
        """Reading (without a cache's delay) and writing."""
        client = self.client()
        try:
            yield SlapdDirectory(client, SUFFIX, 0.0, 0.0), Administration(client, SUFFIX)
        finally:
            await client.close()


@pytest.fixture(scope="session")
@needs("slapd")
def slapd() -> Iterator[RunningSlapd]:
    """A running private slapd in a short temporary folder, with Postern's containers; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="sl-", dir="/tmp"))
    folder.chmod(0o711)  # slapd may run as another user than the tests
    password = secrets.token_urlsafe(32)
    server = PrivateSlapd(folder / "d", folder / "s", folder / "log", password)
    try:
        server.start()
        yield RunningSlapd(server, password)
    except SlapdError as error:
        pytest.skip(str(error))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def empty_slapd(slapd: RunningSlapd) -> RunningSlapd:
    """The same slapd without any entry but the containers."""
    asyncio.run(_empty(slapd))
    return slapd


async def _empty(slapd: RunningSlapd) -> None:
    client = slapd.client()
    try:
        await Administration(client, SUFFIX).seed()
        for kind in ("objectGUID", "posternDomainType"):
            for entry in await client.search(SUFFIX, SUBTREE, f"({kind}=*)", ("cn",)):
                await client.delete(entry.dn)
        for kind in ("nt", "scram-sha-256", "digest"):
            await Administration(client, SUFFIX).disable_verifier(kind)
    finally:
        await client.close()
