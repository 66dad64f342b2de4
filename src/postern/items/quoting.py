"""Replies and forwarded messages: the subject, the fields that join a thread, and the body with what it answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from postern.items import conversations, html
from postern.items.mail_content import Form
from postern.protocols import xml

MAX_REFERENCES = 100
"""Message-IDs that a reply names; of more the oldest are left out, but for the first (RFC 5322 section 3.6.4)."""
_ID = re.compile(rb"<[^<>\s]{1,450}+>")
_BODY = re.compile(r"<body(?:\s[^<>]*+)?>", re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*+>", re.IGNORECASE)


class Quoted(NamedTuple):
    """The message that is answered. `sent` is its time as people read it."""

    author: str
    sent: str
    to: str
    cc: str
    subject: str
    form: Form


def reply_subject(subject: str) -> str:
    """The subject of a reply.

    Bound: linear in the subject.
    """
    return _prefixed("RE: ", subject)


def forward_subject(subject: str) -> str:
    """The subject of a message that is forwarded.

    Bound: linear in the subject.
    """
    return _prefixed("FW: ", subject)


def _prefixed(prefix: str, subject: str) -> str:
    if conversations.prefix_of(subject).upper() == prefix:
        return subject
    return prefix + subject[len(conversations.prefix_of(subject)) :]


def references(message_id: bytes, earlier: bytes) -> str:
    """The References of a reply to a message with this id and these References (or In-Reply-To).

    Bound: linear in the fields; at most MAX_REFERENCES ids.
    """
    ids = list(dict.fromkeys([*_ID.findall(earlier), *_ID.findall(message_id)[:1]]))
    kept = ids if len(ids) <= MAX_REFERENCES else [ids[0], *ids[1 - MAX_REFERENCES :]]
    return b" ".join(kept).decode("utf-8", "replace")


def with_quoted(new: Form, quoted: Quoted) -> Form:
    """A new body, and behind it the message that it answers: in HTML if either is.

    Bound: linear in the bodies; at most six times as long.
    """
    if not new.is_html and not quoted.form.is_html:
        head = "\r\n".join([f"{name}: {value}" for name, value in _lines(quoted)])
        return Form(f"{new.text}\r\n\r\n-----Original Message-----\r\n{head}\r\n\r\n{quoted.form.text}", False)
    head = "<br>\n".join([f"<b>{name}:</b> {xml.text(value)}" for name, value in _lines(quoted)])
    inner = _inner(quoted.form.text) if quoted.form.is_html else html.fragment_of_text(quoted.form.text)
    told = f'<hr tabindex="-1"><div id="divRplyFwdMsg" dir="ltr">{head}</div>\n<div>{inner}</div>'
    if not new.is_html:
        return Form(html.document(f"{html.fragment_of_text(new.text)}{told}"), True)
    end = _last(_BODY_END, new.text)
    if end is None:
        return Form(html.document(f"{_inner(new.text)}{told}"), True)
    return Form(f"{new.text[:end]}{told}{new.text[end:]}", True)


def _lines(quoted: Quoted) -> Sequence[tuple[str, str]]:
    every = (
        ("From", quoted.author),
        ("Sent", quoted.sent),
        ("To", quoted.to),
        ("Cc", quoted.cc),
        ("Subject", quoted.subject),
    )
    return [(name, value) for name, value in every if value]


def _inner(document: str) -> str:
    """The markup in the body of a document."""
    match = _BODY.search(document)
    start = match.end() if match is not None else 0
    end = _last(_BODY_END, document)
    return document[start : end if end is not None and end >= start else len(document)]


def _last(pattern: re.Pattern[str], text: str) -> int | None:
    place = None
    for match in pattern.finditer(text):
        place = match.start()
    return place
