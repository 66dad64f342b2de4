"""Callers prove themselves by a certificate under the host names that ask for one, with curl as their client."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop
from cryptography.x509.oid import ExtendedKeyUsageOID
from structlog.testing import capture_logs

from postern.model.organization import Profile
from postern.model.security import Mechanism
from postern.net.by_name import ContextsByName
from postern.net.mutual import ClientAuthorities
from postern.net.tls import Certificate
from postern.paths.guard import Guard
from postern.paths.table import settle
from postern.trust.certificates.client_certificates import ClientCertificateOwners, issuer_and_serial
from postern.trust.membership import Membership
from tests.services.http.doors import HOST, METHODS, Route, WebDoor, hello
from tests.support.client_certificates import UserAuthority
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed (apt-get install curl)")
ASKING = "certificate.example.test"
ALICE = "alice@example.test"
DAV = settle(Profile.HARDENED)["caldav"]


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    text: str
    words: str


class AskingDoor(WebDoor):
    """A door that asks under ASKING. `/dav/` is on a row with certificates, `/other/` is not."""

    def __init__(self, folder: Path, revoked: bool = False) -> None:
        super().__init__()
        self.people_authority = UserAuthority(folder)
        self.folder = folder
        own = self.authority.issue_cert(HOST, ASKING)
        self.certificate = Certificate(folder / "server.pem", folder / "server.key")
        own.private_key_pem.write_to_path(self.certificate.key)
        self.certificate.chain.write_bytes(b"".join(pem.bytes() for pem in own.cert_chain_pems))
        self.authority.cert_pem.write_to_path(folder / "ca.pem")
        clients = ClientAuthorities(self.people_authority.file, self.people_authority.revoke() if revoked else None)
        self.tls = ContextsByName(self.certificate, frozenset({ASKING}), clients)
        self.owners = ClientCertificateOwners(self.people, Membership())

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[AskingDoor]:
        proofs = frozenset({Mechanism.CERTIFICATE, Mechanism.KERBEROS})
        dav = Route("/dav/", Guard([DAV], proofs), hello, METHODS)
        only = Route("/only/", Guard([DAV], frozenset({Mechanism.CERTIFICATE})), hello, METHODS)
        other = self.route("/other/")
        async with self.opened(dav, only, other):
            for route in (dav, only):
                route.guard.available = proofs if route is dav else frozenset({Mechanism.CERTIFICATE})
            yield self

    async def curl(self, target: str, file: Path | None = None, name: str = ASKING, *more: str) -> Reply:
        shown = ["--cert", str(file)] if file is not None else []
        process = await asyncio.create_subprocess_exec(
            *(
                "curl",
                "-sS",
                "-m",
                "10",
                "--cacert",
                str(self.folder / "ca.pem"),
                "-w",
                "\n%{http_code}",
                *shown,
                *more,
            ),
            *("--resolve", f"{name}:{self.port}:127.0.0.1", f"https://{name}:{self.port}{target}"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await process.communicate()
        text, _, status = out.decode().rpartition("\n")
        return Reply(int(status), text, error.decode())


def test_a_certificate_proves_its_owner_where_the_row_lists_it(tmp_path: Path) -> None:
    async def run() -> None:
        door = AskingDoor(tmp_path)
        file, _ = door.people_authority.issue(ALICE)
        async with door.serving():
            with capture_logs() as lines:
                reply = await door.curl("/dav/", file)
                assert (reply.status, reply.text) == (200, f"{ALICE} Certificate caldav /dav/ ")
                [line] = [line for line in lines if line["event"] == "authenticated"]
                assert (line["name"], line["mechanism"]) == (ALICE, "Certificate")
            nobody = await door.curl("/dav/", None, ASKING, "-i")
            assert nobody.status == 401 and "www-authenticate: negotiate" in nobody.text.lower()
            assert (await door.curl("/only/")).status == 403, "no challenge would help"
            other = await door.curl("/other/", file)
            assert other.status == 401, "the row of this path lists no certificates"
            under = await door.curl("/dav/", file, HOST)
            assert under.status == 401, "under this name nobody is asked, and nothing was shown"

    uvloop.run(run())


def test_a_certificate_that_is_registered_needs_no_name(tmp_path: Path) -> None:
    async def run() -> None:
        door = AskingDoor(tmp_path)
        file, certificate = door.people_authority.issue()
        async with door.serving():
            with capture_logs() as lines:
                assert (await door.curl("/dav/", file)).status == 401
            [line] = [line for line in lines if line["event"] == "authentication-failed"]
            assert (line["mechanism"], line["reason"]) == ("Certificate", "no account has this certificate")
            door.people.identities[issuer_and_serial(certificate)] = ALICE
            assert (await door.curl("/dav/", file)).text.startswith(f"{ALICE} Certificate")

    uvloop.run(run())


@pytest.mark.parametrize(
    ("what", "alert"),
    [
        ("another authority's", "unknown ca"),
        ("expired", "expired"),
        ("for servers", "certificate"),
        ("revoked", "revoked"),
    ],
)
def test_a_certificate_that_does_not_validate_ends_the_handshake(tmp_path: Path, what: str, alert: str) -> None:
    async def run() -> None:
        door = AskingDoor(tmp_path, revoked=True)
        authority = door.people_authority
        if what == "another authority's":
            (tmp_path / "other").mkdir()
            authority = UserAuthority(tmp_path / "other", "Others")
        uses = [ExtendedKeyUsageOID.SERVER_AUTH if what == "for servers" else ExtendedKeyUsageOID.CLIENT_AUTH]
        file, certificate = authority.issue(ALICE, days=-1 if what == "expired" else 7, uses=uses)
        if what == "revoked":
            authority.revoke(certificate)
            door.tls = door.tls.renewed()
        async with door.serving():
            reply = await door.curl("/dav/", file)
            assert reply.status == 0 and "alert" in reply.words and alert in reply.words.lower(), reply
            good, _ = door.people_authority.issue(ALICE)
            assert (await door.curl("/dav/", good)).status == 200
            await until(lambda: not door.doors[0].links)

    uvloop.run(run())


def test_a_certificate_without_a_purpose_proves_nobody(tmp_path: Path) -> None:
    async def run() -> None:
        door = AskingDoor(tmp_path)
        file, _ = door.people_authority.issue(ALICE, uses=())
        async with door.serving():
            assert (await door.curl("/dav/", file)).status == 401

    uvloop.run(run())


def test_a_name_that_asks_and_one_that_does_not_never_share_a_connection(tmp_path: Path) -> None:
    async def run() -> None:
        door = AskingDoor(tmp_path)
        file, _ = door.people_authority.issue(ALICE)
        async with door.serving():
            for name, asked in ((ASKING, HOST), (HOST, ASKING), (ASKING, "elsewhere.example.test")):
                reply = await door.curl("/dav/", file, name, "-H", f"Host: {asked}")
                assert reply.status == 421, (name, asked)
            unknown = await door.curl("/dav/", file, HOST, "-H", "Host: elsewhere.example.test")
            assert unknown.status == 401, "names that ask nobody are one"
            again = await door.curl("/dav/", file, ASKING, "-H", f"Host: {ASKING.upper()}:443")
            assert again.status == 200

    uvloop.run(run())


def test_a_disabled_account_is_refused_and_its_connections_end(tmp_path: Path) -> None:
    async def run() -> None:
        door = AskingDoor(tmp_path)
        file, _ = door.people_authority.issue(ALICE)
        async with door.serving():
            reader, writer = await _opened(door, file)
            writer.write(f"GET /dav/ HTTP/1.1\r\nHost: {ASKING}\r\n\r\n".encode())
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            door.people.set(ALICE, enabled=False)
            with capture_logs() as lines:
                assert (await door.curl("/dav/", file)).status == 401
            assert [line["reason"] for line in lines if line["event"] == "authentication-failed"] == [
                "the account is disabled or locked"
            ]
            for _ in range(2):
                await door.authenticator.reauthorization.round()
            await reader.read()
            writer.close()

    uvloop.run(run())


async def _opened(door: AskingDoor, file: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = door.client_tls()
    context.load_cert_chain(file)
    return await asyncio.open_connection("127.0.0.1", door.port, ssl=context, server_hostname=ASKING)


def test_a_renewed_certificate_is_shown_under_both_names(tmp_path: Path) -> None:
    async def run() -> None:
        door = AskingDoor(tmp_path)
        file, _ = door.people_authority.issue(ALICE)
        async with door.serving():
            before = door.tls
            assert isinstance(before, ContextsByName)
            own = door.authority.issue_cert(HOST, ASKING)
            own.private_key_pem.write_to_path(door.certificate.key)
            door.certificate.chain.write_bytes(b"".join(pem.bytes() for pem in own.cert_chain_pems))
            await door.doors[0].renew()
            after = before.renewed()
            assert after.usual.end_point == after.under(ASKING).end_point != before.usual.end_point
            assert (await door.curl("/dav/", file)).status == 200

    uvloop.run(run())


def test_a_new_list_of_revoked_certificates_is_taken_up(tmp_path: Path) -> None:
    async def run() -> None:
        door = AskingDoor(tmp_path, revoked=True)
        file, certificate = door.people_authority.issue(ALICE)
        async with door.serving():
            assert (await door.curl("/dav/", file)).status == 200
            door.people_authority.revoke(certificate)
            await door.doors[0].renew()
            assert "revoked" in (await door.curl("/dav/", file)).words
            door.people_authority.revoke(days=-1)
            await door.doors[0].renew()
            fresh, _ = door.people_authority.issue(ALICE)
            assert "expired" in (await door.curl("/dav/", fresh)).words, "an outdated list lets nobody in"

    uvloop.run(run())
