"""Checks what a named item is to be stored with, and chooses a name where it has none."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from uuid import uuid4

from postern.model.item_store import RenderedItem
from postern.model.items import MESSAGE
from postern.model.mailbox import MailboxError
from postern.model.resources import MAX_NAME, MAX_OBJECT_UID, NewResource
from postern.store.items import checked_class

MAX_ADDRESSES = 100
"""Addresses by which one contact is looked up. A contact has a few, and a list of thousands is no contact."""
_MAX_ADDRESS = 320
_MAX_STATUS = 32
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f]")
_SUFFIXES = {"IPM.Appointment": ".ics", "IPM.Task": ".ics", "IPM.Activity": ".ics", "IPM.Contact": ".vcf"}


def checked_name(name: str) -> str:
    """Returns the name. Raises MailboxError CANNOT for what no resource can be called."""
    try:
        octets = len(name.encode())
    except UnicodeEncodeError:
        octets = 0
    if not 1 <= octets <= MAX_NAME or "/" in name or name in (".", "..") or _CONTROL.search(name) is not None:
        raise MailboxError("CANNOT", f"A name has 1 to {MAX_NAME} octets of UTF-8, without controls and slashes")
    return name


def checked_rendered(rendered: RenderedItem) -> RenderedItem:
    """Returns the values. Raises MailboxError CANNOT for what the store cannot keep as it is."""
    texts = ((rendered.uid, MAX_OBJECT_UID), (rendered.status, _MAX_STATUS), (rendered.organizer, _MAX_ADDRESS))
    if not all(_is_text(text, most) for text, most in texts):
        raise MailboxError("CANNOT", f"A UID has at most {MAX_OBJECT_UID} octets of UTF-8, without controls")
    if len(rendered.addresses) > MAX_ADDRESSES or not all(_is_text(each, _MAX_ADDRESS) for each in rendered.addresses):
        raise MailboxError("CANNOT", f"An item is looked up by at most {MAX_ADDRESSES} addresses")
    return rendered


def checked_resource_class(item_class: str) -> str:
    """Returns the class of a named item. Raises MailboxError CANNOT for mail, which has none."""
    if item_class == MESSAGE:
        raise MailboxError("CANNOT", "A message has no name in its folder")
    return checked_class(item_class)


def checked(resources: Sequence[NewResource], unique_uids: bool) -> list[str]:
    """Returns the names of new resources, of which each has one of its own. Raises MailboxError: CANNOT, ALREADYEXISTS,
    UIDEXISTS."""
    if not resources:
        raise MailboxError("CANNOT", "There is nothing to add")
    for each in resources:
        checked_rendered(each.rendered)
        checked_resource_class(each.item_class)
    names = [checked_name(each.name) if each.name else chosen_name(each.item_class) for each in resources]
    if len(set(names)) < len(names):
        raise MailboxError("ALREADYEXISTS", "Two resources have the same name")
    uids = [each.rendered.uid for each in resources if each.rendered.uid]
    if unique_uids and len(set(uids)) < len(uids):
        raise MailboxError("UIDEXISTS", "Two resources have the same UID")
    return names


def chosen_name(item_class: str) -> str:
    """Chooses a name that nothing has yet, with the suffix of the class."""
    return f"{uuid4()}{_SUFFIXES.get(item_class, '')}"


def is_name(name: str) -> bool:
    """Whether something can be called so."""
    try:
        checked_name(name)
    except MailboxError:
        return False
    return True


def names_among(names: Collection[str]) -> list[str]:
    """Returns those of `names` that something can be called. Thousands that are plain are looked at all at once."""
    text = "".join(names)
    is_plain = text.isascii() and "/" not in text and _CONTROL.search(text) is None
    if is_plain and not {"", ".", ".."}.intersection(names) and max(map(len, names), default=0) <= MAX_NAME:
        return list(names)
    return [name for name in names if is_name(name)]


def _is_text(text: str, most: int) -> bool:
    try:
        return len(text.encode()) <= most and _CONTROL.search(text) is None
    except UnicodeEncodeError:
        return False
