"""A client that goes away leaves nothing behind in the database: from the IMAP session over the call to the statement.

covers: services.imap.search, services.mailbox.client
"""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS
from postern.services.imap.session import ImapSession
from postern.services.mailbox.client import mailbox_client
from postern.services.rpc.client import RpcClient
from postern.store.database import MailboxDatabase
from tests.services.client_doors import PASSWORD, Doors
from tests.services.rpc_parts import serve

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

_SEARCHES = (
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'postern-search' AND state = 'active'"
    " AND datname = current_database()"
)


async def _until_searching(dsn: str, many: int) -> None:
    while True:
        with psycopg.connect(dsn) as connection:
            if connection.execute(_SEARCHES).fetchone() == (many,):
                return
        await asyncio.sleep(0.02)


def test_a_search_ends_in_the_database_when_its_session_does(postgres_dsn: str) -> None:
    async def run() -> None:
        database = await MailboxDatabase.open(postgres_dsn, connections=8)
        async with serve(database, local_account="CAS1$") as served:
            rpc = RpcClient(MAILBOX_ACCESS, served.target("cas-to-mailbox", ""), served.observed)
            doors = Doors(mailbox_client(rpc, MAILBOX_ACCESS))
            await doors.open("imap4", ImapSession)
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", doors.ports[993], ssl=doors.client_tls())

                async def command(text: str) -> None:
                    writer.write(f"a {text}\r\n".encode())
                    while not (line := await reader.readline()).startswith(b"a "):
                        assert line
                    assert line.startswith(b"a OK"), line

                await command(f'LOGIN alice "{PASSWORD}"')
                await command("APPEND INBOX {16+}\r\nSubject: abc\r\n\r\n")
                await command("SELECT INBOX")
                await command("SEARCH BODY abc")
                with psycopg.connect(postgres_dsn) as locking:  # whoever reads words waits
                    locking.execute("LOCK TABLE texts IN ACCESS EXCLUSIVE MODE")
                    writer.write(b"a SEARCH BODY abc\r\n")
                    await _until_searching(postgres_dsn, 1)
                    writer.transport.abort()
                    await _until_searching(postgres_dsn, 0)
            finally:
                await doors.close()
                await rpc.close()
        await database.close()

    asyncio.run(asyncio.wait_for(run(), 60))
