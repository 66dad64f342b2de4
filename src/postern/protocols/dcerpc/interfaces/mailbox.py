"""The two interfaces of the mailbox store, declared once: codec, dispatch and the published IDL all come from here.

One interface a row, so that a hub's account can deliver and take from the outbox but not read mailboxes at will:
MAILBOX_ACCESS is cas-to-mailbox's, MAILBOX_DELIVERY is hub-to-mailbox-mapi's. What the operations mean stands in
`model.mailbox_server.Mailboxes`; how its values become parameters in `mailbox_values`.
"""

from __future__ import annotations

from uuid import UUID

from postern.model.mailbox import MailboxErrorCode
from postern.protocols.dcerpc.interface import Interface, Operation, Parameter, Syntax
from postern.protocols.dcerpc.ndr import I64, U8, U32, U64, UUID_T, Array, Blobs, Records, Structure, Text

FOLDER = Structure(
    "FOLDER",
    (
        ("id", I64),
        ("highest_modseq", U64),
        ("size", U64),
        ("uid_validity", U32),
        ("uid_next", U32),
        ("messages", U32),
        ("unseen", U32),
        ("deleted", U32),
        ("recent_uid", U32),
        ("kind", U32),
        ("subscribed", U32),
        ("name_count", U32),
        ("keyword_count", U32),
    ),
)

_BYTES, _WORDS, _LONG_WORDS, _TIMES = Array(U8), Array(U32), Array(U64), Array(I64)
_BLOBS = Blobs()
_MAILBOX: Parameter = ("mailbox", UUID_T)
_FOLDER: Parameter = ("folder", I64)
_RANGES: Parameter = ("uid_ranges", _WORDS)
_PATH: Parameter = ("path", _BLOBS)
_FOLDERS: tuple[Parameter, ...] = (("folders", Records(FOLDER)), ("names", _BLOBS))
_COPIED: tuple[Parameter, ...] = (("uid_validity", U32), ("sources", _WORDS), ("targets", _WORDS))
_TERM: tuple[Parameter, ...] = (
    ("term_keys", _BLOBS),
    ("term_texts", _BLOBS),
    ("term_names", _BLOBS),
    ("term_numbers", _TIMES),
    ("term_children", _WORDS),
    ("term_range_counts", _WORDS),
    ("term_ranges", _WORDS),
)


def _operation(name: str, purpose: str, ins: tuple[Parameter, ...], outs: tuple[Parameter, ...] = ()) -> Operation:
    """Every operation ends with the text of an error, empty when it returns 0."""
    return Operation(name, ins, (*outs, ("error_text", _BYTES)), purpose)


LOGON = _operation(
    "logon",
    "Opens a mailbox, creating it the first time. quota is bytes from now on, 0 for no bound, -1 for what is set.",
    (_MAILBOX, ("quota", I64)),
    (("used", U64), ("quota_now", U64), ("items", U64), ("change", U64)),
)
FETCH = _operation(
    "fetch",
    "Columns (a bit mask) of the items in inclusive UID ranges, in UID order; a column not asked for is empty.",
    (_MAILBOX, _FOLDER, ("changed_since", U64), ("columns", U32), _RANGES),
    (
        ("uids", _WORDS),
        ("flags", _LONG_WORDS),
        ("modseqs", _LONG_WORDS),
        ("sizes", _LONG_WORDS),
        ("dates", _TIMES),
        ("envelopes", _BLOBS),
        ("structures", _BLOBS),
        ("bodies", _BLOBS),
        ("headers", _BLOBS),
        ("contents", _BLOBS),
    ),
)
FOLDERS = _operation(
    "folders",
    "All folders. names holds, folder by folder, name_count path components and keyword_count keywords, as UTF-8.",
    (_MAILBOX,),
    _FOLDERS,
)
OUTBOX = _operation("outbox", "UIDs of submitted items that no hub has finished.", (_MAILBOX,), (("uids", _WORDS),))
SUBMITTED = _operation("submitted", "The hub has queued the item: it moves to Sent Items.", (_MAILBOX, ("uid", U32)))

_INDEX = (
    ("highest_modseq", U64),
    ("uid_next", U32),
    ("messages", U32),
    ("uids", _WORDS),
    ("flags", _LONG_WORDS),
    ("modseqs", _LONG_WORDS),
    ("vanished", _WORDS),
)

_ACCESS = {
    0: LOGON,
    1: FOLDERS,
    2: _operation(
        "folder",
        "One folder; with claim_recent its recent_uid is advanced and the former one returned.",
        (_MAILBOX, _FOLDER, ("claim_recent", U32)),
        _FOLDERS,
    ),
    3: _operation("create_folder", "Creates missing parents too.", (_MAILBOX, ("kind", U32), _PATH), _FOLDERS),
    4: _operation("rename_folder", "With all that is below it.", (_MAILBOX, _FOLDER, _PATH)),
    5: _operation("delete_folder", "Removes a folder and its items.", (_MAILBOX, _FOLDER)),
    6: _operation(
        "subscriptions",
        "Subscribed names, existing or not: counts says how many components each has.",
        (_MAILBOX,),
        (("counts", _WORDS), ("names", _BLOBS)),
    ),
    7: _operation("subscribe", "Subscribes (1) or unsubscribes (0) a name.", (_MAILBOX, ("subscribed", U32), _PATH)),
    8: _operation(
        "keywords",
        "The bits of these keywords in this folder; unknown ones are added with create.",
        (_MAILBOX, _FOLDER, ("create", U32), ("names", _BLOBS)),
        (("bits", U64),),
    ),
    9: _operation(
        "index",
        "Packed columns of a folder's items in UID order; with since, what changed and vanished after it.",
        (_MAILBOX, _FOLDER, ("since", U64)),
        _INDEX,
    ),
    10: FETCH,
    11: _operation(
        "change_flags",
        "change: 0 replace, 1 add, 2 remove. unchanged_since counts only if conditional is 1.",
        (
            _MAILBOX,
            _FOLDER,
            ("change", U32),
            ("flags", U64),
            ("conditional", U32),
            ("unchanged_since", U64),
            _RANGES,
        ),
        (("uids", _WORDS), ("new_flags", _LONG_WORDS), ("modseqs", _LONG_WORDS), ("modified", _WORDS)),
    ),
    12: _operation(
        "append",
        "All or none. A date of -2^63 means now.",
        (_MAILBOX, _FOLDER, ("flags", _LONG_WORDS), ("dates", _TIMES), ("contents", _BLOBS)),
        _COPIED,
    ),
    13: _operation(
        "copy",
        "sources[i] became targets[i]; with move they are gone from the source.",
        (_MAILBOX, _FOLDER, ("target", I64), ("move", U32), _RANGES),
        _COPIED,
    ),
    14: _operation(
        "expunge",
        "Removes items flagged as deleted, only those in the ranges if limited is 1.",
        (_MAILBOX, _FOLDER, ("limited", U32), _RANGES),
        (("uids", _WORDS),),
    ),
    15: _operation(
        "search",
        "The program's terms in prefix order, each with its number of children and of UID ranges.\n"
        "highest_modseq is the folder's when it was searched.",
        (_MAILBOX, _FOLDER, *_TERM, ("sort_keys", _BLOBS), ("sort_reverse", _WORDS)),
        (("uids", _WORDS), ("highest_modseq", U64)),
    ),
    16: _operation(
        "thread",
        "RFC 5256 THREAD's answer with UIDs.",
        (_MAILBOX, _FOLDER, ("algorithm", Text()), *_TERM),
        (("answer", _BYTES),),
    ),
    17: _operation("submit", "Marks an item of the outbox as ready to be sent.", (_MAILBOX, ("uid", U32))),
    18: OUTBOX,
    19: _operation(
        "wait",
        "Answers once a mailbox's change number is beyond the one given, or after the time with nothing.",
        (("milliseconds", U32), ("mailboxes", _BYTES), ("changes", _LONG_WORDS)),
        (("changed", _BYTES), ("new_changes", _LONG_WORDS)),
    ),
    20: _operation(
        "first_unseen",
        "The sequence number of the first item that is not seen; 0 if there is none.",
        (_MAILBOX, _FOLDER),
        (("number", U32),),
    ),
    21: _operation(
        "look",
        "index; where items from next_uid on have come, also which UIDs are recent, claimed with claim_recent.",
        (_MAILBOX, _FOLDER, ("since", U64), ("next_uid", U32), ("claim_recent", U32)),
        (*_INDEX, ("recent_first", U32), ("recent_last", U32)),
    ),
}
_DELIVERY = {
    0: LOGON,
    1: _operation(
        "deliver",
        "A batch in one commit. Delivery i is for mailbox_counts[i] mailboxes (UUIDs of 16 bytes, in order),\n"
        "and quotas what each of them may hold from now on, as in logon.\n"
        "statuses, in the same order: 0 delivered, 1 duplicate, 2 over quota, 3 no mailbox, 4 temporary (to be said again),\n"
        "5 poison (handling it failed the server twice: not to be said again as it is).",
        (
            ("delivery_ids", _BLOBS),
            ("return_paths", _BLOBS),
            ("received", _TIMES),
            ("contents", _BLOBS),
            ("mailbox_counts", _WORDS),
            ("mailboxes", _BYTES),
            ("quotas", _TIMES),
        ),
        (("statuses", _BYTES),),
    ),
    2: FOLDERS,
    3: OUTBOX,
    4: FETCH,
    5: SUBMITTED,
    6: _operation(
        "used",
        "The octets that each of these mailboxes (UUIDs of 16 bytes) holds, in order; 0 for one that is not there.",
        (("mailboxes", _BYTES),),
        (("used", _TIMES),),
    ),
}

_PREAMBLE = """Postern {title}

This interface is Postern's own: Exchange's counterpart has no public specification, so the UUID was minted here.
Path of the table: {row}. Callers: servers of the organization with that path's role, under packet privacy
(RPC_C_AUTHN_LEVEL_PKT_PRIVACY; NTLM or Kerberos) over ncacn_ip_tcp, or with the kernel's word over a unix socket.
Every operation returns 0, or a number of the list below with the words for it in error_text (UTF-8):
{codes}.
UUIDs inside byte arrays are in network order (RFC 4122 section 4.1.2). Times are seconds since 1970, UTC.

This file is generated from postern.protocols.dcerpc."""

_CODES = ", ".join(f"{code.value} {code.name}" for code in MailboxErrorCode)

MAILBOX_ACCESS = Interface(
    "postern_mailbox_access",
    Syntax(UUID("6b0f0a52-7c1d-4e0e-9a64-5d2f8c3b9e01"), 1),
    _ACCESS,
    _PREAMBLE.format(title="mailbox access", row="cas-to-mailbox", codes=_CODES),
)
MAILBOX_DELIVERY = Interface(
    "postern_mailbox_delivery",
    Syntax(UUID("c4d7e1b8-3a52-4f0b-8f9e-1e6a7d90b2c3"), 1),
    _DELIVERY,
    _PREAMBLE.format(title="mailbox delivery", row="hub-to-mailbox-mapi", codes=_CODES),
)
