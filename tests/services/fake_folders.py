"""The folders and items of `fake_mailboxes`, and how its SEARCH looks at them."""

from __future__ import annotations

import email
import email.policy
import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from postern.model.folders import FOLDER_CLASSES, MAIL, Folder, FolderKind, Right
from postern.model.item_store import PropertyName, RenderedItem
from postern.model.items import MESSAGE, Column, Flag
from postern.model.mailbox import MailboxError
from postern.model.resources import NOTHING_RENDERED
from postern.model.search import SearchTerm
from postern.protocols.mime.message import NO_DATE, render
from postern.protocols.mime.words import fold
from postern.store import folders as store_folders
from postern.store.threads import Message

IDS = itertools.count(1)
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}\Z")


@dataclass
class Item:
    """`modseq` is the mailbox's change number that last touched it, `arrived` the one with which it came into its folder. An item
    with a name has the one that last touched its content or name in `named`."""

    uid: int
    flags: int
    modseq: int
    date: int
    content: bytes
    item_class: str = MESSAGE
    created: int = 0
    arrived: int = 1
    properties: dict[int, bytes] = field(default_factory=dict)
    name: str = ""
    rendered: RenderedItem = NOTHING_RENDERED
    modified: int = 0
    named: int = 0
    read: int = -1
    others: int = 0
    id: int = field(default_factory=lambda: next(IDS))

    @property
    def header(self) -> bytes:
        return self.content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


@dataclass
class FakeFolder:
    id: int
    path: tuple[str, ...]
    kind: FolderKind
    uid_validity: int
    items: dict[int, Item] = field(default_factory=dict)
    vanished: list[tuple[int, int]] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)
    uid_next: int = 1
    modseq: int = 1
    recent_uid: int = 1
    folder_class: str = MAIL
    change: int = 1
    made: int = 1
    gone: list[tuple[int, int, bool]] = field(default_factory=list)
    """Ids that left, with the change, and whether into another folder."""
    gone_names: list[tuple[str, int]] = field(default_factory=list)
    rights: dict[UUID, Right] = field(default_factory=dict)
    properties: dict[int, bytes] = field(default_factory=dict)


@dataclass
class FakeMailbox:
    """`next` is the change number of the change that is being made."""

    folders: dict[int, FakeFolder] = field(default_factory=dict)
    subscribed: set[tuple[str, ...]] = field(default_factory=set)
    quota: int = 0
    change: int = 1
    next_validity: int = 1000
    submitted: list[int] = field(default_factory=list)
    delivered: set[str] = field(default_factory=set)
    removed: list[tuple[int, int]] = field(default_factory=list)
    full_access: set[UUID] = field(default_factory=set)
    names: list[PropertyName] = field(default_factory=list)

    @property
    def next(self) -> int:
        return self.change + 1

    def add(self, path: tuple[str, ...], kind: FolderKind = FolderKind.USER, folder_class: str = MAIL) -> FakeFolder:
        folder = FakeFolder(next(IDS), path, kind, self.next_validity, modseq=self.next, folder_class=folder_class)
        folder.change = folder.made = self.next
        with self.hanging():
            self.folders[folder.id] = folder
        self.next_validity += 1
        self.change += 1
        return folder

    def parent(self, folder: FakeFolder) -> int:
        """The nearest folder above that exists."""
        ids = {other.path: other.id for other in self.folders.values()}
        return next((ids[above] for n in range(len(folder.path) - 1, 0, -1) if (above := folder.path[:n]) in ids), 0)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Folders that have another parent after the block have changed."""
        before = {folder.id: self.parent(folder) for folder in self.folders.values()}
        yield
        for folder in self.folders.values():
            if before.get(folder.id, -1) not in (-1, self.parent(folder)):
                folder.change = self.next

    def remove(self, folder: FakeFolder, uids: Sequence[int], moved: bool = False) -> None:
        """Takes items out of the folder; `moved`: they are in another one."""
        folder.modseq = self.next
        for uid in uids:
            item = folder.items.pop(uid)
            folder.gone.append((item.id, self.next, moved))
            if item.name:
                folder.gone_names.append((item.name, self.next))
            folder.vanished.append((uid, self.next))

    def settle(self, folder: FakeFolder, item: Item) -> None:
        """Gives a named item that comes into the folder a name that nothing has there, with the suffix of the one it had."""
        if item.name:
            if any(other.name == item.name for other in folder.items.values()):
                suffix = _SUFFIX.search(item.name)
                item.name = f"{uuid4()}{suffix[0] if suffix else ''}"
            item.named = self.next

    def add_parents(self, path: tuple[str, ...], others: int = 0) -> None:
        """Adds the missing folders above `path`; the caller adds `others`."""
        paths = {folder.path for folder in self.folders.values()}
        missing = [path[:depth] for depth in range(1, len(path)) if path[:depth] not in paths]
        more = len(missing) + others
        if more and len(paths) + more > store_folders.MAX_FOLDERS:
            raise MailboxError("LIMIT", "Too many folders")
        for parent in missing:
            self.add(parent)

    def free_name(self, name: str) -> str:
        """The name, with a number if something has it at the top."""
        taken = {folder.path[0] for folder in self.folders.values()}
        numbered = (f"{name}{number}" for number in itertools.count(1))
        return next(free for free in itertools.chain([name], numbered) if free not in taken)

    def name_anew(self, folder: FakeFolder, name: str) -> None:
        old = folder.path[0]
        for other in self.folders.values():
            if other.path[0] == old:
                other.path = (name, *other.path[1:])
        folder.change = self.next
        self.change += 1

    def make_way(self, path: tuple[str, ...]) -> None:
        """Gives another name to the well-known folder without mail that has this path."""
        for hidden in [f for f in self.folders.values() if f.path == path and f.kind in FOLDER_CLASSES]:
            self.name_anew(hidden, self.free_name(hidden.path[0]))

    def of_kind(self, kind: FolderKind) -> FakeFolder:
        return next(folder for folder in self.folders.values() if folder.kind is kind)

    def described(self, folder: FakeFolder) -> Folder:
        items = folder.items.values()
        return Folder(
            folder.id,
            folder.path,
            folder.kind,
            folder.uid_validity,
            folder.uid_next,
            folder.modseq,
            len(items),
            sum(not item.flags & Flag.SEEN for item in items),
            sum(bool(item.flags & Flag.DELETED) for item in items),
            sum(len(item.content) for item in items),
            folder.recent_uid,
            folder.path in self.subscribed,
            tuple(folder.keywords),
        )


def sizes(items: list[Item], columns: Column) -> Sequence[int]:
    if columns & Column.LINES_SIZE:
        return [len(i.content) + (0 if i.content.endswith(b"\r\n") or not i.content else 2) for i in items]
    return [len(i.content) for i in items] if columns & Column.SIZE else ()


def sort_value(item: Item, key: str) -> object:
    """RFC 5256 section 3: what the store compares is rendered at delivery."""
    rendered = render(item.content)
    return {
        "arrival": item.date,
        "size": len(item.content),
        "date": item.date if rendered.sent == NO_DATE else rendered.sent,
        "subject": rendered.base_subject,
        "from": rendered.sort_from,
        "to": rendered.sort_to,
        "cc": rendered.sort_cc,
        "displayfrom": rendered.display_from,
        "displayto": rendered.display_to,
        "uid": item.uid,
    }[key]


def in_thread(item: Item) -> Message:
    rendered = render(item.content)
    return Message(
        item.uid,
        item.date if rendered.sent == NO_DATE else rendered.sent,
        rendered.message_id.encode(),
        tuple(one.encode() for one in rendered.references),
        rendered.base_subject.encode(),
        rendered.is_reply,
    )


def matches(item: Item, term: SearchTerm) -> bool:
    text = fold(term.text)
    match term.key:
        case "all":
            return True
        case "and":
            return all(matches(item, inner) for inner in term.terms)
        case "or":
            return any(matches(item, inner) for inner in term.terms)
        case "not":
            return not matches(item, term.terms[0])
        case "uid":
            return any(low <= item.uid <= high for low, high in term.uids)
        case "flag":
            return item.flags & term.number == term.number
        case "modseq":
            return item.modseq >= term.number
        case "larger":
            return len(item.content) > term.number
        case "smaller":
            return len(item.content) < term.number
        case "arrived":
            return item.date >= term.number
        case "class":
            return item.item_class.lower().startswith(term.text.lower())
        case "since":
            return item.date // 86400 >= term.number
        case "before":
            return item.date // 86400 < term.number
        case "on":
            return item.date // 86400 == term.number
        case "senton" | "sentsince" | "sentbefore":
            day = render(item.content).sent_day
            day = item.date // 86400 if day == NO_DATE else day
            return {"senton": day == term.number, "sentsince": day >= term.number}.get(term.key, day < term.number)
        case "header":
            message = email.message_from_bytes(item.content, policy=email.policy.default)
            return term.name in message and text in str(message[term.name]).lower()
        case "subject":
            return text in render(item.content).subject
        case "from" | "to" | "cc" | "bcc":
            message = email.message_from_bytes(item.content, policy=email.policy.default)
            return text in str(message.get(term.key, "")).lower()
        case "body":
            return text in render(item.content).body
        case "text":
            rendered = render(item.content)
            return text in rendered.fields or text in rendered.body
    raise AssertionError(f"the store knows no search key {term.key}")
