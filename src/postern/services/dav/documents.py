"""JSON documents in a hidden folder of the mailbox: what belongs to no item and must not change behind one's back, as locks.

The folder has a class of its own, which no client shows. A document changes as a whole, if nobody changed it meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from postern.model.mailbox import MailboxError
from postern.model.resources import ABSENT, NOTHING_RENDERED
from postern.protocols.dav.names import dav, element
from postern.services.dav.folders import find_at_top, make_at_top
from postern.services.dav.mailbox import OwnMailbox, unavailable
from postern.services.dav.request import Refusal

FOLDER_CLASS = "IPF.Configuration"
FOLDER_NAME = "Settings of DAV"
ITEM_CLASS = "IPM.Configuration.DAV"
MAX_DOCUMENT = 1_048_576
"""Octets of a document: 500 locks with 2 KB each."""
TRIES = 8
"""Attempts at a change while others change the same document."""
T = TypeVar("T")
Document = dict[str, Any]


async def read(box: OwnMailbox, name: str) -> Document:
    """Returns a document; one that nobody has written yet is empty."""
    return (await _read(box, name))[0]


async def change(box: OwnMailbox, name: str, work: Callable[[Document], T]) -> T:
    """Changes a document by `work`, which may be called several times, and whose result is returned. Raises Refusal: 507 for a
    document that would be too large, 503 after TRIES."""
    for _ in range(TRIES):
        document, tag = await _read(box, name)
        before = _written(document)
        result = work(document)
        after = _written(document)
        if after == before:
            return result
        if len(after) > MAX_DOCUMENT:
            raise Refusal(HTTPStatus.INSUFFICIENT_STORAGE, element(dav("sufficient-disk-space")))
        folder = await make_at_top(box, FOLDER_CLASS, FOLDER_NAME)
        try:
            await box.store.put(box.id, folder.id, name, after, ITEM_CLASS, NOTHING_RENDERED, tag)
        except MailboxError as error:
            if error.code not in ("MODIFIED", "NONEXISTENT"):
                raise
            box.forget()
        else:
            return result
    raise unavailable()


def _written(document: Document) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


async def _read(box: OwnMailbox, name: str) -> tuple[Document, bytes]:
    folder = await find_at_top(box, FOLDER_CLASS)
    if folder is None:
        return {}, ABSENT
    try:
        resources = list(await box.store.named(box.id, folder.id, [name], content=True))
    except MailboxError as error:
        if error.code != "NONEXISTENT":
            raise
        box.forget()
        return {}, ABSENT
    if not resources:
        return {}, ABSENT
    content = resources[0].content
    document = json.loads(content) if content else {}
    return document if isinstance(document, dict) else {}, resources[0].tag
