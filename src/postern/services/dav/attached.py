"""The managed attachments (RFC 8607) that a mailbox keeps for its appointments and tasks.

Each is an item in a folder that no client shows. Its name is the attachment's id with the name of the file behind it. Its octets
count against the quota. It lasts as long as an object of the mailbox names it: the store finds these objects by the id
(`items.managed_attachments.keys_of`), which is written in the transaction of their content, and so never tells too few. An
attachment is stored before the object names it, and is removed after the last object has stopped to. A crash in between leaves
one that nothing names, which `sweep` removes later.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Sequence
from http import HTTPStatus
from urllib.parse import quote
from uuid import uuid4

from postern.items import calendar_object
from postern.items.calendar_object import Refused, organizer_of
from postern.items.managed_attachments import MAX_MANAGED, Named, key_of_id, managed
from postern.items.rendered import attendee_of
from postern.items.stored import is_closed
from postern.model.folders import FolderNode, Right
from postern.model.mailbox import MailboxError
from postern.model.resources import ABSENT, MAX_NAME, NOTHING_RENDERED, Resource, Resources
from postern.protocols.dav.fields import read_url
from postern.protocols.dav.names import caldav, element
from postern.services.dav import properties
from postern.services.dav.contents import FILE_CLASS, Content
from postern.services.dav.folders import CALENDARS, find_at_top, make_at_top
from postern.services.dav.folders import Collection as Calendar
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.octets import content_of, may_have
from postern.services.dav.places import ROOT, Space, place_of
from postern.services.dav.request import Refusal
from postern.services.scheduling.aside import aside

FOLDER_CLASS = "IPF.Attachments"
FOLDER_NAMES = ("Calendar attachments", "Calendar attachments (DAV)")
MEDIA = "Postern:media"
"""The name of the property that keeps the media type of an attachment, among those in `properties`."""
UNNAMED_SECONDS = 3_600
"""Seconds for which an attachment may wait for the object that will name it."""
PAGE = 500
ID = 32
"""Characters of an id."""
MOST_NAMING = 50
"""Objects that are looked at to see who may read an attachment."""
_UNFIT = re.compile(r"[\x00-\x1f\x7f/\\]+")


async def folder_of(box: OwnMailbox) -> FolderNode | None:
    """Returns the folder of attachments; None where there is none yet."""
    return await find_at_top(box.whole, FOLDER_CLASS)


def name_of(id_: str, filename: str) -> str:
    """The name of an attachment's item: the beginning of the file's name in front of its suffix, where it is long."""
    filename = _UNFIT.sub("_", filename).strip() or "attachment"
    room = MAX_NAME - len(id_) - 1
    stem, dot, suffix = filename.rpartition(".")
    tail = f".{suffix}" if dot and stem and len(suffix.encode()) <= 16 else ""
    head = filename.removesuffix(tail).encode()[: room - len(tail.encode())].decode("utf-8", "ignore")
    return f"{id_}-{head}{tail}"


def uri_of(box: OwnMailbox, host: str, name: str) -> str:
    return f"https://{host}{ROOT}{Space.ATTACHMENTS}/{quote(box.address, '@')}/{quote(name)}"


async def keep(box: OwnMailbox, octets: bytes, filename: str, media: str) -> tuple[str, str]:
    """Stores an attachment that nothing names yet. Returns its id and its name."""
    box = box.whole
    folder = await make_at_top(box, FOLDER_CLASS, *FOLDER_NAMES)
    await sweep(box, folder)
    id_ = uuid4().hex
    name = name_of(id_, filename)
    put = await box.store.put(box.id, folder.id, name, octets, FILE_CLASS, NOTHING_RENDERED, ABSENT)
    await properties.write(box, put.id, {MEDIA: media})
    return id_, name


async def check(
    box: OwnMailbox, container: Calendar, content: Content, old: Resource | None, made: str = ""
) -> set[str]:
    """Raises Refusal 403 where content names an attachment of this mailbox that is not there, or one that another caller may not
    read: to name it would let him. `made` is the id of one that he has just brought. Returns the ids that `old` names and the
    content does not. The attachments of others, which invitations bring, are their owners' matter."""
    if container.kind not in CALENDARS or (not may_name(content.octets) and await folder_of(box) is None):
        return set()
    before = await named_by(box, container, old)
    named = await _named(content.octets)
    mine = [(each.id, name) for each in named if (name := name_here(box, each)) is not None]
    names = list(dict.fromkeys(name for _, name in mine))
    if not all(name.startswith(f"{id_}-") for id_, name in mine) or len(await stored(box, names, False)) < len(names):
        raise _invalid()
    if not box.is_whole:
        # Whatever the URI is: `may_read` finds objects by the ids, of which the store has the first ones (`keys_of`).
        for id_ in ({each.id for each in named[:MAX_MANAGED]} | {id_ for id_, _ in mine}) - before - {made}:
            if await _names_of(box, id_) and not await may_read(box.me, box.whole, id_):
                raise _invalid()
    return before - {each.id for each in named}


def _invalid() -> Refusal:
    return Refusal(HTTPStatus.FORBIDDEN, element(caldav("valid-managed-id")))


async def named_by(box: OwnMailbox, container: Calendar, old: Resource | None) -> set[str]:
    """Returns the ids of the attachments that a resource names. Nothing is read of a mailbox that has none."""
    if old is None or container.kind not in CALENDARS or await folder_of(box) is None:
        return set()
    return {each.id for each in await _named(await content_of(box, old))}


def may_name(octets: bytes) -> bool:
    """Whether it is worth reading an object for the attachments that it names."""
    return may_have(octets, b"ATTACH")


async def _named(octets: bytes) -> list[Named]:
    if not may_name(octets):
        return []
    calendar = await aside(octets, lambda: calendar_object.read(octets))
    return [] if isinstance(calendar, Refused) else managed(calendar)


def name_here(box: OwnMailbox, named: Named) -> str | None:
    """The name of an attachment of this mailbox; None for one that is elsewhere."""
    path = read_url(named.uri)
    place = place_of(path) if path is not None else None
    if place is None or place.space is not Space.ATTACHMENTS or not box.is_mine(place.address):
        return None
    return place.names[0]


async def stored(box: OwnMailbox, names: Sequence[str], content: bool) -> list[Resource]:
    """Returns the attachments of these names."""
    box = box.whole
    folder = await folder_of(box) if names else None
    return [] if folder is None else list(await box.store.named(box.id, folder.id, names, content))


async def _names_of(box: OwnMailbox, id_: str) -> list[str]:
    """Returns the name of the attachment with this id, if the mailbox keeps it."""
    box = box.whole
    folder = await folder_of(box)
    page = await box.store.resources(box.id, folder.id, id_, 1) if folder is not None else Resources()
    return [name for name in page.names if name.startswith(f"{id_}-")]


async def media_of(box: OwnMailbox, resource: Resource) -> str:
    kept = await properties.read(box, [resource.id], [MEDIA])
    return kept.get(resource.id, {}).get(MEDIA) or "application/octet-stream"


async def naming(box: OwnMailbox, id_: str) -> list[Resource]:
    """Returns resources of a mailbox that name an attachment, with their octets."""
    key = key_of_id(id_)
    ids = (await box.store.with_addresses(box.id, [key])).get(key, [])
    return list(await box.store.with_ids(box.id, ids[:MOST_NAMING], True)) if ids else []


async def may_read(box: OwnMailbox, owner: OwnMailbox, id_: str) -> bool:
    """Whether somebody may read an attachment of another's: he is invited to an object that names it, or may read it."""
    for resource in await naming(owner, id_):
        if await _may_read_object(box, owner, resource):
            return True
    return False


async def _may_read_object(box: OwnMailbox, owner: OwnMailbox, resource: Resource) -> bool:
    octets = await content_of(owner, resource)
    calendar = await aside(octets, lambda: calendar_object.read(octets))
    if isinstance(calendar, Refused):
        return False
    for part in calendar.parts:
        if organizer_of(part) in owner.addresses and attendee_of(part, box.addresses) is not None:
            return True
    rights = (await box.access.sharing.rights(box.id, owner.recipient)).in_folder(resource.folder)
    return bool(rights & Right.READ_ANY) and (bool(rights & Right.OWNER) or not is_closed(calendar))


async def collect(box: OwnMailbox, ids: Collection[str]) -> None:
    """Removes those of these attachments that no object names any more."""
    box = box.whole
    folder = await folder_of(box) if ids else None
    if folder is None:
        return
    named = await box.store.with_addresses(box.id, [key_of_id(id_) for id_ in ids])
    for id_ in ids:
        if key_of_id(id_) not in named:
            for name in await _names_of(box, id_):
                await _remove(box, folder, name)


async def sweep(box: OwnMailbox, folder: FolderNode) -> None:
    """Removes attachments that nothing has named for a while: those that a crash left behind, and those of objects that other
    programs, or the calendar attendant, have removed."""
    if box.access.swept.is_recent(box.id):
        return
    box.access.swept.add(box.id)
    old = int(time.time()) - UNNAMED_SECONDS
    async for page in box.pages(folder.id, PAGE):
        ids = {resource.name[:ID]: resource for resource in page if resource.created < old}
        named = await box.store.with_addresses(box.id, [key_of_id(id_) for id_ in ids]) if ids else {}
        for id_, resource in ids.items():
            if key_of_id(id_) not in named:
                await _remove(box, folder, resource.name)


async def _remove(box: OwnMailbox, folder: FolderNode, name: str) -> None:
    try:
        await box.store.remove(box.id, folder.id, name)
    except MailboxError as error:
        if error.code != "NONEXISTENT":
            raise
