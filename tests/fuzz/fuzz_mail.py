"""Fuzz target for what reads mails: `python tests/fuzz/fuzz_mail.py -max_total_time=300`, with atheris.

The first octet says which reader gets the rest. None may raise; what comes out stays within its bound, readers that must agree
(of addresses, of fields, of text that is folded twice) do, and what is put right is right afterwards.
"""

from __future__ import annotations

import re
import sys
from contextlib import nullcontext, suppress
from pathlib import Path

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(include=["postern"])
else:
    instrumented = nullcontext()

with instrumented:
    from postern.cli import terminal
    from postern.items import conversations, html, mail_content, message_properties, out_of_office, quoting
    from postern.items.imip import Letter
    from postern.model import domains
    from postern.model.delivery import Delivery
    from postern.model.mail import Content
    from postern.model.mailbox import MailboxError
    from postern.protocols.authentication import header as headers
    from postern.protocols.imap.older_structure import without_global
    from postern.protocols.mime import header as fields
    from postern.protocols.mime import (
        layout,
        line_ends,
        message,
        rendered_values,
        sections,
        stored,
        structure,
        subject,
        text,
        transfer,
        words,
        writing,
    )
    from postern.protocols.mime.address import address_list
    from postern.services.mailbox import outbox
    from postern.services.smtp import data as smtp_data
    from postern.store import delivery, rendered, search, threads
    from postern.transport import delivery_status
    from postern.transport.agents.sender_policy import is_nobodys
    from postern.transport.submission import Submitter, fix_header, recipients

from types import SimpleNamespace
from typing import Any

from tests.bounds.growth import finished, pieces

ANNA = Submitter("anna@good.test", frozenset({"anna@good.test"}))


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where a reader does what it must not."""
    if not data:
        return
    seed, rest = data[0], data[1:]
    READERS[seed % len(READERS)](rest)


def _message(content: bytes) -> None:
    rendered = message.render(content)
    assert rendered.size == len(content) >= rendered.header_size
    assert len(rendered.body.encode("utf-8", "surrogatepass")) <= text.MAX_TEXT
    assert rendered.structure.count(b"\0") == rendered.envelope.count(b"\0") == 0
    assert len(without_global(rendered.structure)) <= len(rendered.structure)
    for part in ((1,), (2,), (1, 1), (1, 2, 1)):
        whole = sections.section(content, part)
        assert whole is None or whole in content
        found = sections.binary(content, part)
        assert isinstance(found, sections.Missing) or len(found) <= max(len(content), 1)
    kept = sections.section(content, (), "HEADER.FIELDS", [b"from", b"subject"])
    assert kept is not None and kept.endswith(b"\r\n")


def _addresses(value: bytes) -> None:
    addresses, _ = address_list(value)
    complete = [one.address for one in addresses if one.complete]
    assert headers.addresses([value]) == complete
    assert len(headers.domains(complete)) == len(complete)


def _submitted(header: bytes) -> None:
    assert b"".join([raw for _, raw in fields.split_fields(header)]) == header
    assert fields.has_too_many_fields(header) is False or header.count(b"\n") >= fields.MAX_FIELDS
    first = fields.first_value(header, b"from")
    assert (first is None) == (fields.count_fields(header, b"from") == 0)
    smtp_data.refused_header(header, 100)
    recipients(header, "good.test")
    is_nobodys("", headers.fields(header))
    fixed = fix_header(header + b"\r\n", ANNA, 0.0, "unique", "good.test")
    if isinstance(fixed, bytes):
        found = headers.fields(fixed)
        for name in ("from", "sender"):
            for address in headers.addresses([field.value for field in headers.named(found, name)]):
                assert ANNA.may_send_as(address), address
        assert not headers.named(found, "bcc")


def _texts(data: bytes) -> None:
    decoded = words.decode_words(data)
    assert len(decoded) <= max(len(data), 1)
    assert len(words.fold(decoded)) <= 18 * len(decoded)
    assert len(words.fold_within(decoded, 100).encode("utf-8", "surrogatepass")) <= 100
    text.html_text(decoded)
    try:
        safe = out_of_office.harmless(decoded)
    except ValueError:
        safe = ""
    assert "<script" not in safe.lower() and out_of_office.plain(safe) is not None
    answered = out_of_office.Answered("a@b.test", decoded, "", ())
    sent = out_of_office.answer(Letter("a@b.test", ("a@b.test",), "", "1", 0), answered, safe)
    head = sent[: fields.header_end(sent, 0, len(sent))]
    assert [fields.count_fields(head, name) for name in (b"to", b"subject", b"auto-submitted", b"bcc")] == [1, 1, 1, 0]
    subject.base_subject(decoded)
    with suppress(MailboxError):
        assert len(search._folded(decoded).encode("utf-8", "surrogatepass")) <= search.MAX_NEEDLE
    for plain in (decoded, data.decode("latin-1")):
        shown = terminal.one_line(plain)
        assert shown.isprintable() or not set(shown) & set("\n\x1b\x9b\u202e")
        assert domains.fold(domains.fold(plain)) == domains.fold(plain)
        domains.shown(domains.a_labels(plain))


def _stored(content: bytes) -> None:
    """From DATA, to another server, and into a mailbox."""
    gathering = smtp_data.Gathering(Path("/nonexistent"), 1 << 20)
    for piece in pieces(content, 7):
        gathering.add(piece)
    assert gathering.key() == gathering.key()
    split = gathering.split()
    assert split is not None and split[1][:1] in (b"", b"\r", b"\n") and b"\0" not in split[0]
    sent = line_ends.with_line_ends(content)
    assert sent.count(b"\r\n") == sent.count(b"\n") == sent.count(b"\r") and len(sent) <= 2 * len(content)
    fit = stored.made_fit(content)
    assert stored.is_fit(fit) and stored.made_fit(fit) == fit and len(fit) <= 2 * len(content) + 100 * 4096
    kept = delivery.with_return_path(Delivery("d", content, (), "a@b.test"))
    head = kept[: fields.header_end(kept, 0, len(kept))]
    assert kept.startswith(b"Return-Path: <a@b.test>\r\n") and fields.count_fields(head, b"return-path") == 1
    with suppress(out_of_office.Unanswered):
        read = out_of_office.asked(kept, {"b@good.test"})
        assert read.sender == "a@b.test" and len(read.references) <= out_of_office.MAX_REFERENCES
    finished(rendered.Batch.of([fit]))  # what is not fit is made so in a thread, which needs a loop
    assert len(transfer.from_base64(content)) <= len(content)


def _reported(content: bytes) -> None:
    """A report tells of a message, and is a message with a header of one-line words."""
    made: Any = SimpleNamespace(content=Content.of(content), envelope=SimpleNamespace(smtputf8=bool(len(content) % 2)))
    header = delivery_status._header_of(made.content)
    assert content.startswith(header)
    for action in delivery_status._SUBJECT:
        said = f"Subject: {delivery_status._subject(made, action)}\r\n".encode()
        assert [name for name, _ in fields.split_fields(said)] == [b"subject"]
    assert outbox._bare_subject(content).isprintable()
    assert len(outbox._subject(content)) <= 200


def _threads(content: bytes) -> None:
    """A line is a message: its id, then those that it refers to. Each is in the answer, once."""
    lines = [line.split() for line in content.split(b"\n")]
    messages = [
        threads.Message(uid, uid % 5, (words or [b""])[0], tuple(words[1:]), b"".join(words)[:1], uid % 3 == 0)
        for uid, words in enumerate(lines, 1)
    ]
    for build in (threads.references, threads.ordered_subject):
        told = [int(uid) for uid in re.findall(rb"\d+", build(messages))]
        assert sorted(told) == list(range(1, len(lines) + 1))


def _shown(content: bytes) -> None:
    """What EWS shows of a message, how it writes the parts anew, and how it answers."""
    rendered = message.render(content)
    node, root = layout.read_structure(rendered.structure), structure.scan(content)
    told = layout.of_part(root)
    assert [each.number for each in layout.every_attachment(node)] == [
        each.number for each in layout.every_attachment(told)
    ]
    assert layout.has_attachments(node) == layout.has_attachments(told)
    assert len(rendered_values.read_envelope(rendered.envelope)) == 10
    assert rendered_values.read_subject(rendered.envelope) == rendered_values.read_envelope(rendered.envelope).subject
    parts = layout.layout(told)
    form = mail_content.best(content, parts)
    assert mail_content.as_html(content, parts).is_html and not mail_content.as_text(content, parts).is_html
    filtered = html.filtered(form.text)
    assert "<script" not in filtered.lower() and "<iframe" not in filtered.lower()
    for each in parts.attached:
        mail_content.octets_of(content, each)
    _written_anew(content, form)


def _written_anew(content: bytes, form: mail_content.Form) -> None:
    mine = mail_content.MailContent(content)
    count = len(mine.parts.attached)
    subject, people = mine.text("Subject"), mine.people("From")
    mine.set_text("Subject", subject)
    mine.set_people("To", [(person.display, person.spec) for person in people])
    mine.attach(mail_content.file(content[:100], subject, "text/plain", subject, subject))
    mine.attach(mail_content.message(content, subject))
    quoted = quoting.Quoted(subject, subject, subject, "", subject, form)
    mine.set_form(quoting.with_quoted(form, quoted))
    mine.set_text("References", quoting.references(mine.raw("Message-ID"), mine.raw("References")))
    assert quoting.reply_subject(subject).upper().startswith("RE: ")
    assert quoting.forward_subject(subject).upper().startswith("FW: ")
    conversations.number_of(conversations.topic_of(subject))
    again = mail_content.MailContent(mine.octets())
    assert len(again.parts.attached) == count + 2
    message_properties.MESSAGE_PROPERTIES.read(message_properties.MailRecord(again))
    writing.person(subject, "a@b.test")


READERS = (_message, _addresses, _submitted, _texts, _stored, _reported, _threads, _shown)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
