"""What is hidden in another's folder costs no call each.

covers: guarded_reading
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from postern.model.folders import Right
from postern.model.item_store import ItemColumns
from postern.model.items import Column
from postern.services.access.guarded import GuardedItems

OWNER = uuid4()


class Folder:
    """A folder whose items 1 to `count` are private from `public` on; it counts what is asked."""

    def __init__(self, count: int, public: int) -> None:
        self.count, self.public = count, public
        self.calls = 0

    async def private_resources(self, mailbox: object, folder: int) -> list[int]:
        return list(range(self.public + 1, self.count + 1))

    async def walk(
        self, mailbox: object, folder: int, after: int, most: int, columns: Column, until: int = 0
    ) -> ItemColumns:
        self.calls += 1
        numbers = range(after + 1, min(after + most, self.count) + 1)
        return ItemColumns(cast(Any, [SimpleNamespace(id=number, uid=number) for number in numbers]))


@pytest.mark.parametrize(("public", "most", "calls"), [(511, 512, 8), (3_511, 512, 1), (600, 512, 1), (0, 100, 36)])
def test_hidden_items_are_passed_over_in_whole_pages(public: int, most: int, calls: int) -> None:
    async def steps() -> None:
        folder = Folder(3_511, public)
        guarded = GuardedItems(cast(Any, folder), lambda id: Right.READ_ANY)
        seen = await guarded.walk(OWNER, 1, 0, most, Column(0))
        assert [item.id for item in seen.items] == list(range(1, min(public, most) + 1))
        assert folder.calls <= calls

    asyncio.run(steps())
