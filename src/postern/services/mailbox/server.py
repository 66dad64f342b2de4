"""The mailbox interfaces' server side: a call's parameters become a call of any `model.mailbox_server.Mailboxes`.

`rpc.server` has judged who may call; `store` implements what a mailbox does. A MailboxError becomes the operation's returned
number and its text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from postern.model.folders import Folder
from postern.model.items import Column, FlagChange, Index
from postern.model.mailbox import MailboxError, MailboxErrorCode
from postern.model.mailbox_server import Mailboxes
from postern.paths.row import Path
from postern.protocols.dcerpc.interface import Interface, Operation
from postern.protocols.dcerpc.interfaces import mailbox_values as values
from postern.services.rpc.interface import Handler, InterfaceService
from postern.services.rpc.server import Caller

MAX_WAIT = 1800.0
"""Seconds that one `wait` may last."""

Out = Sequence[Any]


class MailboxService(InterfaceService):
    """Serves MAILBOX_ACCESS or MAILBOX_DELIVERY on `row`. `submitted` is told each mailbox that has just submitted an item."""

    def __init__(
        self,
        interface: Interface,
        row: Path,
        mailboxes: Mailboxes,
        submitted: Callable[[UUID], None] = lambda mailbox: None,
    ) -> None:
        dispatch = MailboxDispatch(mailboxes, submitted)
        handlers = {one.name: _answering(one, getattr(dispatch, one.name)) for one in interface.operations}
        super().__init__(interface, row, handlers)


def _answering(operation: Operation, method: Handler) -> Handler:
    """What every operation of these interfaces gives behind its own [out] parameters: the words of a refusal, and its number."""
    nothing = operation.zero[:-1]

    async def handler(caller: Caller, *parameters: Any) -> Out:
        try:
            return *await method(*parameters), b"", 0
        except MailboxError as error:
            number = MailboxErrorCode.__members__.get(error.code, MailboxErrorCode.UNAVAILABLE)
            return *nothing, str(error).encode("utf-8", "replace"), number

    return handler


class MailboxDispatch:
    """One method an operation, by its name in the interface; parameters in the interface's order."""

    def __init__(self, mailboxes: Mailboxes, submitted: Callable[[UUID], None]) -> None:
        self._mailboxes = mailboxes
        self._submitted = submitted

    async def logon(self, mailbox: UUID, quota: int) -> Out:
        info = await self._mailboxes.logon(mailbox, quota)
        return info.used, info.quota, info.items, info.change

    # Folders

    async def folders(self, mailbox: UUID) -> Out:
        return values.folders(await self._mailboxes.folders(mailbox))

    async def folder(self, mailbox: UUID, folder: int, claim_recent: int) -> Out:
        return _one(await self._mailboxes.folder(mailbox, folder, bool(claim_recent)))

    async def create_folder(self, mailbox: UUID, kind: int, path: list[bytes]) -> Out:
        made = await self._mailboxes.create_folder(mailbox, values.read_texts(path), values.read_kind(kind))
        return _one(made)

    async def rename_folder(self, mailbox: UUID, folder: int, path: list[bytes]) -> Out:
        await self._mailboxes.rename_folder(mailbox, folder, values.read_texts(path))
        return ()

    async def delete_folder(self, mailbox: UUID, folder: int) -> Out:
        await self._mailboxes.delete_folder(mailbox, folder)
        return ()

    async def subscriptions(self, mailbox: UUID) -> Out:
        return values.paths(await self._mailboxes.subscriptions(mailbox))

    async def subscribe(self, mailbox: UUID, subscribed: int, path: list[bytes]) -> Out:
        await self._mailboxes.subscribe(mailbox, values.read_texts(path), bool(subscribed))
        return ()

    async def keywords(self, mailbox: UUID, folder: int, create: int, names: list[bytes]) -> Out:
        return (await self._mailboxes.keywords(mailbox, folder, values.read_texts(names), bool(create)),)

    # Items

    async def index(self, mailbox: UUID, folder: int, since: int) -> Out:
        return _index(await self._mailboxes.index(mailbox, folder, since))

    async def look(self, mailbox: UUID, folder: int, since: int, next_uid: int, claim_recent: int) -> Out:
        found = await self._mailboxes.look(mailbox, folder, since, next_uid, bool(claim_recent))
        return *_index(found), *found.recent

    async def first_unseen(self, mailbox: UUID, folder: int) -> Out:
        return (await self._mailboxes.first_unseen(mailbox, folder),)

    async def fetch(self, mailbox: UUID, folder: int, since: int, columns: int, uids: bytes) -> Out:
        ranges = values.read_ranges(uids)
        return values.fetched(await self._mailboxes.fetch(mailbox, folder, ranges, Column(columns), since))

    async def change_flags(
        self, mailbox: UUID, folder: int, change: int, flags: int, conditional: int, since: int, uids: bytes
    ) -> Out:
        found = await self._mailboxes.change_flags(
            mailbox,
            folder,
            values.read_ranges(uids),
            FlagChange(change),
            flags,
            since if conditional else None,
        )
        return (
            values.words(found.uids),
            values.long_words(found.flags),
            values.long_words(found.modseqs),
            values.words(found.modified),
        )

    async def append(self, mailbox: UUID, folder: int, flags: bytes, dates: bytes, contents: list[bytes]) -> Out:
        items = values.read_new_items(flags, dates, contents)
        copied = await self._mailboxes.append(mailbox, folder, items)
        return copied.uid_validity, values.words(copied.sources), values.words(copied.targets)

    async def copy(self, mailbox: UUID, folder: int, target: int, move: int, uids: bytes) -> Out:
        copied = await self._mailboxes.copy(mailbox, folder, values.read_ranges(uids), target, bool(move))
        return copied.uid_validity, values.words(copied.sources), values.words(copied.targets)

    async def expunge(self, mailbox: UUID, folder: int, limited: int, uids: bytes) -> Out:
        ranges = values.read_ranges(uids) if limited else None
        return (values.words(await self._mailboxes.expunge(mailbox, folder, ranges)),)

    async def search(self, mailbox: UUID, folder: int, *parameters: Any) -> Out:
        *term, keys, reverse = parameters
        sort = values.read_sort_keys(keys, reverse)
        found = await self._mailboxes.search(mailbox, folder, values.read_term(term), sort)
        return values.words(found.uids), found.highest_modseq

    async def thread(self, mailbox: UUID, folder: int, algorithm: str, *term: Any) -> Out:
        return (await self._mailboxes.thread(mailbox, folder, values.read_term(term), algorithm),)

    # Delivery, submission, notification

    async def deliver(self, *parameters: Any) -> Out:
        statuses = await self._mailboxes.deliver(values.read_deliveries(parameters))
        return (bytes([status for row in statuses for status in row]),)

    async def used(self, mailboxes: bytes) -> Out:
        return (values.times(await self._mailboxes.used(values.read_uuids(mailboxes))),)

    async def submit(self, mailbox: UUID, uid: int) -> Out:
        await self._mailboxes.submit(mailbox, uid)
        self._submitted(mailbox)
        return ()

    async def outbox(self, mailbox: UUID) -> Out:
        return (values.words(await self._mailboxes.outbox(mailbox)),)

    async def submitted(self, mailbox: UUID, uid: int) -> Out:
        await self._mailboxes.submitted(mailbox, uid)
        return ()

    async def wait(self, milliseconds: int, mailboxes: bytes, changes: bytes) -> Out:
        known = dict(zip(values.read_uuids(mailboxes), values.read_long_words(changes), strict=True))
        found = await self._mailboxes.wait(known, min(milliseconds / 1000, MAX_WAIT))
        return values.uuids(list(found)), values.long_words(list(found.values()))


def _index(found: Index) -> Out:
    return (
        found.highest_modseq,
        found.uid_next,
        found.messages,
        found.uids,
        found.flags,
        found.modseqs,
        found.vanished,
    )


def _one(folder: Folder) -> Out:
    return values.folders((folder,))
