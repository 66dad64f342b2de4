"""The server machine: order, bounds, content, smuggling; and that cuts and garbage change nothing.

covers: events, bounds
"""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postern.model.mail import BodyType, Envelope, EnvelopeRecipient
from postern.protocols.smtp import events
from postern.protocols.smtp.bounds import ServerBounds
from postern.protocols.smtp.reply import Reply
from postern.protocols.smtp.server import Server
from tests.protocols.smtp.cuts import cut

OK = Reply(250, "2.0.0", "Ok")
EHLO = b"EHLO client.test\r\n"
ENVELOPE = EHLO + b"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n"


class Played:
    """A service that says yes to everything but recipients called "no", and writes down what it is told."""

    def __init__(self, data: bytes, cuts: list[int] | None = None, **bounds: int) -> None:
        self.server = Server(ServerBounds(**bounds))
        self.events: list[object] = []
        self.said = b""
        self.content = b""
        self.messages: list[tuple[Envelope, bytes]] = []
        for chunk in cut(data, cuts or []):
            self.server.receive(chunk)
            while (event := self.server.next_event()) is not None:
                self.answer(event)
        self.said = self.server.outgoing()

    def answer(self, event: events.Event) -> None:
        server = self.server
        if not isinstance(event, events.Piece | events.Message):
            self.events.append(event)
        match event:
            case events.Hello():
                server.welcome("hub", ["SIZE"])
            case events.StartTls():
                server.reply(Reply(220, "2.0.0", "go"))
                server.upgraded()
            case events.Authenticate():
                server.challenge(b"who")
            case events.Response():
                server.reply(Reply(235, "2.7.0", "yes"))
            case events.Rcpt():
                server.reply(OK if not event.address.startswith("no") else Reply(550, "5.1.1", "no"))
            case events.Mail():
                server.reply(OK)
            case events.Piece():
                self.content += event.data
            case events.Dropped():
                self.content = b""
            case events.Message():
                self.messages.append((event.envelope, self.content + event.data))
                self.content = b""
                server.reply(OK)

    @property
    def codes(self) -> list[int]:
        return [int(line[:3]) for line in self.said.split(b"\r\n") if line[3:4] == b" "]


def test_a_message() -> None:
    played = Played(ENVELOPE + b"DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n")
    envelope = Envelope("a@x.test", (EnvelopeRecipient("b@y.test"),))
    assert played.messages == [(envelope, b"Subject: x\r\n\r\n.dot\r\n")]
    assert played.codes == [250, 250, 250, 354, 250, 221]
    assert isinstance(played.events[-1], events.Close)


def test_chunks() -> None:
    played = Played(ENVELOPE + b"BDAT 6\r\n.a\r\nb\rBDAT 3 LAST\r\n\nc\rBDAT 0 LAST\r\n")
    assert played.codes == [250, 250, 250, 250, 554]
    played = Played(ENVELOPE + b"BDAT 6\r\n.a\r\nb\rBDAT 4 LAST\r\n\nc\r\nNOOP\r\n")
    assert [content for _, content in played.messages] == [b".a\r\nb\r\nc\r\n"]
    assert played.codes == [250, 250, 250, 250, 250, 250]


def test_envelope_words_reach_the_message() -> None:
    played = Played(
        EHLO
        + "MAIL FROM:<사@x.test> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=q\r\n".encode()
        + b"RCPT TO:<b@y.test> NOTIFY=SUCCESS ORCPT=rfc822;c@y.test\r\nDATA\r\n.\r\n"
    )
    recipient = EnvelopeRecipient("b@y.test", frozenset({"SUCCESS"}), "rfc822;c@y.test")
    assert played.messages == [(Envelope("사@x.test", (recipient,), BodyType.EIGHT_BIT_MIME, True, "q", "HDRS"), b"")]


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        (b"MAIL FROM:<a@x.test>\r\n", [503]),
        (EHLO + b"RCPT TO:<b@y.test>\r\nDATA\r\nBDAT 3 LAST\r\nabcNOOP\r\n", [250, 503, 503, 503, 250]),
        (EHLO + b"MAIL FROM:<a@x.test>\r\nMAIL FROM:<a@x.test>\r\nDATA\r\n", [250, 250, 503, 554]),
        (EHLO + b"MAIL FROM:<a@x.test>\r\nRCPT TO:<no@y.test>\r\nBDAT 2 LAST\r\nxxNOOP\r\n", [250, 250, 550, 554, 250]),
        (ENVELOPE + b"BDAT 1\r\nxDATA\r\nRCPT TO:<c@y.test>\r\n", [250, 250, 250, 250, 503, 503]),
        (ENVELOPE + b"RSET\r\nDATA\r\n", [250, 250, 250, 250, 503]),
        (ENVELOPE + EHLO + b"DATA\r\n", [250, 250, 250, 250, 503]),
        (ENVELOPE + b"AUTH PLAIN\r\n", [250, 250, 250, 503]),
        (b"HELO x\r\nAUTH PLAIN\r\n", [250, 503]),
        (EHLO + b"AUTH PLAIN\r\nd2hv\r\nAUTH PLAIN\r\n", [250, 334, 235, 503]),
        (EHLO + b"AUTH PLAIN\r\n*\r\nAUTH PLAIN\r\n!\r\nNOOP\r\n", [250, 334, 501, 334, 501, 250]),
        (b"EHLO\r\nDATA x\r\nRSET x\r\nQUIT x\r\nSTARTTLS x\r\n", [501, 501, 501, 501, 501]),
        (b"VRFY bob\r\nEXPN list\r\nHELP\r\nNOOP x\r\nFROB\r\n\r\n", [252, 502, 214, 250, 500, 500]),
        (b"EHLO \xff\r\n", [500]),
        (ENVELOPE + b"BDAT x\r\nNOOP\r\n", [250, 250, 250, 501]),
        (b"GET / HTTP/1.1\r\nNOOP\r\n", [500]),
        (b"NOOP\nNOOP\r\n", [554]),
        (b"NOOP\r\rNOOP\r\n", [554]),
    ],
)
def test_order_and_syntax(said: bytes, codes: list[int]) -> None:
    assert Played(said).codes == codes


def test_words_behind_starttls_are_forgotten() -> None:
    played = Played(EHLO + b"STARTTLS\r\nMAIL FROM:<evil@x.test>\r\n")
    assert played.codes == [250, 220]
    assert not any(isinstance(event, events.Mail) for event in played.events)
    assert played.server.helo == ""


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\r\n\n.\r\n", b"\0\n.\n"]
)
@pytest.mark.parametrize("padding", [0, 70_000])
def test_smuggling_is_refused_and_the_connection_ends(end: bytes, padding: int) -> None:
    """The vectors of the SMTP smuggling papers of 2023: each false end is followed by an envelope of the attacker's."""
    hidden = b"MAIL FROM:<admin@y.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nhidden\r\n.\r\n"
    played = Played(ENVELOPE + b"DATA\r\nouter" + b"x" * padding + end + hidden + b"NOOP\r\n", [100, 200, 30_000])
    assert played.messages == []
    assert played.codes == [250, 250, 250, 354, 554]
    assert isinstance(played.events[-1], events.Close)


def test_bounds() -> None:
    long = b"NOOP " + b"x" * 13_000 + b"\r\nNOOP\r\n"
    assert Played(long).codes == [500, 250]
    big = ENVELOPE + b"DATA\r\n" + b"x" * 200 + b"\r\n.\r\nNOOP\r\n"
    played = Played(big, message_size=100)
    assert (played.codes, played.messages) == ([250, 250, 250, 354, 552, 250], [])
    big = ENVELOPE + b"BDAT 200 LAST\r\n" + b"x" * 200 + b"NOOP\r\n"
    played = Played(big, message_size=100)
    assert (played.codes, played.messages) == ([250, 250, 250, 552, 250], [])
    assert Played(ENVELOPE + b"RCPT TO:<c@y.test>\r\n", recipients=1).codes == [250, 250, 250, 452]
    played = Played(b"FROB\r\n" * 10, errors=3)
    assert played.codes == [500, 500, 500, 500, 421]
    assert isinstance(played.events[-1], events.Close)


def test_a_line_too_long_ends_an_exchange() -> None:
    played = Played(EHLO + b"AUTH PLAIN\r\n" + b"x" * 13_000 + b"\r\nNOOP\r\n")
    assert played.codes == [250, 334, 500, 250]
    assert isinstance(played.events[-1], events.Cancelled)


def test_unanswered_the_machine_waits() -> None:
    server = Server(ServerBounds())
    server.receive(EHLO + b"NOOP\r\n")
    assert isinstance(server.next_event(), events.Hello)
    assert server.next_event() is None
    server.welcome("hub")
    assert server.next_event() is None
    assert server.outgoing() == b"250 hub\r\n250 2.0.0 Ok\r\n"


WORDS = st.sampled_from(
    [
        EHLO,
        b"HELO x\r\n",
        b"MAIL FROM:<a@x.test>\r\n",
        b"RCPT TO:<b@y.test>\r\n",
        b"RCPT TO:<no@y.test>\r\n",
        b"DATA\r\n",
        b"text\r\n",
        b".\r\n",
        b"..\r\n",
        b"\n",
        b"\r",
        b".",
        b"BDAT 5\r\nabc\r\n",
        b"BDAT 4 LAST\r\na\r\nb",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"FROB\r\n",
        b"AUTH PLAIN " + base64.b64encode(b"\0a\0b") + b"\r\n",
        b"*\r\n",
        b"x" * 100 + b"\r\n",
        b"x" * 13_000 + b"\r\n",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=25), st.lists(st.integers(0, 20_000), max_size=12))
def test_cuts_change_nothing(words: list[bytes], cuts: list[int]) -> None:
    data = b"".join(words)
    bounds = {"message_size": 300, "piece": 16, "errors": 5}
    whole, pieces = Played(data, **bounds), Played(data, cuts, **bounds)
    assert (pieces.events, pieces.said, pieces.messages) == (whole.events, whole.said, whole.messages)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=60), WORDS), max_size=20), st.lists(st.integers(0, 2000), max_size=6))
def test_garbage_never_raises(parts: list[bytes], cuts: list[int]) -> None:
    played = Played(b"".join(parts), cuts)
    assert len(played.server._buffer) < 12_288 + 65_536
