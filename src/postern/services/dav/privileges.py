"""The privileges of DAV (RFC 3744 section 3, RFC 4791 section 6.1.1) and the rights of folders, each in terms of the other."""

from __future__ import annotations

from collections.abc import Iterable

from postern.model.folders import Right
from postern.model.sharing import EVERY_RIGHT, FREE_BUSY
from postern.protocols.dav.names import caldav, dav

_WRITE = Right.CREATE | Right.EDIT_ANY | Right.DELETE_ANY
_OWNED = {Right.EDIT_ANY: Right.EDIT_OWNED, Right.DELETE_ANY: Right.DELETE_OWNED}
_GRANTED = {
    dav("all"): EVERY_RIGHT,
    dav("read"): Right.READ_ANY | Right.VISIBLE | FREE_BUSY,
    dav("write"): _WRITE | Right.VISIBLE,
    dav("write-content"): Right.EDIT_ANY | Right.VISIBLE,
    dav("bind"): Right.CREATE | Right.VISIBLE,
    dav("unbind"): Right.DELETE_ANY | Right.VISIBLE,
    dav("write-acl"): Right.OWNER | Right.VISIBLE,
    dav("write-properties"): Right(0),
    dav("read-acl"): Right(0),
    dav("read-current-user-privilege-set"): Right(0),
    dav("unlock"): Right(0),
    caldav("read-free-busy"): Right.FREE_BUSY_SIMPLE,
}
"""The rights that a privilege grants. Those without rights come with others: whoever owns a folder changes its properties."""
_ALL = (
    *("all", "read", "read-acl", "read-current-user-privilege-set", "write", "write-properties", "write-content"),
    *("bind", "unbind", "unlock", "write-acl"),
)


def markup(*names: str) -> str:
    """Writes privileges of RFC 3744."""
    return "".join(f"<D:privilege><D:{name}/></D:privilege>" for name in names)


_READ_FREE_BUSY = "<D:privilege><C:read-free-busy/></D:privilege>"
ALL = markup(*_ALL) + _READ_FREE_BUSY
"""The privileges of an owner in what is his."""
READ = markup("read", "read-acl", "read-current-user-privilege-set")
READ_OWN = markup("read", "read-current-user-privilege-set")


def of_rights(rights: Right) -> str:
    """Writes the privileges that rights amount to. `write` is among them only where each part of it is."""
    if rights == EVERY_RIGHT:
        return ALL
    names = ["read-current-user-privilege-set"]
    if rights & Right.READ_ANY:
        names.append("read")
    if rights & Right.EDIT_ANY:
        names.append("write-content")
    if rights & Right.CREATE:
        names.append("bind")
    if rights & Right.DELETE_ANY:
        names.append("unbind")
    if rights & Right.OWNER:
        names += ["read-acl", "write-acl", "write-properties"]
        if rights & _WRITE == _WRITE:
            names.append("write")
    return markup(*names) + (_READ_FREE_BUSY if rights & FREE_BUSY else "")


def rights_of(names: Iterable[str]) -> Right | None:
    """Returns the rights that privileges (Clark names) grant together; None where one of them is unknown."""
    rights = Right(0)
    for name in names:
        if name not in _GRANTED:
            return None
        rights |= _GRANTED[name]
    for wide, owned in _OWNED.items():
        rights |= owned if rights & wide else Right(0)
    return rights


def _supported(name: str, text: str, *below: str) -> str:
    prefix = "C" if name == "read-free-busy" else "D"
    return (
        f"<D:supported-privilege><D:privilege><{prefix}:{name}/></D:privilege>"
        f'<D:description xml:lang="en">{text}</D:description>{"".join(below)}</D:supported-privilege>'
    )


SUPPORTED = _supported(
    "all",
    "Everything",
    _supported(
        "read",
        "Read",
        _supported("read-current-user-privilege-set", "Read one's own privileges"),
        _supported("read-free-busy", "See when somebody is busy"),
    ),
    _supported("read-acl", "Read the access control list"),
    _supported("write-acl", "Write the access control list"),
    _supported("unlock", "Remove a lock"),
    _supported(
        "write",
        "Write",
        _supported("write-properties", "Write properties"),
        _supported("write-content", "Write content"),
        _supported("bind", "Add members"),
        _supported("unbind", "Remove members"),
    ),
)
"""supported-privilege-set."""
