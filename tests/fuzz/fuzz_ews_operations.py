"""Fuzz target for the operations of Exchange Web Services: `python tests/fuzz/fuzz_ews_operations.py -max_total_time=300`, with
atheris.

The input chooses an operation and, by the schema, what is in its request (tests/services/ews/asking.py), with ids of the caller
and of another, in whose inbox the caller has the rights of a role, or asks in the place of one who has. Whatever is asked, the
answer fits the schema and has a documented code, and nothing of the other is told or changed beyond the rights.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import NamedTuple

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(include=["postern.protocols.ews", "postern.services.ews"])
else:
    instrumented = nullcontext()

with instrumented:
    from postern.protocols.ews.codes import Code
    from postern.protocols.ews.ids import AttachmentId, ConversationId, FolderId, ItemId, change_key

from postern.model.folders import FolderKind, Right
from postern.model.items import NewItem
from postern.model.organization import Impersonation
from postern.model.sharing import ROLES
from postern.services.ews.application import EwsApplication
from postern.services.ews.operations.every import OPERATIONS
from tests.services.dav.site import ALICE, BOB, guid_of, recipient_of
from tests.services.ews.asking import Asking, Choices
from tests.services.ews.site import EwsSite
from tests.services.fake_folders import Item

CAROL = "carol@example.test"
SECRET, HIDDEN = "only-bob-knows", "nobody-else-ever-knows"
"""Stands in a message of bob's inbox, in which alice may have rights; in a folder in which she has none."""
VERSIONS = ("Exchange2013_SP1", "Exchange2007", "Exchange2010_SP1")
_MAIL = b"From: a@b.test\r\nTo: alice@example.test\r\nSubject: %b\r\nMessage-ID: <1@b.test>\r\n\r\nx\r\n"
_SLOW = ("<m:GetStreamingEvents",)
"""Requests that are answered for as long as the client wants."""
_PLACE = (
    f"<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>{ALICE}</t:PrimarySmtpAddress>"
    "</t:ConnectingSID></t:ExchangeImpersonation>"
)
_CODES = {code.value for code in Code}


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where an operation does what it must not."""
    asyncio.run(asyncio.wait_for(_ask(data), 60))


async def _ask(data: bytes) -> None:
    choices = Choices(data)
    version = choices.one_of(VERSIONS)
    rights = ROLES[choices.one_of(sorted(ROLES, key=lambda name: ROLES[name]))]
    site = EwsSite()
    ids: dict[str, list[str]] = {}
    for address, subject in ((ALICE, "hers"), (BOB, SECRET)):
        await _fill(site, address, subject, ids)
    bob = guid_of(BOB)
    inbox = await site.folder(FolderKind.INBOX, BOB)
    if rights:
        await site.mailboxes.set_rights(bob, inbox, guid_of(ALICE), rights)
    header = ""
    who = ALICE
    if choices.pick(4) == 3:
        who, header = CAROL, _PLACE
        site.recipients.known[CAROL] = recipient_of(CAROL)
        site.access = replace(site.access, impersonations=lambda: [Impersonation((CAROL,), (ALICE,))])
        site.application = EwsApplication(site.access, OPERATIONS)
    fitting = {
        **ids,
        "@ChangeKey": [change_key(1), change_key(99)],
        **{name: [ALICE, BOB] for name in ("t:EmailAddress", "t:Address", "t:PrimarySmtpAddress")},
        "": ["AAMk", BOB, *(each for known in ids.values() for each in known)],
    }
    before = _folders_of_bob(site)
    for _ in range(3):
        request = Asking(choices, fitting).request()
        if not request.startswith(_SLOW):
            answer = await site.ask(request, who, version, header)
            assert answer.status == 200 or answer.fault in _CODES, request
            codes = {*answer.codes, *answer.texts(".//m:ResponseCode"), answer.fault} - {""}
            assert codes <= _CODES - {Code.INTERNAL_SERVER_ERROR.value}, (codes, request)
            assert HIDDEN not in answer.text, request
            assert SECRET not in answer.text or rights & Right.READ_ANY, request
        if not choices.are_left:
            break
    _check(before, _folders_of_bob(site), inbox, rights)


async def _fill(site: EwsSite, address: str, subject: str, ids: dict[str, list[str]]) -> None:
    """Puts a message into the inbox, and another into a folder that is shared with nobody."""
    guid = guid_of(address)
    inbox = await site.folder(FolderKind.INBOX, address)
    folder = await site.mailboxes.create_in(guid, 0, f"Folder {HIDDEN if address == BOB else subject}")
    (item,) = await site.mailboxes.create(guid, inbox, [NewItem(_MAIL % subject.encode())])
    hidden = HIDDEN if address == BOB else subject
    (other,) = await site.mailboxes.create(guid, folder.id, [NewItem(_MAIL % hidden.encode())])
    for name, known in (
        ("t:FolderId", [FolderId(guid, inbox), FolderId(guid, folder.id)]),
        ("t:ItemId", [ItemId(guid, item), ItemId(guid, other)]),
        ("t:OccurrenceItemId", [ItemId(guid, item, 0)]),
        ("t:AttachmentId", [AttachmentId(guid, item, 1, 0)]),
        ("t:ConversationId", [ConversationId(guid, item)]),
    ):
        ids.setdefault(f"{name}@Id", []).extend(map(str, known))


class _Folder(NamedTuple):
    place: tuple[object, ...]
    items: Mapping[int, Item]


def _folders_of_bob(site: EwsSite) -> dict[int, _Folder]:
    box = site.mailboxes._mailbox(guid_of(BOB))
    return {
        number: _Folder(
            (folder.path, folder.folder_class, dict(folder.properties), dict(folder.rights)),
            {item.id: item for item in folder.items.values()},
        )
        for number, folder in box.folders.items()
    }


def _check(before: Mapping[int, _Folder], after: Mapping[int, _Folder], inbox: int, rights: Right) -> None:
    """Whatever was asked, no more of bob's has changed than the rights in his inbox allow."""
    assert inbox in after, "the inbox is gone"
    old, new = before[inbox], after[inbox]
    assert rights & Right.OWNER or old.place == new.place, "the folder has changed"
    assert rights & Right.CREATE or new.items.keys() <= old.items.keys(), "there is a new item"
    gone = old.items.keys() - new.items.keys()
    assert not gone or rights & Right.DELETE_ANY, "an item is gone"
    changed = [number for number, item in old.items.items() if new.items.get(number, item) != item]
    assert not changed or rights & (Right.EDIT_ANY | Right.DELETE_ANY), "an item has changed"
    for number in before.keys() | after.keys():
        if number not in before:
            assert rights & Right.CREATE_SUBFOLDER, "there is a new folder"
        elif number != inbox:
            # What is deleted goes to the owner's deleted items.
            assert number in after and before[number].place == after[number].place, "another folder has changed"
            kept = {item: after[number].items.get(item) for item in before[number].items}
            assert kept == before[number].items, "an item of another folder has changed"


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
