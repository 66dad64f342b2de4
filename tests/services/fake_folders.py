"""The folders and items of `fake_mailboxes`, and how its SEARCH looks at them."""

from __future__ import annotations

import email
import email.policy
import email.utils
from collections.abc import Sequence
from dataclasses import dataclass, field

from postern.model.mailbox import (
    Column,
    FolderKind,
    SearchTerm,
)


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
    next_id: int = 1
    next_validity: int = 1000
    submitted: list[int] = field(default_factory=list)


def sizes(items: list[Item], columns: Column) -> Sequence[int]:
    if columns & Column.LINES_SIZE:
        return [len(i.content) + (0 if i.content.endswith(b"\r\n") or not i.content else 2) for i in items]
    return [len(i.content) for i in items] if columns & Column.SIZE else ()


def sort_value(item: Item, key: str) -> object:
    message = email.message_from_bytes(item.content)
    if key == "arrival":
        return item.date
    if key == "size":
        return len(item.content)
    if key == "date":
        parsed = email.utils.parsedate_to_datetime(message["date"]) if message["date"] else None
        return parsed.timestamp() if parsed else item.date
    return str(message.get(key, "")).lower()


def matches(item: Item, term: SearchTerm) -> bool:
    text = term.text.lower()
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
        case "header":
            message = email.message_from_bytes(item.content, policy=email.policy.default)
            return term.name in message and text in str(message[term.name]).lower()
        case "subject" | "from" | "to" | "cc" | "bcc":
            message = email.message_from_bytes(item.content, policy=email.policy.default)
            return text in str(message.get(term.key, "")).lower()
        case "body":
            return text in item.content.partition(b"\r\n\r\n")[2].decode("utf-8", "replace").lower()
        case "text":
            return text in item.content.decode("utf-8", "replace").lower()
    raise AssertionError(f"the store knows no search key {term.key}")
