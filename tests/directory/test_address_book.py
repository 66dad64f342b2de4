"""The address book of the private directory, beyond what every directory must answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from postern.directory.ldap.client import REPLACE, SUBTREE
from postern.directory.slapd_adapter import SUFFIX
from tests.directory.conftest import RunningSlapd


def searched(slapd: RunningSlapd, texts: Sequence[str]) -> list[list[str]]:
    """The given names that each text finds, of two people."""

    async def run() -> list[list[str]]:
        client = slapd.client()
        async with slapd.opened() as (read, write):
            for name, given, surname in (("a", "Anna Maria", "Kim-Lee"), ("b", "Bora", "Annas")):
                address = f"{name}@example.test"
                await write.add_user(address, {}, display_name=f"Dr. {given} {surname}")
                (entry,) = await client.search(SUFFIX, SUBTREE, f"(cn={address})", ("cn",))
                names = [(REPLACE, "givenName", [given.encode()]), (REPLACE, "sn", [surname.encode()])]
                await client.modify(entry.dn, names)
            found = [[entry.given_name for entry in await read.resolve(text)] for text in texts]
        await client.close()
        return found

    return asyncio.run(run())


def test_each_word_begins_one_of_the_names(empty_slapd: RunningSlapd) -> None:
    found = searched(empty_slapd, ["anna", "maria", "kim anna", "kim-lee", "dr. anna m", "anna bora", "lee", "a" * 257])
    assert found == [
        ["Anna Maria", "Bora"],
        ["Anna Maria"],
        ["Anna Maria"],
        ["Anna Maria"],
        ["Anna Maria"],
        ["Bora"],
        [],
        [],
    ]
