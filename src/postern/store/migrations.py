"""The schema: numbered steps that are taken once, in order, and functions that are put in place after them.

Several processes may open one database at once; one of them takes the steps while the others wait.
"""

from __future__ import annotations

import hashlib
import re
from importlib import resources

from postern.protocols.mime.message import RENDERING, render
from postern.store import wire
from postern.store.connection import Connection
from postern.store.rendered import words
from postern.telemetry.attempts import attempt, given_up

_LOCK = 0x506F7374  # "Post": any number that nobody else in this database uses
_BATCH = 200
_BATCH_OCTETS = 1 << 24


class SchemaError(Exception):
    """The database is of a newer Postern than this one."""


def steps() -> list[tuple[int, str]]:
    """Number and text of each migration, in order."""
    folder = resources.files("postern.store").joinpath("migrations")
    found = []
    for file in folder.iterdir():
        match = re.fullmatch(r"(\d{4})_\w+\.sql", file.name)
        if match:
            found.append((int(match[1]), file.read_text(encoding="utf-8")))
    return sorted(found)


def functions() -> str:
    folder = resources.files("postern.store").joinpath("functions")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


async def migrate(connection: Connection, until: int | None = None) -> None:
    """Brings the schema to its newest version (or to `until`, for tests of upgrades) and renders anew what an older
    version stored. Raises SchemaError."""
    await connection.run("SELECT pg_advisory_lock($1::bigint)", [wire.int8(_LOCK)])
    try:
        await connection.script(
            "CREATE TABLE IF NOT EXISTS schema_version (version bigint NOT NULL, functions text NOT NULL);"
            "INSERT INTO schema_version SELECT 0, '' WHERE NOT EXISTS (SELECT FROM schema_version)"
        )
        row = (await connection.run("SELECT version, functions FROM schema_version"))[0]
        version, installed = wire.to_int8(row[0]), (row[1] or b"").decode()
        known = steps()
        if version > known[-1][0]:
            raise SchemaError(f"the database has schema version {version}, this Postern knows {known[-1][0]}")
        for number, text in known:
            if version < number and (until is None or number <= until):
                await connection.script(f"{text}; UPDATE schema_version SET version = {number}")  # noqa: S608 (our own words)
        if until is not None:
            return
        text = functions()
        digest = hashlib.sha256(text.encode()).hexdigest()
        if digest != installed:
            # In a schema of their own, so that one with an older signature goes with it.
            await connection.script(
                f"BEGIN; DROP SCHEMA IF EXISTS functions CASCADE; CREATE SCHEMA functions;"  # noqa: S608 (our own words)
                f" SET LOCAL search_path = functions, public; {text};"
                f" UPDATE public.schema_version SET functions = '{digest}'; COMMIT"
            )
        await _render_anew(connection)
    finally:
        if not connection.broken:
            await connection.run("SELECT pg_advisory_unlock($1::bigint)", [wire.int8(_LOCK)])


async def _render_anew(connection: Connection) -> None:
    """Contents that an older rendering left, a batch at a time; interrupted, it goes on at the next start."""
    last = 0
    while True:
        rows = await connection.run(
            "SELECT x.id, b.data FROM (SELECT c.id, sum(c.size) OVER (ORDER BY c.id) - c.size AS before FROM contents c"
            " WHERE c.id > $1::bigint AND c.rendering < $2::bigint ORDER BY c.id LIMIT $3::bigint) AS x"
            " JOIN bodies b ON b.content = x.id WHERE x.before < $4::bigint ORDER BY x.id",
            [wire.int8(last), wire.int8(RENDERING), wire.int8(_BATCH), wire.int8(_BATCH_OCTETS)],
        )
        if not rows:
            return
        last = wire.to_int8(rows[-1][0])
        ids, items = [], []
        for row in rows:
            # One that brings the server down at each start keeps its former rendering.
            if given_up(key := f"rendering/{wire.to_int8(row[0])}") is None:
                with attempt(key):
                    items.append(render(row[1] or b""))
                ids.append(wire.to_int8(row[0]))
        await connection.run(
            """
            WITH g AS (
                SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bigint[], $6::bigint[],
                    $7::text[], $8::text[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
                    $15::text[], $16::text[], $17::text[], $18::text[], $19::bigint[]) AS g(
                    id, envelope, structure, body, sent, sent_day, subject, base_subject, reply, sort_from, sort_to, sort_cc,
                    display_from, display_to, message_id, refs, fields, body_text, header_size)
            ), t AS (
                INSERT INTO texts (content, fields, body) SELECT g.id, g.fields, g.body_text FROM g
                ON CONFLICT (content) DO UPDATE SET fields = excluded.fields, body = excluded.body
            )
            UPDATE contents c SET rendering = $20::bigint, envelope = g.envelope, structure = g.structure, body = g.body,
                sent = g.sent, sent_day = g.sent_day, subject = g.subject, base_subject = g.base_subject,
                is_reply = g.reply <> 0, sort_from = g.sort_from, sort_to = g.sort_to, sort_cc = g.sort_cc,
                display_from = g.display_from, display_to = g.display_to, message_id = g.message_id, refs = g.refs,
                header_size = g.header_size
            FROM g WHERE c.id = g.id
            """,
            [
                wire.int8s(ids),
                wire.byteas([item.envelope for item in items]),
                wire.byteas([item.structure for item in items]),
                wire.byteas([item.body_structure for item in items]),
                *words(items),
                wire.int8s([item.header_size for item in items]),
                wire.int8(RENDERING),
            ],
        )
