"""`model.mailbox_server.Mailboxes` by remote procedure calls: used by roles that do not run the store themselves.

Translates parameters only; `rpc.client` makes the connections. What goes wrong with the connection is MailboxError
UNAVAILABLE: try again. An operation that the interface does not have (a hub has only delivery's) is MailboxError CANNOT.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from postern.model.delivery import Delivery, DeliveryStatus
from postern.model.folders import Folder, FolderKind
from postern.model.items import Column, CopyResult, FetchedItems, FlagChange, FlagResult, Index, NewItem
from postern.model.mailbox import KEEP_QUOTA, MailboxError, MailboxErrorCode, MailboxInfo
from postern.model.search import SearchResult, SearchTerm, SortKey
from postern.protocols.dcerpc.interface import Interface
from postern.protocols.dcerpc.interfaces import mailbox_values as values
from postern.services.rpc.client import RpcClient, RpcError

_GRACE = 30.0
"""Seconds that an answer to `wait` may be late."""
_DELIVERY_TIMEOUT = 120.0
_SEARCH_TIMEOUT = 300.0
"""Longer than the store lets a search run, and another before it."""
_QUESTION_TIMEOUT = 1.0
"""Seconds that a sender waits at RCPT for what may be left unknown."""
_CODES = {code.value: code for code in MailboxErrorCode}
_T = TypeVar("_T")


class MailboxClient:
    """Mailboxes of one server. `interface` is the one that `rpc` calls."""

    def __init__(self, rpc: RpcClient, interface: Interface) -> None:
        self.rpc = rpc
        self._known = frozenset(interface.numbers)

    async def close(self) -> None:
        await self.rpc.close()

    async def _call(self, name: str, *parameters: Any, timeout: float | None = None) -> list[Any]:
        """The [out] parameters. Raises MailboxError."""
        if name not in self._known:
            raise MailboxError("CANNOT", f"{name} is not this path's")
        try:
            outs = await self.rpc.call(name, parameters, timeout)
        except RpcError as error:
            raise MailboxError("UNAVAILABLE", str(error)) from error
        return _judged(outs)

    async def logon(self, mailbox: UUID, quota: int = KEEP_QUOTA) -> MailboxInfo:
        return MailboxInfo(mailbox, *await self._call("logon", mailbox, quota))

    # Folders

    async def folders(self, mailbox: UUID) -> list[Folder]:
        return _folders(await self._call("folders", mailbox))

    async def folder(self, mailbox: UUID, folder: int, claim_recent: bool = False) -> Folder:
        return _one(await self._call("folder", mailbox, folder, claim_recent))

    async def create_folder(self, mailbox: UUID, path: Sequence[str], kind: FolderKind = FolderKind.USER) -> Folder:
        return _one(await self._call("create_folder", mailbox, values.kind_number(kind), values.texts(path)))

    async def rename_folder(self, mailbox: UUID, folder: int, path: Sequence[str]) -> None:
        await self._call("rename_folder", mailbox, folder, values.texts(path))

    async def delete_folder(self, mailbox: UUID, folder: int) -> None:
        await self._call("delete_folder", mailbox, folder)

    async def subscriptions(self, mailbox: UUID) -> list[tuple[str, ...]]:
        counts, names = await self._call("subscriptions", mailbox)
        return _checked(values.read_paths, counts, names)

    async def subscribe(self, mailbox: UUID, path: Sequence[str], subscribed: bool) -> None:
        await self._call("subscribe", mailbox, subscribed, values.texts(path))

    async def keywords(self, mailbox: UUID, folder: int, names: Sequence[str], create: bool) -> int:
        bits: int
        (bits,) = await self._call("keywords", mailbox, folder, create, values.texts(names))
        return bits

    # Items

    async def index(self, mailbox: UUID, folder: int, since: int = 0) -> Index:
        return Index(*await self._call("index", mailbox, folder, since))

    async def look(self, mailbox: UUID, folder: int, since: int, next_uid: int, claim_recent: bool) -> Index:
        *found, first, last = await self._call("look", mailbox, folder, since, next_uid, claim_recent)
        return Index(*found)._replace(recent=(first, last))

    async def first_unseen(self, mailbox: UUID, folder: int) -> int:
        number: int
        (number,) = await self._call("first_unseen", mailbox, folder)
        return number

    async def fetch(
        self,
        mailbox: UUID,
        folder: int,
        uids: Sequence[tuple[int, int]],
        columns: Column,
        changed_since: int = 0,
    ) -> FetchedItems:
        found = await self._call("fetch", mailbox, folder, changed_since, int(columns), values.ranges(uids))
        return values.read_fetched(found)

    async def change_flags(
        self,
        mailbox: UUID,
        folder: int,
        uids: Sequence[tuple[int, int]],
        change: FlagChange,
        flags: int,
        unchanged_since: int | None = None,
    ) -> FlagResult:
        changed, new, modseqs, modified = await self._call(
            "change_flags",
            mailbox,
            folder,
            change,
            flags,
            unchanged_since is not None,
            unchanged_since or 0,
            values.ranges(uids),
        )
        return FlagResult(
            values.read_words(changed),
            values.read_long_words(new),
            values.read_long_words(modseqs),
            values.read_words(modified),
        )

    async def append(self, mailbox: UUID, folder: int, items: Sequence[NewItem]) -> CopyResult:
        return _copied(await self._call("append", mailbox, folder, *values.new_items(items)))

    async def copy(
        self, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]], target: int, move: bool = False
    ) -> CopyResult:
        return _copied(await self._call("copy", mailbox, folder, target, move, values.ranges(uids)))

    async def expunge(self, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]] | None = None) -> list[int]:
        (gone,) = await self._call("expunge", mailbox, folder, uids is not None, values.ranges(uids or ()))
        return values.read_words(gone)

    async def search(self, mailbox: UUID, folder: int, term: SearchTerm, sort: Sequence[SortKey] = ()) -> SearchResult:
        program = *values.term(term), *values.sort_keys(sort)
        uids, highest = await self._call("search", mailbox, folder, *program, timeout=_SEARCH_TIMEOUT)
        return SearchResult(values.read_words(uids), highest)

    async def thread(self, mailbox: UUID, folder: int, term: SearchTerm, algorithm: str) -> bytes:
        answer: bytes
        program = values.term(term)
        (answer,) = await self._call("thread", mailbox, folder, algorithm, *program, timeout=_SEARCH_TIMEOUT)
        return answer

    # Delivery, submission, notification

    async def deliver(self, deliveries: Sequence[Delivery]) -> list[list[DeliveryStatus]]:
        (statuses,) = await self._call("deliver", *values.deliveries(deliveries), timeout=_DELIVERY_TIMEOUT)
        return _checked(values.read_statuses, statuses, [len(d.mailboxes) for d in deliveries])

    async def used(self, mailboxes: Sequence[UUID]) -> list[int]:
        (found,) = await self._call("used", values.uuids(mailboxes), timeout=_QUESTION_TIMEOUT)
        if len(found) != 8 * len(mailboxes):
            raise MailboxError("UNAVAILABLE", "a broken answer: another number of mailboxes")
        return values.read_times(found)

    async def submit(self, mailbox: UUID, uid: int) -> None:
        await self._call("submit", mailbox, uid)

    async def outbox(self, mailbox: UUID) -> list[int]:
        (uids,) = await self._call("outbox", mailbox)
        return values.read_words(uids)

    async def submitted(self, mailbox: UUID, uid: int) -> None:
        await self._call("submitted", mailbox, uid)

    async def wait(self, mailboxes: dict[UUID, int], timeout: float) -> dict[UUID, int]:
        if "wait" not in self._known:
            raise MailboxError("CANNOT", "wait is not this path's")
        known = dict(mailboxes)
        parameters = (int(timeout * 1000), values.uuids(list(known)), values.long_words(list(known.values())))
        try:
            outs = await self.rpc.call_alone("wait", parameters, timeout + _GRACE)
        except RpcError as error:
            raise MailboxError("UNAVAILABLE", str(error)) from error
        changed, changes = _judged(outs)
        return dict(zip(values.read_uuids(changed), values.read_long_words(changes), strict=False))


def _judged(outs: list[Any]) -> list[Any]:
    *parameters, text, number = outs
    if number:
        raise MailboxError(_CODES.get(number, MailboxErrorCode.UNAVAILABLE).name, text.decode("utf-8", "replace"))
    return parameters


def _checked(read: Callable[..., _T], *parameters: Any) -> _T:
    """A server that answers nonsense is as good as none."""
    try:
        return read(*parameters)
    except ValueError as error:
        raise MailboxError("UNAVAILABLE", f"a broken answer: {error}") from error


def _folders(outs: list[Any]) -> list[Folder]:
    return _checked(values.read_folders, *outs)


def _one(outs: list[Any]) -> Folder:
    found = _folders(outs)
    if len(found) != 1:
        raise MailboxError("UNAVAILABLE", "a broken answer: not one folder")
    return found[0]


def _copied(outs: list[Any]) -> CopyResult:
    validity, sources, targets = outs
    return CopyResult(validity, values.read_words(sources), values.read_words(targets))
