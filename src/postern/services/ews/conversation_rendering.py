"""Conversations as markup, in the order of ConversationType (MS-OXWSCONV section 2.2.4.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from postern.model.item_store import StoredItem
from postern.model.items import Flag
from postern.protocols.ews.ids import ConversationId, ItemId, change_key
from postern.protocols.ews.names import boolean, element, number, value
from postern.protocols.ews.shapes import Shape
from postern.protocols.ews.times import written
from postern.services.ews.fields import item_values, mime, people
from postern.services.ews.item_view import ItemView

MAX_MEMBERS = 100
"""Messages of one conversation that are told one by one; all are counted."""
_NO_SHAPE = Shape()


@dataclass(frozen=True, slots=True)
class Members:
    """Messages of a conversation, the newest first: all as they are stored, and the newest MAX_MEMBERS as they are read."""

    stored: Sequence[StoredItem]
    views: Sequence[ItemView]


def markup(conversation: ConversationId, here: Members, everywhere: Members) -> str:
    """A Conversation: what is `here` in the folder that was asked for, and `everywhere` in the mailbox."""
    parts = [
        element("t:ConversationId", Id=str(conversation)),
        value("t:ConversationTopic", item_values.conversation_topic(here.views[0])) if here.views else "",
    ]
    for name, part in _PARTS:
        parts += [part(name, here), part(f"Global{name}", everywhere)]
    return f"<t:Conversation>{''.join(parts)}</t:Conversation>"


def _texts(name: str, texts: Iterable[str]) -> str:
    every = list(dict.fromkeys(text for text in texts if text))[:MAX_MEMBERS]
    return element(f"t:{name}", *[value("t:String", text) for text in every]) if every else ""


def _recipients(name: str, members: Members) -> str:
    envelopes = [mime.envelope(view) for view in members.views]
    return _texts(name, (people.name_of(person) for each in envelopes for person in (*each.to, *each.cc)))


def _senders(views: Iterable[ItemView]) -> Iterable[str]:
    return (people.name_of(person) for view in views for person in mime.envelope(view).from_[:1])


def _unread_senders(name: str, members: Members) -> str:
    return _texts(name, _senders(view for view in members.views if not view.stored.flags & Flag.SEEN))


def _last(name: str, members: Members) -> str:
    received = max((item.internal_date for item in members.stored), default=None)
    return value(f"t:{name}", written(received)) if received is not None else ""


def _categories(name: str, members: Members) -> str:
    return _texts(name, (text for view in members.views for text in item_values.category_texts(view)))


def _flag(name: str, members: Members) -> str:
    is_flagged = any(item.flags & Flag.FLAGGED for item in members.stored)
    return value(f"t:{name}", "Flagged" if is_flagged else "NotFlagged")


def _attachments(name: str, members: Members) -> str:
    return boolean(f"t:{name}", any("true" in item_values.has_attachments(view, _NO_SHAPE) for view in members.views))


def _classes(name: str, members: Members) -> str:
    classes = dict.fromkeys(item.item_class for item in members.stored)
    return element(f"t:{name}", *[value("t:ItemClass", each) for each in classes]) if classes else ""


def _importance(name: str, members: Members) -> str:
    texts = [item_values.importance(view, _NO_SHAPE) for view in members.views]
    highest = next((each for each in ("High", "Normal", "Low") if any(f">{each}<" in text for text in texts)), "Normal")
    return value(f"t:{name}", highest)


def _ids(name: str, members: Members) -> str:
    ids = [
        element("t:ItemId", Id=str(ItemId(view.mailbox.id, view.stored.id)), ChangeKey=change_key(view.stored.change))
        for view in members.views
    ]
    return element(f"t:{name}", *ids) if ids else ""


_PARTS: tuple[tuple[str, Callable[[str, Members], str]], ...] = (
    ("UniqueRecipients", _recipients),
    ("UniqueUnreadSenders", _unread_senders),
    ("UniqueSenders", lambda name, members: _texts(name, _senders(members.views))),
    ("LastDeliveryTime", _last),
    ("Categories", _categories),
    ("FlagStatus", _flag),
    ("HasAttachments", _attachments),
    ("MessageCount", lambda name, members: number(f"t:{name}", len(members.stored))),
    (
        "UnreadCount",
        lambda name, members: number(f"t:{name}", sum(not item.flags & Flag.SEEN for item in members.stored)),
    ),
    ("Size", lambda name, members: number(f"t:{name}", min(sum(item.size for item in members.stored), (1 << 31) - 1))),
    ("ItemClasses", _classes),
    ("Importance", _importance),
    ("ItemIds", _ids),
)
"""The properties that stand twice: for the folder, and for the whole mailbox."""
