"""Items that a request makes or changes, by class of item, and how they are stored.

A kind has a subclass of Editor. The properties of a request are put into it one after the other (`fields.field.Write`); then
`create` or `update` stores what has become of the item. What is named, as appointments and contacts are, keeps the values by
which it is looked up beside its content; mail has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import uuid4

from postern.items.properties import Property, Value
from postern.items.property_values import encoded
from postern.model.folders import Right
from postern.model.item_store import RenderedItem
from postern.model.items import NewItem
from postern.model.mailbox import MailboxError
from postern.model.mailbox_server import MailboxItems
from postern.model.resources import NewResource
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId
from postern.services.access.guarded import MAKER_TAG
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.extended import tag_of
from postern.services.ews.item_view import ItemView
from postern.services.ews.places import Place


class Disposition(StrEnum):
    """The fate of a message that is made or changed (MS-OXWSCDATA section 2.2.5.20)."""

    SAVE_ONLY = "SaveOnly"
    SEND_ONLY = "SendOnly"
    SEND_AND_SAVE_COPY = "SendAndSaveCopy"


class Conflict(StrEnum):
    """The ways in which an update treats an item that has changed since its change key (MS-OXWSCORE section 2.2.5.4)."""

    NEVER_OVERWRITE = "NeverOverwrite"
    AUTO_RESOLVE = "AutoResolve"
    ALWAYS_OVERWRITE = "AlwaysOverwrite"


@dataclass(frozen=True, slots=True)
class How:
    """The settings of a whole request: `disposition` of messages (None where it says none), `meetings` who is told of a meeting
    (SendMeetingInvitations, or SendMeetingInvitationsOrCancellations in an update), and where copies of sent messages go
    (`saved`; None: the default)."""

    disposition: Disposition | None = None
    meetings: str = ""
    conflict: Conflict = Conflict.AUTO_RESOLVE
    saved: Place | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """An item as it was stored; `change` is the mailbox's change number of it. `more` is what an answer tells beside its id, as
    markup."""

    id: ItemId
    change: int
    more: str = ""


class Editor:
    """An item that is being made (`view` None) or changed. `flags` are its system flags. `bag` has the properties that no content
    has a place for, None for one that is taken out. `received` is when a new item came, in seconds since the epoch; None: now.
    Subclasses hold the content."""

    def __init__(self, call: Call, place: Place, view: ItemView | None, item_class: str) -> None:
        self.call = call
        self.place = place
        self.view = view
        self.item_class = view.stored.item_class if view is not None else item_class
        self.flags = view.stored.flags if view is not None else 0
        self.bag: dict[Property, Value | None] = {}
        self.received: int | None = None

    def content(self) -> bytes:
        """The octets of the item as it has become. Raises EwsError where properties contradict each other, or one is missing."""
        raise NotImplementedError

    async def rendered(self) -> RenderedItem | None:
        """The values by which the item is looked up; None for mail."""
        return None

    @property
    def name_end(self) -> str:
        """The end of the names of such items, for example ".ics"; "" for mail."""
        return ""

    def extend(self, property_: Property, held: Value | None) -> None:
        """Sets a MAPI property, or takes it out (None)."""
        self.bag[property_] = held

    async def create(self, how: How) -> Saved | None:
        """Stores the new item; None: it is nowhere to be found, as a message that is only sent. Raises EwsError, MailboxError."""
        mailbox, folder = self.place.mailbox, self.place.node
        await mailbox.nodes()
        mailbox.demand(folder, Right.CREATE, Code.CREATE_ITEM_ACCESS_DENIED)
        values = await self.rendered()
        if values is None:
            item = NewItem(self.content(), self.flags, self.received, self.item_class)
            (number,) = await mailbox.store.create(mailbox.id, folder.id, [item])
        else:
            resource = NewResource(self.content(), self.item_class, values, f"{uuid4()}{self.name_end}")
            (number,) = await mailbox.store.add(mailbox.id, folder.id, [resource])
        try:
            # Who may create needs no other right to say all of what he creates.
            await self._keep_bag(number, mailbox.server.items)
        except (EwsError, MailboxError):
            await mailbox.server.items.delete(mailbox.id, [number])
            raise
        return await self._saved(number)

    async def update(self, how: How, known: int | None) -> Saved:
        """Stores the changed item. `known` is the number of the change that the client knows, where a later one is a conflict;
        None: it is none. Raises EwsError: ErrorIrresolvableConflict, ErrorAccessDenied; MailboxError."""
        mailbox, view = self.place.mailbox, self.view
        assert view is not None
        if known is not None and view.stored.change > known:
            raise EwsError(Code.IRRESOLVABLE_CONFLICT)
        # What was read is what is changed: between the two, nobody may have changed it.
        known = view.stored.change
        await mailbox.demand_edit([view.stored.id])
        octets = self.content()
        if octets != view.content or self.item_class != view.stored.item_class:
            values = await self.rendered()
            if values is None:
                await mailbox.store.update(mailbox.id, view.stored.id, octets, self.item_class, known)
            else:
                await mailbox.store.replace(mailbox.id, view.stored.id, octets, values, self.item_class, known)
        await self._keep_flags()
        await self._keep_bag(view.stored.id, mailbox.store)
        return await self._saved(view.stored.id)

    async def _keep_flags(self) -> None:
        """Changes the flags of an item that is there, where they have become others."""
        mailbox, view = self.place.mailbox, self.view
        if view is None or self.flags == view.stored.flags:
            return
        await mailbox.change_flags(view.stored.id, self.flags)

    async def _keep_bag(self, number: int, store: MailboxItems) -> None:
        await keep_bag(self.place.mailbox, number, self.bag, store)

    async def _saved(self, number: int) -> Saved:
        mailbox = self.place.mailbox
        items = await mailbox.server.items.get(mailbox.id, [number])
        if not items:
            raise EwsError(Code.ITEM_NOT_FOUND)
        return Saved(ItemId(mailbox.id, number), items[0].change)


async def keep_bag(
    mailbox: Mailbox, number: int, bag: Mapping[Property, Value | None], store: MailboxItems | None = None
) -> None:
    """Stores properties in the bag of an item by `store` (None: by that of the mailbox); a value None takes one out. Raises
    EwsError ErrorInvalidExtendedPropertyValue."""
    if not bag:
        return
    numbers = await mailbox.numbers([each.name for each in bag if each.name is not None], create=True)
    try:
        values = {
            tag_of(each, numbers): None if held is None else encoded(each.type, held) for each, held in bag.items()
        }
    except ValueError:
        raise EwsError(Code.INVALID_EXTENDED_PROPERTY_VALUE) from None
    if not mailbox.is_whole:
        values.pop(MAKER_TAG, None)
    await (store or mailbox.store).set_properties(mailbox.id, number, values)
