"""A message rendered once, at delivery: all that IMAP asks for often, and what SEARCH, SORT and THREAD compare."""

from __future__ import annotations

import re
from itertools import islice
from typing import NamedTuple

from postern.protocols.mime.address import address_list
from postern.protocols.mime.charsets import MAX_LABEL
from postern.protocols.mime.dates import parse_date
from postern.protocols.mime.envelope import render_envelope
from postern.protocols.mime.header import Fields
from postern.protocols.mime.parameters import parameter
from postern.protocols.mime.structure import render_structure, scan
from postern.protocols.mime.subject import base_subject
from postern.protocols.mime.text import body_text, header_text
from postern.protocols.mime.words import decode_words, fold, fold_within

RENDERING = 5
"""The version of renderings. It grows whenever the same message would be rendered differently, so that stored ones are made
anew."""

NO_DATE = -(1 << 62)
"""The time of a message without a Date. Every other number is a real time; 0 is the epoch."""

# RFC 5322 section 3.6.4. Without `@` it is no id (old mailers wrote `<yes>` for any), and joins no message to a thread.
_MESSAGE_ID = re.compile(rb'<((?:"(?:[^"\\\s]|\\\S){1,450}+"|[^<>@\s"]{1,450}+)@[^<>\s]{1,450}+)>')
_PLAIN_ID = re.compile(rb"[^\s<>()\[\]:;@\\,\"]++")
_ESCAPED = re.compile(rb"\\(.)")
_MAX_REFERENCES = 200
_MAX_SORT_TEXT = 500
_MAX_SUBJECT = 65_536
"""Octets of the folded subject that SEARCH and SORT look at."""


class Rendered(NamedTuple):
    """A rendered message. `sent` is the Date field in seconds since the epoch and `sent_day` its day as written (NO_DATE if there
    is none); `fields` and `body` are the folded texts that are searched; `references` is oldest first (RFC 5256 section 3)."""

    size: int
    header_size: int
    envelope: bytes
    structure: bytes
    body_structure: bytes
    sent: int
    sent_day: int
    subject: str
    base_subject: str
    is_reply: bool
    sort_from: str
    sort_to: str
    sort_cc: str
    display_from: str
    display_to: str
    message_id: str
    references: tuple[str, ...]
    fields: str
    body: str


def render(content: bytes) -> Rendered:
    """Renders what a mailbox keeps of a message beside its octets. It never raises, whatever they are.

    Bound: linear in the content, for each level of nesting; at most 64 levels, 4,096 parts and 8 MB of text for search.
    """
    root = scan(content)
    fields, named = root.fields, root.fields.named
    structure, body_structure = render_structure(content, root)
    hint = parameter(root.parameters, b"charset")[:MAX_LABEL]
    subject = fold_within(decode_words(named.get(b"subject", b""), hint), _MAX_SUBJECT)
    base, is_reply = base_subject(subject)
    sent = parse_date(named.get(b"date")) or (NO_DATE, NO_DATE)
    sort_from, display_from = _sort_names(named.get(b"from"))
    sort_to, display_to = _sort_names(named.get(b"to"))
    message_ids = _ids(named.get(b"message-id", b""), 1)
    return Rendered(
        size=len(content),
        header_size=root.body,
        envelope=render_envelope(fields),
        structure=structure,
        body_structure=body_structure,
        sent=sent[0],
        sent_day=sent[1],
        subject=subject,
        base_subject=base,
        is_reply=is_reply,
        sort_from=sort_from,
        sort_to=sort_to,
        sort_cc=_sort_names(named.get(b"cc"))[0],
        display_from=display_from,
        display_to=display_to,
        message_id=message_ids[0] if message_ids else "",
        references=_references(fields),
        fields=header_text(fields, hint),
        body=body_text(content, root),
    )


def _sort_names(value: bytes | None) -> tuple[str, str]:
    """The first address's mailbox (RFC 5256 section 3) and display name (RFC 5957), folded."""
    addresses = address_list(value)[0]
    if not addresses:
        return "", ""
    head = addresses[0]
    return fold(decode_words(head.mailbox or b"")[:_MAX_SORT_TEXT]), fold(head.display[:_MAX_SORT_TEXT])


def _references(fields: Fields) -> tuple[str, ...]:
    """References, or else the first id of In-Reply-To (RFC 5256 section 3, THREAD=REFERENCES step 1)."""
    ids = _ids(fields.named.get(b"references", b""))
    return tuple(ids[-_MAX_REFERENCES:] or _ids(fields.named.get(b"in-reply-to", b""), 1))


def _ids(value: bytes, most: int | None = None) -> list[str]:
    """The message ids of a field, or the first `most` of them, as RFC 5256 section 3 compares them: quotes that are not
    needed are taken off."""
    if not value:
        return []
    ids = []
    for match in islice(_MESSAGE_ID.finditer(value), most):
        written = match[1]
        if written[0] == 34:
            local, _, host = written.rpartition(b'"@')
            plain = _ESCAPED.sub(rb"\1", local[1:])
            written = plain + b"@" + host if _PLAIN_ID.fullmatch(plain) else written
        ids.append(written.decode("latin-1"))
    return ids
