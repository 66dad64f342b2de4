"""What a second start leaves alone, and what it warns of; the directory is a small one in memory."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from postern.host import configuration, directory, secret_files, seed
from postern.model.organization import AcceptedDomain, Impersonation, Role, StateFolder
from postern.roles.secrets import Secret

BASE = configuration.parse(configuration.DEFAULT.format(offset=0))
HUB = dataclasses.replace(BASE.servers[0], name="hub1", roles=frozenset({Role.HUB}))
"""A host without mailboxes: the demo is its accounts."""
PEOPLE = ("alice@example.test", "bob@example.test", "carol@example.test")


class Accounts(dict[str, str]):
    """Passwords by address, as what `directory.opened` gives."""

    read = write = cast(Any, property(lambda self: self))

    async def account(self, name: str) -> str | None:
        return name if name in self else None

    async def recipient(self, name: str) -> Any:
        return SimpleNamespace(guid=uuid4()) if name in self else None

    async def verifier(self, account: str, kind: str) -> str:
        return self[account]

    async def verifiers(self, name: str, password: str) -> dict[str, str]:
        return {"argon2id": password}

    async def add_user(self, name: str, verifiers: Mapping[str, str], **more: object) -> None:
        await self.set_verifiers(name, verifiers)

    async def set_verifiers(self, name: str, verifiers: Mapping[str, str]) -> None:
        self[name] = verifiers["argon2id"]


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> Accounts:
    found = Accounts()

    @contextlib.asynccontextmanager
    async def opened(*_: object) -> AsyncIterator[Accounts]:
        yield found

    monkeypatch.setattr(directory, "opened", opened)
    monkeypatch.setattr(seed, "matches", lambda stored, password: stored == password)
    return found


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    made = StateFolder(tmp_path, tmp_path / "sockets")
    made.secrets.mkdir()
    return made


def started(state: StateFolder, given: str | None = "demo") -> seed.Demo:
    return seed.demo_of(asyncio.run(seed.demo(state, BASE, HUB, given)))


def test_a_second_start_leaves_changed_and_removed_accounts_alone(accounts: Accounts, state: StateFolder) -> None:
    assert not seed.delivered(state)
    assert started(state) == seed.Demo("demo", PEOPLE)
    assert accounts == dict.fromkeys(PEOPLE, "demo") and seed.delivered(state)
    accounts["alice@example.test"] = "her own"
    del accounts["carol@example.test"]
    for _ in range(2):
        assert started(state) == seed.Demo("demo", ("bob@example.test",))
        assert accounts == {"alice@example.test": "her own", "bob@example.test": "demo"}


def test_another_password_is_for_those_who_had_the_former(accounts: Accounts, state: StateFolder) -> None:
    first = started(state, None)
    assert first.people == PEOPLE and len(first.password) == 64
    accounts["alice@example.test"] = "her own"
    assert started(state, "another") == seed.Demo("another", PEOPLE[1:])
    assert accounts["alice@example.test"] == "her own" and accounts["bob@example.test"] == "another"
    assert secret_files.obtain(state, Secret.DEMO_PASSWORD) == "another"
    assert started(state, None) == seed.Demo("another", PEOPLE[1:]), "and it is kept"


def test_a_start_that_was_cut_off_goes_on(accounts: Accounts, state: StateFolder) -> None:
    accounts["alice@example.test"] = "demo"
    assert started(state).people == PEOPLE


def test_somebody_who_was_there_before_the_demo_keeps_the_password(accounts: Accounts, state: StateFolder) -> None:
    accounts["bob@example.test"] = "his own"
    assert started(state).people == ("alice@example.test", "carol@example.test")
    assert accounts["bob@example.test"] == "his own"


class Outside:
    """Recipients in domains that are accepted no more."""

    def __init__(self, *found: str) -> None:
        self.found, self.asked = sorted(found), [""]
        self.read = self.write = self

    async def accepted_domains(self) -> tuple[AcceptedDomain, ...]:
        return (AcceptedDomain("회사.test"),)

    async def outside(self, domains: Sequence[str], limit: int) -> list[str]:
        self.asked = list(domains)
        return self.found[:limit]


def said(outside: Outside) -> str:
    return asyncio.run(directory.stranded(cast(Any, outside), BASE))


def test_a_domain_that_is_gone_is_told_with_the_way_out() -> None:
    outside = Outside()
    assert said(outside) == ""
    assert outside.asked == ["example.test", "xn--vf4b131b.test"]
    words = said(Outside("alice@old.test", "bob@xn--vf4b131b.test", "carol@old.test", "dave@old.test"))
    assert words.startswith(
        "4 recipients have addresses in no accepted domain (alice@old.test, bob@회사.test, carol@old.test …)"
    )
    assert words.endswith('[[domain]] name = "old.test"; [[domain]] name = "회사.test"')
    assert said(Outside("alice@old.test")).startswith(
        "1 recipient has an address in no accepted domain (alice@old.test)"
    )
    many = said(Outside(*(f"u{number}@d{number}.test" for number in range(200))))
    assert many.startswith("100 or more recipients") and len(many) < 500


class Known:
    """A directory with one account and one group."""

    def __init__(self) -> None:
        self.read = self

    async def recipients(self, addresses: Sequence[str]) -> dict[str, object]:
        return {each: object() for each in addresses if each == "team@example.test"}

    async def account(self, name: str) -> object | None:
        return object() if name == "gateway@example.test" else None


def test_whoever_the_right_to_impersonate_names_in_vain_is_told() -> None:
    def told(*grants: Impersonation) -> str:
        return asyncio.run(directory.unknown(cast(Any, Known()), dataclasses.replace(BASE, impersonations=grants)))

    assert told() == ""
    assert told(Impersonation(("gateway@example.test", "Team@example.test"), ("everybody",))) == ""
    words = told(Impersonation(("gatway@example.test",), ("nobody@example.test", "team@example.test")))
    assert words.startswith(
        "[[impersonation]] in postern.toml names gatway@example.test, nobody@example.test, and nobody"
    )
