"""A process follows its directory: guards offer what an administrator enabled, and the feed tells of new domains."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from postern.directory.ldap.connection import Refused
from postern.model.directory import DirectoryUnavailable
from postern.model.organization import AcceptedDomain, ActiveDirectory, Organization, Profile
from postern.model.security import Mechanism
from postern.paths.table import settle
from postern.services.directory import refresh
from postern.services.directory.refresh import DirectoryRefresh
from postern.services.organization_feed import OrganizationFeed
from tests.transport.world import organization

ROW = settle(Profile.PRACTICAL)["imap4"]


class Directory:
    """Stands for the authenticator, too: its mechanisms are those that the directory enabled."""

    def __init__(self) -> None:
        self.away = False
        self.available = frozenset({Mechanism.BASIC})
        self.domains: tuple[AcceptedDomain, ...] = ()

    async def refresh(self) -> frozenset[Mechanism]:
        if self.away:
            raise DirectoryUnavailable("away")
        return self.available

    async def accepted_domains(self) -> tuple[AcceptedDomain, ...]:
        return self.domains

    async def enabled_verifiers(self) -> frozenset[str]:
        return frozenset()


def made(directory: Directory, known: Organization) -> tuple[DirectoryRefresh, OrganizationFeed]:
    feed = OrganizationFeed(known)
    return DirectoryRefresh(cast(Any, directory), directory, feed), feed


def test_guards_and_followers_hear_of_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "REFRESH", 0.01)

    async def main() -> None:
        directory, first = Directory(), organization()
        directory.domains = (AcceptedDomain("early.test"),)
        process, feed = made(directory, first)
        await process.start()
        guard = process.guard(ROW)
        heard: list[Organization] = []
        changed = asyncio.Event()
        feed.follow(lambda now: (heard.append(now), changed.set())[0])
        changed.clear()
        assert [domain.name for domain in heard[0].domains][-1] == "early.test"
        directory.domains, directory.available = (), frozenset({Mechanism.BASIC, Mechanism.SCRAM})
        await asyncio.wait_for(changed.wait(), 10)
        assert heard[1:] == [first], "a domain that the directory dropped is dropped here"
        assert guard.available == directory.available
        await process.stop()

    asyncio.run(main())


def test_our_own_directory_must_be_there_and_a_domain_may_be_away() -> None:
    async def main() -> None:
        directory = Directory()
        directory.away = True
        with pytest.raises(DirectoryUnavailable):
            await made(directory, organization())[0].start()
        in_domain = replace(organization(), active_directory=ActiveDirectory("corp.test", "CORP"))
        process, feed = made(directory, in_domain)
        await process.start()
        assert feed.current == in_domain
        await process.stop()

    asyncio.run(main())


def test_a_refusal_does_not_end_the_following(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "REFRESH", 0.01)

    async def main() -> None:
        directory, first = Directory(), organization()
        process, feed = made(directory, first)
        await process.start()
        refused, told = asyncio.Event(), asyncio.Event()

        async def refuse() -> frozenset[Mechanism]:
            refused.set()
            raise Refused(53, "unwilling to perform")

        with monkeypatch.context() as patch:
            patch.setattr(directory, "refresh", refuse)
            await asyncio.wait_for(refused.wait(), 10)
        feed.follow(lambda now: told.set() if now != first else None)
        directory.domains = (AcceptedDomain("late.test"),)
        await asyncio.wait_for(told.wait(), 10)
        await process.stop()

    asyncio.run(main())
