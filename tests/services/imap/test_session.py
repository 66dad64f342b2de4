"""The IMAP service: scripted dialogs, TLS and its injection, bounds, failures of the store.

covers: state, selected, fetch, ahead, folders, search, store, services.access.logon
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import socket
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from postern.model.items import NewItem
from postern.model.organization import Limits, Profile
from postern.services import conversation
from postern.services.imap import search as imap_search
from postern.services.imap.session import ImapSession
from tests.services.client_doors import PASSWORD, Doors
from tests.services.dialog import Player, scripts
from tests.services.fake_item_store import FakeItemStore

Talk = Callable[[bytes], Awaitable[list[bytes]]]


@pytest.mark.parametrize("script", scripts("imap"), ids=lambda path: path.stem)
def test_dialog(script: Path) -> None:
    asyncio.run(Player(script.read_text(encoding="utf-8")).play())


def opened(limits: Limits | None = None, profile: Profile = Profile.PRACTICAL) -> AbstractAsyncContextManager[Doors]:
    return Doors(FakeItemStore(), limits, profile).opened("imap4", ImapSession)


def dialled(
    doors: Doors, port: int = 993
) -> AbstractAsyncContextManager[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    return doors.dialled(port, b"* OK [CAPABILITY ")


async def command(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes) -> list[bytes]:
    """All lines up to the tagged one."""
    writer.write(text + b"\r\n")
    tag = text.partition(b" ")[0] + b" "
    lines = []
    while not lines or not lines[-1].startswith(tag):
        line = await reader.readline()
        if not line:
            return lines
        lines.append(line)
    return lines


LOGIN = b'l LOGIN alice@example.test "' + PASSWORD.encode() + b'"'


def test_in_clear_text_only_tls_is_offered() -> None:
    async def run() -> None:
        async with opened() as doors, dialled(doors, 143) as (reader, writer):
            (capability, _) = await command(reader, writer, b"a CAPABILITY")
            assert b" STARTTLS LOGINDISABLED" in capability and b"AUTH=" not in capability
            assert (await command(reader, writer, LOGIN))[0].startswith(b"l NO [PRIVACYREQUIRED] ")
            plain = base64.b64encode(b"\0alice@example.test\0" + PASSWORD.encode())
            assert (await command(reader, writer, b"b AUTHENTICATE PLAIN " + plain))[0].startswith(
                b"b NO [PRIVACYREQUIRED] "
            )

    asyncio.run(run())


def test_starttls_injection() -> None:
    """RFC 9051 section 6.2.1: what came in clear text behind STARTTLS is not obeyed after the handshake."""

    def client(doors: Doors) -> None:
        with socket.create_connection(("127.0.0.1", doors.ports[143]), timeout=20) as plain:
            plain.recv(4096)
            plain.sendall(b"a STARTTLS\r\ni NOOP\r\nj LOGIN {5+}\r\nali")
            assert plain.recv(4096) == b"a OK Begin TLS negotiation\r\n"
            with doors.client_tls().wrap_socket(plain, server_hostname="localhost") as sealed:
                sealed.sendall(b"b NOOP\r\n")
                assert sealed.recv(4096) == b"b OK NOOP completed\r\n"
                sealed.sendall(LOGIN + b"\r\n")
                assert sealed.recv(4096).startswith(b"l OK ")

    async def run() -> None:
        async with opened() as doors:
            await asyncio.to_thread(client, doors)

    asyncio.run(run())


@pytest.mark.parametrize("initial", [True, False])
def test_authenticate_plain(initial: bool) -> None:
    async def run() -> None:
        plain = base64.b64encode(b"\0alice@example.test\0" + PASSWORD.encode())
        async with opened() as doors, dialled(doors) as (reader, writer):
            if initial:
                answer = await command(reader, writer, b"a AUTHENTICATE PLAIN " + plain)
            else:
                writer.write(b"a AUTHENTICATE PLAIN\r\n")
                assert await reader.readline() == b"+ \r\n"
                writer.write(plain + b"\r\n")
                answer = [await reader.readline()]
            assert answer[-1].startswith(b"a OK [CAPABILITY ")
            ((path, _, mechanism, seal, _),) = doors.observed._counts
            assert (path, mechanism) == ("imap4", "Basic") and seal.startswith("TLSv1.")

    asyncio.run(run())


def test_an_empty_initial_response_is_a_response() -> None:
    """RFC 4959 section 3."""

    async def run() -> None:
        async with opened() as doors, dialled(doors) as (reader, writer):
            (answer,) = await command(reader, writer, b"a AUTHENTICATE PLAIN =")
            assert answer.startswith(b"a NO [AUTHENTICATIONFAILED] ")

    asyncio.run(run())


async def disable(doors: Doors, name: str = "alice@example.test") -> None:
    account = doors.directory.accounts[name]
    doors.directory.accounts[name] = dataclasses.replace(account, enabled=False)
    for _ in range(2):
        await doors.authenticator.reauthorization.round()


BYE = b"* BYE The account may not be logged on any more\r\n"


@pytest.mark.parametrize("idle", [False, True])
def test_a_session_ends_with_its_account(idle: bool) -> None:
    async def run() -> None:
        async with opened() as doors, dialled(doors) as (reader, writer), dialled(doors) as (other, talk):
            await command(reader, writer, LOGIN)
            await command(other, talk, LOGIN.replace(b"alice", b"bob"))
            if idle:
                await command(reader, writer, b"s SELECT INBOX")
                writer.write(b"i IDLE\r\n")
                assert await reader.readline() == b"+ idling\r\n"
            await disable(doors)
            assert await reader.read() == BYE
            assert await command(other, talk, b"n NOOP") == [b"n OK NOOP completed\r\n"]

    asyncio.run(run())


def test_an_answer_that_is_under_way_is_finished_before_the_session_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with opened() as doors, dialled(doors) as (reader, writer):
            asked, gate, hold = asyncio.Semaphore(0), asyncio.Event(), doors.mailboxes.folders

            async def folders(*arguments: Any) -> Any:
                asked.release()
                await gate.wait()
                return await hold(*arguments)

            await command(reader, writer, LOGIN)
            monkeypatch.setattr(doors.mailboxes, "folders", folders)
            writer.write(b'l LIST "" INBOX\r\nn NOOP\r\n')
            await asked.acquire()
            await disable(doors)
            gate.set()
            said = await reader.read()
            assert said.startswith(b"* LIST ") and said.endswith(b"l OK LIST completed\r\n" + BYE)

    asyncio.run(run())


def test_a_session_that_does_not_come_to_an_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "REVOKED_AFTER", 0.01)

    async def run() -> None:
        async with opened() as doors, dialled(doors) as (reader, writer):
            asked = asyncio.Semaphore(0)

            async def folders(*arguments: Any) -> Any:
                asked.release()
                await asyncio.Event().wait()

            await command(reader, writer, LOGIN)
            monkeypatch.setattr(doors.mailboxes, "folders", folders)
            writer.write(b'l LIST "" INBOX\r\n')
            await asked.acquire()
            await disable(doors)
            try:
                assert await reader.read() == b""
            except ConnectionError:
                pass

    asyncio.run(run())


def test_authenticate_can_be_cancelled_and_begun_again() -> None:
    async def run() -> None:
        async with opened() as doors, dialled(doors) as (reader, writer):
            for attempt, answer in ((b"*", b"BAD Authentication cancelled"), (b"!!", b"BAD Not valid base64")):
                writer.write(b"a AUTHENTICATE PLAIN\r\n")
                assert await reader.readline() == b"+ \r\n"
                writer.write(attempt + b"\r\n")
                assert await reader.readline() == b"a " + answer + b"\r\n"
            assert (await command(reader, writer, b"b AUTHENTICATE DIGEST-MD5"))[0].startswith(
                b"b NO [AUTHENTICATIONFAILED] "
            )
            assert (await command(reader, writer, LOGIN))[0].startswith(b"l OK ")

    asyncio.run(run())


def test_failed_logins_and_bad_commands_end_the_connection() -> None:
    async def run() -> None:
        async with opened(replace(Limits(), errors_per_connection=3)) as doors:
            async with dialled(doors) as (reader, writer):
                writer.write(b"a X\r\n" * 9)
                assert (await reader.read()).splitlines()[-1] == b"* BYE Too many bad commands"
            async with dialled(doors) as (reader, writer):
                writer.write(b"a AUTHENTICATE DIGEST-MD5\r\n" * 9)
                assert (await reader.read()).splitlines()[-1] == b"* BYE Too many failed logins"

    asyncio.run(run())


def test_an_account_without_mailbox_is_told_to_ask() -> None:
    async def run() -> None:
        async with opened() as doors, dialled(doors) as (reader, writer):
            del doors.directory.mail["alice@example.test"]
            assert (await command(reader, writer, LOGIN))[0].startswith(b"l NO [CONTACTADMIN] ")

    asyncio.run(run())


def test_a_store_that_does_not_answer_is_unavailable_and_the_session_goes_on() -> None:
    async def run() -> None:
        async with opened() as doors, dialled(doors) as (reader, writer):
            mailboxes = doors.mailboxes
            assert isinstance(mailboxes, FakeItemStore)
            mailboxes.unavailable = True
            assert (await command(reader, writer, LOGIN))[0].startswith(b"l NO [UNAVAILABLE] ")
            mailboxes.unavailable = False
            assert (await command(reader, writer, LOGIN))[0].startswith(b"l OK ")
            mailboxes.unavailable = True
            assert (await command(reader, writer, b"a SELECT INBOX"))[0].startswith(b"a NO [UNAVAILABLE] ")
            mailboxes.unavailable = False
            assert (await command(reader, writer, b"b SELECT INBOX"))[-1].startswith(b"b OK ")

    asyncio.run(run())


def test_select_reads_counters_only() -> None:
    async def run() -> None:
        async with opened() as doors, dialled(doors) as (reader, writer):
            await command(reader, writer, LOGIN)
            mailboxes = doors.mailboxes
            assert isinstance(mailboxes, FakeItemStore)
            mailboxes.calls.clear()
            await command(reader, writer, b"a SELECT INBOX")
            assert mailboxes.calls == ["folders"]

    asyncio.run(run())


def test_a_folder_that_changed_between_select_and_the_first_fetch() -> None:
    """The index comes late: what vanished meanwhile keeps its number until it is told, what came waits."""

    async def run() -> None:
        async with opened() as doors, dialled(doors) as (reader, writer), dialled(doors) as (other, other_writer):
            for streams in ((reader, writer), (other, other_writer)):
                await command(*streams, LOGIN)
            for _ in range(3):
                await command(reader, writer, b"a APPEND INBOX {3+}\r\na\r\n")
            await command(reader, writer, b"b EXAMINE INBOX")
            await command(other, other_writer, b"c SELECT INBOX")
            await command(other, other_writer, b"d STORE 1 +FLAGS (\\Deleted)")
            await command(other, other_writer, b"e EXPUNGE")
            await command(other, other_writer, b"f APPEND INBOX {3+}\r\na\r\n")
            assert await command(reader, writer, b"g FETCH 1:* UID") == [
                b"* 1 FETCH (UID 1)\r\n",
                b"* 2 FETCH (UID 2)\r\n",
                b"* 3 FETCH (UID 3)\r\n",
                b"g OK FETCH completed\r\n",
            ]
            assert await command(reader, writer, b"h NOOP") == [
                b"* 1 EXPUNGE\r\n",
                b"* 3 EXISTS\r\n",
                b"* 2 RECENT\r\n",
                b"h OK NOOP completed\r\n",
            ]

    asyncio.run(run())


def test_a_quota_that_changed_counts_in_an_open_session() -> None:
    """At the next APPEND or COPY, and in what GETQUOTA says; a directory that is away leaves what was."""

    async def run() -> None:
        async with opened() as doors, dialled(doors) as (reader, writer):
            people = doors.directory.mail
            alice = people["alice@example.test"]

            async def ask(text: bytes) -> list[bytes]:
                return await command(reader, writer, text)

            async def grant(quota: int) -> None:
                people["alice@example.test"] = replace(alice, quota=quota)

            append = b"a APPEND INBOX {1500+}\r\n" + b"x" * 1500
            await ask(LOGIN)
            await ask(b"s SELECT INBOX")
            assert (await ask(append))[-1].startswith(b"a OK [APPENDUID ")
            await grant(2048)
            assert (await ask(append))[-1] == b"a NO [OVERQUOTA] The mailbox is full\r\n"
            assert (await ask(b'q GETQUOTA ""'))[0] == b'* QUOTA "" (STORAGE 2 2)\r\n'
            assert (await ask(b"c COPY 1 INBOX"))[-1] == b"c NO [OVERQUOTA] The mailbox is full\r\n"
            assert (await ask(b"m MOVE 1 Drafts"))[-1].startswith(b"m OK")
            people.clear()
            assert (await ask(append))[-1] == b"a NO [OVERQUOTA] The mailbox is full\r\n"
            await grant(4096)
            assert (await ask(b"g GETQUOTAROOT INBOX"))[1] == b'* QUOTA "" (STORAGE 2 4)\r\n'
            assert (await ask(append))[-1].startswith(b"a OK [APPENDUID ")

    asyncio.run(run())


def test_a_search_looks_at_the_folder_only_where_it_has_changed() -> None:
    """One question to the store, which says with its answer whether the view is behind; what names messages by the view is
    then searched again."""

    async def run() -> None:
        async with opened() as doors, dialled(doors) as (reader, writer), dialled(doors) as (theirs, other):
            mailboxes = doors.mailboxes
            assert isinstance(mailboxes, FakeItemStore)
            for hears, says in ((reader, writer), (theirs, other)):
                await command(hears, says, LOGIN)
                await command(hears, says, b"s SELECT INBOX")

            async def ask(text: bytes) -> tuple[list[bytes], list[str]]:
                mailboxes.calls.clear()
                return await command(reader, writer, b"a " + text), list(mailboxes.calls)

            append = b"b APPEND INBOX {16+}\r\nSubject: abc\r\n\r\n"
            for _ in range(3):
                await command(theirs, other, append)
            found = [b"* 3 EXISTS\r\n", b"* 3 RECENT\r\n", b"* SEARCH 1 2 3\r\n", b"a OK SEARCH completed\r\n"]
            told, asked = await ask(b"SEARCH SUBJECT abc")
            assert [line for line in told if b"RECENT" not in line] == [found[0], *found[2:]]
            assert asked.count("search") == 1
            for program in (b"SEARCH SUBJECT abc", b"SEARCH 1:* UNDELETED"):
                assert await ask(program) == (found[2:], ["search"])
            assert await ask(b"SORT (SUBJECT) UTF-8 SUBJECT abc") == (
                [b"* SORT 1 2 3\r\n", b"a OK SORT completed\r\n"],
                ["search"],
            )
            await command(theirs, other, append)
            await command(theirs, other, append)
            told, asked = await ask(b"UID SEARCH UID 4:* UNDELETED")
            assert told[0] == b"* 5 EXISTS\r\n" and told[-2] == b"* SEARCH 4 5\r\n"
            assert asked == ["search", "index", "search"]
            await command(theirs, other, b"d STORE 2 +FLAGS.SILENT (\\Deleted)")
            await command(theirs, other, b"e EXPUNGE")
            told, asked = await ask(b"SEARCH SUBJECT abc")
            assert told[-2:] == [b"* SEARCH 1 3 4 5\r\n", b"a OK [EXPUNGEISSUED] SEARCH completed\r\n"]
            assert asked == ["search", "index"]
            assert await ask(b"SEARCH SUBJECT abc") == (told[-2:], ["search"])

    asyncio.run(run())


def test_the_work_of_one_search_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the session puts in for "$" and RECENT is counted, and the keywords that it asks the store about."""
    monkeypatch.setattr(imap_search, "MAX_RANGES", 10)
    monkeypatch.setattr(imap_search, "MAX_KEYWORDS", 5)

    async def run() -> None:
        async with opened() as doors, dialled(doors) as (reader, writer):
            await command(reader, writer, LOGIN)
            for n in range(10):
                flags = b" (\\Flagged)" if n % 2 else b""
                await command(reader, writer, b"a APPEND INBOX%b {3+}\r\nabc" % flags)
            await command(reader, writer, b"s SELECT INBOX")
            await command(reader, writer, b"v UID SEARCH RETURN (SAVE) FLAGGED")

            async def search(program: bytes) -> list[bytes]:
                return await command(reader, writer, b"a SEARCH " + program)

            odd = b"* SEARCH 2 4 6 8 10\r\n"
            assert (await search(b" ".join([b"$"] * 6)))[0] == odd
            assert (await search(b"OR " * 5 + b" ".join([b"$"] * 6)))[0] == odd
            limit = b"a NO [LIMIT] The search names messages too often\r\n"
            assert await search(b" ".join([b"$"] * 7)) == [limit]
            assert await search(b"OR " * 6 + b" ".join([b"$"] * 7)) == [limit]
            assert await search(b" ".join([b"RECENT"] * 31)) == [limit]
            assert await search(b" ".join([b"UID 1:*"] * 31)) == [limit]
            assert (await search(b" ".join([b"RECENT"] * 30)))[-1] == b"a OK SEARCH completed\r\n"
            assert (await search(b" ".join([b"KEYWORD $a"] * 50)))[-1] == b"a OK SEARCH completed\r\n"
            many = await search(b" ".join([b"NOT KEYWORD $%d" % n for n in range(9)]))
            assert many == [b"a NO [LIMIT] The search names too many keywords\r\n"]
            too_long = await search(b" ".join([b"ALL"] * 2001))
            assert too_long == [b"a NO [LIMIT] Search program too large\r\n"]

    asyncio.run(run())


def test_an_append_to_the_outbox_is_a_submission() -> None:
    async def run() -> None:
        async with opened() as doors, dialled(doors) as (reader, writer):
            await command(reader, writer, LOGIN)
            assert (await command(reader, writer, b"a APPEND Outbox {7+}\r\nA: b\r\n\r"))[-1].startswith(b"a OK ")
            guid = doors.directory.mail["alice@example.test"].guid
            assert await doors.mailboxes.outbox(guid) == [1]

    asyncio.run(run())


def test_large_answers_wait_for_a_slow_reader() -> None:
    """A client that asks for much and reads nothing holds a bounded part of it in the server."""

    async def run() -> None:
        async with opened() as doors, dialled(doors) as (reader, writer):
            await command(reader, writer, LOGIN)
            guid = doors.directory.mail["alice@example.test"].guid
            folder = next(f.id for f in await doors.mailboxes.folders(guid) if f.path == ("INBOX",))
            await doors.mailboxes.append(guid, folder, [NewItem(b"x" * 1_000_000)] * 40)
            await command(reader, writer, b"a SELECT INBOX")
            mailboxes = doors.mailboxes
            assert isinstance(mailboxes, FakeItemStore)
            mailboxes.calls.clear()
            writer.transport.pause_reading()
            writer.write(b"b FETCH 1:* (BODY.PEEK[])\r\n")
            calls = -1
            while calls != len(mailboxes.calls) or calls == 0:  # until the server asks for no more
                calls = len(mailboxes.calls)
                for _ in range(2000):
                    await asyncio.sleep(0)
            assert 0 < mailboxes.calls.count("fetch") < 30
            writer.transport.resume_reading()
            size = 0
            while not (line := await reader.readline()).startswith(b"b "):
                size += len(line)
                if line.endswith(b"{1000000}\r\n"):
                    size += len(await reader.readexactly(1_000_000))
            assert line == b"b OK FETCH completed\r\n" and size > 40_000_000

    asyncio.run(run())


def test_a_message_that_is_asked_for_twenty_times_is_in_memory_once() -> None:
    """RFC 9051 section 6.4.5 lets a client ask for as many sections as it likes: what it does not read is not made."""

    async def run() -> None:
        size, times = 8_000_000, 20
        async with opened() as doors, dialled(doors) as (reader, writer):
            await command(reader, writer, LOGIN)
            guid = doors.directory.mail["alice@example.test"].guid
            folder = next(f.id for f in await doors.mailboxes.folders(guid) if f.path == ("INBOX",))
            content = b"Subject: s\r\n\r\n" + b"x" * size
            await doors.mailboxes.append(guid, folder, [NewItem(content)])
            await command(reader, writer, b"a SELECT INBOX")
            (exists,) = [line for line in await command(reader, writer, b"a STATUS INBOX (MESSAGES)") if b"(" in line]
            number = int(exists.split()[-1].rstrip(b")"))
            writer.transport.pause_reading()
            tracemalloc.start()
            try:
                parts = b" ".join(b"BODY.PEEK[]<%d.%d>" % (at, size) for at in range(times))
                writer.write(b"b FETCH %d (%b)\r\n" % (number, parts))
                for _ in range(2000):
                    await asyncio.sleep(0)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert peak < size // 2
            writer.transport.resume_reading()
            for at in range(times):
                piece = content[at : at + size]
                line = await reader.readuntil(b"}\r\n")
                assert line.endswith(b"BODY[]<%d> {%d}\r\n" % (at, len(piece)))
                assert await reader.readexactly(len(piece)) == piece
            assert await reader.readline() == b")\r\n"
            assert (await reader.readline()).startswith(b"b OK ")

    asyncio.run(run())


def test_fetching_one_by_one_reads_ahead_and_stays_right() -> None:
    async def run() -> None:
        async with opened() as doors, dialled(doors) as (reader, writer):
            await command(reader, writer, LOGIN)
            guid = doors.directory.mail["alice@example.test"].guid
            folder = next(f.id for f in await doors.mailboxes.folders(guid) if f.path == ("INBOX",))
            await doors.mailboxes.append(guid, folder, [NewItem(b"%03d" % n) for n in range(200)])
            await command(reader, writer, b"a SELECT INBOX")
            mailboxes = doors.mailboxes
            assert isinstance(mailboxes, FakeItemStore)
            mailboxes.calls.clear()
            for number in (*range(1, 120), 50, 200):
                answer = await command(reader, writer, b"b FETCH %d (BODY.PEEK[])" % number)
                assert answer[0] == b"* %d FETCH (BODY[] {3}\r\n" % number
                assert answer[1] == b"%03d)\r\n" % (number - 1)
            assert mailboxes.calls.count("fetch") < 12

    asyncio.run(run())
