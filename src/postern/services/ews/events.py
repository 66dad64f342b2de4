"""The events of a mailbox since a change number, as a subscription tells them (MS-OXWSNTIF section 2.2.4).

They are made from the changes that the store tells, and no queue is kept: a change number is all that a watermark needs. So
events come at least once, and what happened to an item between two looks at the mailbox is told as one event.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from postern.model.folders import FolderChanges, FolderKind, FolderNode, Right, is_class
from postern.model.item_store import ItemChanges, StoredItem
from postern.model.items import MESSAGE, Flag
from postern.model.mailbox import MailboxError
from postern.model.resources import FolderState
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import FolderId, ItemId, change_key
from postern.protocols.ews.names import element, number, value
from postern.protocols.ews.subscriptions import EventKind, SubscriptionId
from postern.protocols.ews.times import written
from postern.services.ews.access import Mailbox

PAGE = 500
"""Changed items of which one notification tells, and those of the last change beside them."""
_ELEMENTS = {
    EventKind.CREATED: "CreatedEvent",
    EventKind.DELETED: "DeletedEvent",
    EventKind.MODIFIED: "ModifiedEvent",
    EventKind.MOVED: "MovedEvent",
    EventKind.COPIED: "CopiedEvent",
    EventKind.NEW_MAIL: "NewMailEvent",
    EventKind.FREE_BUSY_CHANGED: "FreeBusyChangedEvent",
}
_MAIL = (MESSAGE, "IPM.Schedule", "REPORT")
"""The classes of what is delivered as mail."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `kind` says which. `inner` is the markup behind its time stamp."""

    kind: EventKind
    inner: str

    def markup(self, watermark: str, at: str) -> str:
        """The element of the event; without a watermark in a stream, which has none."""
        mark = value("t:Watermark", watermark) if watermark else ""
        name = _ELEMENTS[self.kind]
        return f"<t:{name}>{mark}<t:TimeStamp>{at}</t:TimeStamp>{self.inner}</t:{name}>"


@dataclass(slots=True)
class Told:
    """The events after a change number, and the number to ask with next. `more` says that there is more to ask for at once."""

    change: int
    events: list[Event] = field(default_factory=list)
    more: bool = False


async def events_since(mailbox: Mailbox, subscription: SubscriptionId, since: int) -> Told:
    """The events of a subscription after the change number `since`. Folders that the caller may not read are passed over. Raises
    MailboxError; EwsError ErrorInvalidWatermark for a number that the mailbox has not come to."""
    store = mailbox.server.items
    # The whole mailbox says how far a page goes; each folder then says what came into it and went from it.
    whole = await store.changes(mailbox.id, None, since, PAGE)
    if since > whole.change:
        raise EwsError(Code.INVALID_WATERMARK)
    if since == whole.change:
        return Told(since)
    mailbox.forget_nodes()
    nodes = await mailbox.nodes()
    tree = await store.folder_changes(mailbox.id, since)
    states = await mailbox.store.folder_states(mailbox.id)
    told = _Telling(mailbox, subscription, nodes, states)
    told.tree(tree, since)
    touched = [
        node
        for node in nodes.values()
        if node.id in states and states[node.id].change > since and mailbox.rights_in(node) & Right.READ_ANY
    ]
    by_folder: dict[int, ItemChanges] = {}
    for node in touched:
        try:
            by_folder[node.id] = await mailbox.store.changes(mailbox.id, node.id, since, PAGE)
        except MailboxError as error:
            if error.code != "NONEXISTENT":
                raise
    in_page = {*whole.created, *whole.changed, *whole.removed}
    left = {number: folder for folder, each in by_folder.items() for number in each.moved if number in in_page}
    there = [number for each in by_folder.values() for number in (*each.created, *each.changed) if number in in_page]
    items = {item.id: item for item in await mailbox.store.get(mailbox.id, sorted({*there, *left}))}
    told.items(by_folder, in_page, left, items)
    new = {node.id for node in tree.created}
    told.folders([node for node in touched if node.id not in new])
    return Told(whole.change, told.events, whole.more)


@dataclass(slots=True)
class _Telling:
    """Makes the events of one subscription."""

    mailbox: Mailbox
    subscription: SubscriptionId
    nodes: dict[int, FolderNode]
    states: dict[int, FolderState]
    events: list[Event] = field(default_factory=list)

    def _watches(self, *folders: int) -> bool:
        watched = self.subscription.folders
        return not watched or any(folder in watched for folder in folders)

    def _tell(self, kind: EventKind, *inner: str) -> None:
        if self.subscription.events & kind:
            self.events.append(Event(kind, "".join(inner)))

    def _folder(self, name: str, folder: int) -> str:
        return element(f"t:{name}", Id=str(FolderId(self.mailbox.id, folder)))

    def _item(self, name: str, item: int, stored: StoredItem | None = None) -> str:
        key = {"ChangeKey": change_key(stored.change)} if stored is not None else {}
        return element(f"t:{name}", Id=str(ItemId(self.mailbox.id, item)), **key)

    def tree(self, changes: FolderChanges, since: int) -> None:
        """Tells of folders that were made, changed or removed. Where a removed one was is not known any more."""
        for kind, nodes in ((EventKind.CREATED, changes.created), (EventKind.MODIFIED, changes.changed)):
            for node in nodes:
                if node.id in self.nodes and self._watches(node.id, node.parent):
                    parent = self._folder("ParentFolderId", node.parent)
                    self._tell(kind, self._folder("FolderId", node.id), parent)
        for folder in changes.removed:
            # Others hear of a removed folder if they have named it: else it might be one that they never saw.
            if folder in self.subscription.folders or (self._watches(folder) and self.mailbox.is_whole):
                self._tell(EventKind.DELETED, self._folder("FolderId", folder), self._folder("ParentFolderId", 0))

    def folders(self, touched: Sequence[FolderNode]) -> None:
        """Tells of the folders whose items have changed, with the items in them that are not read."""
        for node in touched:
            if self._watches(node.id):
                unread = number("t:UnreadCount", self.states[node.id].unseen)
                parent = self._folder("ParentFolderId", node.parent)
                self._tell(EventKind.MODIFIED, self._folder("FolderId", node.id), parent, unread)

    def items(
        self, by_folder: dict[int, ItemChanges], in_page: set[int], left: dict[int, int], items: dict[int, StoredItem]
    ) -> None:
        """Tells of items. `left` has, for an item that has moved, the folder that it was in."""
        arrived: set[int] = set()
        for folder, changes in by_folder.items():
            node = self.nodes[folder]
            for item in changes.created:
                stored = items.get(item)
                if item not in in_page or stored is None:
                    continue
                arrived.add(item)
                if item in left and left[item] != folder:
                    self._moved(item, left[item], node, stored)
                elif self._watches(folder):
                    self._came(node, stored)
            for item in changes.changed:
                if item in in_page and item in items and self._watches(folder):
                    self._place(EventKind.MODIFIED, items[item].folder, item, items[item])
                    self._busy(node, item, items[item])
            for item in changes.removed:
                if item in in_page and self._watches(folder):
                    self._place(EventKind.DELETED, folder, item)
                    self._busy(node, item)
        removed = {item for folder, each in by_folder.items() if self._watches(folder) for item in each.removed}
        for item, folder in left.items():
            # Into a folder that the caller may not read, it is gone for him.
            if item not in arrived and item not in items and item not in removed and self._watches(folder):
                self._place(EventKind.DELETED, folder, item)
                self._busy(self.nodes[folder], item)

    def _place(self, kind: EventKind, folder: int, item: int, stored: StoredItem | None = None) -> None:
        self._tell(kind, self._item("ItemId", item, stored), self._folder("ParentFolderId", folder))

    def _came(self, node: FolderNode, stored: StoredItem) -> None:
        self._place(EventKind.CREATED, node.id, stored.id, stored)
        if node.kind is FolderKind.INBOX and _is_mail(stored):
            self._place(EventKind.NEW_MAIL, node.id, stored.id, stored)
        self._busy(node, stored.id, stored)

    def _moved(self, item: int, before: int, node: FolderNode, stored: StoredItem) -> None:
        if not self._watches(before, node.id):
            return
        self._tell(
            EventKind.MOVED,
            self._item("ItemId", item, stored),
            self._folder("ParentFolderId", node.id),
            self._item("OldItemId", item),
            self._folder("OldParentFolderId", before),
        )
        for place in (self.nodes.get(before), node):
            if place is not None and self._watches(place.id):
                self._busy(place, item, stored)

    def _busy(self, node: FolderNode, item: int, stored: StoredItem | None = None) -> None:
        if node.kind is FolderKind.CALENDAR:
            self._place(EventKind.FREE_BUSY_CHANGED, node.id, item, stored)


def _is_mail(stored: StoredItem) -> bool:
    return is_class(stored.item_class, *_MAIL) and not stored.flags & (Flag.DRAFT | Flag.SEEN)


def notification(subscription: str, previous: str, watermark: str, told: Told) -> str:
    """A Notification of a pull or push subscription (MS-OXWSNTIF section 2.2.4.9). Each event but the last has the watermark from
    before: a client that keeps it is told of the others again. Without events, a StatusEvent says that there are none."""
    at = written(int(time.time()))
    events = [
        event.markup(watermark if place == len(told.events) else previous, at)
        for place, event in enumerate(told.events, 1)
    ] or [f"<t:StatusEvent>{value('t:Watermark', watermark)}</t:StatusEvent>"]
    more = "true" if told.more else "false"
    return (
        f"<m:Notification>{value('t:SubscriptionId', subscription)}{value('t:PreviousWatermark', previous)}"
        f"<t:MoreEvents>{more}</t:MoreEvents>{''.join(events)}</m:Notification>"
    )


def streamed(subscription: str, told: Told) -> str:
    """A Notification of a streaming subscription, which has no watermarks."""
    at = written(int(time.time()))
    events = "".join([event.markup("", at) for event in told.events])
    return f"<m:Notification>{value('t:SubscriptionId', subscription)}{events}</m:Notification>"
