"""Answers to mail while its recipient is away (RFC 3834, and the vacation of RFC 5230): which messages get one, and how it looks.

An answer goes to the reverse-path, which is the only address that a message certainly came from, and never to what a program
sent. So answers of two who are away do not answer each other.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from postern.items import html
from postern.items.imip import Letter, encoded, frame
from postern.model.domains import fold
from postern.model.out_of_office import MAX_TEXT
from postern.protocols.mime.address import address_list
from postern.protocols.mime.header import lines_end, parse_fields
from postern.protocols.mime.words import decode_words
from postern.protocols.smtp.address import parse_mailbox

MAX_HEADER = 262_144
"""Octets of a header that are read; a message with a longer one gets no answer."""
MAX_SUBJECT = 4_000
MAX_REFERENCES = 20
"""Message-IDs that an answer names: those at the beginning are the oldest, and are left out."""
_NOBODY = frozenset({"mailer-daemon", "listserv", "majordomo", "noreply", "no-reply", "donotreply", "do-not-reply"})
_NOBODY_BEGINS = (
    "owner-",
    "bounce-",
    "bounces-",
    "bounce+",
    "bounces+",
    "noreply-",
    "no-reply-",
    "prvs=",
    "srs0=",
    "srs1=",
)
_NOBODY_ENDS = ("-request", "-owner", "-bounces", "-bounce", "-noreply", "-no-reply")
_BULK = frozenset({b"bulk", b"junk", b"list"})
_SUPPRESSING = frozenset({b"oof", b"autoreply", b"all"})
_RECIPIENTS = (b"to", b"cc", b"bcc", b"resent-to", b"resent-cc", b"resent-bcc")
_ID = re.compile(rb"<[!-;=?-~]{1,500}+>")
_TAG = re.compile(r"<(?![^\s<>/@]{1,256}+@[^\s<>/@]{1,256}+>)[A-Za-z/!]")
"""The begin of a tag. An address in angle brackets is none; it is harmless in HTML, for it has no attributes."""


class Unanswered(Exception):
    """A message that gets no answer, and why."""


class Answered(NamedTuple):
    """The parts of a message that its answer repeats: the address that wrote it, its subject as text, and the Message-IDs of its
    conversation, its own at the end. `own_id` is "" where it has none."""

    sender: str
    subject: str
    own_id: str
    references: tuple[str, ...]


def asked(content: bytes, mine: Collection[str]) -> Answered:
    """Reads a delivered message, which begins with Return-Path. `mine` are the addresses of its recipient, folded. Raises
    Unanswered.

    Bound: linear in the first 262,144 octets; at most 2,000 fields.
    """
    end = lines_end(content, 0, min(len(content), MAX_HEADER))
    if end < 0:
        raise Unanswered("its header is too long")
    fields = parse_fields(content, 0, end)
    named = fields.named
    sender = parse_mailbox(named.get(b"return-path", b"").decode("utf-8", "replace").strip("<> \t"))
    if not sender:
        raise Unanswered("it has no reverse-path")
    if fold(sender) in mine:
        raise Unanswered("its recipient wrote it")
    if _is_nobody(sender):
        raise Unanswered("nobody reads at the reverse-path")
    why = _automatic(named)
    if why:
        raise Unanswered(why)
    written = [value for name, value in fields.ordered if name in _RECIPIENTS]
    if not any(fold(entry.address) in mine for value in written for entry in address_list(value)[0]):
        # It came by a list, or by Bcc (RFC 3834 section 2, RFC 5230 section 4.5).
        raise Unanswered("it does not name its recipient")
    subject = decode_words(named.get(b"subject", b"")[:MAX_SUBJECT])
    own = _ID.search(named.get(b"message-id", b""))
    before = _ID.findall(named.get(b"references", b"") or named.get(b"in-reply-to", b""))
    ids = [each.decode("ascii") for each in (*before, *([own[0]] if own else ()))]
    return Answered(sender, " ".join(subject.split()), ids[-1] if own else "", tuple(ids[-MAX_REFERENCES:]))


def _is_nobody(address: str) -> bool:
    local = address.rpartition("@")[0].lower()
    return local in _NOBODY or local.startswith(_NOBODY_BEGINS) or local.endswith(_NOBODY_ENDS)


def _automatic(named: dict[bytes, bytes]) -> str:
    """Says why a message is one of a program, or of a list; "" for one of a person."""
    submitted = named.get(b"auto-submitted", b"no").partition(b";")[0].strip().lower()
    if submitted != b"no":
        return "a program sent it"
    if named.get(b"precedence", b"").strip().lower() in _BULK:
        return "it is bulk mail"
    if any(name.startswith(b"list-") for name in named):
        return "it came by a list"
    suppressed = {word.strip().lower() for word in named.get(b"x-auto-response-suppress", b"").split(b",")}
    if suppressed & _SUPPRESSING:
        return "its sender wants no automatic answer"
    if named.get(b"x-spam-flag", b"").strip().lower() == b"yes":
        return "it is spam"
    if named.get(b"content-type", b"").lstrip().lower().startswith(b"multipart/report"):
        return "it is a report"
    return ""


def is_html(text: str) -> bool:
    """Whether a text of the settings is HTML: it has a tag."""
    return _TAG.search(text) is not None


def harmless(text: str) -> str:
    """The text of a client without scripts and what else is active, as it may be stored; a plain text stays as it is. HTML may
    become longer by that, for what is no markup is written as references. Raises ValueError for more than MAX_TEXT characters,
    before or after.

    Bound: linear in the text, as `items.html.filtered_fragment`; at most MAX_TEXT characters.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"the text is too long: {MAX_TEXT} characters are the most")
    filtered = html.filtered_fragment(text) if is_html(text) else text
    if len(filtered) > MAX_TEXT:
        raise ValueError(
            f"the text is too long: as HTML it has {len(filtered)} characters, and {MAX_TEXT} are the most"
        )
    return filtered


def plain(text: str) -> str:
    """The text of the settings without tags.

    Bound: linear in the text.
    """
    return html.text_of(text) if is_html(text) else text


def answer(letter: Letter, message: Answered, text: str) -> bytes:
    """The answer to a message (RFC 3834 section 3). The subject of `letter` is made here. HTML goes beside its text.

    Bound: linear in the text.
    """
    subject = f"Automatic reply: {message.subject}" if message.subject else "Automatic reply"
    lines = frame(letter._replace(subject=subject))
    if message.own_id:
        lines.append(f"In-Reply-To: {message.own_id}")
    if message.references:
        lines.append("References: " + "\r\n ".join(message.references))
    # X-Auto-Response-Suppress (MS-OXCMAIL section 2.1.3.2.22) is for Exchange, which knows no RFC 3834.
    lines += ["Auto-Submitted: auto-replied", "X-Auto-Response-Suppress: All", "MIME-Version: 1.0"]
    shown = ["Content-Type: text/plain; charset=utf-8", *encoded(plain(text).encode("utf-8", "replace"))]
    if is_html(text):
        boundary = "=_" + "".join([c for c in letter.message_id if c.isascii() and c.isalnum()])[:40]
        rich = ["Content-Type: text/html; charset=utf-8", *encoded(html.document(text).encode("utf-8", "replace"))]
        lines += [f'Content-Type: multipart/alternative; boundary="{boundary}"', ""]
        lines += [f"--{boundary}", *shown, f"--{boundary}", *rich, f"--{boundary}--", ""]
    else:
        lines += [*shown, ""]
    return "\r\n".join(lines).encode("utf-8", "replace")
