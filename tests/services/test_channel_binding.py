"""Clients that nobody here wrote bind their proof to TLS (RFC 5802 section 6) through all three protocols: scramp, which takes
`tls-server-end-point` from the certificate that it saw, and GNU SASL, which exports `tls-exporter`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from scramp import ScramClient

from postern.net.mutual import MutualContext
from postern.net.tls import Certificate
from postern.services.imap.session import ImapSession
from postern.services.pop3.session import Pop3Session
from postern.verify.mail_probe import ImapConnection, LogonAnswer, Pop3Connection, SmtpConnection
from tests.services.client_doors import PASSWORD, Doors
from tests.services.fake_mailboxes import FakeMailboxes
from tests.services.smtp_doors import SmtpDoors
from tests.services.test_smtp_clients import tool

pytestmark = pytest.mark.slow
PLUS = "SCRAM-SHA-256-PLUS"
PROBES = {"imap": ImapConnection, "pop3": Pop3Connection, "smtp": SmtpConnection}
Connection = SmtpConnection | ImapConnection | Pop3Connection


@dataclass
class Dial:
    """Dials the protocol's port for clients; True: and upgrades to TLS."""

    protocol: str
    port: int
    authority: trustme.CA

    def __call__(self, upgrade: bool) -> Connection:
        made: Connection = PROBES[self.protocol]("127.0.0.1", self.port, None, "localhost")
        if upgrade:
            context = ssl.create_default_context()
            self.authority.configure_trust(context)
            made.upgrade(context)
        return made


@asynccontextmanager
async def serving(protocol: str, exports: Path | None = None) -> AsyncIterator[Dial]:
    """`exports`: a folder for a certificate; the door's TLS then exports."""
    doors: SmtpDoors | Doors = SmtpDoors() if protocol == "smtp" else Doors(FakeMailboxes())
    if exports is not None:
        doors.tls = exporting(doors.authority, exports)
    try:
        if isinstance(doors, SmtpDoors):
            port = await doors.open("client-to-hub-smtp", number=587)
        else:
            row, session, number = {"imap": ("imap4", ImapSession, 143), "pop3": ("pop3", Pop3Session, 110)}[protocol]
            await doors.open(row, session)
            port = doors.ports[number]
        yield Dial(protocol, port, doors.authority)
    finally:
        await doors.close()


def prove(dial: Dial, name: str = PLUS, der: bytes = b"") -> LogonAnswer:
    """By scramp, which hashes the certificate itself. `der`: it saw another one, as somebody between shows it."""
    connection = dial(True)
    sock = connection.client.sock
    assert isinstance(sock, ssl.SSLSocket)
    binding = ("tls-server-end-point", Shown(der) if der else sock)
    client = ScramClient([name], "alice@example.test", PASSWORD, channel_binding=binding)
    steps = iter((client.get_client_first,))

    def exchange(challenge: bytes) -> bytes:
        if step := next(steps, None):
            return step().encode()
        text = challenge.decode()
        if text.startswith("v="):
            client.set_server_final(text)
            return b""
        client.set_server_first(text)
        return client.get_client_final().encode()

    try:
        return connection.authenticate(name, exchange)
    finally:
        connection.close()


class Shown(ssl.SSLObject):
    """What a client sees of another channel: its certificate."""

    def __new__(cls, der: bytes) -> Shown:
        return object.__new__(cls)

    def __init__(self, der: bytes) -> None:
        self._der = der

    def getpeercert(self, binary_form: bool = False) -> bytes:  # type: ignore[override]  # ssl's own has overloads
        return self._der


def another_certificate() -> bytes:
    made = trustme.CA().issue_cert("localhost")
    return ssl.PEM_cert_to_DER_cert(made.cert_chain_pems[0].bytes().decode())


@pytest.mark.parametrize("protocol", PROBES)
def test_scramp_binds_to_the_certificate(protocol: str) -> None:
    async def test() -> None:
        async with serving(protocol) as dial:
            assert PLUS not in await asyncio.to_thread(lambda: dial(False).mechanisms())
            shown = await asyncio.to_thread(lambda: dial(True).mechanisms())
            assert shown.index(PLUS) + 1 == shown.index("SCRAM-SHA-256")
            right = await asyncio.to_thread(prove, dial)
            assert right.yes, right.reply
            assert not (await asyncio.to_thread(prove, dial, PLUS, another_certificate())).yes
            # scramp was given a channel and takes the name without -PLUS: it says that it saw no other.
            assert not (await asyncio.to_thread(prove, dial, "SCRAM-SHA-256")).yes

    asyncio.run(test())


async def gsasl(protocol: str, port: int, ca: Path, *more: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(tool("gsasl"), f"--{protocol}", "--connect", f"localhost:{port}", "--starttls", "--x509-ca-file", str(ca)),
        *("--verbose", "--authentication-id", "alice@example.test", "--password", PASSWORD, *more),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    return output.decode(errors="replace")


def exporting(authority: trustme.CA, folder: Path) -> MutualContext:
    """TLS of a door that asks for certificates: its layer exports."""
    own = authority.issue_cert("127.0.0.1", "localhost")
    own.cert_chain_pems[0].write_to_path(folder / "chain.pem")
    own.private_key_pem.write_to_path(folder / "key.pem")
    return MutualContext(Certificate(folder / "chain.pem", folder / "key.pem"), server=True)


def test_gnu_sasl_binds_to_what_tls_exports(tmp_path: Path) -> None:
    """At a door that asks for certificates; GNU SASL picks -PLUS by itself."""

    async def test() -> None:
        async with serving("smtp", tmp_path) as dial:
            dial.authority.cert_pem.write_to_path(tmp_path / "ca.pem")
            said = await gsasl("smtp", dial.port, tmp_path / "ca.pem")
            assert f"\nAUTH {PLUS}" in said and "\n235 2.7.0" in said, said

    asyncio.run(test())


@pytest.mark.parametrize(("protocol", "yes"), [("smtp", "\n235 2.7.0"), ("imap", " OK [CAPABILITY")])
def test_gnu_sasl_where_tls_cannot_be_exported(tmp_path: Path, protocol: str, yes: str) -> None:
    """It must be told to bind to nothing: docs/quirks.md. It speaks no POP3."""

    async def test() -> None:
        async with serving(protocol) as dial:
            dial.authority.cert_pem.write_to_path(tmp_path / "ca.pem")
            bound = await gsasl(protocol, dial.port, tmp_path / "ca.pem")
            assert f"{PLUS}\n" in bound or f"{PLUS}\r\n" in bound, bound
            assert yes not in bound.rpartition(PLUS)[2], bound
            free = await gsasl(protocol, dial.port, tmp_path / "ca.pem", "--no-cb", "--mechanism", "SCRAM-SHA-256")
            assert yes in free.rpartition("SCRAM-SHA-256")[2], free

    asyncio.run(test())
