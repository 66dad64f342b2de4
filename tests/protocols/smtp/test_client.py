"""The client machine: against replies written out, against our own server machine, and against garbage."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postern.model.mail import BodyType, Envelope, EnvelopeRecipient
from postern.protocols.smtp.client import Broken, Client, CommandReply, challenge_of
from postern.protocols.smtp.content import stuffed
from postern.protocols.smtp.reply import Reply
from tests.protocols.smtp.cuts import cut
from tests.protocols.smtp.test_server import Played


def drain(client: Client, *data: bytes) -> list[CommandReply | Broken]:
    found: list[CommandReply | Broken] = []
    for chunk in data:
        client.receive(chunk)
        while (event := client.next_event()) is not None:
            found.append(event)
    return found


def greeted(*extensions: str) -> Client:
    client = Client()
    client.command("EHLO", "me.test")
    lines = "\r\n".join(f"250-{line}" for line in ("hub", *extensions))
    assert len(drain(client, b"220 hub\r\n", lines.encode() + b"\r\n250 HELP\r\n")) == 2
    client.outgoing()
    return client


@given(st.lists(st.integers(0, 100)))
def test_replies_belong_to_their_commands(cuts: list[int]) -> None:
    client = Client()
    client.command("EHLO", "me.test")
    data = b"220 hub\r\n250-hub\r\n250-SIZE 10\r\n250-AUTH=LOGIN\r\n250 AUTH PLAIN\r\n"
    answers = drain(client, *cut(data, cuts))
    assert [a.command for a in answers if isinstance(a, CommandReply)] == ["greeting", "EHLO"]
    assert client.extensions == {"SIZE": "10", "AUTH": "LOGIN"}


@pytest.mark.parametrize("data", [b"220 hub\r\n250 what\r\n", b"hello\r\n", b"220-a\r\n250 b\r\n", b"2" * 5000])
def test_what_breaks_a_dialog(data: bytes) -> None:
    assert isinstance(drain(Client(), data)[-1], Broken)


def test_parameters_are_sent_only_where_they_are_offered() -> None:
    recipient = EnvelopeRecipient("b@y.test", frozenset({"SUCCESS", "FAILURE"}), "rfc822;a+b@y.test")
    envelope = Envelope("a@x.test", (recipient,), BodyType.EIGHT_BIT_MIME, False, "q=1", "HDRS")
    plain, rich = greeted(), greeted("SIZE 1000", "8BITMIME", "DSN")
    for client in (plain, rich):
        client.mail(envelope, 42)
        client.rcpt(recipient)
    assert plain.outgoing() == b"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n"
    assert rich.outgoing() == (
        b"MAIL FROM:<a@x.test> SIZE=42 BODY=8BITMIME RET=HDRS ENVID=q+3D1\r\n"
        b"RCPT TO:<b@y.test> NOTIFY=FAILURE,SUCCESS ORCPT=rfc822;a+2Bb@y.test\r\n"
    )


def test_an_exchange() -> None:
    client = greeted("AUTH PLAIN")
    client.auth("PLAIN", b"")
    client.response(b"x")
    client.response(None)
    assert client.outgoing() == b"AUTH PLAIN =\r\neA==\r\n*\r\n"
    assert challenge_of(Reply(334, "", "eA==")) == b"x"
    assert challenge_of(Reply(334, "", "?")) is None


def test_words_behind_the_answer_to_starttls_are_noticed() -> None:
    client = greeted("STARTTLS")
    client.command("STARTTLS")
    assert isinstance(drain(client, b"220 go\r\n250-hub")[-1], CommandReply)
    assert not client.upgraded()
    assert client.extensions == {}


RECIPIENTS = st.lists(st.sampled_from(["b@y.test", '"a b"@y.test', "no@y.test", "사@예.test"]), min_size=1, max_size=5)
LINES = st.lists(st.sampled_from([b"", b".", b"..", b"Subject: x", b"x" * 99]), max_size=9)


@settings(deadline=None)
@given(RECIPIENTS, LINES, st.booleans(), st.lists(st.integers(0, 900)))
def test_client_and_server_understand_each_other(
    addresses: list[str], lines: list[bytes], chunked: bool, cuts: list[int]
) -> None:
    content = b"".join(line + b"\r\n" for line in lines)
    recipients = tuple(EnvelopeRecipient(address, frozenset({"NEVER"}), "rfc822;x=y@z.test") for address in addresses)
    envelope = Envelope("a+b@x.test", recipients, BodyType.EIGHT_BIT_MIME, True, "id 1", "FULL")
    client = greeted("SIZE", "8BITMIME", "SMTPUTF8", "DSN", "CHUNKING")
    client.mail(envelope, len(content))
    for recipient in recipients:
        client.rcpt(recipient)
    if chunked:
        client.bdat(len(content), last=True)
        wire = client.outgoing() + content
    else:
        client.command("DATA")
        client.content_follows()
        wire = client.outgoing() + b"".join(stuffed([content]))
    played = Played(b"EHLO me.test\r\n" + wire, cuts, piece=16)
    taken = tuple(r for r in recipients if not r.address.startswith("no"))
    if taken:
        assert played.messages == [
            (Envelope(envelope.sender, taken, envelope.body, True, envelope.envelope_id, "FULL"), content)
        ]
        answers = drain(client, played.said.partition(b"SIZE\r\n")[2])
        assert [a.command for a in answers if isinstance(a, CommandReply)][:2] == ["MAIL", "RCPT"]
        assert len(answers) == len(recipients) + (2 if chunked else 3)
    else:
        assert played.messages == []


@given(st.lists(st.binary(max_size=80), max_size=10), st.integers(0, 5))
def test_garbage_never_raises(data: list[bytes], commands: int) -> None:
    client = Client()
    for _ in range(commands):
        client.command("NOOP")
    drain(client, *data)
    client.receive(b"220 x\r\n" * 10)
    drain(client, b"")
