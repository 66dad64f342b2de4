"""The folders and items of `fake_mailboxes`, and how its SEARCH looks at them."""

from __future__ import annotations

import email
import email.policy
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from postern.model.folders import Folder, FolderKind
from postern.model.items import Column, Flag
from postern.model.search import SearchTerm
from postern.protocols.mime.message import NO_DATE, render
from postern.protocols.mime.words import fold
from postern.store.threads import Message

_IDS = itertools.count(1)


@dataclass
class Item:
    uid: int
    flags: int
    modseq: int
    date: int
    content: bytes

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


@dataclass
class FakeMailbox:
    folders: dict[int, FakeFolder] = field(default_factory=dict)
    subscribed: set[tuple[str, ...]] = field(default_factory=set)
    quota: int = 0
    change: int = 1
    next_validity: int = 1000
    submitted: list[int] = field(default_factory=list)
    delivered: set[str] = field(default_factory=set)

    def add(self, path: tuple[str, ...], kind: FolderKind = FolderKind.USER) -> FakeFolder:
        folder = FakeFolder(next(_IDS), path, kind, self.next_validity)
        self.folders[folder.id] = folder
        self.next_validity += 1
        return folder

    def add_parents(self, path: tuple[str, ...]) -> None:
        for depth in range(1, len(path)):
            if not any(folder.path == path[:depth] for folder in self.folders.values()):
                self.add(path[:depth])

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
