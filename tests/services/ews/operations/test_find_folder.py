"""FindFolder: folders by conditions, and parts of them."""

from __future__ import annotations

import asyncio

from postern.model.folders import FolderKind
from postern.protocols.ews.ids import TOP, FolderId
from tests.services.dav.site import ALICE, guid_of
from tests.services.ews.site import EwsSite

GUID = guid_of(ALICE)
NAME = '<t:FieldURI FieldURI="folder:DisplayName"/>'
TAG = '<t:ExtendedFieldURI PropertyTag="0x3613" PropertyType="String"/>'


def find(restriction: str = "", view: str = "", traversal: str = "Shallow", folder: int = TOP) -> str:
    return (
        f'<m:FindFolder Traversal="{traversal}"><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape>'
        f"<t:AdditionalProperties>{NAME}</t:AdditionalProperties></m:FolderShape>{view}"
        f"{f'<m:Restriction>{restriction}</m:Restriction>' if restriction else ''}"
        f'<m:ParentFolderIds><t:FolderId Id="{FolderId(GUID, folder)}"/></m:ParentFolderIds></m:FindFolder>'
    )


def equal(path: str, text: str) -> str:
    return f'<t:IsEqualTo>{path}<t:FieldURIOrConstant><t:Constant Value="{text}"/></t:FieldURIOrConstant></t:IsEqualTo>'


def test_folders_are_found_by_conditions_and_in_parts() -> None:
    async def steps() -> None:
        site = EwsSite()
        await site.folder(FolderKind.INBOX)
        outer = await site.mailboxes.create_in(GUID, 0, "outer")
        for number in range(3):
            await site.mailboxes.create_in(GUID, outer.id, f"inner {number}", "IPF.Task" if number else "IPF.Note")

        async def names(body: str) -> list[str]:
            answer = await site.ask(body)
            assert answer.codes == ["NoError"], answer.text
            return answer.texts(".//t:DisplayName")

        assert await names(find(equal(NAME, "OUTER"))) == ["outer"]
        assert await names(find(equal(NAME, "inner 1"))) == []
        assert await names(find(equal(NAME, "inner 1"), traversal="Deep")) == ["inner 1"]
        tasks = ["inner 1", "inner 2"]
        for path in ('<t:FieldURI FieldURI="folder:FolderClass"/>', TAG):
            assert await names(find(equal(path, "IPF.Task"), folder=outer.id)) == tasks
        assert await names(find(traversal="SoftDeleted")) == []
        view = '<m:IndexedPageFolderView MaxEntriesReturned="2" Offset="1" BasePoint="Beginning"/>'
        answer = await site.ask(find(view=view, folder=outer.id))
        assert answer.texts(".//t:DisplayName") == tasks
        assert answer.find(".//m:RootFolder").attrib == {
            "IndexedPagingOffset": "3",
            "IncludesLastItemInRange": "true",
            "TotalItemsInView": "3",
        }
        half = '<m:FractionalPageFolderView MaxEntriesReturned="1" Numerator="1" Denominator="3"/>'
        assert await names(find(view=half, folder=outer.id)) == ["inner 1"]
        for body, code in (
            (find(equal('<t:FieldURI FieldURI="item:Subject"/>', "x")), "ErrorUnsupportedPathForQuery"),
            (find(traversal="Wide"), "ErrorSchemaValidation"),
        ):
            assert (await site.ask(body)).codes == [code]

    asyncio.run(steps())
