"""ConvertId, from each form to each other.

covers: services.ews.operations.convert_id
"""

from __future__ import annotations

import asyncio
from itertools import product

from postern.protocols.ews.alternate_ids import IdFormat, written_alternate
from postern.protocols.ews.ids import ItemId
from tests.services.dav.site import ALICE, guid_of
from tests.services.ews.site import EwsSite


def converted(to: str, *sources: str) -> str:
    return f'<m:ConvertId DestinationFormat="{to}"><m:SourceIds>{"".join(sources)}</m:SourceIds></m:ConvertId>'


def source(form: str, text: str, mailbox: str = ALICE) -> str:
    return f'<t:AlternateId Format="{form}" Id="{text}" Mailbox="{mailbox}"/>'


def test_an_id_goes_from_each_form_to_each_other() -> None:
    async def steps() -> None:
        site = EwsSite()
        id_ = ItemId(guid_of(ALICE), 7)
        for form, to in product(IdFormat, IdFormat):
            answer = await site.ask(converted(to, source(form, written_alternate(form, id_))))
            assert answer.codes == ["NoError"]
            assert answer.find(".//m:AlternateId").attrib["Id"] == written_alternate(to, id_)
            assert answer.find(".//m:AlternateId").attrib["Mailbox"] == ALICE

    asyncio.run(steps())


def test_what_cannot_be_converted_is_told_one_by_one() -> None:
    async def steps() -> None:
        site = EwsSite()
        good = source("EwsId", str(ItemId(guid_of(ALICE), 7)))
        public = '<t:AlternatePublicFolderId Format="EwsId" FolderId="x"/>'
        occurrence = source("EwsId", str(ItemId(guid_of(ALICE), 7, 1_000)))
        answer = await site.ask(
            converted("EntryId", good, public, occurrence, source("EwsId", "x"), source("EwsId", "x", ""))
        )
        assert answer.codes == [
            "NoError",
            "ErrorUnsupportedTypeForConversion",
            "ErrorUnsupportedTypeForConversion",
            "ErrorInvalidIdMalformed",
            "ErrorSchemaValidation",
        ]
        assert (await site.ask(converted("EntryId", good, source("X", "x")))).codes == ["ErrorSchemaValidation"]
        assert (await site.ask(converted("Nonsense", good))).codes == ["ErrorSchemaValidation"]

    asyncio.run(steps())
