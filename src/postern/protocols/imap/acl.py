"""The rights of RFC 4314 as letters, and as the bits of MS-OXCPERM that folders keep.

One table joins the two (`RIGHTS`). Letters whose bits are the same are tied: they are granted together or not at all (RFC 4314
section 2). A right without a letter (free/busy, editing or deleting what one made oneself) is never seen over IMAP.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from postern.model.folders import Right
from postern.model.items import Flag

NONE = Right(0)


class Letters(NamedTuple):
    """Letters that are tied together, and the bits that they stand for: `needed` gives the letters to who has it, and `bits` are
    set and cleared by SETACL."""

    letters: str
    needed: Right
    bits: Right


def _letters(letters: str, needed: Right, with_it: Right = NONE) -> Letters:
    return Letters(letters, needed, needed | with_it)


RIGHTS = (
    # FolderVisible: "can see that the folder exists" is what LIST asks for.
    _letters("l", Right.VISIBLE),
    # ReadAny reads all messages; a mailbox of IMAP has no messages that only some readers see.
    _letters("r", Right.READ_ANY),
    # Create puts messages into the folder, as APPEND and COPY do.
    _letters("i", Right.CREATE),
    # EditAny changes any message, and in IMAP only flags can be changed. \Seen is one flag for all who read the folder, so to set
    # it is an edit like any other: whoever may only read leaves no trace. EditOwned goes with it (MS-OXCPERM section 2.2.7).
    _letters("sw", Right.EDIT_ANY, Right.EDIT_OWNED),
    # DeleteAny: to mark a message and to remove it are one act outside of IMAP. DeleteOwned goes with it likewise.
    _letters("te", Right.DELETE_ANY, Right.DELETE_OWNED),
    # CreateSubFolder.
    _letters("k", Right.CREATE_SUBFOLDER),
    # FolderOwner governs the folder itself: its permissions and its end.
    _letters("xa", Right.OWNER),
)
"""Each set of letters with its bits. "p" is missing: folders have no address that mail could be posted to, and everybody may send
mail to the mailbox. It may be asked for and is never granted."""
RECOGNIZED = frozenset("lrswipkxteacd")
NEW_RIGHTS = b"kxte"
"""The letters that RFC 2086 did not have, for the capability RIGHTS= (RFC 4314 section 2.2)."""
VIRTUAL = {"c": "k", "d": "te"}
"""The rights of RFC 2086 and those that each stands for (RFC 4314 section 2.1.1)."""
ALL_LETTERS = "lriswtekxacd"
"""The letters of one who has all rights."""
_ANY_OF = Right.VISIBLE | Right.READ_ANY | Right.CREATE | Right.CREATE_SUBFOLDER | Right.OWNER
EVERY_FLAG = (1 << 63) - 1
"""All bits of a flag word: system flags and keywords."""


def is_known_to_exist(rights: Right) -> bool:
    """Whether one with these rights may know that the folder exists: l, r, i, k, x or a (RFC 4314 section 4, MYRIGHTS)."""
    return bool(rights & _ANY_OF)


def letters_of(rights: Right) -> str:
    """The rights as letters, with the virtual ones (RFC 4314 section 2.1.1): "lriswcd"."""
    letters = "".join(entry.letters for entry in RIGHTS if entry.needed in rights)
    return letters + "".join(virtual for virtual, members in VIRTUAL.items() if set(members) & set(letters))


def settable(rights: Right) -> int:
    """The bits of the flag word that STORE may change, and that APPEND and COPY may set: \\Deleted with t, all others with w and
    s, which are tied (RFC 4314 section 4)."""
    deleted = int(Flag.DELETED)  # the complement of a Flag has no bits of keywords
    others = EVERY_FLAG & ~deleted if Right.EDIT_ANY in rights else 0
    return others | (deleted if Right.DELETE_ANY in rights else 0)


def optional_rights() -> list[str]:
    """The sets of letters that can be granted, for LISTRIGHTS: tied letters stand together, virtual ones alone (RFC 4314
    sections 2.1.1 and 3.7)."""
    return [*(entry.letters for entry in RIGHTS), *VIRTUAL]


def recognized(letters: str) -> bool:
    """Whether SETACL may name these letters.

    Bound: linear in the letters.
    """
    return RECOGNIZED.issuperset(letters)


class Granted(NamedTuple):
    """The entry as SETACL leaves it. `left_out` are letters that were asked for in vain: "p", or a part of a tied set."""

    rights: Right
    left_out: str


def changed(rights: Right, sign: str, letters: str) -> Granted:
    """Applies SETACL's third argument to an entry: `sign` is "+", "-" or "" (RFC 4314 section 3.1). A tied set is granted only
    if all of it is named (section 2), and taken if any of it is. Rights without a letter stay, but for those that go with one
    that is taken.

    Bound: linear in the letters.
    """
    named = _expanded(letters)
    if sign == "-":
        for entry in RIGHTS:
            if named & set(entry.letters):
                rights &= ~entry.bits
        return Granted(rights, "")
    whole = [entry for entry in RIGHTS if named.issuperset(entry.letters)]
    if not sign:
        for entry in RIGHTS:
            rights &= ~entry.bits
    for entry in whole:
        rights |= entry.bits
    left_out = named.difference(*(entry.letters for entry in whole))
    return Granted(rights, "".join(letter for letter in "lrswipkxtea" if letter in left_out))


def _expanded(letters: Iterable[str]) -> set[str]:
    return {member for letter in letters for member in VIRTUAL.get(letter, letter)}
