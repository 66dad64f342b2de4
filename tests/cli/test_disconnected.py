"""Which disconnected mailbox a person means, and how its owner is kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from types import SimpleNamespace
from uuid import UUID, uuid4

import click
import pytest
from click.testing import CliRunner

from postern.cli import disconnected, user
from postern.model.directory import RecipientType
from postern.model.mailbox import DisconnectedMailbox, MailboxError
from postern.model.organization import Database, Limits, Organization

GUID = UUID(int=7)
SALES = Organization("x", (), (), written_databases=(Database("sales", "mbx1", "postgresql://db1/sales"),))
LETTERS, A_LABELS = "Kim@회사.test", "kim@xn--vf4b131b.test"


@pytest.mark.parametrize("kept", [LETTERS, A_LABELS])
@pytest.mark.parametrize("wanted", [LETTERS, A_LABELS, "KIM@XN--VF4B131B.TEST", str(GUID), str(GUID).upper()])
def test_each_spelling_of_the_owner_finds_the_mailbox(kept: str, wanted: str) -> None:
    others = [DisconnectedMailbox(uuid4(), "", 0, 0, 0), DisconnectedMailbox(uuid4(), "kim@x.test", 0, 0, 0)]
    mine = DisconnectedMailbox(GUID, kept, 0, 1, 2)
    assert disconnected._chosen([*others, mine], wanted) is mine
    with pytest.raises(click.ClickException, match="no disconnected mailbox"):
        disconnected._chosen(others, wanted)


def gone_from(database: str) -> SimpleNamespace:
    return SimpleNamespace(guid=GUID, primary=LETTERS, database=database)


def test_the_owner_is_kept_in_one_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mailbox role writes A-labels when it notices a removal itself; the command must not write letters over them."""
    kept = []

    class Database:
        async def disconnect(self, mailbox: UUID, owner: str) -> bool:
            kept.append(owner)
            return True

    @contextlib.asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Database]:
        yield Database()

    monkeypatch.setattr(disconnected, "_opened", opened)
    assert asyncio.run(disconnected.disconnect(SALES, gone_from("sales")))
    assert asyncio.run(disconnected.disconnect(SALES, gone_from("works"))) is None
    assert kept == [A_LABELS]


def test_the_list_needs_no_flag_and_says_where_the_others_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disconnected, "in_directory", lambda *_: [])
    for words in ([], ["--disconnected"]):
        listed = CliRunner().invoke(disconnected.listing, words)
        assert (listed.exit_code, listed.output) == (
            0,
            "no disconnected mailbox: `postern mailbox stats` shows those of users\n",
        )


def test_a_mailbox_with_mail_takes_no_other_and_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Database:
        async def reconcile(self, owners: object) -> None: ...

        async def disconnected(self) -> list[DisconnectedMailbox]:
            return [DisconnectedMailbox(GUID, "dave@example.test", 0, 1, 2)]

        async def connect(self, mailbox: UUID, heir: UUID) -> None:
            raise MailboxError("CANNOT", "The mailbox of that user has messages")

    class Write:
        async def show(self, name: str) -> SimpleNamespace:
            return SimpleNamespace(name="dave@example.test", type=RecipientType.USER, guid=uuid4())

    @contextlib.asynccontextmanager
    async def opened(organization: object, state: object) -> AsyncIterator[Database]:
        yield Database()

    directory = SimpleNamespace(write=Write(), read=SimpleNamespace(mailbox_owners=None))
    monkeypatch.setattr(disconnected, "mailbox_database", opened)
    monkeypatch.setattr(
        disconnected, "in_directory", lambda state, work, role: asyncio.run(work(directory, None, None))
    )
    refused = CliRunner().invoke(disconnected.connect, ["dave@example.test", "dave"])
    assert refused.exit_code == os.EX_DATAERR
    assert "dave@example.test has messages already" in refused.output
    assert "`postern user add dave-old@example.test`" in refused.output
    assert f"`postern mailbox connect {GUID} dave-old@example.test`" in refused.output


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (
            1024,
            "the quota of dave@x is 1 KB\nThat is less than one message may have, 35 MB: larger ones are refused.\n",
        ),
        (2 * 1024**3, "the quota of dave@x is 2 GB\n"),
        (0, "the quota of dave@x is the limit of the organization, 2 GB\n"),
    ],
)
def test_a_quota_is_told_as_it_is_kept(monkeypatch: pytest.MonkeyPatch, kept: int, said: str) -> None:
    monkeypatch.setattr(user, "in_directory", lambda *_: (SimpleNamespace(name="dave@x", quota=kept), Limits()))
    assert CliRunner().invoke(user.quota, ["dave", "1"]).output == said
