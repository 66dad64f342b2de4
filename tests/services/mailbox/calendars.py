"""Appointments in the calendars of a store in memory."""

from __future__ import annotations

from uuid import UUID

from postern.items.stored import class_of, values_of
from postern.model.folders import FolderKind
from postern.model.item_store import PropertyName
from postern.model.resources import NewResource
from tests.items import calendars
from tests.services.fake_resource_store import FakeResourceStore


async def calendar_of(store: FakeResourceStore, mailbox: UUID) -> int:
    """The well-known calendar of a mailbox, which is opened."""
    await store.logon(mailbox)
    return next(node.id for node in await store.tree(mailbox) if node.kind is FolderKind.CALENDAR)


async def put(
    store: FakeResourceStore,
    mailbox: UUID,
    *lines: str,
    uid: str = "u1",
    folder: int | None = None,
    me: tuple[str, ...] = (),
) -> int:
    """The id of an appointment with these lines, in the well-known calendar or another folder."""
    whole = calendars.event(*lines, uid=uid)
    calendar = calendars.read(*whole)
    resource = NewResource(calendars.octets(*whole), class_of(calendar), values_of(calendar, 0, me))
    (id,) = await store.add(mailbox, folder if folder is not None else await calendar_of(store, mailbox), [resource])
    return id


async def set_text(store: FakeResourceStore, mailbox: UUID, folder: int, name: PropertyName, text: str) -> None:
    """Keeps a text with a folder, under a named property."""
    (number,) = await store.property_ids(mailbox, [name], create=True)
    await store.set_folder_properties(mailbox, folder, {number << 16 | 0x1F: f"{text}\0".encode("utf-16-le")})
