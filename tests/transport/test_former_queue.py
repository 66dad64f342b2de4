"""A queue that was written while a next hop named a server: former-queue.sql is its file as that version left it, with mail that
waits for the mailbox server hub1 and for the hub hub2.
"""

from __future__ import annotations

import asyncio
import base64
import sqlite3
from dataclasses import replace
from pathlib import Path

from postern.model.mail import HopKind, NextHop
from postern.model.organization import Database
from postern.transport.envelopes import FILE
from tests.transport.world import FakeDirectory, World, organization, user

SEGMENT = base64.b64decode(
    """
UFNUTgEAAAABAAAAYgAAAAAAAABGcm9tOiBib2JAcmVtb3RlLnRlc3QNClRvOiBhbGljZUBleGFtcGxlLnRlc3QNCk1lc3NhZ2UtSUQ6IDxtMU
ByZW1vdGUudGVzdD4NClN1YmplY3Q6IGhpDQoNClRleHQNCgJprT9QU1ROAgAAAAEAAABiAAAAAAAAAEZyb206IGJvYkByZW1vdGUudGVzdA0K
VG86IGFsaWNlQGV4YW1wbGUudGVzdA0KTWVzc2FnZS1JRDogPG0xQHJlbW90ZS50ZXN0Pg0KU3ViamVjdDogaGkNCg0KVGV4dA0KAmmtPw==
"""
)
DUMP = Path(__file__).parent / "former-queue.sql"


def test_what_waits_for_a_server_reaches_its_database(tmp_path: Path) -> None:
    """Alice's entry is as old as the queue, and knows a server; bob was given a database since."""
    folder = tmp_path / "0"
    folder.mkdir()
    (folder / "00000001.segment").write_bytes(SEGMENT)
    file = sqlite3.connect(folder / FILE)
    file.executescript(DUMP.read_text(encoding="utf-8"))
    file.close()
    named = replace(organization(), written_databases=(Database("sales", "hub1"),))
    people = FakeDirectory(user("alice", database="hub1"), user("bob", database="sales"))

    async def run() -> None:
        async with World(folder, directory=people, organization=named) as world:
            await world.later(60.0)
            assert sorted(world.carrier.carried) == ["alice@example.test", "bob@example.test", "x@far.test"]
            hops = {hop for hop, _ in world.carrier.batches}
            assert hops == {
                NextHop(HopKind.MAILBOX, ("hub1",), "hub-to-mailbox-mapi"),
                NextHop(HopKind.MAILBOX, ("sales",), "hub-to-mailbox-mapi"),
                NextHop(HopKind.HUB, ("hub2",), "hub-to-hub"),
            }
            servers = {named.server_of(hop.destination) for hop in hops if hop.kind is HopKind.MAILBOX}
            assert servers == {named.server("hub1")}
            assert world.dispatcher.idle

    asyncio.run(run())
