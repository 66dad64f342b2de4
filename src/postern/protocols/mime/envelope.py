"""ENVELOPE (RFC 9051 section 7.5.2): ten values from the header, rendered as IMAP sends them."""

from __future__ import annotations

from postern.protocols.mime.address import address_list
from postern.protocols.mime.grammar import nstring
from postern.protocols.mime.header import Fields

_NAMES = {
    b"date": 0,
    b"subject": 1,
    b"from": 2,
    b"sender": 3,
    b"reply-to": 4,
    b"to": 5,
    b"cc": 6,
    b"bcc": 7,
    b"in-reply-to": 8,
    b"message-id": 9,
}


def render_envelope(fields: Fields) -> bytes:
    """A field that stands twice: addresses are joined, of the others the first counts."""
    values: list[bytes | None] = [None] * 10
    for name, value in fields:
        index = _NAMES.get(name)
        if index is None:
            continue
        known = values[index]
        if known is None:
            values[index] = value
        elif 2 <= index <= 7:
            values[index] = known + b", " + value
    date, subject, sender_of, sender, reply_to, to, cc, bcc, in_reply_to, message_id = values
    from_ = address_list(sender_of)[1]
    sender_list = address_list(sender)[1]
    reply_list = address_list(reply_to)[1]
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        nstring(date),
        nstring(subject),
        from_,
        # "defaults to From if not present or empty"
        from_ if sender_list == b"NIL" else sender_list,
        from_ if reply_list == b"NIL" else reply_list,
        address_list(to)[1],
        address_list(cc)[1],
        address_list(bcc)[1],
        nstring(in_reply_to),
        nstring(message_id),
    )
