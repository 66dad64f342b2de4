"""Security descriptors of Active Directory's objects (MS-DTYP 2.4.6): reads them, sets the allowing entries of one principal, and
writes them again.

Pure. Entries of other principals are kept octet by octet. `rights` decides what is granted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

CREATE_CHILD, DELETE_CHILD, LIST, SELF, READ_PROPERTY, WRITE_PROPERTY = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
DELETE_TREE, LIST_OBJECT, CONTROL_ACCESS, DELETE, READ_CONTROL = 0x40, 0x80, 0x100, 0x10000, 0x20000
"""MS-ADTS 5.1.3.2: rights on objects of a directory."""

_ALLOWED, _ALLOWED_OBJECT = 0x00, 0x05
_OBJECT_PRESENT, _INHERITED_OBJECT_PRESENT = 0x1, 0x2
CONTAINER_INHERIT, INHERIT_ONLY, INHERITED = 0x02, 0x08, 0x10
"""MS-DTYP 2.4.4.1: flags of an entry."""
_DACL_PRESENT, _SELF_RELATIVE = 0x0004, 0x8000
MAX_SID_PARTS = 15
"""MS-DTYP 2.4.2.2: sub-authorities of a SID."""
_HEADER = struct.Struct("<BBHIIII")
_LETTERS = (
    *((0x10, "RP"), (0x20, "WP"), (0x1, "CC"), (0x2, "DC"), (0x4, "LC"), (0x8, "SW"), (0x80, "LO"), (0x40, "DT")),
    *((0x100, "CR"), (0x10000, "SD"), (0x20000, "RC"), (0x40000, "WD"), (0x80000, "WO")),
)


class BadDescriptor(Exception):
    """These octets are no self-relative security descriptor with a DACL."""


@dataclass(frozen=True, slots=True)
class Grant:
    """An allowing entry. It grants `rights` on the object (`on_itself`) and, with `inherited`, on all below it. `what` is the
    GUID of the attribute or property set, `of_class` the GUID of the class of objects below that the entry is limited to."""

    rights: int
    what: UUID | None = None
    of_class: UUID | None = None
    inherited: bool = True
    on_itself: bool = False

    def sddl(self, principal: str) -> str:
        """Returns the entry in SDDL (MS-DTYP 2.5.1), for people who read a plan."""
        flags = ("CI" if self.inherited else "") + ("" if self.on_itself else "IO")
        letters = "".join(letter for bit, letter in _LETTERS if self.rights & bit)
        kind = "OA" if self.what or self.of_class else "A"
        return f"({kind};{flags};{letters};{self.what or ''};{self.of_class or ''};{principal})"

    def octets(self, sid: bytes) -> bytes:
        flags = (CONTAINER_INHERIT if self.inherited else 0) | (0 if self.on_itself else INHERIT_ONLY)
        if self.what is None and self.of_class is None:
            return struct.pack("<BBHI", _ALLOWED, flags, 8 + len(sid), self.rights) + sid
        present = (_OBJECT_PRESENT if self.what else 0) | (_INHERITED_OBJECT_PRESENT if self.of_class else 0)
        guids = b"".join(guid.bytes_le for guid in (self.what, self.of_class) if guid is not None)
        size = 12 + len(guids) + len(sid)
        return struct.pack("<BBHII", _ALLOWED_OBJECT, flags, size, self.rights, present) + guids + sid


def stands(descriptor: bytes, sid: bytes, grants: Sequence[Grant]) -> bool:
    """Returns whether exactly `grants` are the entries of `sid` that are not inherited. Raises BadDescriptor."""
    own = {entry for entry in _entries(descriptor) if _is_of(entry, sid) and not entry[1] & INHERITED}
    return own == {grant.octets(sid) for grant in grants}


def granted(descriptor: bytes, sid: bytes, grants: Sequence[Grant]) -> bytes:
    """Returns the descriptor in which exactly `grants` are the entries of `sid` that are not inherited. Raises BadDescriptor.

    MS-DTYP 2.4.5: entries of the object itself come before inherited ones, denying ones before allowing ones.
    """
    own, inherited = [], []
    for entry in _entries(descriptor):
        if entry[1] & INHERITED:
            inherited.append(entry)
        elif not _is_of(entry, sid):
            own.append(entry)
    return _with_entries(descriptor, [*own, *(grant.octets(sid) for grant in grants), *inherited])


def sid_text(sid: bytes) -> str:
    """Returns a SID as text, "S-1-5-21-..." (MS-DTYP 2.4.2.1)."""
    parts = struct.unpack(f"<{sid[1]}I", sid[8 : 8 + 4 * sid[1]])
    return "-".join(["S", str(sid[0]), str(int.from_bytes(sid[2:8], "big")), *map(str, parts)])


def sid_octets(text: str) -> bytes:
    """Returns the octets of a SID that is written as text; b"" for what is none.

    Bound: linear in the text; at most 15 parts (MS-DTYP 2.4.2.2).
    """
    prefix, *numbers = text.split("-", MAX_SID_PARTS + 3)
    if prefix != "S" or not 2 < len(numbers) <= MAX_SID_PARTS + 2:
        return b""
    if not all(number.isascii() and number.isdigit() and len(number) < 16 for number in numbers):
        return b""
    revision, authority, *parts = map(int, numbers)
    if revision != 1 or authority >= 2**48 or any(part >= 2**32 for part in parts):
        return b""
    return bytes((revision, len(parts))) + authority.to_bytes(6, "big") + struct.pack(f"<{len(parts)}I", *parts)


def _is_of(entry: bytes, sid: bytes) -> bool:
    return entry[0] in (_ALLOWED, _ALLOWED_OBJECT) and entry.endswith(sid)


def _entries(descriptor: bytes) -> list[bytes]:
    try:
        _, _, control, _, _, _, dacl = _HEADER.unpack_from(descriptor)
        if not control & _DACL_PRESENT or not control & _SELF_RELATIVE or not dacl:
            raise BadDescriptor("no DACL")
        _, _, size, count, _ = struct.unpack_from("<BBHHH", descriptor, dacl)
        if dacl + size > len(descriptor):
            raise BadDescriptor("cut off")
        place, entries = dacl + 8, []
        for _ in range(count):
            length = struct.unpack_from("<H", descriptor, place + 2)[0]
            if length < 8 or place + length > dacl + size:
                raise BadDescriptor("an entry's length")
            entries.append(descriptor[place : place + length])
            place += length
    except struct.error:
        raise BadDescriptor("cut off") from None
    return entries


def _with_entries(descriptor: bytes, entries: Iterable[bytes]) -> bytes:
    """Returns a descriptor that holds only a DACL of these entries: the control of the write says so (MS-ADTS 3.1.1.3.4.1.11)."""
    control = _HEADER.unpack_from(descriptor)[2]
    old = _HEADER.unpack_from(descriptor)[6]
    revision = descriptor[old]
    listed = list(entries)
    # An entry about an object needs revision 4 (ACL_REVISION_DS).
    revision = max(revision, 4 if any(entry[0] >= _ALLOWED_OBJECT for entry in listed) else 2)
    body = b"".join(listed)
    dacl = struct.pack("<BBHHH", revision, 0, 8 + len(body), len(listed), 0) + body
    keep = control & (0x0400 | 0x1000)  # SE_DACL_AUTO_INHERITED, SE_DACL_PROTECTED
    return _HEADER.pack(1, 0, keep | _DACL_PRESENT | _SELF_RELATIVE, 0, 0, 0, _HEADER.size) + dacl
