"""The interfaces of mailboxes that IMAP, POP3 and hubs use, declared once: both stubs and the published IDL come from here. Items
by id have an interface of their own, `mailbox_items`.

Each row has an interface of its own, so that a hub's account can deliver and take from the outbox but not read mailboxes at will:
cas-to-mailbox carries MAILBOX_ACCESS, and hub-to-mailbox-mapi carries MAILBOX_DELIVERY. The operations are methods of
`model.mailbox_server.Mailboxes`, which says what they mean; `mailbox_codecs` and `search_codecs` say how their values travel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from postern.model.items import Column
from postern.model.mailbox import MailboxErrorCode
from postern.model.mailbox_server import Mailboxes
from postern.protocols.dcerpc.codecs import BOOLEAN, SIGNED_WORDS, TEXTS, UUIDS, WORDS, Codec, Parameter, Wide
from postern.protocols.dcerpc.interface import Interface, Operation, Syntax
from postern.protocols.dcerpc.interfaces import mailbox_codecs as codecs
from postern.protocols.dcerpc.interfaces.search_codecs import SORT, TERM
from postern.protocols.dcerpc.ndr import I64, U8, U32, U64, UUID_T, Array, Text

_GRACE = 30.0
"""Seconds that an answer to `wait` may be late."""
_DELIVERY_TIMEOUT = 120.0
SEARCH_TIMEOUT = 300.0
"""Seconds: longer than the store lets a search run, and another before it."""
_QUESTION_TIMEOUT = 1.0
"""Seconds that a sender waits at RCPT for an answer that is not indispensable."""
_MAILBOX = Parameter("mailbox", UUID_T)
_FOLDER = Parameter("folder", I64)
_RANGES = Parameter("uid_ranges", codecs.RANGES, "uids")
_PATH = Parameter("path", TEXTS)
_TERM = Parameter("term", TERM)


def operation(
    method: Callable[..., Any],
    purpose: str,
    takes: tuple[Parameter, ...],
    gives: Parameter | Wide | None = None,
    **particulars: Any,
) -> Operation:
    """Declares an operation. All are refused in the same way: with a number, and its text behind the other [out] parameters."""
    return Operation(method, purpose, takes, gives, codecs.REFUSALS, **particulars)


LOGON = operation(
    Mailboxes.logon,
    "Opens a mailbox, creating it the first time. quota is bytes from now on, 0 for no bound, -1 for what is set.",
    (_MAILBOX, Parameter("quota", I64)),
    codecs.INFO,
    finish=codecs.info_of,
)
FETCH = operation(
    Mailboxes.fetch,
    "Columns (a bit mask) of the items in inclusive UID ranges, in UID order; a column not asked for is empty.",
    (_MAILBOX, _FOLDER, Parameter("changed_since", U64), Parameter("columns", Codec(U32, None, Column)), _RANGES),
    codecs.FETCHED,
)
FOLDERS = operation(
    Mailboxes.folders,
    "All folders. names holds, folder by folder, name_count path components and keyword_count keywords, as UTF-8.",
    (_MAILBOX,),
    codecs.FOLDERS,
)
OUTBOX = operation(
    Mailboxes.outbox, "UIDs of submitted items that no hub has finished.", (_MAILBOX,), Parameter("uids", WORDS)
)
SUBMITTED = operation(
    Mailboxes.submitted,
    "The hub has queued the item: it moves to Sent Items.",
    (_MAILBOX, Parameter("uid", U32)),
)
_ACCESS = {
    0: LOGON,
    1: FOLDERS,
    2: operation(
        Mailboxes.folder,
        "One folder; with claim_recent its recent_uid is advanced and the former one returned.",
        (_MAILBOX, _FOLDER, Parameter("claim_recent", BOOLEAN)),
        codecs.FOLDER,
    ),
    3: operation(
        Mailboxes.create_folder,
        "Creates missing parents too.",
        (_MAILBOX, Parameter("kind", codecs.KIND), _PATH),
        codecs.FOLDER,
    ),
    4: operation(Mailboxes.rename_folder, "With all that is below it.", (_MAILBOX, _FOLDER, _PATH)),
    5: operation(Mailboxes.delete_folder, "Removes a folder and its items.", (_MAILBOX, _FOLDER)),
    6: operation(
        Mailboxes.subscriptions,
        "Subscribed names, existing or not: counts says how many components each has.",
        (_MAILBOX,),
        codecs.PATHS,
    ),
    7: operation(
        Mailboxes.subscribe,
        "Subscribes (1) or unsubscribes (0) a name.",
        (_MAILBOX, Parameter("subscribed", BOOLEAN), _PATH),
    ),
    8: operation(
        Mailboxes.keywords,
        "The bits of these keywords in this folder; unknown ones are added with create.",
        (_MAILBOX, _FOLDER, Parameter("create", BOOLEAN), Parameter("names", TEXTS)),
        Parameter("bits", U64),
    ),
    9: operation(
        Mailboxes.index,
        "Packed columns of a folder's items in UID order; with since, what changed and vanished after it.",
        (_MAILBOX, _FOLDER, Parameter("since", U64)),
        codecs.INDEX,
    ),
    10: FETCH,
    11: operation(
        Mailboxes.change_flags,
        "change: 0 replace, 1 add, 2 remove. unchanged_since counts only if conditional is 1.",
        (
            _MAILBOX,
            _FOLDER,
            Parameter("change", codecs.FLAG_CHANGE),
            Parameter("flags", U64),
            Parameter("unchanged_since", codecs.UNCHANGED_SINCE),
            _RANGES,
        ),
        codecs.FLAGGED,
    ),
    12: operation(
        Mailboxes.append,
        "All or none. A date of -2^63 means now.",
        (_MAILBOX, _FOLDER, Parameter("items", codecs.NEW_ITEMS)),
        codecs.COPIED,
    ),
    13: operation(
        Mailboxes.copy,
        "sources[i] became targets[i]; with move they are gone from the source.",
        (_MAILBOX, _FOLDER, Parameter("target", I64), Parameter("move", BOOLEAN), _RANGES),
        codecs.COPIED,
    ),
    14: operation(
        Mailboxes.expunge,
        "Removes items flagged as deleted, only those in the ranges if limited is 1.",
        (_MAILBOX, _FOLDER, Parameter("uids", codecs.LIMITED_RANGES)),
        Parameter("uids", WORDS),
    ),
    15: operation(
        Mailboxes.search,
        "The program's terms in prefix order, each with its number of children and of UID ranges.\n"
        "highest_modseq is the folder's when it was searched.",
        (_MAILBOX, _FOLDER, _TERM, Parameter("sort", SORT)),
        codecs.FOUND,
        timeout=SEARCH_TIMEOUT,
    ),
    16: operation(
        Mailboxes.thread,
        "RFC 5256 THREAD's answer with UIDs.",
        (_MAILBOX, _FOLDER, Parameter("algorithm", Text()), _TERM),
        Parameter("answer", Array(U8)),
        timeout=SEARCH_TIMEOUT,
    ),
    17: operation(
        Mailboxes.submit, "Marks an item of the outbox as ready to be sent.", (_MAILBOX, Parameter("uid", U32))
    ),
    18: OUTBOX,
    19: operation(
        Mailboxes.wait,
        "Answers once a mailbox's change number is beyond the one given, or after the time with nothing.",
        (
            Parameter("milliseconds", codecs.MILLISECONDS, "timeout"),
            Parameter("mailboxes", codecs.change_numbers("mailboxes", "changes")),
        ),
        codecs.change_numbers("changed", "new_changes"),
        timeout=lambda mailboxes, timeout: timeout + _GRACE,
        alone=True,
    ),
    20: operation(
        Mailboxes.first_unseen,
        "The sequence number of the first item that is not seen; 0 if there is none.",
        (_MAILBOX, _FOLDER),
        Parameter("number", U32),
    ),
    21: operation(
        Mailboxes.look,
        "index; where items from next_uid on have come, also which UIDs are recent, claimed with claim_recent.",
        (
            _MAILBOX,
            _FOLDER,
            Parameter("since", U64),
            Parameter("next_uid", U32),
            Parameter("claim_recent", BOOLEAN),
        ),
        codecs.LOOK,
    ),
}
_DELIVERY = {
    0: LOGON,
    1: operation(
        Mailboxes.deliver,
        "A batch in one commit. Delivery i is for mailbox_counts[i] mailboxes (UUIDs of 16 bytes, in order),\n"
        "and quotas what each of them may hold from now on, as in logon.\n"
        "statuses, in the same order: 0 delivered, 1 duplicate, 2 over quota, 3 no mailbox, 4 temporary (to be said again),\n"
        "5 poison (handling it failed the server twice: not to be said again as it is).",
        (Parameter("deliveries", codecs.DELIVERIES),),
        Parameter("statuses", codecs.STATUSES),
        finish=codecs.statuses_of,
        timeout=_DELIVERY_TIMEOUT,
    ),
    2: FOLDERS,
    3: OUTBOX,
    4: FETCH,
    5: SUBMITTED,
    6: operation(
        Mailboxes.used,
        "The octets that each of these mailboxes (UUIDs of 16 bytes) holds, in order; 0 for one that is not there.",
        (Parameter("mailboxes", UUIDS),),
        Parameter("used", SIGNED_WORDS),
        finish=codecs.used_of,
        timeout=_QUESTION_TIMEOUT,
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


def preamble(title: str, row: str) -> str:
    """The text that the IDL of an interface of mailboxes begins with. `row` is the id of the path that carries it."""
    return _PREAMBLE.format(title=title, row=row, codes=_CODES)


MAILBOX_ACCESS: Interface[Mailboxes] = Interface(
    "postern_mailbox_access",
    Syntax(UUID("6b0f0a52-7c1d-4e0e-9a64-5d2f8c3b9e01"), 1),
    _ACCESS,
    preamble("mailbox access", "cas-to-mailbox"),
    Mailboxes,
    sizes=(22,),
)
MAILBOX_DELIVERY: Interface[Mailboxes] = Interface(
    "postern_mailbox_delivery",
    Syntax(UUID("c4d7e1b8-3a52-4f0b-8f9e-1e6a7d90b2c3"), 1),
    _DELIVERY,
    preamble("mailbox delivery", "hub-to-mailbox-mapi"),
    Mailboxes,
    sizes=(7,),
)
