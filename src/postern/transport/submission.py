"""What the submission service makes of a user's message (RFC 6409 section 8): Date, Message-ID and Sender are put right, Bcc
is taken out, and the From and Sender that the message claims are held against what the user may send as.

Pure: header octets in, header octets or a refusal out. The clock and the unique part of a Message-ID come in as arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate

from postern.model.domains import fold
from postern.protocols.mime.address import mailbox_list
from postern.protocols.mime.header import MAX_FIELDS, split_fields, value_of
from postern.protocols.smtp.address import parse_mailbox

MAX_AUTHORS = 100


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who submits: the mailbox's primary address, and every address (folded, `model.domains`) that may stand as sender."""

    primary: str
    allowed: frozenset[str]

    def may_send_as(self, address: str) -> bool:
        return fold(address) in self.allowed


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """Why the message is refused, as SMTP says it."""

    code: int
    enhanced: str
    text: str


_MALFORMED = NotAllowed(550, "5.6.0", "The header names its sender in a way that RFC 5322 section 3.6.2 does not allow")
_NOT_AS = NotAllowed(550, "5.7.1", "You may not send as the address in From")
TOO_MANY_FIELDS = NotAllowed(554, "5.6.0", f"The header has more than {MAX_FIELDS} fields")


def fix_header(header: bytes, submitter: Submitter, now: float, unique: str, fqdn: str) -> bytes | NotAllowed:
    """The header section put right. `header` are its lines, each ended by CRLF, without the empty line; so is the answer.

    `unique` is the left side of a Message-ID that has never been used; `fqdn` its right side.

    Bound: linear in the header; one with more than 2,000 fields is refused.
    """
    fields = split_fields(header)
    if len(fields) > MAX_FIELDS:
        return TOO_MANY_FIELDS
    if header[:1] in (b" ", b"\t"):
        return _MALFORMED  # It would continue the field that we put in front.
    named: dict[bytes, list[bytes]] = {}
    kept: list[bytes] = []
    added: list[bytes] = []
    for name, field in fields:
        if not name and b":" in field:
            # RFC 5322 section 2.2: a name has neither blanks nor control characters, which some readers drop.
            return _MALFORMED
        named.setdefault(name, []).append(field)
        # Blind copies are not the other recipients' business; Return-Path is the last server's to write (RFC 5321 section 4.4).
        if name not in (b"bcc", b"return-path", b"sender"):
            kept.append(field)
    authors = _authors(named.get(b"from", []), submitter)
    if isinstance(authors, NotAllowed):
        return authors
    for value in (*named.get(b"resent-from", []), *named.get(b"resent-sender", [])):
        # RFC 5322 section 3.6.6: who sends it again is claimed here, and shown by clients as the sender.
        resenders = _mailboxes(value)
        if not resenders:
            return _MALFORMED
        if not all(map(submitter.may_send_as, resenders)):
            return _NOT_AS
    senders = named.get(b"sender", [])
    sender = _mailboxes(senders[0]) if len(senders) == 1 else None
    if sender is not None and len(sender) == 1 and submitter.may_send_as(sender[0]):
        added.append(senders[0].removesuffix(b"\r\n"))
    elif senders or len(authors) > 1:
        # RFC 6409 section 8.1; RFC 5322 section 3.6.2 wants Sender where From holds several.
        added.append(b"Sender: <" + submitter.primary.encode() + b">")
    if b"from" not in named:
        added.append(b"From: <" + submitter.primary.encode() + b">")
    if b"date" not in named:
        added.append(b"Date: " + formatdate(now).replace("-0000", "+0000").encode())
    if b"message-id" not in named:
        added.append(f"Message-ID: <{unique}@{fqdn}>".encode())
    return b"".join([*(line + b"\r\n" for line in added), *kept])


def _authors(values: list[bytes], submitter: Submitter) -> list[str] | NotAllowed:
    if not values:
        return [] if submitter.primary else _MALFORMED
    authors = _mailboxes(values[0]) if len(values) == 1 else None
    if not authors:
        return _MALFORMED
    return authors if all(map(submitter.may_send_as, authors)) else _NOT_AS


def _mailboxes(field: bytes) -> list[str] | None:
    """Every address of a field with a mailbox-list (RFC 5322 section 3.4); None if it is anything else: what two readers could
    understand in two ways must not carry a sender's name.

    Bound: linear in the field; at most MAX_AUTHORS addresses.
    """
    listed = mailbox_list(value_of(field))
    if listed is None or len(listed) > MAX_AUTHORS:
        return None
    # What IMAP shows and DMARC asks about must be what is allowed here, also to readers that decode what they must not.
    plain = [one.spec for one in listed if one.spec == one.address and "=?" not in one.spec]
    found = [parse_mailbox(spec) for spec in plain]
    return [address for address in found if address] if len(found) == len(listed) and all(found) else None
