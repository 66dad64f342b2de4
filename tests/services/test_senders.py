"""Under which addresses a user may submit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from postern.model.directory import Account
from postern.services.senders import on_behalf, submitter_of
from tests.services.access.test_sharing import FakeSharingDirectory
from tests.transport.world import group, user

BOSS = user("boss", addresses=("boss@example.test", "chief@example.test"), delegates=("bob@example.test",))
SALES = group("sales", delegates=("team@example.test",))
TEAM = group("team")
BOB, CAROL = user("bob"), user("carol")


def asked(who: UUID, addresses: Sequence[str], groups: Sequence[UUID] = ()) -> tuple[frozenset[str] | None, int]:
    """The addresses on whose behalf this user may send, and how often the groups were asked for."""
    directory = FakeSharingDirectory(BOSS, SALES, TEAM, BOB, CAROL)
    directory.groups[who] = tuple(groups)
    account = Account(who, "x@example.test", True, False, "1", "x@example.test")
    answer = asyncio.run(on_behalf(directory, submitter_of(account, None), addresses))
    return (answer.behalf if answer is not None else None), directory.questions


def test_a_user_is_the_mailbox_and_what_the_account_may_send_as() -> None:
    account = Account(BOSS.guid, "boss@example.test", True, False, "1", "boss@example.test", ("Info@example.test",))
    submitter = submitter_of(account, BOSS)
    assert submitter.primary == "boss@example.test" and submitter.user == BOSS.guid
    assert all(map(submitter.may_send_as, ("CHIEF@example.test", "info@example.test", "boss@example.test")))
    assert not submitter.may_send_as("bob@example.test") and not submitter.behalf
    assert not submitter_of(None, None).allowed


@pytest.mark.parametrize(
    ("who", "addresses", "groups", "behalf"),
    [
        (BOB.guid, ["boss@example.test"], (), {"boss@example.test"}),
        (BOB.guid, ["Chief@example.test", "boss@example.test"], (), {"chief@example.test", "boss@example.test"}),
        (CAROL.guid, ["boss@example.test"], (), None),
        (CAROL.guid, ["sales@example.test"], (TEAM.guid,), {"sales@example.test"}),
        (CAROL.guid, ["sales@example.test", "boss@example.test"], (TEAM.guid,), None),
        (BOB.guid, ["boss@example.test", "nobody@example.test"], (), None),
        (BOB.guid, ["carol@example.test"], (), None),
        (BOB.guid, [], (), None),
    ],
)
def test_on_whose_behalf(who: UUID, addresses: Sequence[str], groups: Sequence[UUID], behalf: set[str] | None) -> None:
    assert asked(who, addresses, groups)[0] == behalf


def test_groups_are_asked_for_only_where_they_decide() -> None:
    assert asked(BOB.guid, ["boss@example.test"])[1] == 0
    assert asked(CAROL.guid, ["carol@example.test"])[1] == 0
    assert asked(CAROL.guid, ["sales@example.test", "boss@example.test"], [TEAM.guid])[1] == 1
    assert asked(uuid4(), ["sales@example.test"])[1] == 1
