"""Turns a command's text into its value (RFC 9051 section 9 and the extensions named at each rule).

`parse` never raises: what does not follow the grammar becomes Invalid, which the session answers with BAD or NO.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from postern.model.items import Flag, FlagChange
from postern.protocols.imap import acl, dates
from postern.protocols.imap.commands import (
    Append,
    AppendMessage,
    Authenticate,
    Command,
    Copy,
    Enable,
    Expunge,
    Invalid,
    List,
    Login,
    NamedFlags,
    OnIdentifier,
    OnMailbox,
    Rename,
    Select,
    SetAcl,
    Status,
    Store,
)
from postern.protocols.imap.cursor import Cursor, Syntax
from postern.protocols.imap.parse_fetch import fetch
from postern.protocols.imap.parse_search import search, sort, thread

_TAG = re.compile(rb'([^\x00-\x20\x7f-\xff(){%*"\\+]+) ')
SYSTEM_FLAGS: dict[bytes, Flag] = {
    b"\\ANSWERED": Flag.ANSWERED,
    b"\\FLAGGED": Flag.FLAGGED,
    b"\\DELETED": Flag.DELETED,
    b"\\SEEN": Flag.SEEN,
    b"\\DRAFT": Flag.DRAFT,
}
STATUS_ITEMS = frozenset(
    {
        *("MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "DELETED-STORAGE", "SIZE"),
        *("HIGHESTMODSEQ", "APPENDLIMIT"),
    }
)
MAX_KEYWORD = 100
MAX_FLAGS = 64
MAX_IDENTIFIER = 1_000
"""Octets of an identifier: an address has 320 at most, a little more in UTF-8."""


def tag_of(text: bytes) -> bytes:
    """The tag a line begins with, "*" if it has none: even a bad command is answered under its tag."""
    match = _TAG.match(text) or re.match(rb'([^\x00-\x20\x7f-\xff(){%*"\\+]+)$', text)
    return match.group(1) if match else b"*"


def parse(text: bytes, literals: list[bytes], utf8: bool = False) -> Command:
    """Reads one whole command, without its last line end.

    Bound: linear in the command, which the machine bounds.
    """
    tag = tag_of(text)
    if tag == b"*":
        return Invalid(tag, "", "Tag expected")
    if text == tag:
        return Invalid(tag, "", "Command expected")
    cursor = Cursor(text, literals, utf8)
    name = ""
    try:
        cursor.take(tag)
        cursor.space()
        name = cursor.word()
        if name == "UID":
            cursor.space()
            name = "UID " + cursor.word()
        rule = _RULES.get(name)
        if rule is None:
            return Invalid(tag, name, "Unknown command")
        command = rule(cursor, tag, name)
        cursor.end()
    except Syntax as error:
        return Invalid(tag, name, error.text, error.code)
    return command


def _plain(cursor: Cursor, tag: bytes, name: str) -> Command:
    return Command(tag, name)


def _login(cursor: Cursor, tag: bytes, name: str) -> Command:
    cursor.space()
    user = cursor.text()
    cursor.space()
    return Login(tag, name, user, cursor.text())


def _authenticate(cursor: Cursor, tag: bytes, name: str) -> Command:
    cursor.space()
    mechanism = cursor.atom().decode("ascii").upper()
    initial = None
    if cursor.skip(b" "):  # RFC 4959: "=" is an empty initial response
        initial = cursor.astring()
        initial = b"" if initial == b"=" else initial
    return Authenticate(tag, name, mechanism, initial)


def _id(cursor: Cursor, tag: bytes, name: str) -> Command:
    """Reads ID (RFC 2971). The client's fields are checked and forgotten."""
    cursor.space()
    if cursor.peek() == b"(":
        pairs = cursor.listed(cursor.nstring)
        if len(pairs) % 2 or len(pairs) > 60:
            raise Syntax("Pairs of field and value expected")
    elif cursor.nstring() is not None:
        raise Syntax("List or NIL expected")
    return Command(tag, name)


def _enable(cursor: Cursor, tag: bytes, name: str) -> Command:
    names: list[str] = []
    while not names or not cursor.at_end():
        cursor.space()
        names.append(cursor.atom().decode("ascii").upper())
    return Enable(tag, name, tuple(names))


def _select(cursor: Cursor, tag: bytes, name: str) -> Command:
    cursor.space()
    mailbox, written = cursor.mailbox(), cursor.written
    condstore = False
    if cursor.skip(b" "):  # RFC 4466 section 2.1, RFC 7162 section 3.1.8
        for parameter in cursor.listed(cursor.word):
            if parameter != "CONDSTORE":
                raise Syntax("Unknown parameter")
            condstore = True
    return Select(tag, name, mailbox, written, condstore)


def _on_mailbox(cursor: Cursor, tag: bytes, name: str) -> Command:
    cursor.space()
    return OnMailbox(tag, name, cursor.mailbox(), cursor.written)


def _rename(cursor: Cursor, tag: bytes, name: str) -> Command:
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    return Rename(tag, name, mailbox, cursor.mailbox())


def _identifier(cursor: Cursor) -> str:
    identifier = cursor.text()
    if not identifier:
        raise Syntax("Identifier expected")
    if len(identifier.encode()) > MAX_IDENTIFIER:
        raise Syntax("Identifier too long")
    return identifier


def _on_identifier(cursor: Cursor, tag: bytes, name: str) -> Command:
    """RFC 4314 section 7."""
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    return OnIdentifier(tag, name, mailbox, _identifier(cursor))


def _set_acl(cursor: Cursor, tag: bytes, name: str) -> Command:
    """RFC 4314 section 3.1. A right that is not known is never passed over."""
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    identifier = _identifier(cursor)
    cursor.space()
    letters = cursor.text()
    sign = letters[:1] if letters[:1] in ("+", "-") else ""
    letters = letters.removeprefix(sign)
    if not acl.recognized(letters):
        raise Syntax("Unknown right")
    return SetAcl(tag, name, mailbox, identifier, sign, "".join(dict.fromkeys(letters)))


def _lsub(cursor: Cursor, tag: bytes, name: str) -> Command:
    cursor.space()
    reference = cursor.reference()
    cursor.space()
    return List(tag, name, reference or "", _served(reference, [cursor.pattern()]))


def _served(reference: str | None, patterns: list[str | None]) -> tuple[str, ...]:
    """The patterns that a name can match. For others LIST finds nothing and answers OK: they are no error (RFC 9051 section
    6.3.9)."""
    return () if reference is None else tuple(pattern for pattern in patterns if pattern is not None)


def _list(cursor: Cursor, tag: bytes, name: str) -> Command:
    """RFC 9051 section 6.3.9 (RFC 5258), with RFC 5819's STATUS, RFC 6154's SPECIAL-USE and RFC 8440's MYRIGHTS."""
    cursor.space()
    selection: frozenset[str] = frozenset()
    extended = cursor.peek() == b"("
    if extended:
        selection = frozenset(cursor.listed(cursor.word))
        cursor.space()
    reference = cursor.reference()
    cursor.space()
    if cursor.peek() == b"(":
        extended = True
        patterns = cursor.listed(cursor.pattern)
    else:
        patterns = [cursor.pattern()]
    returns: set[str] = set()
    status: tuple[str, ...] = ()
    if cursor.skip(b" "):
        extended = True
        if cursor.word() != "RETURN":
            raise Syntax("RETURN expected")
        cursor.space()

        def option() -> None:
            nonlocal status
            word = cursor.word()
            returns.add(word)
            if word == "STATUS":
                cursor.space()
                status = _status_items(cursor)

        cursor.listed(option)
    if selection - {"SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"}:
        raise Syntax("Unknown selection option")
    if returns - {"SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "STATUS", "MYRIGHTS"}:
        raise Syntax("Unknown return option")
    if "RECURSIVEMATCH" in selection and not selection & {"SUBSCRIBED", "SPECIAL-USE"}:
        raise Syntax("RECURSIVEMATCH needs another selection option")  # RFC 5258 section 3.1
    served = _served(reference, patterns)
    return List(tag, name, reference or "", served, selection, frozenset(returns), status, extended)


def _status_items(cursor: Cursor) -> tuple[str, ...]:
    items = tuple(dict.fromkeys(cursor.listed(cursor.word)))
    if not items or not STATUS_ITEMS.issuperset(items):
        raise Syntax("Unknown status item")
    return items


def _status(cursor: Cursor, tag: bytes, name: str) -> Command:
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    return Status(tag, name, mailbox, _status_items(cursor))


def _flags(cursor: Cursor) -> NamedFlags:
    return named_flags(cursor.listed(cursor.flag))


def named_flags(names: list[bytes]) -> NamedFlags:
    """Flag names to bits and keywords. \\Recent, which no client can set, is passed over (RFC 3501 section 2.3.2)."""
    bits = 0
    keywords: list[str] = []
    if len(names) > MAX_FLAGS:
        raise Syntax("Too many flags", "LIMIT")
    for name in names:
        system = SYSTEM_FLAGS.get(name.upper())
        if system is not None:
            bits |= system
        elif name.startswith(b"\\"):
            if name.upper() != b"\\RECENT":
                raise Syntax("Unknown system flag")
        elif len(name) > MAX_KEYWORD:
            raise Syntax("Keyword too long", "LIMIT")
        else:
            keywords.append(name.decode("ascii"))
    return NamedFlags(bits, tuple(dict.fromkeys(keywords)))


def _append(cursor: Cursor, tag: bytes, name: str) -> Command:
    """RFC 9051 section 6.3.12, MULTIAPPEND (RFC 3502), the UTF8 data extension (RFC 6855 section 4)."""
    cursor.space()
    mailbox = cursor.mailbox()
    messages: list[AppendMessage] = []
    while not messages or not cursor.at_end():
        cursor.space()
        flags = NamedFlags(0, ())
        date = None
        if cursor.peek() == b"(":
            flags = _flags(cursor)
            cursor.space()
        if cursor.peek() == b'"':
            date = dates.parse_internal(cursor.string())
            if date is None:
                raise Syntax("Date-time expected")
            cursor.space()
        if cursor.peek().upper() == b"U":
            if cursor.word() != "UTF8":
                raise Syntax("Unknown data extension")
            cursor.space()
            cursor.take(b"(")
            content = cursor.literal()
            cursor.take(b")")
        else:
            content = cursor.literal()
        messages.append(AppendMessage(content, flags, date))
    return Append(tag, name, mailbox, tuple(messages))


def _store(cursor: Cursor, tag: bytes, name: str) -> Command:
    cursor.space()
    messages = cursor.ranges()
    cursor.space()
    unchanged_since = None
    if cursor.skip(b"("):  # RFC 7162 section 3.1.3
        if cursor.word() != "UNCHANGEDSINCE":
            raise Syntax("Unknown modifier")
        cursor.space()
        unchanged_since = cursor.number((1 << 63) - 1)
        cursor.take(b")")
        cursor.space()
    change = FlagChange.ADD if cursor.skip(b"+") else FlagChange.REMOVE if cursor.skip(b"-") else FlagChange.REPLACE
    item = cursor.word()
    if item not in ("FLAGS", "FLAGS.SILENT"):
        raise Syntax("FLAGS expected")
    cursor.space()
    if cursor.peek() == b"(":
        flags = _flags(cursor)
    else:
        names = [cursor.flag()]
        while cursor.skip(b" "):
            names.append(cursor.flag())
        flags = named_flags(names)
    return Store(tag, name, messages, change, item == "FLAGS.SILENT", flags, unchanged_since)


def _copy(cursor: Cursor, tag: bytes, name: str) -> Command:
    cursor.space()
    messages = cursor.ranges()
    cursor.space()
    return Copy(tag, name, messages, cursor.mailbox())


def _uid_expunge(cursor: Cursor, tag: bytes, name: str) -> Command:
    cursor.space()
    return Expunge(tag, name, cursor.ranges())


Rule = Callable[[Cursor, bytes, str], Command]
_RULES: dict[str, Rule] = {
    **dict.fromkeys(
        (
            "CAPABILITY",
            "NOOP",
            "LOGOUT",
            "STARTTLS",
            "CHECK",
            "CLOSE",
            "UNSELECT",
            "EXPUNGE",
            "IDLE",
            "NAMESPACE",
        ),
        _plain,
    ),
    **dict.fromkeys(("CREATE", "DELETE", "SUBSCRIBE", "UNSUBSCRIBE", "GETQUOTA", "GETQUOTAROOT"), _on_mailbox),
    **dict.fromkeys(("GETACL", "MYRIGHTS"), _on_mailbox),
    **dict.fromkeys(("DELETEACL", "LISTRIGHTS"), _on_identifier),
    **dict.fromkeys(("SELECT", "EXAMINE"), _select),
    **dict.fromkeys(("FETCH", "UID FETCH"), fetch),
    **dict.fromkeys(("STORE", "UID STORE"), _store),
    **dict.fromkeys(("COPY", "UID COPY", "MOVE", "UID MOVE"), _copy),
    **dict.fromkeys(("SEARCH", "UID SEARCH"), search),
    **dict.fromkeys(("SORT", "UID SORT"), sort),
    **dict.fromkeys(("THREAD", "UID THREAD"), thread),
    "LOGIN": _login,
    "AUTHENTICATE": _authenticate,
    "ID": _id,
    "ENABLE": _enable,
    "RENAME": _rename,
    "SETACL": _set_acl,
    "LIST": _list,
    "LSUB": _lsub,
    "STATUS": _status,
    "APPEND": _append,
    "UID EXPUNGE": _uid_expunge,
}
