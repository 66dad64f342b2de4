"""DirSync and update sequence numbers, against Samba: what was added, changed and removed, and cookies that are of no use."""

from __future__ import annotations

import asyncio

import pytest

from postern.directory.ad.changes import DomainChanges, RecentChanges, Touched
from postern.model.directory import RecipientType
from tests.directory.domain_reader import Prepared
from tests.directory.samba import Domain

pytestmark = [pytest.mark.slow, pytest.mark.root]


def test_a_copy_is_kept_by_dirsync(prepared: Prepared) -> None:
    async def run() -> None:
        async with prepared.opened() as (directory, write):
            changes = DomainChanges(directory.controller, Domain.base)
            page = await changes.changes(b"")
            known = {one.guid for one in page.changed}
            assert page.afresh and not page.more and page.cookie
            alice = await write.add_user("alice@example.test", {})
            group = await write.add_group("all@example.test", members=["alice@example.test"])
            page = await changes.changes(page.cookie)
            found = {one.guid: one.attributes for one in page.changed}
            assert set(found) == {alice, group} and not page.afresh and not known & set(found)
            assert found[alice]["proxyAddresses"] == [b"SMTP:alice@example.test"]
            await write.add_alias("alice@example.test", "al@example.test")
            await write.change("all@example.test", "member")
            page = await changes.changes(page.cookie)
            found = {one.guid: one.attributes for one in page.changed}
            assert sorted(found[alice]["proxyAddresses"]) == [b"SMTP:alice@example.test", b"smtp:al@example.test"]
            assert "displayName" not in found[alice] and found[group]["member"] == []
            assert (await changes.changes(page.cookie)).changed == ()
            assert {alice, group} <= await changes.present()
            await write.remove("alice@example.test", RecipientType.USER)
            assert await changes.present() & {alice, group} == {group}
            again = await changes.changes(b"of another database")
            assert again.afresh and group in {one.guid for one in again.changed}

    asyncio.run(run())


def test_recent_changes_are_of_one_controller(prepared: Prepared) -> None:
    async def run() -> None:
        async with prepared.opened() as (directory, write):
            recent = RecentChanges(directory.controller, Domain.base)
            assert await recent.poll() is None
            assert await recent.poll() == Touched(frozenset(), frozenset())
            guid = await write.add_user("alice@example.test", {}, aliases=["al@example.test"])
            assert await recent.poll() == Touched(
                frozenset({guid}), frozenset({"alice@example.test", "al@example.test"})
            )
            assert await recent.poll() == Touched(frozenset(), frozenset())
            recent._controller = "another"
            assert await recent.poll() is None

    asyncio.run(run())
