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
from postern.model.edits import Beside
from postern.model.folders import Right
from postern.model.item_store import RenderedItem
from postern.model.items import NewItem
from postern.model.resources import NewResource
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId
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
        octets = self.content()
        bag = await new_bag(mailbox, self.bag)
        if values is None:
            item = NewItem(octets, self.flags, self.received, self.item_class)
            (number,) = await mailbox.store.create_with(mailbox.id, folder.id, [item], bag)
        else:
            resource = NewResource(octets, self.item_class, values, f"{uuid4()}{self.name_end}")
            (number,) = await mailbox.store.add_with(mailbox.id, folder.id, [resource], bag)
        return await self.saved(number)

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
        octets, values = self.content(), None
        is_same = octets == view.content and self.item_class == view.stored.item_class
        if not is_same:
            values = await self.rendered()
        beside = await self.beside()
        change = await mailbox.store.edit(
            mailbox.id, view.stored.id, beside, None if is_same else octets, values, self.item_class, known
        )
        return Saved(ItemId(mailbox.id, view.stored.id), change)

    async def beside(self) -> Beside:
        """The flags and the bag as they have become; flags that are the same as before are left alone. Raises EwsError
        ErrorInvalidExtendedPropertyValue."""
        is_same = self.view is not None and self.flags == self.view.stored.flags
        return Beside(None if is_same else self.flags, await bag_of(self.place.mailbox, self.bag))

    async def saved(self, number: int) -> Saved:
        """An item as it is stored now. Raises EwsError ErrorItemNotFound."""
        mailbox = self.place.mailbox
        items = await mailbox.server.items.get(mailbox.id, [number])
        if not items:
            raise EwsError(Code.ITEM_NOT_FOUND)
        return Saved(ItemId(mailbox.id, number), items[0].change)


async def bag_of(mailbox: Mailbox, bag: Mapping[Property, Value | None]) -> dict[int, bytes | None]:
    """Properties as the bag of an item in a mailbox has them; None takes one out. Raises EwsError
    ErrorInvalidExtendedPropertyValue."""
    numbers = await mailbox.numbers([each.name for each in bag if each.name is not None], create=True)
    try:
        return {tag_of(each, numbers): None if held is None else encoded(each.type, held) for each, held in bag.items()}
    except ValueError:
        raise EwsError(Code.INVALID_EXTENDED_PROPERTY_VALUE) from None


async def new_bag(mailbox: Mailbox, bag: Mapping[Property, Value | None]) -> dict[int, bytes]:
    """The bag of a new item. Raises as `bag_of` does."""
    return {tag: value for tag, value in (await bag_of(mailbox, bag)).items() if value is not None}
