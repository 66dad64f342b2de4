"""Which disconnected mailbox a person means, and how its owner is kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from uuid import UUID, uuid4

import click
import pytest

from postern.cli import disconnected
from postern.model.mailbox import DisconnectedMailbox

GUID = UUID(int=7)
LETTERS, A_LABELS = "Kim@회사.test", "kim@xn--vf4b131b.test"


@pytest.mark.parametrize("kept", [LETTERS, A_LABELS])
@pytest.mark.parametrize("wanted", [LETTERS, A_LABELS, "KIM@XN--VF4B131B.TEST", str(GUID), str(GUID).upper()])
def test_each_spelling_of_the_owner_finds_the_mailbox(kept: str, wanted: str) -> None:
    others = [DisconnectedMailbox(uuid4(), "", 0, 0, 0), DisconnectedMailbox(uuid4(), "kim@x.test", 0, 0, 0)]
    mine = DisconnectedMailbox(GUID, kept, 0, 1, 2)
    assert disconnected._chosen([*others, mine], wanted) is mine
    with pytest.raises(click.ClickException, match="no disconnected mailbox"):
        disconnected._chosen(others, wanted)


def test_the_owner_is_kept_in_one_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mailbox role writes A-labels when it notices a removal itself; the command must not write letters over them."""
    kept = []

    class Database:
        async def disconnect(self, mailbox: UUID, owner: str) -> bool:
            kept.append(owner)
            return True

    @contextlib.asynccontextmanager
    async def opened(organization: object) -> AsyncIterator[Database]:
        yield Database()

    monkeypatch.setattr(disconnected, "mailbox_database", opened)
    assert asyncio.run(disconnected.disconnect(None, SimpleNamespace(guid=GUID, primary=LETTERS)))
    assert kept == [A_LABELS]
