"""ENVELOPE (RFC 9051 section 7.5.2): ten values from the header, rendered as IMAP sends them."""

from __future__ import annotations

from postern.protocols.mime.address import address_list
from postern.protocols.mime.grammar import nstring
from postern.protocols.mime.header import Fields


def render_envelope(fields: Fields) -> bytes:
    """Renders the envelope. If a field stands twice, addresses are joined; of other fields the first counts.

    Bound: linear in the fields; at most 10,000 addresses of each.
    """
    named = fields.named
    from_ = address_list(joined(fields, b"from"))[1]
    sender = address_list(joined(fields, b"sender"))[1]
    reply_to = address_list(joined(fields, b"reply-to"))[1]
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        nstring(named.get(b"date")),
        nstring(named.get(b"subject")),
        from_,
        # "defaults to From if not present or empty"
        from_ if sender == b"NIL" else sender,
        from_ if reply_to == b"NIL" else reply_to,
        address_list(joined(fields, b"to"))[1],
        address_list(joined(fields, b"cc"))[1],
        address_list(joined(fields, b"bcc"))[1],
        nstring(named.get(b"in-reply-to")),
        nstring(named.get(b"message-id")),
    )


def joined(fields: Fields, name: bytes) -> bytes | None:
    """The value of an address field, or of all of them if there are several, against the rule."""
    value = fields.named.get(name)
    if value is None or len(fields.named) == len(fields.ordered):
        return value
    if [key for key, _ in fields.ordered].count(name) == 1:
        return value
    return b", ".join([value for key, value in fields.ordered if key == name])
