"""The schema: numbered steps that are taken once, in order, and functions that are put in place after them.

Several processes may open one database at once; one of them takes the steps while the others wait.
"""

from __future__ import annotations

import hashlib
import re
from importlib import resources

from postern.protocols.mime.message import RENDERING
from postern.store import columns, wire
from postern.store.connection import Connection

_LOCK = 0x506F7374  # "Post": any number that nobody else in this database uses


class SchemaError(Exception):
    """The database has the schema of a newer Postern than this one."""


def steps() -> list[tuple[int, str]]:
    """Number and text of each migration, in order."""
    folder = resources.files("postern.store").joinpath("migrations")
    migrations = []
    for file in folder.iterdir():
        match = re.fullmatch(r"(\d{4})_\w+\.sql", file.name)
        if match:
            migrations.append((int(match[1]), file.read_text(encoding="utf-8")))
    return sorted(migrations)


def functions() -> str:
    folder = resources.files("postern.store").joinpath("functions")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return columns.filled("\n".join(file.read_text(encoding="utf-8") for file in files))


async def migrate(connection: Connection, until: int | None = None) -> None:
    """Brings the schema to its newest version (or to `until`, for tests of upgrades). `renewal` renders anew what an older
    version rendered, for that may take hours. Raises SchemaError."""
    await connection.run("SELECT pg_advisory_lock($1::bigint)", [wire.int8(_LOCK)])
    try:
        await connection.script(
            "CREATE TABLE IF NOT EXISTS schema_version (version bigint NOT NULL, functions text NOT NULL);"
            "INSERT INTO schema_version SELECT 0, '' WHERE NOT EXISTS (SELECT FROM schema_version)"
        )
        row = (await connection.run("SELECT version, functions FROM schema_version"))[0]
        version, installed = wire.to_int8(row[0]), (row[1] or b"").decode()
        migrations = steps()
        if version > migrations[-1][0]:
            raise SchemaError(f"the database has schema version {version}, this Postern knows {migrations[-1][0]}")
        for number, text in migrations:
            if version < number and (until is None or number <= until):
                await connection.script(f"{text}; UPDATE schema_version SET version = {number}")  # noqa: S608 (our own words)
        if until is not None:
            return
        text = functions()
        digest = hashlib.sha256(text.encode()).hexdigest()
        if digest != installed:
            # The functions have a schema of their own: dropping it also drops those with an older signature.
            await connection.script(
                f"BEGIN; DROP SCHEMA IF EXISTS functions CASCADE; CREATE SCHEMA functions;"  # noqa: S608 (our own words)
                f" SET LOCAL search_path = functions, public; {text};"
                f" UPDATE public.schema_version SET functions = '{digest}'; COMMIT"
            )
        # A new database has nothing to be rendered anew (`renewal`).
        await connection.run(
            "UPDATE schema_version SET rendered = $1::bigint WHERE NOT EXISTS (SELECT FROM contents)",
            [wire.int8(RENDERING)],
        )
    finally:
        if not connection.broken:
            await connection.run("SELECT pg_advisory_unlock($1::bigint)", [wire.int8(_LOCK)])
