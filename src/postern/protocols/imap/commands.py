"""The commands of a client, as values: one class for each shape of command (RFC 9051 section 6, and the extensions named).

The machine yields them; `services.imap.session` obeys them. Mailbox names are Unicode with "/" between levels.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from postern.model.items import FlagChange
from postern.model.search import SearchTerm, SortKey
from postern.protocols.imap.cursor import Ranges


@dataclass(frozen=True, slots=True)
class Command:
    tag: bytes
    name: str
    """The command's word, with "UID " before it if the client wrote it."""

    @property
    def uid(self) -> bool:
        """Whether its numbers are UIDs."""
        return self.name.startswith("UID ")


PAUSE = Command(b"*", "PAUSE")
"""An event of the machine, and no command: it has passed over lines, and there may be more. Others may have their turn first."""


@dataclass(frozen=True, slots=True)
class Login(Command):
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authenticate(Command):
    """`initial` is the initial response (RFC 4959), still in base64; None if there was none."""

    mechanism: str
    initial: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Response(Command):
    """The client's line in an AUTHENTICATE exchange, still in base64; "*" cancels."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Enable(Command):
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Select(Command):
    """SELECT and EXAMINE. `written` is the name before it was normalized."""

    mailbox: str
    written: str
    condstore: bool


@dataclass(frozen=True, slots=True)
class OnMailbox(Command):
    """CREATE, DELETE, SUBSCRIBE, UNSUBSCRIBE, GETACL, MYRIGHTS, GETQUOTAROOT, and GETQUOTA with its root's name. `written` is the
    name before it was normalized."""

    mailbox: str
    written: str


@dataclass(frozen=True, slots=True)
class OnIdentifier(Command):
    """DELETEACL and LISTRIGHTS. `identifier` is as the client wrote it."""

    mailbox: str
    identifier: str


@dataclass(frozen=True, slots=True)
class SetAcl(OnIdentifier):
    """`sign` is "+", "-" or "", `letters` are rights that `acl` recognizes."""

    sign: str
    letters: str


@dataclass(frozen=True, slots=True)
class Rename(Command):
    mailbox: str
    target: str


@dataclass(frozen=True, slots=True)
class List(Command):
    """LIST and LSUB. `selection` and `returns` are RFC 5258's options, `status` RFC 5819's items."""

    reference: str
    patterns: tuple[str, ...]
    selection: frozenset[str] = frozenset()
    returns: frozenset[str] = frozenset()
    status: tuple[str, ...] = ()
    extended: bool = False


@dataclass(frozen=True, slots=True)
class Status(Command):
    mailbox: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NamedFlags:
    """System flags as bits (model.items.Flag), keywords by name."""

    bits: int
    keywords: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AppendMessage:
    content: bytes = field(repr=False)
    flags: NamedFlags
    internal_date: int | None


@dataclass(frozen=True, slots=True)
class Append(Command):
    mailbox: str
    messages: tuple[AppendMessage, ...]


@dataclass(frozen=True, slots=True)
class BodyPart:
    """BODY[...], BINARY[...], BINARY.SIZE[...] and the RFC822 forms. `label` is how the answer calls it.

    `what` is "", "HEADER", "TEXT", "MIME", "HEADER.FIELDS" or "HEADER.FIELDS.NOT"; `kind` "BODY", "BINARY" or "BINARY.SIZE".
    """

    label: bytes
    kind: str = "BODY"
    part: tuple[int, ...] = ()
    what: str = ""
    fields: tuple[bytes, ...] = ()
    partial: tuple[int, int] | None = None
    peek: bool = False


FetchItem = str | BodyPart
"""A word: FLAGS, UID, INTERNALDATE, RFC822.SIZE, ENVELOPE, BODY, BODYSTRUCTURE, MODSEQ; or a part."""


@dataclass(frozen=True, slots=True)
class Fetch(Command):
    messages: Ranges
    items: tuple[FetchItem, ...]
    changed_since: int = 0


@dataclass(frozen=True, slots=True)
class Store(Command):
    messages: Ranges
    change: FlagChange
    silent: bool
    flags: NamedFlags
    unchanged_since: int | None = None


@dataclass(frozen=True, slots=True)
class Copy(Command):
    """COPY and MOVE."""

    messages: Ranges
    mailbox: str


@dataclass(frozen=True, slots=True)
class Expunge(Command):
    """UID EXPUNGE (RFC 4315)."""

    messages: Ranges


@dataclass(frozen=True, slots=True)
class Search(Command):
    """`program` holds, besides the store's keys, "sequence", "uid" with STAR or SAVED in it, "keyword", "recent", "new", "old".
    `returns` is None without RETURN (RFC 4731)."""

    program: SearchTerm
    returns: frozenset[str] | None
    names_charset: bool = False


@dataclass(frozen=True, slots=True)
class Sort(Command):
    keys: tuple[SortKey, ...]
    program: SearchTerm


@dataclass(frozen=True, slots=True)
class Thread(Command):
    algorithm: str
    program: SearchTerm


@dataclass(frozen=True, slots=True)
class Invalid(Command):
    """A line that is no command: BAD, or NO with `code` where the grammar is kept but the value cannot be served."""

    text: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Overflow(Command):
    """The peer sends more than any command may hold and does not wait for an answer: say BYE and close."""

    text: str
