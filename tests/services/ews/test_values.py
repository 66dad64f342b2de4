"""What several kinds of items have is read by one rule: categories, and languages."""

from __future__ import annotations

import asyncio

import pytest

from tests.services.ews.site import EwsSite
from tests.services.ews.test_calendar_items import HOUR
from tests.services.ews.test_calendar_items import made as appointment
from tests.services.ews.test_contacts import created as contact
from tests.services.ews.test_items import read
from tests.services.ews.test_messages import made
from tests.services.ews.test_tasks import created as task

MOST = 200
LONGEST = 255


def categories(*names: str) -> str:
    return f"<t:Categories>{''.join([f'<t:String>{name}</t:String>' for name in names])}</t:Categories>"


def making(kind: str, inner: str) -> str:
    if kind == "Message":
        return made(inner)
    if kind == "CalendarItem":
        return appointment(inner + HOUR)
    return contact(inner) if kind == "Contact" else task(inner)


KINDS = ("Message", "CalendarItem", "Contact", "Task")


@pytest.mark.parametrize("kind", KINDS)
def test_categories_of_all_kinds_are_read_alike(kind: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        named = await site.ask(making(kind, categories(" Red ", "Blue", "Red", " ")))
        item = named.find(".//t:ItemId").attrib["Id"]
        told = await site.ask(read(item, '<t:FieldURI FieldURI="item:Categories"/>'))
        assert told.texts(".//t:Categories/t:String") == ["Red", "Blue"]
        full = categories(*[f"c{number}" for number in range(MOST - 1)], "x" * LONGEST)
        assert (await site.ask(making(kind, full))).codes == ["NoError"]
        for wrong in (categories(*[f"c{number}" for number in range(MOST + 1)]), categories("x" * (LONGEST + 1))):
            assert (await site.ask(making(kind, wrong))).codes == ["ErrorInvalidValueForProperty"]

    asyncio.run(steps())


@pytest.mark.parametrize(("tag", "code"), [("de-CH", "NoError"), ("d--e", "ErrorSchemaValidation")])
@pytest.mark.parametrize("kind", ["Contact", "Task"])
def test_a_culture_is_a_tag_of_a_language(kind: str, tag: str, code: str) -> None:
    async def steps() -> None:
        assert (await EwsSite().ask(making(kind, f"<t:Culture>{tag}</t:Culture>"))).codes == [code]

    asyncio.run(steps())
