"""Delivery status notifications: tell a sender what became of its message (RFC 3461 to 3464, UTF-8 as RFC 6533 says).

Builds a multipart/report: text for a person, fields for a program, and the message or its header. Reads only its arguments; the
dispatcher queues the report.
"""

from __future__ import annotations

import contextlib
import re
import zlib
from base64 import b64encode
from collections.abc import Sequence
from email.utils import formatdate

from postern.model.mail import (
    Action,
    BodyType,
    Content,
    Envelope,
    EnvelopeRecipient,
    Origin,
    RecipientOutcome,
)
from postern.model.organization import Organization
from postern.paths.table import FROM_STRANGERS
from postern.protocols.authentication.header import fields
from postern.protocols.authentication.results import claims_to_be, read_results, vouching
from postern.protocols.mime.header import lines_end, parse_fields
from postern.protocols.mime.words import decode_words
from postern.telemetry.log import Event, log
from postern.transport.queued import QueuedMessage, QueuedRecipient
from postern.transport.segments import DamagedBody

Pairs = Sequence[tuple[QueuedRecipient, RecipientOutcome]]

MAX_RETURNED = 1_048_576
"""Bytes up to which RET=FULL gets the whole message back."""
MAX_HEADER = 65_536
MAX_TRACE = 16_384
_TRACE = (b"received", b"authentication-results")
MAX_SUBJECT = 4000
ENCODED_AT_ONCE = 11
"""Characters of an encoded word: with four octets each they take 72 of the 75 that it may have."""
MAX_LISTED = 1000
"""Recipients that one report lists."""

_UNVOUCHED = FROM_STRANGERS | {"hub-to-hub"}
_SUBMITTED = re.compile(
    rb"received: from [^\s(]++ (?:\(\[[^\]\s]*+\]\)\s++)?by ([^\s(]++) \(Postern\) with (?:MAPI|(?:UTF8)?E?SMTPS?A)[\s;]",
    re.IGNORECASE,
)
"""The trace field of a message that one of our users submitted (RFC 3848), as far as we write it alone: behind that stands the
recipient, which a stranger may have chosen."""

_NOTIFY = {
    Action.FAILED: "FAILURE",
    Action.DELAYED: "DELAY",
    Action.DELIVERED: "SUCCESS",
    Action.RELAYED: "SUCCESS",
    Action.EXPANDED: "SUCCESS",
}
_SUBJECT = {
    Action.FAILED: "Undeliverable",
    Action.DELAYED: "Delayed",
    Action.DELIVERED: "Delivered",
    Action.RELAYED: "Relayed",
    Action.EXPANDED: "Expanded",
}
_OPENING = {
    Action.FAILED: "Your message could not be delivered to these recipients, and it will not be tried again:",
    Action.DELAYED: "Your message has not reached these recipients yet. It is still being tried;\n"
    "you do not need to send it again:",
    Action.DELIVERED: "Your message was delivered to these recipients:",
    Action.RELAYED: "Your message was passed on to the server of these recipients, which may not tell you\n"
    "when it arrives:",
    Action.EXPANDED: "Your message was passed on to the members of these lists:",
}
# What a person can do, by the enhanced code's class-less part (RFC 3463 section 3), longest match first.
_ADVICE = {
    "1.1": "The address does not exist. Check its spelling, or ask for the right one by other means.",
    "1.2": "The domain behind the @ does not exist or takes no mail. Check its spelling.",
    "1.10": "The domain behind the @ takes no mail. Check its spelling.",
    "2.1": "The mailbox is switched off. Ask the recipient by other means.",
    "2.2": "The mailbox is full. Send it again once the recipient has made room.",
    "2.3": "The message is too large for this recipient. Send it in parts, or put the file somewhere to be fetched.",
    "2.4": "The distribution list cannot be opened. Tell the one who looks after it.",
    "3.4": "The message is too large for the recipient's server. Send it in parts.",
    "4.4": "No server for the recipient's domain was found. Check the address.",
    "4.6": "The message went round in a circle. Tell your administrator.",
    "4.7": "The recipient's server could not be reached in time. Try again later, or ask your administrator.",
    "6.7": "The recipient's server does not take addresses in this script. Use an address in ASCII if there is one.",
    "7": "The recipient's server does not accept this message from you. Ask the recipient, or your administrator.",
    "1": "Something is wrong with the address. Check it.",
    "4": "The network or the recipient's server had trouble. Try again later, or ask your administrator.",
}
_ADVICE_OTHERWISE = "Send it again later; if that fails too, show this report to your administrator."


class Reporter:
    """Builds reports in the name of one server. `origin` is what their messages carry in the queue."""

    def __init__(self, organization: Organization, fqdn: str) -> None:
        self._fqdn = fqdn
        self._from = f"postmaster@{organization.default_domain}"
        self._name = organization.name
        self._servers = frozenset({fqdn.lower(), *(server.fqdn.lower() for server in organization.servers)})
        self.origin = Origin("", "local", fqdn, fqdn)

    def wanted(
        self, message: QueuedMessage, action: Action, pairs: Pairs
    ) -> list[tuple[QueuedRecipient, RecipientOutcome]]:
        """Returns the recipients whose outcome the sender is told. RFC 3461 section 4.1: NOTIFY decides; without it failures and
        delays are told. Never to a null sender (RFC 5321 section 4.5.5), nor to one for whom nothing vouches and against whom
        SPF or DMARC speaks, for somebody else may have written in its name (RFC 5321 section 6.2): then a failure is only logged.
        A success is told only to a sender who is known to have asked for it: otherwise anybody could have reports sent to
        others."""
        if not message.envelope.sender:
            if action is Action.FAILED:
                log(Event.BOUNCED, queue_id=message.queue_id, sender="", diagnostic="a report could not be delivered")
            return []
        word = _NOTIFY[action]
        by_default = word != "SUCCESS"
        asked = [(r, outcome) for r, outcome in pairs if (word in r.notify if r.notify else by_default)]
        vouched = self._is_vouched(message) if asked else None
        if asked and vouched is False:
            log(
                Event.BOUNCED,
                queue_id=message.queue_id,
                sender=message.envelope.sender,
                diagnostic="no report: nothing vouches for its sender, and SPF or DMARC speaks against it",
            )
            return []
        return asked if by_default or vouched else []

    def _is_vouched(self, message: QueuedMessage) -> bool | None:
        """Whether the sender wrote this, by the Authentication-Results of our server that took the message from a stranger. None
        if it has no result. The server writes them above all fields of the stranger; results below a user's own trace are of a
        message that the user sends on, and say nothing about the user."""
        if message.origin.path not in _UNVOUCHED:
            return True
        for number, field in enumerate(fields(_trace_of(message.content))):
            if field.name == "received":
                if number and self._is_submission(field.raw):  # the first is ours, about the client that gave it to us
                    # The other hub wrote the second. In mail from outside a stranger may have written it.
                    return True if number == 1 and message.origin.path == "hub-to-hub" else None
            elif field.name != "authentication-results" or not claims_to_be(field, self._servers):
                return None
            else:
                return vouching(read_results(field), message.envelope.sender)
        return None

    def _is_submission(self, received: bytes) -> bool:
        match = _SUBMITTED.match(received)
        return match is not None and match[1].decode("ascii", "replace").lower() in self._servers

    def build(
        self, message: QueuedMessage, action: Action, pairs: Pairs, now: float, bare: bool = False
    ) -> tuple[Envelope, Content]:
        """A report about these recipients. `now` is epoch seconds. The body parts are 8bit at most. `bare`: it is made of the
        envelope alone, because reading the content failed; nothing is returned then, as RFC 6522 section 3 allows."""
        international = message.envelope.smtputf8 or not _is_ascii(message.envelope.sender)
        identity = zlib.crc32(f"{action}{now}{[r.number for r, _ in pairs]}".encode())
        boundary = f"=_{message.queue_id}.{identity:08x}"
        listed = pairs[:MAX_LISTED]
        parts = [
            _part("text/plain; charset=utf-8", "8bit", self._words(message, action, listed, len(pairs))),
            _part(
                "message/global-delivery-status" if international else "message/delivery-status",
                "8bit" if international else "7bit",
                self._fields(message, action, listed, now, international),
            ),
        ]
        if not bare:
            parts.append(_returned(message, action, international))
        while any(boundary.encode() in part for part in parts):
            boundary += "="
        subject = f"{_SUBJECT[action]}: your message" if bare else _subject(message, action)
        head = self._head(message, action, subject, boundary, f"{message.queue_id}.{identity:08x}", now)
        body = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), part) for part in parts)
        data = head + body + b"--%s--\r\n" % boundary.encode()
        # RFC 3461 section 5.2.7 and RFC 5321 4.5.5: null sender, and nobody is told of its failure.
        recipient = EnvelopeRecipient(message.envelope.sender, frozenset({"NEVER"}))
        envelope = Envelope("", (recipient,), BodyType.EIGHT_BIT_MIME, smtputf8=international)
        return envelope, Content.of(data)

    def _head(
        self, message: QueuedMessage, action: Action, subject: str, boundary: str, identity: str, now: float
    ) -> bytes:
        lines = [
            f"From: Mail Delivery System <{self._from}>",
            f"To: <{message.envelope.sender}>",
            f"Subject: {subject}",
            f"Date: {formatdate(now, localtime=False)}",
            f"Message-ID: <{identity}@{self._fqdn}>",
            *([f"In-Reply-To: {message.message_id}"] if _is_plain(message.message_id) else []),
            *([f"References: {message.message_id}"] if _is_plain(message.message_id) else []),
            # RFC 3834 section 5: no robot answers a report.
            "Auto-Submitted: auto-replied",
            "MIME-Version: 1.0",
            "Content-Type: multipart/report; report-type="
            + ("global-delivery-status" if message.envelope.smtputf8 else "delivery-status")
            + ";",
            f' boundary="{boundary}"',
            "",
            "",
        ]
        return "\r\n".join(lines).encode()

    def _words(self, message: QueuedMessage, action: Action, pairs: Pairs, count: int) -> bytes:
        lines = [f"This is the mail system of {self._name} on {self._fqdn}.", "", *_OPENING[action].split("\n"), ""]
        for recipient, outcome in pairs:
            lines.append(f"  {_clean(recipient.address)}")
            if action in (Action.FAILED, Action.DELAYED):
                lines.append(f"    {_advice(outcome.status)}")
                lines.append(f"    ({_who(outcome)}{_clean(outcome.diagnostic) or outcome.status})")
            lines.append("")
        if count > len(pairs):
            lines += [f"  and {count - len(pairs)} more.", ""]
        if message.message_id:
            lines += [f"The message was {_clean(message.message_id)}.", ""]
        return "\r\n".join(lines).encode()

    def _fields(self, message: QueuedMessage, action: Action, pairs: Pairs, now: float, international: bool) -> bytes:
        """RFC 3464 section 2: fields of the message, then a group for each recipient."""
        lines = [f"Reporting-MTA: dns; {self._fqdn}"]
        if message.envelope.envelope_id:
            lines.insert(0, f"Original-Envelope-Id: {_clean(_from_xtext(message.envelope.envelope_id))}")
        if message.origin.helo:
            lines.append(f"Received-From-MTA: dns; {_clean(message.origin.helo)}")
        lines.append(f"Arrival-Date: {formatdate(message.received, localtime=False)}")
        for recipient, outcome in pairs:
            lines.append("")
            if recipient.original:
                lines.append(f"Original-Recipient: {_clean(recipient.original)}")
            kind = "rfc822" if _is_ascii(recipient.address) else "utf-8"
            lines.append(f"Final-Recipient: {kind}; {_clean(recipient.address)}")
            lines.append(f"Action: {action}")
            lines.append(f"Status: {_status(action, outcome.status)}")
            # RFC 3464 sections 2.3.5 and 2.3.6: who reported the status to us, and in its own words; neither, where we did.
            if outcome.remote and not outcome.own:
                lines.append(f"Remote-MTA: dns; {_clean(outcome.remote)}")
            if outcome.diagnostic:
                kind = "x-postern" if outcome.own else "smtp"
                lines.append(f"Diagnostic-Code: {kind}; {_clean(outcome.diagnostic)}")
            if action is not Action.DELIVERED:
                lines.append(f"Last-Attempt-Date: {formatdate(now, localtime=False)}")
        text = "\r\n".join(lines) + "\r\n"
        return text.encode() if international else text.encode("ascii", "replace")


def _returned(message: QueuedMessage, action: Action, international: bool) -> bytes:
    """RFC 3461 section 4.3: RET=FULL gives a failed message back whole, within bounds; otherwise its header."""
    content = message.content
    if action is Action.FAILED and message.envelope.ret == "FULL" and content.size <= MAX_RETURNED:
        kind = "message/global" if international else "message/rfc822"
        binary = message.envelope.body is not BodyType.SEVEN_BIT or international
        with contextlib.suppress(OSError, DamagedBody):
            return _part(kind, "8bit" if binary else "7bit", content.bytes())
    header = _header_of(content)
    if international:
        return _part("message/global-headers", "8bit", header)
    kind = "text/rfc822-headers" if header.isascii() else "text/rfc822-headers; charset=utf-8"
    return _part(kind, "7bit" if header.isascii() else "8bit", header)


def _header_of(content: Content) -> bytes:
    """The header section, or as many whole lines of it as are returned; nothing if it cannot be read any more.

    Bound: the first 65,536 octets.
    """
    try:
        first = content.chunks[0] if len(content.chunks) else b""
    except (OSError, DamagedBody):
        return b""
    end = lines_end(first, 0, min(len(first), MAX_HEADER))
    return first[:end] if end >= 0 else first[: first.rfind(b"\r\n", 0, MAX_HEADER) + 2]


def _trace_of(content: Content) -> bytes:
    """The Received and Authentication-Results fields that the header begins with, as the servers of ours wrote them above all
    fields of a stranger: what stands below is not looked at, for it may be what brought workers down.

    Bound: linear in the first 16,384 octets.
    """
    try:
        first = bytes(content.chunks[0][:MAX_TRACE]) if len(content.chunks) else b""
    except (OSError, DamagedBody):
        return b""
    taken = 0
    while (end := first.find(b"\r\n", taken)) >= 0:
        line = first[taken : end + 2]
        if not line.startswith((b" ", b"\t")) and line[:23].partition(b":")[0].rstrip().lower() not in _TRACE:
            break
        taken = end + 2
    return first[:taken]


def _subject(message: QueuedMessage, action: Action) -> str:
    """The subject tells what happened, and to which message: as UTF-8 where the message was international (RFC 6532), else in
    encoded words.

    Bound: linear in the header's first 65,536 octets; at most 200 characters of the original's.
    """
    header = _header_of(message.content)
    original = decode_words(parse_fields(header, 0, len(header)).named.get(b"subject", b"")[:MAX_SUBJECT])
    original = " ".join(_clean(original).split())[:200] or "your message"
    if original.isascii() or message.envelope.smtputf8:
        return f"{_SUBJECT[action]}: {original}"
    # RFC 2047 sections 2 and 5: 75 characters a word, whole characters in each, lines folded between them.
    pieces = (
        original[at : at + ENCODED_AT_ONCE].encode("utf-8", "replace")
        for at in range(0, len(original), ENCODED_AT_ONCE)
    )
    encoded = [f"=?utf-8?B?{b64encode(piece).decode()}?=" for piece in pieces]
    return f"{_SUBJECT[action]}: " + "\r\n ".join(encoded)


def _who(outcome: RecipientOutcome) -> str:
    """The host to quote in the diagnostic; a peer that said nothing is not quoted."""
    if outcome.own:
        return "This server gave it up: " if outcome.action is Action.FAILED else ""
    return f"{outcome.remote} said: " if outcome.remote else ""


def _part(kind: str, encoding: str, body: bytes) -> bytes:
    return f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body


def _advice(status: str) -> str:
    _, _, rest = status.partition(".")
    return _ADVICE.get(rest) or _ADVICE.get(rest.partition(".")[0]) or _ADVICE_OTHERWISE


def _status(action: Action, status: str) -> str:
    """RFC 3464 section 2.3.4 wants the class to fit the action."""
    wanted = {Action.FAILED: "5", Action.DELAYED: "4"}.get(action, "2")
    head, dot, rest = status.partition(".")
    if not dot or not head.isdigit():
        return f"{wanted}.0.0"
    # A message that expired failed for a persistent transient reason (4.4.7), which other servers write, too.
    return status if head == wanted or (action is Action.FAILED and head == "4") else f"{wanted}.{rest}"


def _clean(text: str) -> str:
    """Returns a text on one line, without control characters: a peer's text must not make fields of our report."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


def _from_xtext(xtext: str) -> str:
    """Decodes xtext, where "+" and two hex digits stand for a character (RFC 3461 section 4). Malformed text stays as it is."""
    pieces = xtext.split("+")
    text = pieces[0]
    for piece in pieces[1:]:
        try:
            text += chr(int(piece[:2], 16)) + piece[2:]
        except ValueError:
            return xtext
    return text


def _is_ascii(text: str) -> bool:
    return text.isascii()


def _is_plain(message_id: str) -> bool:
    return message_id.isascii() and message_id.isprintable() and message_id.startswith("<")
