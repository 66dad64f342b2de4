"""Puts a user's message right for submission (RFC 6409 section 8): corrects Date, Message-ID and Sender, takes out Bcc and
Resent-Bcc, checks that the user may send as the From and Sender of the message, or on behalf of From, and completes recipients
without a domain by the organization's domain.

Pure: header octets in, header octets or a refusal out. The clock and the unique part of a Message-ID come in as arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from uuid import UUID

from postern.model.domains import fold
from postern.protocols.mime.address import Address, address_list, mailbox_list
from postern.protocols.mime.header import MAX_FIELDS, split_fields, value_of
from postern.protocols.smtp.address import parse_mailbox

MAX_AUTHORS = 100

# Other recipients must not see blind copies, of a message and of its resending (RFC 5322 section 3.6.6); only the last server
# writes Return-Path (RFC 5321 section 4.4); Sender is put right.
_NOT_KEPT = frozenset({b"bcc", b"resent-bcc", b"return-path", b"sender"})
_TO = frozenset({b"to", b"cc", b"bcc"})
_RESENT = b"resent-"
_RESENT_TO = frozenset(_RESENT + name for name in _TO)
_TRACE = frozenset({b"received", b"return-path"})


@dataclass(frozen=True, slots=True)
class Submitter:
    """The user who submits: the mailbox's primary address; the addresses (folded, `model.domains`) under which the user sends
    without a trace of another; `user`, the directory id; and the addresses that may stand in From if Sender names the user.
    `services.senders` finds them."""

    primary: str
    allowed: frozenset[str]
    user: UUID | None = None
    behalf: frozenset[str] = frozenset()

    def may_send_as(self, address: str) -> bool:
        return fold(address) in self.allowed

    def may_write(self, author: str) -> bool:
        """Whether this address may stand in From."""
        return self.may_send_as(author) or fold(author) in self.behalf


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """The reason why a message is refused, as an SMTP reply. `claimed` are the addresses in From that the user may not write
    from, where all else is well."""

    code: int
    enhanced: str
    text: str
    claimed: tuple[str, ...] = ()


_MALFORMED = NotAllowed(550, "5.6.0", "The header names its sender in a way that RFC 5322 section 3.6.2 does not allow")
_NOT_AS = NotAllowed(550, "5.7.1", "You may not send as the address in From, nor on its behalf")
_NOT_AGAIN_AS = NotAllowed(550, "5.7.1", "You may not send again as the address in Resent-From or Resent-Sender")
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
        if name not in _NOT_KEPT:
            kept.append(field)
    authors = _authors(named.get(b"from", []), submitter)
    if isinstance(authors, NotAllowed):
        return authors
    for value in (*named.get(b"resent-from", []), *named.get(b"resent-sender", [])):
        # RFC 5322 section 3.6.6: these fields claim who sends it again, and clients show that as the sender.
        resenders = _mailboxes(value)
        if not resenders:
            return _MALFORMED
        if not all(map(submitter.may_send_as, resenders)):
            return _NOT_AGAIN_AS
    senders = named.get(b"sender", [])
    sender = _mailboxes(senders[0]) if len(senders) == 1 else None
    if sender is not None and len(sender) == 1 and submitter.may_send_as(sender[0]):
        added.append(senders[0].removesuffix(b"\r\n"))
    elif senders or len(authors) > 1 or not all(map(submitter.may_send_as, authors)):
        # RFC 6409 section 8.1; RFC 5322 section 3.6.2 wants Sender where From holds several, or another than the sender.
        added.append(b"Sender: <" + submitter.primary.encode() + b">")
    if b"from" not in named:
        added.append(b"From: <" + submitter.primary.encode() + b">")
    if b"date" not in named:
        added.append(b"Date: " + formatdate(now).replace("-0000", "+0000").encode())
    if b"message-id" not in named:
        added.append(f"Message-ID: <{unique}@{fqdn}>".encode())
    return b"".join([*(line + b"\r\n" for line in added), *kept])


def recipients(header: bytes, domain: str) -> tuple[list[str], bytes] | NotAllowed:
    """The recipients that To, Cc and Bcc name, each once, and the header with all of them in full: a name alone is one in
    `domain` (RFC 6409 section 4.2: what leaves a submission server is fully qualified). A malformed address (RFC 5322 section
    3.4) is refused, for a recipient that is left out would hear of nothing.

    A message that is sent again goes to those of its latest resending (Resent-To, -Cc, -Bcc), and to them alone: To, Cc, and
    earlier resendings tell where it went before (RFC 5322 section 3.6.6).

    Bound: linear in the header, which has 2,000 fields at most; at most 10,000 addresses of each.
    """
    addresses: dict[str, None] = {}
    lines: list[bytes] = []
    fields = split_fields(header)
    resent = _latest_resending(fields)
    for number, (name, field) in enumerate(fields):
        names_some = (number in resent and name in _RESENT_TO) if resent else name in _TO
        listed = address_list(value_of(field))[0] if names_some else ()
        full = tuple(entry.completed(domain) for entry in listed)
        for entry in full:
            if entry.host is None:  # a group's start or end
                continue
            address = None if entry.broken else parse_mailbox(entry.spec)
            if address is None:
                return _no_address(entry)
            addresses[address] = None
        lines.append(field if full == listed else name.title() + b": " + _written(full) + b"\r\n")
    return list(addresses), b"".join(lines)


def _latest_resending(fields: Sequence[tuple[bytes, bytes]]) -> frozenset[int]:
    """The numbers of the fields of the topmost resending; empty if the message was not sent again. RFC 5322 sections 3.6 and
    3.6.6: a block has one field of a name and stands above earlier ones, and a trace field separates those of two servers."""
    numbers: dict[bytes, int] = {}
    for number, (name, _) in enumerate(fields):
        if name in numbers or (numbers and name in _TRACE):
            break
        if name.startswith(_RESENT):
            numbers[name] = number
    return frozenset(numbers.values())


def _no_address(entry: Address) -> NotAllowed:
    text = "".join(letter for letter in entry.address if letter.isprintable())[:100]
    return NotAllowed(553, "5.1.3", f"The message names a recipient that is no address: {text}")


def _written(listed: Sequence[Address]) -> bytes:
    """An address list (RFC 5322 section 3.4), each address on a line of its own."""
    parts: list[bytes] = []
    between = b""
    for entry in listed:
        if entry.host is None and entry.mailbox is None:
            parts.append(b";")
            between = b",\r\n\t"
        elif entry.host is None:
            parts.append(between + _phrase(entry.mailbox or b"") + b":")
            between = b"\r\n\t"
        else:
            spec = entry.spec.encode()
            parts.append(between + (_phrase(entry.name) + b" <" + spec + b">" if entry.name else spec))
            between = b",\r\n\t"
    return b"".join(parts)


def _phrase(name: bytes) -> bytes:
    """Returns a display name, in quotes where it holds characters that a phrase may not."""
    if not any(mark in name for mark in b'()<>[]:;@\\,."'):
        return name
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _authors(values: list[bytes], submitter: Submitter) -> list[str] | NotAllowed:
    if not values:
        return [] if submitter.primary else _MALFORMED
    authors = _mailboxes(values[0]) if len(values) == 1 else None
    if not authors:
        return _MALFORMED
    claimed = tuple(author for author in authors if not submitter.may_write(author))
    return replace(_NOT_AS, claimed=claimed) if claimed else authors


def _mailboxes(field: bytes) -> list[str] | None:
    """Every address of a field with a mailbox-list (RFC 5322 section 3.4); None if it is anything else: a field that two readers
    could understand in two ways must not name a sender.

    Bound: linear in the field; at most MAX_AUTHORS addresses.
    """
    listed = mailbox_list(value_of(field))
    if listed is None or len(listed) > MAX_AUTHORS:
        return None
    # Only addresses that every reader reads alike are allowed: IMAP, DMARC, and readers that decode where they must not.
    plain = [entry.spec for entry in listed if entry.spec == entry.address and "=?" not in entry.spec]
    addresses = [parse_mailbox(spec) for spec in plain]
    return [address for address in addresses if address] if len(addresses) == len(listed) and all(addresses) else None
