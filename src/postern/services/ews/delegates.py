"""The delegates of a mailbox: who they are, and their rights in its well-known folders (MS-OXWSDLGM).

Rights are those of the folders, and count whoever set them. That somebody is a delegate, gets copies of meeting messages, and how
meeting requests are delivered is kept as a property of the Inbox; nothing acts by the last two yet. Sending on behalf is kept in
the directory, where this server may not write: an administrator grants it, and who has it counts as a delegate too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from uuid import UUID

from postern.items.properties import Property, Type
from postern.items.property_values import decoded, encoded
from postern.model.folders import FolderKind, FolderNode, Right
from postern.model.item_store import PropertyName
from postern.model.sharing import ROLES
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.extended import tag_of
from postern.services.ews.permissions import level_of

MAX_DELEGATES = 100
"""Delegates of one mailbox that are kept."""
FOLDERS: Mapping[str, FolderKind] = MappingProxyType(
    {
        "Calendar": FolderKind.CALENDAR,
        "Tasks": FolderKind.TASKS,
        "Inbox": FolderKind.INBOX,
        "Contacts": FolderKind.CONTACTS,
        "Notes": FolderKind.NOTES,
        "Journal": FolderKind.JOURNAL,
    }
)
"""The folders in which delegates have a level, in the order of DelegatePermissionsType (MS-OXWSDLGM section 2.2.4.3)."""
LEVELS: Mapping[str, Right] = MappingProxyType(
    {level: ROLES[level.lower()] for level in ("None", "Reviewer", "Author", "Editor")}
)
DELIVERIES = ("DelegatesOnly", "DelegatesAndMe", "DelegatesAndSendInformationToMe", "NoForward")
_DELIVERY = "DelegatesAndMe"
_NAME = PropertyName(UUID("2d3f0b5a-7e14-4c0e-8f58-6a1c9de2b7c4"), None, "Postern:delegates")
_KEPT = Property("", Type.STRING, 0, _NAME)


@dataclass(slots=True)
class Record:
    """The delegates that the Inbox names, each with whether copies of meeting messages are wanted, and how meeting requests are
    delivered."""

    copies: dict[UUID, bool] = field(default_factory=dict)
    delivery: str = _DELIVERY


@dataclass(slots=True)
class Delegate:
    """One delegate. `levels` are by the names of FOLDERS; one that is missing is left as it is. `copies` and `sees_private` None:
    they are left as they are."""

    guid: UUID
    levels: dict[str, str] = field(default_factory=dict)
    copies: bool | None = None
    sees_private: bool | None = None


class Delegates:
    """The delegates of a mailbox that the caller has as its owner does."""

    def __init__(self, call: Call, mailbox: Mailbox, nodes: Mapping[str, FolderNode], record: Record) -> None:
        self._call = call
        self._mailbox = mailbox
        self._nodes = nodes
        self._senders: frozenset[UUID] = frozenset()
        self.record = record

    @classmethod
    async def of(cls, call: Call, mailbox: Mailbox) -> Delegates:
        """Reads them. Raises EwsError: ErrorAccessDenied for a caller who has only single folders,
        ErrorFolderNotFound; DirectoryUnavailable."""
        if not mailbox.is_whole:
            raise EwsError(Code.ACCESS_DENIED)
        by_kind = {node.kind: node for node in (await mailbox.nodes()).values()}
        nodes = {name: by_kind[kind] for name, kind in FOLDERS.items() if kind in by_kind}
        if "Inbox" not in nodes:
            # Nobody has ever opened the mailbox.
            raise EwsError(Code.FOLDER_NOT_FOUND)
        delegates = cls(call, mailbox, nodes, await _record(mailbox, nodes["Inbox"].id))
        named = mailbox.recipient.delegates
        senders = await call.access.directory.recipients(named) if named else {}
        delegates._senders = frozenset(each.guid for each in senders.values())
        return delegates

    def __contains__(self, guid: UUID) -> bool:
        return guid in self.record.copies or guid in self._senders

    def guids(self) -> list[UUID]:
        """The directory ids of all of them."""
        return list(dict.fromkeys([*self.record.copies, *sorted(self._senders)]))

    @property
    def owner(self) -> UUID:
        return self._mailbox.id

    def may_send(self, guid: UUID) -> bool:
        """Whether the directory lets this delegate send mail on behalf of the owner."""
        return guid in self._senders

    async def get(self, guid: UUID) -> Delegate:
        """One of them, with the levels in all folders."""
        entries = await self._mailbox.server.items.mailbox_rights(self._mailbox.id)
        held = {name: entries.get(node.id, {}).get(guid, Right(0)) for name, node in self._nodes.items()}
        levels = {name: _level(rights) for name, rights in held.items()}
        sees_private = any(rights & (Right.PRIVATE | Right.OWNER) for rights in held.values())
        return Delegate(guid, levels, self.record.copies.get(guid, False), sees_private)

    async def put(self, delegate: Delegate) -> None:
        """Adds a delegate, or changes what is said of one. Raises EwsError ErrorUpdateDelegatesFailed for one too many."""
        if delegate.guid not in self.record.copies and len(self.record.copies) >= MAX_DELEGATES:
            raise EwsError(Code.UPDATE_DELEGATES_FAILED, f"A mailbox has at most {MAX_DELEGATES} delegates.")
        entries = await self._mailbox.server.items.mailbox_rights(self._mailbox.id)
        for name, node in self._nodes.items():
            known = entries.get(node.id, {}).get(delegate.guid)
            level = delegate.levels.get(name)
            rights = known if level is None else LEVELS[level] or None
            if rights is not None:
                sees = known is not None and Right.PRIVATE in known
                rights &= ~Right.PRIVATE
                if rights & Right.READ_ANY and (sees if delegate.sees_private is None else delegate.sees_private):
                    rights |= Right.PRIVATE
            await self._set(node, delegate.guid, known, rights)
        copies = self.record.copies.get(delegate.guid, False) if delegate.copies is None else delegate.copies
        self.record.copies[delegate.guid] = copies

    async def remove(self, guid: UUID) -> None:
        """Takes a delegate's rights in the folders back. Sending on behalf stays, for it is the administrator's to take back."""
        entries = await self._mailbox.server.items.mailbox_rights(self._mailbox.id)
        for node in self._nodes.values():
            await self._set(node, guid, entries.get(node.id, {}).get(guid), None)
        self.record.copies.pop(guid, None)

    async def _set(self, node: FolderNode, guid: UUID, known: Right | None, rights: Right | None) -> None:
        if known != rights:
            await self._call.access.sharing.set_rights(self._mailbox.recipient, node.id, guid, rights)

    async def keep(self) -> None:
        """Stores the record."""
        text = json.dumps(
            {"delivery": self.record.delivery, "copies": {str(guid): each for guid, each in self.record.copies.items()}}
        )
        numbers = await self._mailbox.numbers([_NAME], create=True)
        values = {tag_of(_KEPT, numbers): encoded(Type.STRING, text)}
        await self._mailbox.server.items.set_folder_properties(self._mailbox.id, self._nodes["Inbox"].id, values)


def _level(rights: Right) -> str:
    level = level_of(rights, True)
    return level if level in LEVELS else "Custom"


async def _record(mailbox: Mailbox, inbox: int) -> Record:
    numbers = await mailbox.numbers([_NAME])
    bag = (await mailbox.server.items.folder_properties(mailbox.id, [inbox])).get(inbox, {})
    octets = bag.get(tag_of(_KEPT, numbers))
    text = decoded(Type.STRING, octets) if octets is not None else None
    if not isinstance(text, str):
        return Record()
    try:
        # The owner's programs may write here as well.
        kept = json.loads(text)
        copies = {UUID(guid): bool(each) for guid, each in list(kept["copies"].items())[:MAX_DELEGATES]}
        delivery = kept["delivery"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Record()
    return Record(copies, delivery if delivery in DELIVERIES else _DELIVERY)
