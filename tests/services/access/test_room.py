"""Unfinished APPENDs have a bounded room in memory, of each mailbox and of the process, and give it back.

covers: room
"""

from __future__ import annotations

import asyncio
import gc
from contextlib import AsyncExitStack
from uuid import UUID

from postern.model.items import NewItem
from postern.model.organization import Limits
from postern.services.access.room import ANSWERS, MESSAGES, OF_ONE_MAILBOX, AnswerRoom, LiteralRoom, Share
from tests.services.client_doors import Doors
from tests.services.fake_mailboxes import FakeMailboxes
from tests.services.imap.test_session import LOGIN, command, dialled, opened

LARGEST = 100_000
FULL = b"a NO [LIMIT] Too many large messages are coming in at once: try again\r\n"
Talk = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def test_a_mailbox_has_a_part_of_the_room_and_the_process_no_more_than_all() -> None:
    room = LiteralRoom(10)
    shares = [Share(room, UUID(int=number)) for number in range(5)]
    assert OF_ONE_MAILBOX * 4 == MESSAGES
    for share in shares[:4]:
        assert share.take(20)
        assert not share.take(1)
    assert not shares[4].take(1)
    shares[0].give_back()
    shares[0].give_back()
    assert shares[4].take(15) and not shares[0].take(6) and shares[0].take(5)
    for share in shares:
        share.give_back()
    assert not room._taken


async def _logged_in(stack: AsyncExitStack, doors: Doors, name: bytes = b"alice") -> Talk:
    reader, writer = await stack.enter_async_context(dialled(doors))
    assert (await command(reader, writer, LOGIN.replace(b"alice", name)))[-1].startswith(b"l OK ")
    return reader, writer


async def _begun(talk: Talk) -> bytes:
    """What the announcement of a message hears."""
    talk[1].write(b"a APPEND INBOX {%d}\r\n" % LARGEST)
    return await talk[0].readline()


def test_who_leaves_messages_unfinished_is_invited_to_no_more_of_them() -> None:
    async def run() -> None:
        async with opened(Limits(message_size=LARGEST)) as doors, AsyncExitStack() as stack:
            alice = [await _logged_in(stack, doors) for _ in range(3)]
            bob = await _logged_in(stack, doors, b"bob")
            assert await _begun(alice[0]) == b"+ OK\r\n"
            assert await _begun(alice[1]) == b"+ OK\r\n"
            assert await _begun(alice[2]) == FULL
            # What is sent without an invitation is passed over.
            alice[2][1].write(b"a APPEND INBOX {%d+}\r\n" % LARGEST + b"x" * LARGEST + b"\r\n")
            assert await alice[2][0].readline() == FULL
            assert await _begun(bob) == b"+ OK\r\n"
            # A message that is complete gives its room back, as does a session that ends.
            bob[1].write(b"x" * LARGEST + b"\r\n")
            assert (await bob[0].readline()).startswith(b"a OK [APPENDUID ")
            assert await _begun(bob) == b"+ OK\r\n"
            alice[0][1].write(b"x" * 10)
            alice[0][1].close()
            while await _begun(alice[2]) == FULL:
                pass
            assert await _begun(await _logged_in(stack, doors)) == FULL

    asyncio.run(run())


def test_a_refused_message_gives_back_those_before_it() -> None:
    async def run() -> None:
        async with opened(Limits(message_size=LARGEST)) as doors, AsyncExitStack() as stack:
            first, second = [await _logged_in(stack, doors) for _ in range(2)]
            assert await _begun(first) == b"+ OK\r\n"
            assert await _begun(second) == b"+ OK\r\n"
            second[1].write(b"x" * LARGEST + b" {%d}\r\n" % LARGEST)
            assert await second[0].readline() == FULL
            assert await _begun(second) == b"+ OK\r\n"

    asyncio.run(run())


def test_a_mailbox_has_so_many_answers_with_whole_messages_at_a_time() -> None:
    """Each holds a message until its client has read it; another mailbox does not wait for them."""

    async def run() -> None:
        content = b"Subject: s\r\n\r\n" + (b"x" * 998 + b"\r\n") * 20_000
        async with opened() as doors, AsyncExitStack() as stack:
            mailboxes = doors.mailboxes
            assert isinstance(mailboxes, FakeMailboxes)
            sessions = [await _logged_in(stack, doors) for _ in range(ANSWERS + 1)]
            bob = await _logged_in(stack, doors, b"bob")
            for name in ("alice", "bob"):
                guid = doors.directory.mail[f"{name}@example.test"].guid
                folder = next(f.id for f in await mailboxes.folders(guid) if f.path == ("INBOX",))
                await mailboxes.append(guid, folder, [NewItem(content)])
            for reader, writer in (*sessions, bob):
                await command(reader, writer, b"s SELECT INBOX")
            mailboxes.calls.clear()
            for reader, writer in sessions[:ANSWERS]:
                writer.write(b"f UID FETCH 1:* (BODY.PEEK[])\r\n")
                assert (await reader.readline()).startswith(b"* ")
                writer.transport.pause_reading()
            asked = mailboxes.calls.count("fetch")
            reader, writer = sessions[-1]
            writer.write(b"f UID FETCH 1:* (BODY.PEEK[])\r\n")
            # Bob's question comes after it, and its answer before.
            bob[1].write(b"f UID FETCH 1:* (BODY.PEEK[])\r\n")
            while not (await bob[0].readline()).startswith(b"f OK"):
                pass
            assert mailboxes.calls.count("fetch") == asked + asked // ANSWERS
            sessions[0][1].transport.abort()
            assert (await reader.readline()).startswith(b"* ")

    asyncio.run(run())


def test_the_room_of_a_mailbox_is_kept_while_it_is_used() -> None:
    async def run() -> None:
        rooms = AnswerRoom()
        async with rooms.of(UUID(int=1)):
            assert rooms.of(UUID(int=1))._value == ANSWERS - 1
        gc.collect()
        assert not rooms._of

    asyncio.run(run())
