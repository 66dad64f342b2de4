"""The POP3 service: a scripted dialog, TLS and its injection, deletions at QUIT only.

covers: maildrop, services.access.numbers
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from postern.model.items import NewItem
from postern.services.imap.session import ImapSession
from postern.services.pop3.session import Pop3Session
from tests.services.client_doors import PASSWORD, Doors
from tests.services.dialog import Player, scripts
from tests.services.fake_mailboxes import FakeMailboxes


@pytest.mark.parametrize("script", scripts("pop3"), ids=lambda path: path.stem)
def test_dialog(script: Path) -> None:
    asyncio.run(Player(script.read_text(encoding="utf-8")).play())


@asynccontextmanager
async def opened(messages: int = 0) -> AsyncIterator[Doors]:
    async with Doors(FakeMailboxes()).opened("pop3", Pop3Session) as doors:
        guid = doors.directory.mail["alice@example.test"].guid
        await doors.mailboxes.logon(guid)
        inbox = next(f.id for f in await doors.mailboxes.folders(guid) if f.path == ("INBOX",))
        if messages:
            await doors.mailboxes.append(guid, inbox, [NewItem(b"%03d\r\n" % n) for n in range(messages)])
        yield doors


def dialled(
    doors: Doors, port: int = 995
) -> AbstractAsyncContextManager[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    return doors.dialled(port, b"+OK ")


def test_one_connection_too_many_hears_why() -> None:
    """On the clear door; where TLS comes first, words would cost the handshake that is refused."""

    async def test() -> None:
        doors = Doors(FakeMailboxes(), per_address=1)
        await doors.open("pop3", Pop3Session)
        await doors.open("imap4", ImapSession)
        try:
            for port, words in ((110, b"-ERR [SYS/TEMP] "), (143, b"* BYE [UNAVAILABLE] "), (995, b"")):
                first = await asyncio.open_connection("127.0.0.1", doors.ports[port])
                if words:
                    await first[0].readline()
                reader, writer = await asyncio.open_connection("127.0.0.1", doors.ports[port])
                with contextlib.suppress(ConnectionError):
                    heard = await reader.read()
                    assert heard.startswith(words)
                    assert heard.endswith(b"\r\n") is bool(words)
                for one in (first[1], writer):
                    one.close()
        finally:
            await doors.close()

    asyncio.run(asyncio.wait_for(test(), 30))


async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes) -> bytes:
    writer.write(text + b"\r\n")
    return await reader.readline()


async def log_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    assert await says(reader, writer, b"USER alice@example.test") == b"+OK\r\n"
    assert (await says(reader, writer, b"PASS " + PASSWORD.encode())).startswith(b"+OK ")


def test_in_clear_text_only_tls_is_offered() -> None:
    async def run() -> None:
        async with opened() as doors, dialled(doors, 110) as (reader, writer):
            writer.write(b"CAPA\r\n")
            capabilities = await reader.readuntil(b"\r\n.\r\n")
            assert b"\r\nSTLS\r\n" in capabilities and b"USER" not in capabilities and b"SASL" not in capabilities
            assert (await says(reader, writer, b"USER alice@example.test")).startswith(b"-ERR [SYS/PERM] Encryption")

    asyncio.run(run())


def test_stls_injection() -> None:
    """RFC 2595 section 4: what came in clear text behind STLS is not obeyed after the handshake."""

    def client(doors: Doors) -> None:
        with socket.create_connection(("127.0.0.1", doors.ports[110]), timeout=20) as plain:
            plain.recv(4096)
            plain.sendall(b"STLS\r\nCAPA\r\nUSER al")
            assert plain.recv(4096) == b"+OK Begin TLS negotiation\r\n"
            with doors.client_tls().wrap_socket(plain, server_hostname="localhost") as sealed:
                sealed.sendall(b"NOOP\r\n")
                assert sealed.recv(4096) == b"-ERR Log in first\r\n"

    async def run() -> None:
        async with opened() as doors:
            await asyncio.to_thread(client, doors)

    asyncio.run(run())


@pytest.mark.parametrize("initial", [True, False])
def test_auth_plain(initial: bool) -> None:
    async def run() -> None:
        plain = base64.b64encode(b"\0alice@example.test\0" + PASSWORD.encode())
        async with opened() as doors, dialled(doors) as (reader, writer):
            if initial:
                answer = await says(reader, writer, b"AUTH PLAIN " + plain)
            else:
                assert await says(reader, writer, b"AUTH PLAIN") == b"+ \r\n"
                answer = await says(reader, writer, plain)
            assert answer == b"+OK 0 messages\r\n"

    asyncio.run(run())


def test_an_empty_initial_response_is_a_response() -> None:
    """RFC 5034 section 4."""

    async def run() -> None:
        async with opened() as doors, dialled(doors) as (reader, writer):
            assert (await says(reader, writer, b"AUTH PLAIN =")).startswith(b"-ERR [AUTH] ")

    asyncio.run(run())


def test_deletions_happen_at_quit_only() -> None:
    async def run() -> None:
        async with opened(3) as doors:
            async with dialled(doors) as (reader, writer):
                await log_in(reader, writer)
                assert await says(reader, writer, b"DELE 1") == b"+OK\r\n"
            async with dialled(doors) as (reader, writer):
                await log_in(reader, writer)
                assert await says(reader, writer, b"STAT") == b"+OK 3 15\r\n"
                assert await says(reader, writer, b"DELE 2") == b"+OK\r\n"
                assert await says(reader, writer, b"QUIT") == b"+OK Bye\r\n"
                assert await reader.read() == b""
            async with dialled(doors) as (reader, writer):
                await log_in(reader, writer)
                assert await says(reader, writer, b"STAT") == b"+OK 2 10\r\n"

    asyncio.run(run())


def test_a_session_ends_with_its_account_and_without_an_update() -> None:
    async def run() -> None:
        async with opened(2) as doors, dialled(doors) as (reader, writer):
            await log_in(reader, writer)
            assert await says(reader, writer, b"DELE 1") == b"+OK\r\n"
            account = doors.directory.accounts.pop("alice@example.test")
            for _ in range(2):
                await doors.authenticator.reauthorization.round()
            assert await reader.read() == b"-ERR [SYS/PERM] The account may not be logged on any more\r\n"
            doors.directory.accounts["alice@example.test"] = account
            async with dialled(doors) as (again, talk):
                await log_in(again, talk)
                assert await says(again, talk, b"STAT") == b"+OK 2 10\r\n"

    asyncio.run(run())


def test_a_quit_that_cannot_be_kept_says_so() -> None:
    async def run() -> None:
        async with opened(1) as doors, dialled(doors) as (reader, writer):
            await log_in(reader, writer)
            await says(reader, writer, b"DELE 1")
            assert isinstance(doors.mailboxes, FakeMailboxes)
            doors.mailboxes.unavailable = True
            assert (await says(reader, writer, b"QUIT")).startswith(b"-ERR [SYS/TEMP] ")

    asyncio.run(run())


def test_pipelined_retrieval_reads_ahead() -> None:
    async def run() -> None:
        async with opened(150) as doors, dialled(doors) as (reader, writer):
            await log_in(reader, writer)
            assert isinstance(doors.mailboxes, FakeMailboxes)
            doors.mailboxes.calls.clear()
            writer.write(b"".join(b"RETR %d\r\n" % n for n in range(1, 151)))
            for number in range(150):
                assert await reader.readline() == b"+OK 5 octets\r\n"
                assert await reader.readline() == b"%03d\r\n" % number
                assert await reader.readline() == b".\r\n"
            assert doors.mailboxes.calls.count("fetch") < 8

    asyncio.run(run())
