"""Fuzz target for the operations of Exchange Web Services: `python tests/fuzz/fuzz_ews_operations.py -max_total_time=300`, with
atheris.

The input chooses an operation and, by the schema, what is in its request (tests/services/ews/asking.py), with ids of the caller
and of another. Whatever is asked, the answer fits the schema and has a documented code, and nothing of the other is told or
changed.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(include=["postern.protocols.ews", "postern.services.ews"])
else:
    instrumented = nullcontext()

with instrumented:
    from postern.protocols.ews.codes import Code
    from postern.protocols.ews.ids import AttachmentId, ConversationId, FolderId, ItemId, change_key

from postern.model.folders import FolderKind
from postern.model.items import NewItem
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.asking import Asking, Choices
from tests.services.ews.site import EwsSite

SECRET = "only-bob-knows"
VERSIONS = ("Exchange2013_SP1", "Exchange2007", "Exchange2010_SP1")
_MAIL = b"From: a@b.test\r\nTo: alice@example.test\r\nSubject: %b\r\nMessage-ID: <1@b.test>\r\n\r\nx\r\n"
_SLOW = ("<m:GetStreamingEvents",)
"""Requests that are answered for as long as the client wants."""
_CODES = {code.value for code in Code}


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where an operation does what it must not."""
    asyncio.run(asyncio.wait_for(_ask(data), 60))


async def _ask(data: bytes) -> None:
    site = EwsSite()
    ids: dict[str, list[str]] = {}
    for address, subject in ((ALICE, "hers"), (BOB, SECRET)):
        guid = guid_of(address)
        inbox = await site.folder(FolderKind.INBOX, address)
        (item,) = await site.mailboxes.create(guid, inbox, [NewItem(_MAIL % subject.encode())])
        folder = await site.mailboxes.create_in(guid, 0, f"Folder {subject}")
        for name, known in (
            ("t:FolderId", [FolderId(guid, folder.id), FolderId(guid, inbox)]),
            ("t:ItemId", [ItemId(guid, item)]),
            ("t:OccurrenceItemId", [ItemId(guid, item, 0)]),
            ("t:AttachmentId", [AttachmentId(guid, item, 1, 0)]),
            ("t:ConversationId", [ConversationId(guid, item)]),
        ):
            ids.setdefault(f"{name}@Id", []).extend(map(str, known))
    fitting = {
        **ids,
        "@ChangeKey": [change_key(1), change_key(99)],
        **{name: [ALICE, BOB] for name in ("t:EmailAddress", "t:Address", "t:PrimarySmtpAddress")},
        "": ["AAMk", BOB, *(each for known in ids.values() for each in known)],
    }
    before = await _state(site)
    choices = Choices(data)
    version = choices.one_of(VERSIONS)
    for _ in range(3):
        request = Asking(choices, fitting).request()
        if not request.startswith(_SLOW):
            answer = await site.ask(request, version=version)
            assert answer.status == 200 or answer.fault in _CODES, request
            codes = {*answer.codes, *answer.texts(".//m:ResponseCode"), answer.fault} - {""}
            assert codes <= _CODES - {Code.INTERNAL_SERVER_ERROR.value}, (codes, request)
            assert SECRET not in answer.text, request
        if not choices.are_left:
            break
    assert await _state(site) == before, "bob's mailbox has changed"


async def _state(site: EwsSite) -> object:
    """All that is in bob's mailbox: no operation here sends him anything."""
    box = site.mailboxes._mailbox(guid_of(BOB))
    return {
        number: (folder.path, dict(folder.properties), dict(folder.items), dict(folder.rights))
        for number, folder in box.folders.items()
    }


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
