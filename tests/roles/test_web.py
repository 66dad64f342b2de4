"""The doors of the web as a client access server opens them: one for each number, with the routes of all rows behind."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
import trustme

from postern.model.organization import ClientCertificates, Profile, Role, Server, StateFolder
from postern.net.by_name import ContextsByName
from postern.net.tls import ServerContext, validating_context
from postern.paths.guard import Guard
from postern.paths.row import Path as Row
from postern.paths.table import settle
from postern.roles.dav import dav_routes
from postern.roles.doors import Doors
from postern.roles.runtime import Runtime
from postern.roles.web import Web
from postern.services.acme.challenges import ChallengeFiles
from postern.services.organization_feed import OrganizationFeed
from postern.telemetry.observed import Observed
from postern.trust.authenticator import Authenticator
from tests.certificates import make
from tests.support.client_certificates import UserAuthority
from tests.support.ports import free_offset
from tests.transport.world import organization
from tests.trust.people import People

NAME = "cas1.example.test"
TOKEN = "t" * 43


class Host:
    """A client access server whose other roles are away."""

    def __init__(self, folder: Path, acme: bool, profile: Profile = Profile.PRACTICAL) -> None:
        server = Server("cas1", NAME, frozenset({Role.CLIENT_ACCESS}), ("127.0.0.1",))
        asking = ClientCertificates(("certificate.example.test",), str(UserAuthority(folder).file))
        known = replace(organization(offset=free_offset()), servers=(server,), acme=acme, profile=profile)
        known = replace(known, client_certificates=asking)
        state = StateFolder(folder, folder)
        state.certificates.mkdir()
        ChallengeFiles(state.certificates).put(TOKEN, "proof")
        self.certificate = make("localhost").write(folder)
        self.people = People()
        self.people.add("alice@example.test", "wonderland")
        self.authenticator = Authenticator(self.people, policy=self.people)
        rows = settle(known.profile)
        self.runtime = SimpleNamespace(
            organization=known,
            server=server,
            state=state,
            rows=rows,
            observed=Observed(None),
            feed=OrganizationFeed(known),
        )
        calls = SimpleNamespace(
            items=lambda row, interface: {},
            server_of=lambda database: None,
            opened={},
            clients=lambda row, interface: {},
        )
        self.logon = SimpleNamespace(
            guard=self.guard,
            authenticator=self.authenticator,
            directory=self.people,
            certificate=self.certificate,
            rpc=SimpleNamespace(calls=calls),
            digest_keeping=lambda: None,
            shared=SimpleNamespace(stores={}, servers={}, sharing=None),
        )
        self.doors = Doors(cast(Runtime, self.runtime))
        self.web = Web(cast(Runtime, self.runtime), cast(Any, self.logon), self.doors)

    def guard(self, *rows: Row) -> Guard:
        return Guard(rows, self.authenticator.available)

    def client(self, number: int, **more: Any) -> httpx.AsyncClient:
        scheme = "https" if number == 443 else "http"
        real = self.runtime.organization.port(number)
        tls = validating_context(self.certificate.chain)
        return httpx.AsyncClient(base_url=f"{scheme}://localhost:{real}", verify=tls, **more)

    async def close(self) -> None:
        await self.doors.close()
        self.authenticator.close()


def test_calendars_and_address_books_have_one_application(tmp_path: Path) -> None:
    """Its mailboxes are opened once for both, and what it remembers of them has its bound once."""

    async def run() -> None:
        host = Host(tmp_path, acme=False)
        rows = [host.runtime.rows[name] for name in ("caldav", "carddav")]
        calendars, address_books = dav_routes(cast(Runtime, host.runtime), cast(Any, host.logon), rows)
        assert (calendars.prefix, address_books.prefix) == ("/dav/", "/dav/addressbooks/")
        assert calendars.application is address_books.application
        await host.close()

    asyncio.run(run())


def test_all_rows_of_the_web_share_two_doors(tmp_path: Path) -> None:
    async def run() -> None:
        host = Host(tmp_path, acme=True)
        await host.web.open()
        try:
            opened = {door.port.number: {row.id for row in door.rows} for door in host.doors._doors}
            assert len(host.doors._doors) == 2, "two doors on one number would share its connections out"
            assert opened[443] == {"autodiscover", "availability", "client-configuration", "caldav", "carddav"}
            assert opened[80] == {"autodiscover", "availability", "client-configuration", "acme-challenge"}
            settings = "/mail/config-v1.1.xml?emailaddress=alice@example.test"
            async with host.client(443) as client:
                for path in ("/autodiscover/autodiscover.xml", "/dav/", "/dav/addressbooks/", "/DAV/files/"):
                    assert (await client.get(path)).status_code == 401, path
                    assert (await client.get(path, auth=("alice", "guess"))).status_code == 401, path
                assert (await client.get("/nothing")).status_code == 404
                assert (await client.get(settings)).status_code == 200
            async with host.client(80) as client:
                assert (await client.get(f"/.well-known/acme-challenge/{TOKEN}")).text == "proof"
                assert (await client.get(settings)).status_code == 200
                tls = host.runtime.organization.port(443)
                for asked, sent in (("autodiscover.example.test", "autodiscover.example.test"), ("evil.test", NAME)):
                    moved = await client.get("/autodiscover/autodiscover.xml", headers={"Host": asked})
                    assert moved.headers["location"] == f"https://{sent}:{tls}/autodiscover/autodiscover.xml"
                assert (await client.get("/dav/")).status_code == 301, "a row without port 80 too"
        finally:
            await host.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("names", "sent"),
    [
        ((NAME,), {"autodiscover.example.test": NAME, "127.0.0.1": NAME, "evil.test": NAME}),
        ((NAME, "*.example.test"), {"autodiscover.example.test": "autodiscover.example.test", "evil.test": NAME}),
        (("localhost",), {"autodiscover.example.test": "autodiscover.example.test", "127.0.0.1": "127.0.0.1"}),
    ],
)
def test_clear_text_is_sent_to_a_name_that_the_certificate_has(
    tmp_path: Path, names: tuple[str, ...], sent: dict[str, str]
) -> None:
    async def run() -> None:
        host = Host(tmp_path, acme=False)
        own = trustme.CA().issue_cert(*names)
        own.private_key_pem.write_to_path(host.certificate.key)
        own.cert_chain_pems[0].write_to_path(host.certificate.chain)
        for asked, name in sent.items():
            assert host.web._is_ours(asked) is (asked == name), asked
        await host.close()

    asyncio.run(run())


def test_only_names_that_are_configured_ask_for_certificates(tmp_path: Path) -> None:
    async def run() -> None:
        host = Host(tmp_path, acme=False, profile=Profile.HARDENED)
        tls = host.web._tls
        assert isinstance(tls, ContextsByName) and tls.asking_names == {"certificate.example.test"}
        await host.close()
        (tmp_path / "other").mkdir()
        other = Host(tmp_path / "other", acme=False)
        assert isinstance(other.web._tls, ServerContext), "no row of this profile lists certificates"
        await other.close()

    asyncio.run(run())


def test_a_row_that_is_closed_has_no_route(tmp_path: Path) -> None:
    async def run() -> None:
        host = Host(tmp_path, acme=False)
        await host.web.open()
        try:
            assert {row.id for door in host.doors._doors for row in door.rows}.isdisjoint({"acme-challenge", "owa"})
            async with host.client(80) as client:
                assert (await client.get(f"/.well-known/acme-challenge/{TOKEN}")).status_code == 404
        finally:
            await host.close()

    asyncio.run(run())
