"""Digest from the administrator to curl: hashes in the private directory, and Autodiscover behind the doors of the web.

covers: roles.server_logon
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from postern.directory.administration import Administration
from postern.directory.slapd_adapter import SlapdDirectory
from postern.model.organization import Database, Role, Server, StateFolder
from postern.model.security import Mechanism
from postern.net.tls import validating_context
from postern.roles.doors import Doors
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.roles.web import Web
from postern.services.directory import refresh
from postern.trust.passwords.verifiers import verifiers
from tests.certificates import make
from tests.directory.conftest import RunningSlapd, empty_slapd, slapd
from tests.support.ports import free_offset
from tests.support.waiting import until
from tests.transport.world import organization

__all__ = ["empty_slapd", "slapd"]

PAGE = "/autodiscover/autodiscover.xml"
NAME, REALM = "alice@example.test", "example.test"
BASE = "http://schemas.microsoft.com/exchange/autodiscover/outlook"
QUESTION = (
    f'<Autodiscover xmlns="{BASE}/requestschema/2006"><Request><EMailAddress>{NAME}</EMailAddress>'
    f"<AcceptableResponseSchema>{BASE}/responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>"
)


class Host:
    """A client access server, whose processes are `logons`, on one private directory."""

    def __init__(self, folder: Path, running: RunningSlapd) -> None:
        server = Server("cas1", "localhost", frozenset({Role.CLIENT_ACCESS}), ("127.0.0.1",))
        known = replace(organization(offset=free_offset(), directory=running.server.uri), servers=(server,))
        self.state = state = StateFolder(folder, folder)
        for each in (state.secrets, state.certificates):
            each.mkdir()
        for name in ("scram-salts", "machine-account", "digest-nonces"):
            (state.secrets / name).write_text(f"{name}'s secret\n")
        (state.secrets / "directory").write_text(running.password + "\n")
        self.certificate = make("localhost").write(folder)
        shutil.copy(self.certificate.chain, state.certificates / "server.pem")
        shutil.copy(self.certificate.key, state.certificates / "server.key")
        self.runtime = Runtime.of_worker(known, server, state, "client-access.0")
        self.logon: ServerLogon

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        self.logon = ServerLogon(self.runtime, Role.CLIENT_ACCESS)
        doors = Doors(self.runtime)
        try:
            await self.logon.start()
            await Web(self.runtime, self.logon, doors).open()
            yield
        finally:
            await doors.close()
            await self.logon.stop()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.runtime.organization.port(443)}"

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, verify=validating_context(self.certificate.chain))

    async def curl(self, *options: str) -> str:
        """What curl wrote, and the status behind a blank."""
        words = ("--cacert", str(self.certificate.chain), "-w", " %{http_code}", *options, self.url + PAGE)
        ran = await asyncio.to_thread(
            subprocess.run, ["curl", "-sS", "--max-time", "20", *words], capture_output=True, text=True, timeout=30
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    async def told(self, true: Callable[[frozenset[Mechanism]], bool]) -> None:
        """Waits until this process knows what an administrator changed."""
        await until(lambda: true(self.logon.authenticator.available))

    async def revoked(self) -> None:
        """Has this process look after its sessions, of which none may go on."""
        watch = self.logon.authenticator.reauthorization
        assert watch._all
        for _ in range(2):
            await watch.round()
        assert not watch._all


async def set_password(read: SlapdDirectory, write: Administration, password: str) -> None:
    made = verifiers(password, await read.enabled_verifiers(), NAME, read.digest_realm)
    await write.set_verifiers(NAME, made)


async def asked_again(client: httpx.AsyncClient, auth: httpx.Auth) -> int:
    """The status of a client whose connection has ended; it may not have seen the end yet."""
    with contextlib.suppress(httpx.TransportError):
        return (await client.get(PAGE, auth=auth)).status_code
    return (await client.get(PAGE, auth=auth)).status_code


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_an_organization_that_enables_digest(
    empty_slapd: RunningSlapd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "REFRESH", 0.1)

    async def run() -> None:
        host = Host(tmp_path, empty_slapd)
        async with empty_slapd.opened() as (read, write), host.opened():
            digest = ("--digest", "--data-binary", QUESTION, "-H", "Content-Type: text/xml")
            await write.add_user(NAME, verifiers("wonderland"), database=Database("mailbox1", "mbx1"))
            assert (await host.curl(*digest, "-u", f"{NAME}:wonderland")).endswith(" 401")

            await write.enable_verifier("digest", REALM)
            await host.told(lambda available: Mechanism.DIGEST in available)
            assert (await host.curl(*digest, "-u", f"{NAME}:wonderland")).endswith(" 401"), "no hash is kept yet"
            await set_password(read, write, "wonderland")
            for name in (NAME, "alice"):
                answer = await host.curl(*digest, "-u", f"{name}:wonderland")
                assert answer.endswith(" 200") and f"<AutoDiscoverSMTPAddress>{NAME}<" in answer
            assert (await host.curl(*digest, "-u", f"{NAME}:guess")).endswith(" 401")

            async with host.client() as client:
                auth = httpx.DigestAuth("alice", "wonderland")
                assert (await client.get(PAGE)).headers["www-authenticate"].count(f'Digest realm="{REALM}"') == 2
                assert (await client.get(PAGE, auth=auth)).status_code == 200
                await write.set_enabled(NAME, False)
                await host.revoked()
                assert await asked_again(client, auth) == 401, "the connection ended with the account"
                await write.set_enabled(NAME, True)
                assert (await client.get(PAGE, auth=auth)).status_code == 200
                await set_password(read, write, "through the glass")
                await host.revoked()
                assert await asked_again(client, auth) == 401, "the password is another now"
                auth = httpx.DigestAuth("alice", "through the glass")
                assert (await client.get(PAGE, auth=auth)).status_code == 200
                assert await write.disable_verifier("digest") == 1
                await host.told(lambda available: Mechanism.DIGEST not in available)
                response = await client.get(PAGE, auth=auth)
                assert response.status_code == 401 and "Digest" not in response.headers["www-authenticate"]

    asyncio.run(run())


@pytest.mark.slow
def test_processes_take_each_other_s_nonces(empty_slapd: RunningSlapd, tmp_path: Path) -> None:
    async def run() -> None:
        host = Host(tmp_path, empty_slapd)
        async with empty_slapd.opened() as (read, write):
            await write.add_user(NAME, {})
            await write.enable_verifier("digest", REALM)
            await set_password(read, write, "wonderland")
            auth = httpx.DigestAuth("alice", "wonderland")
            for _ in range(2):
                async with host.opened(), host.client() as client:
                    response = await client.get(PAGE, auth=auth)
                    assert response.status_code == 200
                    seen = [each.status_code for each in response.history]
            assert seen == [], "the nonce of the process before was good"

    asyncio.run(run())
