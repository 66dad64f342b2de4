"""A message rendered once, at delivery: all that IMAP asks for often, and what SEARCH, SORT and THREAD compare."""

from __future__ import annotations

import re
from dataclasses import dataclass

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

RENDERING = 2
"""Grows whenever the same message would be rendered differently, so that stored renderings can be made anew."""

_MESSAGE_ID = re.compile(rb"<([^<>\s]{1,900})>")
_MAX_REFERENCES = 200
_MAX_SORT_TEXT = 500
_MAX_SUBJECT = 65_536
"""Octets of the folded subject that SEARCH and SORT look at."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """`sent` is the Date field in seconds since the epoch and `sent_day` its day as written (0 and 0 if there is none);
    `fields` and `body` are the folded texts that are searched; `references` is oldest first (RFC 5256 section 3)."""

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
    """Never raises, whatever the bytes.

    Bound: linear in the content, for each level of nesting; at most 64 levels, 4,096 parts and 8 MB of text for search.
    """
    root = scan(content)
    fields, named = root.fields, root.fields.named
    structure, body_structure = render_structure(content, root)
    hint = parameter(root.parameters, b"charset")[:MAX_LABEL]
    subject = fold_within(decode_words(named.get(b"subject", b""), hint), _MAX_SUBJECT)
    base, is_reply = base_subject(subject)
    sent = parse_date(named.get(b"date")) or (0, 0)
    sort_from, display_from = _sort_names(named.get(b"from"))
    sort_to, display_to = _sort_names(named.get(b"to"))
    message_id = _MESSAGE_ID.search(named.get(b"message-id", b""))
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
        message_id=message_id[1].decode("latin-1") if message_id else "",
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
    named = fields.named
    value = named.get(b"references")
    if value:
        found = [match.decode("latin-1") for match in _MESSAGE_ID.findall(value)]
        if found:
            return tuple(found[-_MAX_REFERENCES:])
    match = _MESSAGE_ID.search(named.get(b"in-reply-to", b""))
    return (match[1].decode("latin-1"),) if match else ()
