"""Where agents are asked at a receive connector, what their answers do, and that they see the message as it came."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from postern.model.mail import Content, Envelope, EnvelopeRecipient
from postern.protocols.smtp.reply import Reply
from postern.services.smtp.receive_connector import AgentVerdict
from postern.services.smtp.session import Session
from postern.telemetry.log import configure
from tests.services.perimeter import Perimeter
from tests.services.smtp.test_receive import play
from tests.services.smtp.test_send import parcel, run, summary
from tests.services.smtp_doors import SmtpDoors
from tests.services.talk import Talk, talk

NO = Reply(550, "5.7.1", "An agent says no")
GONE = Reply(421, "4.7.0", "An agent has enough")
MESSAGE = b"Subject: x\r\nX-Old: 1\r\n\r\nbody\r\n"


@dataclass
class Scripted:
    """An agent that says what it is told at each step, and remembers what it was asked."""

    at_connect: Reply | None = None
    at_mail: Reply | None = None
    at_rcpt: Reply | None = None
    waits: bool = False
    tarpit: float = 0.0
    verdict: AgentVerdict = field(default_factory=AgentVerdict)
    asked: list[str] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    messages: list[tuple[bytes, bytes]] = field(default_factory=list)

    def for_connection(self) -> Scripted:
        return self

    async def connected(self, session: Session) -> Reply | None:
        await asyncio.sleep(0)
        self.asked.append("connected")
        return self.at_connect

    def mail(self, session: Session, sender: str) -> Reply | None:
        self.asked.append(f"mail {sender}")
        self.sessions.append(session)
        return self.at_mail

    async def rcpt(self, session: Session, recipient: EnvelopeRecipient) -> Reply | None:
        self.asked.append(f"rcpt {recipient.address}")
        if self.waits:
            await asyncio.sleep(0)
        return self.at_rcpt

    def unknown(self, session: Session, reply: Reply) -> float:
        self.asked.append(f"unknown {reply.enhanced}")
        return self.tarpit

    async def message(
        self, session: Session, envelope: Envelope, header: bytes, body: Content, key: str
    ) -> AgentVerdict:
        self.asked.append("data")
        self.messages.append((header, body.bytes()))
        return self.verdict

    def agent_of(self, reply: Reply) -> str:
        return "sender-filter" if reply in (self.at_mail, self.at_rcpt, self.verdict.reply) else ""


async def opened(doors: SmtpDoors, agents: Scripted) -> int:
    original = doors.connector

    def connector(rows):
        made = original(rows)
        made.agents = agents
        return made

    doors.connector = connector
    return await doors.open("internet-to-hub", "client-to-hub-smtp")


async def sent(say: Talk, message: bytes = MESSAGE) -> str:
    await say.ask("MAIL FROM:<x@remote.test>", "RCPT TO:<alice@example.test>", "DATA")
    return await say.ask(message + b".\r\n")


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("size", [5, 400_000])
def test_all_are_asked_in_order_and_see_the_message_as_it_came(waits: bool, size: int) -> None:
    agents = Scripted(waits=waits)
    body = b"\r\n" + b"0123456789abcde\r\n" * (size // 17) + b"end\r\n"

    async def test(doors: SmtpDoors) -> None:
        async with talk(await opened(doors, agents)) as say:
            assert (await say.reply()).startswith("220")
            await say.ask("EHLO client.test")
            assert (await sent(say, b"Subject: x\r\nX-Old: 1\r\n" + body)).startswith("250 2.0.0")
            assert (await say.ask("RCPT TO:<bob@example.test>")).startswith("503")
            await say.ask("QUIT")
            assert await say.is_closed()
        assert agents.asked == ["connected", "mail x@remote.test", "rcpt alice@example.test", "data"]
        assert agents.messages == [(b"Subject: x\r\nX-Old: 1\r\n", body)]
        session = agents.sessions[0]
        assert (session.path, session.helo, session.peer.host) == ("internet-to-hub", "client.test", "127.0.0.1")
        assert doors.queue.taken[0][1].endswith(b"Subject: x\r\nX-Old: 1\r\n" + body)

    play(test)


def test_a_header_of_theirs_goes_into_the_queue_behind_our_trace() -> None:
    agents = Scripted(verdict=AgentVerdict(header=b"X-New: 2\r\nSubject: x\r\n"))

    async def test(doors: SmtpDoors) -> None:
        async with talk(await opened(doors, agents)) as say:
            await say.reply()
            await say.ask("EHLO client.test")
            assert (await sent(say)).startswith("250")
        content = doors.queue.taken[0][1]
        assert content.startswith(b"Received: ") and content.endswith(b"X-New: 2\r\nSubject: x\r\n\r\nbody\r\n")
        assert b"X-Old" not in content

    play(test)


@pytest.mark.parametrize(
    ("agents", "replies"),
    [
        (Scripted(at_mail=NO), ["220", "250", "550", "503", "503"]),
        (Scripted(at_rcpt=NO), ["220", "250", "250", "550", "554"]),
        (Scripted(at_rcpt=NO, waits=True), ["220", "250", "250", "550", "554"]),
        (Scripted(at_mail=GONE), ["220", "250", "421", "", ""]),
        (Scripted(at_connect=Reply(554, "5.7.1", "Go away")), ["554", "", "", "", ""]),
    ],
    ids=["mail", "rcpt", "rcpt later", "421", "connect"],
)
def test_their_refusals_are_said_as_they_stand(agents: Scripted, replies: list[str]) -> None:
    async def test(doors: SmtpDoors) -> None:
        async with talk(await opened(doors, agents)) as say:
            heard = [await say.reply()]
            commands = ("EHLO client.test", "MAIL FROM:<x@remote.test>", "RCPT TO:<alice@example.test>", "DATA")
            for command in commands:
                try:
                    heard.append(await say.ask(command))
                except ConnectionError:
                    heard.append("")
            assert [one[:3] for one in heard] == replies
        assert not doors.queue.taken

    play(test)


@pytest.mark.parametrize(
    ("agents", "recipients"),
    [
        (Scripted(at_mail=NO), []),
        (Scripted(at_rcpt=NO), ["alice@example.test"]),
        (Scripted(verdict=AgentVerdict(NO)), ["alice@example.test"]),
    ],
    ids=["mail", "rcpt", "data"],
)
def test_a_refusal_is_one_event_that_names_the_agent(agents: Scripted, recipients: list[str], tmp_path: Path) -> None:
    async def test(doors: SmtpDoors) -> None:
        async with talk(await opened(doors, agents)) as say:
            await say.reply()
            await say.ask("EHLO client.test", "MAIL FROM:<x@remote.test>", "RCPT TO:<alice@example.test>", "DATA")
            if agents.verdict.reply is not None:
                await say.ask(MESSAGE + b".\r\n")
            agents.at_mail = agents.at_rcpt = None
            await say.ask("RSET", "MAIL FROM:<x@remote.test>", "RCPT TO:<nobody@example.test>")

    configure("hub.0", tmp_path / "log")
    try:
        play(test)
    finally:
        configure("tests", None, "critical")
    refused = [row for row in map(json.loads, (tmp_path / "log").read_text().splitlines()) if "reply" in row]
    assert [(row["event"], row["agent"], row["recipients"]) for row in refused] == [
        ("mail-refused", "sender-filter", recipients),
        ("mail-refused", "", ["nobody@example.test"]),
    ]


def test_a_refused_message_is_not_queued_and_a_swallowed_one_neither() -> None:
    for reply in (NO, Reply(250, "2.0.0", "Ok")):
        agents = Scripted(verdict=AgentVerdict(reply))

        async def test(doors: SmtpDoors, agents: Scripted = agents, reply: Reply = reply) -> None:
            async with talk(await opened(doors, agents)) as say:
                await say.reply()
                await say.ask("EHLO client.test")
                assert (await sent(say)) == reply.encode().decode().rstrip()
                agents.verdict = AgentVerdict()
                assert (await sent(say)).startswith("250 2.0.0 Ok: queued as Q1")

        play(test)


def test_who_guesses_addresses_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    agents = Scripted(tarpit=7.5)
    waited: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        if seconds:
            waited.append(seconds)
        await real(0)

    async def test(doors: SmtpDoors) -> None:
        async with talk(await opened(doors, agents)) as say:
            await say.reply()
            await say.ask("EHLO client.test", "MAIL FROM:<x@remote.test>")
            monkeypatch.setattr("postern.services.smtp.receive.asyncio.sleep", sleep)
            assert (await say.ask("RCPT TO:<nobody@example.test>")).startswith("550 5.1.1")
            assert (await say.ask("RCPT TO:<alice@example.test>")).startswith("250")
        assert "unknown 5.1.1" in agents.asked and waited == [7.5]

    play(test)


def test_an_agent_sees_which_of_the_edges_sessions_it_is() -> None:
    agents = Scripted()

    async def test() -> None:
        at = Perimeter(agents)
        try:
            await at.start()
            assert summary(await at.from_hub(parcel("x@far.test"))) == [["relayed 2.0.0"]]
            session = agents.sessions[0]
            assert (session.path, session.identity.name) == ("hub-to-edge", "hub1") and session.seal is not None
        finally:
            await at.close()

    run(test)
