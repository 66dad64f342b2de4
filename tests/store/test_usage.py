"""What a mailbox database holds, as `postern database list` asks."""

from __future__ import annotations

import asyncio

import pytest

from postern.store.usage import usage
from tests.store.conftest import Store


@pytest.mark.slow
def test_mailboxes_and_octets_are_counted(store: Store) -> None:
    before = asyncio.run(usage(store.dsn))
    store.mailbox()
    after = asyncio.run(usage(store.dsn))
    assert before is not None and after is not None
    assert after.mailboxes == before.mailboxes + 1
    assert after.size > 1_000_000


@pytest.mark.slow
def test_a_database_without_mailboxes_is_left_as_it_is(store: Store) -> None:
    empty = store.dsn.rpartition("/")[0] + "/template1"
    assert asyncio.run(usage(empty)) is None


def test_nobody_answers() -> None:
    assert asyncio.run(usage("postgresql://postern@%2Fnowhere/postern")) is None
