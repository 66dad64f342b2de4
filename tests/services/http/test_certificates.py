"""Callers prove themselves by a certificate under the host names that ask for one, with curl as their client."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
import uvloop
from cryptography.x509.oid import ExtendedKeyUsageOID
from structlog.testing import capture_logs

from postern.net.by_name import ContextsByName
from postern.trust.certificates.client_certificates import issuer_and_serial
from tests.services.http.asking import ALICE, ASKING, AskingDoor
from tests.services.http.doors import HOST
from tests.support.client_certificates import UserAuthority
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed (apt-get install curl)")


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
    ("what", "alert", "reason"),
    [
        ("another authority's", "unknown ca", "an authority issued the certificate that is not known here"),
        ("expired", "expired", "the certificate has expired"),
        ("for servers", "certificate", "the certificate is not for client authentication"),
        ("revoked", "revoked", "the certificate is revoked"),
    ],
)
def test_a_certificate_that_does_not_validate_ends_the_handshake(
    tmp_path: Path, what: str, alert: str, reason: str
) -> None:
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
            with capture_logs() as lines:
                reply = await door.curl("/dav/", file)
            [line] = [line for line in lines if line["event"] == "authentication-failed"]
            assert (line["mechanism"], line["reason"]) == ("Certificate", reason)
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
            door.renew()
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
