"""Reports as Python's own MIME parser reads them."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from email.message import EmailMessage

import pytest

from postern.model.mail import Action, BodyType, Content, Envelope, EnvelopeRecipient, RecipientOutcome
from postern.model.organization import Role, Server
from postern.model.security import Peer
from postern.services.smtp.data import received_field
from postern.transport.delivery_status import MAX_RETURNED, Reporter
from postern.transport.queued import Location, QueuedMessage, QueuedRecipient
from tests.transport.world import MESSAGE, ORIGIN, organization

NOW = 1_800_000_000.0


def message(
    *to: QueuedRecipient, content: bytes = MESSAGE, sender: str = "bob@remote.test", **envelope: object
) -> QueuedMessage:
    recipients = tuple(EnvelopeRecipient(r.address) for r in to)
    return QueuedMessage(
        7,
        "q-7",
        "<m1@remote.test>",
        Envelope(sender, recipients, **envelope),
        ORIGIN,
        NOW - 60,
        Location(1, 0, len(content)),
        Content.of(content),
        list(to),
    )


def outcome(recipient: QueuedRecipient, action: Action = Action.FAILED, status: str = "5.1.1") -> RecipientOutcome:
    return RecipientOutcome(recipient.address, action, status, "550 5.1.1 no such user", "mx.outside.test")


def build(
    queued: QueuedMessage, action: Action = Action.FAILED, status: str = "5.1.1"
) -> tuple[Envelope, EmailMessage, bytes]:
    reporter = Reporter(organization(), "hub1.example.test")
    pairs = [(r, outcome(r, action, status)) for r in queued.recipients]
    envelope, content = reporter.build(queued, action, pairs, NOW)
    parsed = email.message_from_bytes(content.bytes(), policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    assert not parsed.defects
    return envelope, parsed, content.bytes()


def test_a_peer_is_quoted_only_with_what_it_said() -> None:
    carol = QueuedRecipient(0, "carol@outside.test")
    words = "The next server takes no 8-bit content (8BITMIME)"
    own = RecipientOutcome(carol.address, Action.FAILED, "5.6.3", words, "mx.outside.test", own=True)
    _, content = Reporter(organization(), "hub1.example.test").build(message(carol), Action.FAILED, [(carol, own)], NOW)
    report = email.message_from_bytes(content.bytes(), policy=email.policy.default)
    text, status, _ = report.iter_parts()
    assert "said" not in text.get_content()
    assert f"This server gave it up: {words}" in text.get_content()
    _, first = status.get_payload()
    assert first["Remote-MTA"] is None
    assert first["Diagnostic-Code"] == f"x-postern; {words}"
    _, report, _ = build(message(carol))
    assert "mx.outside.test said: 550" in next(iter(report.iter_parts())).get_content()


@pytest.mark.parametrize(
    ("subject", "told"),
    [
        (b"hi", "hi"),
        (b"=?utf-8?q?Gr=C3=BC=C3=9Fe?= aus =?iso-8859-1?q?K=F6ln?=", "Grüße aus Köln"),
        ("Grüße".encode(), "Grüße"),
        (b"a\r\n folded one", "a folded one"),
        (b"=?utf-8?q?a=0D=0AX-Evil:_1?=", "a X-Evil: 1"),
        ("한국어 제목 ".encode() * 20, ("한국어 제목 " * 20).strip()),
        (b"x" * 5000, "x" * 200),
        (b"", "your message"),
    ],
)
def test_the_subject_carries_the_originals(subject: bytes, told: str) -> None:
    carol = QueuedRecipient(0, "carol@outside.test")
    for international in (False, True):
        content = MESSAGE.replace(b"Subject: hi", b"Subject: " + subject)
        _, report, data = build(message(carol, content=content, smtputf8=international))
        assert report["Subject"] == f"Undeliverable: {told}"
        assert report["X-Evil"] is None
        head = data.partition(b"\r\n\r\n")[0]
        assert international or (head.isascii() and max(map(len, head.split(b"\r\n"))) < 250)


def test_a_failure() -> None:
    carol = QueuedRecipient(0, "carol@outside.test", original="rfc822;carol@old.test")
    envelope, report, data = build(message(carol, envelope_id="an+20id"))
    assert envelope.sender == ""
    assert envelope.recipients == (EnvelopeRecipient("bob@remote.test", frozenset({"NEVER"})),)
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    assert report["Auto-Submitted"] == "auto-replied"
    assert report["In-Reply-To"] == "<m1@remote.test>"
    words, status, header = report.iter_parts()
    text = words.get_content()
    assert "carol@outside.test" in text
    assert "Check its spelling" in text
    whole, first = status.get_payload()
    assert whole["Reporting-MTA"] == "dns; hub1.example.test"
    assert whole["Original-Envelope-Id"] == "an id"
    assert first["Original-Recipient"] == "rfc822;carol@old.test"
    assert first["Final-Recipient"] == "rfc822; carol@outside.test"
    assert (first["Action"], first["Status"]) == ("failed", "5.1.1")
    assert first["Remote-MTA"] == "dns; mx.outside.test"
    assert first["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    assert header.get_content_type() == "text/rfc822-headers"
    assert "Subject: hi" in header.get_content()
    assert "Text" not in header.get_content()
    assert b"\n" not in data.replace(b"\r\n", b"")


def test_the_message_comes_back_whole_only_when_asked_and_small() -> None:
    carol = QueuedRecipient(0, "carol@outside.test")
    assert list(build(message(carol, ret="FULL"))[1].iter_parts())[2].get_content_type() == "message/rfc822"
    assert b"\r\n\r\nText\r\n" in build(message(carol, ret="FULL"))[2]
    large = MESSAGE + b"x" * MAX_RETURNED
    assert len(build(message(carol, content=large, ret="FULL"))[2]) < 10_000
    assert len(build(message(carol, content=b"x" * 1_000_000))[2]) < 100_000, "also where there is no header at all"
    assert build(message(carol, ret="FULL"), Action.DELAYED, "4.4.1")[2].count(b"Text\r\n") == 0


def test_addresses_in_other_scripts() -> None:
    recipient = QueuedRecipient(0, "받는이@outside.test")
    envelope, report, data = build(
        message(recipient, sender="보낸이@remote.test", smtputf8=True, body=BodyType.EIGHT_BIT_MIME)
    )
    assert envelope.smtputf8
    parts = list(report.iter_parts())
    assert [part.get_content_type() for part in parts][1:] == [
        "message/global-delivery-status",
        "message/global-headers",
    ]
    assert "Final-Recipient: utf-8; 받는이@outside.test".encode() in data


def test_a_peers_words_make_no_fields() -> None:
    carol = QueuedRecipient(0, "carol@outside.test")
    evil = RecipientOutcome(
        carol.address, Action.FAILED, "5.0.0", "550 no\r\nAction: delivered\r\n\r\nX: y\x00\x1b[31m", "mx\r\nX: y"
    )
    _, content = Reporter(organization(), "hub1.example.test").build(
        message(carol), Action.FAILED, [(carol, evil)], NOW
    )
    report = email.message_from_bytes(content.bytes(), policy=email.policy.default)
    (_, status, _) = report.iter_parts()
    _, first = status.get_payload()
    assert first["Action"] == "failed"
    assert "X" not in first
    assert b"\x1b" not in content.bytes()


def test_a_message_cannot_end_its_own_report() -> None:
    carol = QueuedRecipient(0, "carol@outside.test")
    boundary = build(message(carol, ret="FULL"))[1].get_boundary()
    assert boundary is not None
    content = MESSAGE + b"--" + boundary.encode() + b"--\r\nafter\r\n"
    _, report, _ = build(message(carol, ret="FULL", content=content))
    assert len(list(report.iter_parts())) == 3
    assert "after" in list(report.iter_parts())[2].get_payload()[0].get_content()


@pytest.mark.parametrize(
    ("notify", "action", "wanted"),
    [
        ((), Action.FAILED, True),
        ((), Action.DELAYED, True),
        ((), Action.DELIVERED, False),
        (("NEVER",), Action.FAILED, False),
        (("SUCCESS",), Action.FAILED, False),
        (("SUCCESS",), Action.RELAYED, True),
        (("SUCCESS",), Action.EXPANDED, True),
        (("FAILURE",), Action.FAILED, True),
        (("FAILURE",), Action.DELAYED, False),
        (("DELAY", "FAILURE"), Action.DELAYED, True),
    ],
)
def test_notify_decides(notify: tuple[str, ...], action: Action, wanted: bool) -> None:
    carol = QueuedRecipient(0, "carol@outside.test", frozenset(notify))
    pairs = [(carol, outcome(carol, action))]
    reporter = Reporter(organization(), "hub1.example.test")
    queued = message(carol)
    queued.origin = ORIGIN._replace(path="client-to-hub-smtp")
    assert bool(reporter.wanted(queued, action, pairs)) is wanted
    assert not reporter.wanted(message(carol, sender=""), action, pairs), "never to a null sender"


@pytest.mark.parametrize(
    ("action", "status", "said"),
    [
        (Action.FAILED, "5.2.2", "5.2.2"),
        (Action.FAILED, "4.4.7", "4.4.7"),
        (Action.FAILED, "", "5.0.0"),
        (Action.DELAYED, "5.1.1", "4.1.1"),
        (Action.DELIVERED, "nonsense", "2.0.0"),
    ],
)
def test_the_status_fits_the_action(action: Action, status: str, said: str) -> None:
    _, report, _ = build(message(QueuedRecipient(0, "c@outside.test")), action, status)
    assert list(report.iter_parts())[1].get_payload()[1]["Status"] == said


FORGED = b"Authentication-Results: edge.example.test;\r\n\tspf=fail smtp.mailfrom=x@y.test;\r\n\tdkim=none\r\n"


def trace(by: str, protocol: str, recipient: str = "full@example.test") -> bytes:
    envelope = Envelope("x@y.test", (EnvelopeRecipient(recipient),))
    return received_field("client.test", Peer("192.0.2.9", 25), None, by, protocol, envelope, "now")


BY_HUB = trace("hub1.example.test", "ESMTPS")
BY_EDGE = trace("edge.example.test", "ESMTP")
BY_USER = trace("hub1.example.test", "ESMTPSA")
BY_OUTBOX = b"Received: from mailbox by hub1.example.test (Postern) with MAPI;\r\n\tnow\r\n"
OTHERS_KEY = FORGED.replace(b"dkim=none", b"dkim=pass header.d=attacker.test")


@pytest.mark.parametrize(
    ("path", "header", "told"),
    [
        ("edge-to-hub", BY_HUB + BY_EDGE + FORGED, False),
        ("internet-to-hub", BY_EDGE + FORGED, False),
        ("hub-to-hub", BY_USER + BY_HUB + BY_EDGE + FORGED, False),
        ("edge-to-hub", BY_HUB + BY_EDGE + FORGED.replace(b"spf=fail", b"spf=pass"), True),
        ("edge-to-hub", BY_HUB + BY_EDGE, True),
        ("edge-to-hub", BY_HUB + BY_EDGE + FORGED.replace(b"edge.example", b"mx.stranger"), True),  # not our word
        ("edge-to-hub", BY_HUB + BY_EDGE + b"X-Stranger: 1\r\n" + FORGED, True),  # nor in our place
        ("client-to-hub-smtp", BY_USER + FORGED, True),  # a user sends on what came
        ("hub-to-hub", BY_HUB + BY_USER + FORGED, True),
        ("hub-to-hub", BY_HUB + BY_OUTBOX + FORGED, True),
        # The stranger chose the recipient that our own trace tells, and the one who signs.
        ("edge-to-hub", BY_HUB + trace("edge.example.test", "ESMTP", '"a with ESMTPA b"@relay.test') + FORGED, False),
        (
            "edge-to-hub",
            BY_HUB + trace("e.test", "ESMTP", '"by hub1.example.test (Postern) with MAPI;"@r.test') + FORGED,
            False,
        ),
        ("edge-to-hub", BY_HUB + trace("mx.stranger.test", "ESMTPSA") + FORGED, False),
        ("edge-to-hub", BY_HUB + BY_EDGE + OTHERS_KEY, False),
        ("edge-to-hub", BY_HUB + BY_EDGE + OTHERS_KEY.replace(b"attacker", b"remote"), True),
    ],
)
@pytest.mark.parametrize("action", [Action.FAILED, Action.DELAYED])
def test_no_report_to_a_sender_that_is_forged(path: str, header: bytes, told: bool, action: Action) -> None:
    edge = Server("edge", "edge.example.test", frozenset({Role.EDGE}), ("127.0.0.9",))
    reporter = Reporter(replace(organization(), servers=(*organization().servers, edge)), "hub1.example.test")
    queued = message(QueuedRecipient(0, "full@example.test"), content=header + MESSAGE)
    queued.origin = ORIGIN._replace(path=path)
    pairs = [(r, outcome(r, action)) for r in queued.recipients]
    assert bool(reporter.wanted(queued, action, pairs)) == told


PASSED = FORGED.replace(b"spf=fail", b"spf=pass")


@pytest.mark.parametrize(
    ("path", "header", "told"),
    [
        ("internet-to-hub", BY_HUB, False),  # no agent is on: nobody knows who it was
        ("edge-to-hub", BY_HUB + BY_EDGE, False),
        ("edge-to-hub", BY_HUB + BY_EDGE + FORGED, False),
        ("internet-to-hub", BY_HUB + BY_USER, False),  # a stranger may write what looks like a trace of ours
        ("edge-to-hub", BY_HUB + BY_EDGE + BY_USER, False),
        ("hub-to-hub", BY_HUB + BY_EDGE + BY_USER, False),
        ("internet-to-hub", BY_HUB + PASSED, True),
        ("edge-to-hub", BY_HUB + BY_EDGE + PASSED, True),
        ("hub-to-hub", BY_HUB + BY_USER, True),
        ("hub-to-hub", BY_HUB + BY_OUTBOX, True),
        ("client-to-hub-smtp", BY_USER, True),
        ("hub-to-mailbox-mapi", BY_OUTBOX, True),
    ],
)
@pytest.mark.parametrize("action", [Action.DELIVERED, Action.RELAYED, Action.EXPANDED])
def test_a_success_is_told_to_a_sender_that_is_known(path: str, header: bytes, told: bool, action: Action) -> None:
    """A stranger may name anybody as the sender; a failure is told nevertheless (RFC 5321 section 6.1)."""
    edge = Server("edge", "edge.example.test", frozenset({Role.EDGE}), ("127.0.0.9",))
    reporter = Reporter(replace(organization(), servers=(*organization().servers, edge)), "hub1.example.test")
    asking = QueuedRecipient(0, "bob@example.test", frozenset({"SUCCESS", "FAILURE"}))
    queued = message(asking, content=header + MESSAGE)
    queued.origin = ORIGIN._replace(path=path)
    assert bool(reporter.wanted(queued, action, [(asking, outcome(asking, action))])) == told
    if FORGED not in header:
        assert reporter.wanted(queued, Action.FAILED, [(asking, outcome(asking))])
