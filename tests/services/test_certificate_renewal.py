"""Doors take up a new certificate while their connections stay: new handshakes show it, and each connection binds to its own."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from postern.net import door
from postern.net.link import TlsContext
from postern.net.mutual import MutualContext
from postern.net.tls import Certificate, FromFiles, end_point, opportunistic_context, server_context
from postern.services.imap.session import ImapSession
from tests.certificates import Made, authority, make
from tests.services.client_doors import Doors
from tests.services.fake_mailboxes import FakeMailboxes
from tests.support.waiting import until

AUTHORITY = authority("An authority")
OLD, NEW = make("127.0.0.1", AUTHORITY), make("127.0.0.1", AUTHORITY)
CONNECTIONS = 100
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def place(folder: Path) -> Certificate:
    return Certificate(folder / "server.pem", folder / "server.key")


def put(made: Made, folder: Path) -> Certificate:
    written, here = made.write(folder), place(folder)
    shutil.move(written.key, here.key)
    shutil.move(written.chain, here.chain)
    return here


def lax() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def dial(doors: Doors, number: int) -> Ends:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", doors.ports[number], ssl=lax() if number == 993 else None
    )
    assert (await reader.readline()).startswith(b"* OK")
    return reader, writer


async def upgrade(ends: Ends) -> None:
    ends[1].write(b"a STARTTLS\r\n")
    assert (await ends[0].readline()).startswith(b"a OK")
    await ends[1].start_tls(lax())


def shown(ends: Ends) -> bytes:
    der: bytes = ends[1].get_extra_info("ssl_object").getpeercert(True)
    return der


async def answers(ends: Ends) -> bool:
    ends[1].write(b"b NOOP\r\n")
    return (await ends[0].readline()).startswith(b"b OK")


@pytest.mark.parametrize("context", [server_context, lambda files: MutualContext(files, server=True)])
def test_connections_stay_and_new_handshakes_show_the_new_one(
    tmp_path: Path, context: Callable[[Certificate], TlsContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred of them; at a door that looks at certificates itself, all by STARTTLS."""
    taken_up: list[int] = []
    monkeypatch.setattr(door, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(door, "log", lambda event, **values: taken_up.append(values["port"]))

    async def work() -> None:
        doors, files = Doors(FakeMailboxes()), put(OLD, tmp_path)
        doors.tls = context(files)  # type: ignore[assignment]  # the doors are given either kind
        numbers = (143, 993) if context is server_context else (143, 143)
        doors.only = numbers
        async with doors.opened("imap4", ImapSession):
            open_now = [await dial(doors, numbers[turn % 2]) for turn in range(CONNECTIONS)]
            for ends in open_now:
                if ends[1].get_extra_info("ssl_object") is None:
                    await upgrade(ends)
            in_clear = await dial(doors, 143)

            put(NEW, tmp_path)
            await until(lambda: sorted(taken_up) == sorted({*numbers}))

            await upgrade(in_clear)
            for ends in (in_clear, await dial(doors, numbers[1])):
                if ends is not in_clear and numbers[1] == 143:
                    await upgrade(ends)
                assert shown(ends) == NEW.der and await answers(ends)
            assert sorted(taken_up) == sorted({*numbers}), "each door says it once"
            assert {shown(ends) for ends in open_now} == {OLD.der}
            assert all(await asyncio.gather(*map(answers, open_now)))
            bindings = [link.channel().binding for each in doors.doors for link in each.links]
            assert bindings.count(end_point(OLD.der)) == CONNECTIONS and bindings.count(end_point(NEW.der)) == 2
            for _, writer in open_now:
                writer.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(work(), 60))


def test_what_cannot_be_used_is_not_taken_up(tmp_path: Path) -> None:
    """Between the two files there is a moment at which they do not fit, and a file may be gone."""
    context = server_context(put(OLD, tmp_path))
    key, chain = place(tmp_path).key.read_bytes(), place(tmp_path).chain.read_bytes()
    put(NEW, tmp_path)
    new = place(tmp_path).key.read_bytes()
    place(tmp_path).chain.write_bytes(chain)
    assert context.renewed() is context, "another key"
    place(tmp_path).key.unlink()
    assert context.renewed() is context, "no key"
    place(tmp_path).key.write_bytes(key)
    again = context.renewed()
    assert again is not context and again.end_point == context.end_point
    place(tmp_path).key.write_bytes(new)
    assert again.renewed() is again
    put(NEW, tmp_path)
    newest = again.renewed()
    assert newest.end_point == end_point(NEW.der)
    assert context.renewed() is newest is again.renewed(), "all who ask get the same"


@pytest.mark.parametrize("context", [opportunistic_context, lambda files: MutualContext(files, server=False)])
def test_what_dials_shows_the_new_one_too(tmp_path: Path, context: Callable[[Certificate], FromFiles]) -> None:
    made = context(put(OLD, tmp_path))
    assert made.renewed() is made
    put(NEW, tmp_path)
    assert made.renewed() is not made


def test_without_files_there_is_nothing_to_renew() -> None:
    for made in (opportunistic_context(), MutualContext(None, server=False)):
        assert made.renewed() is made
