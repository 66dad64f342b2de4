"""What a receive connector writes down of its callers: connections, refusals and failed log-ons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from postern.telemetry.log import configure
from tests.services.smtp.test_receive import MESSAGE, deliver, logged_on, plain, play
from tests.services.smtp_doors import SmtpDoors
from tests.services.talk import talk


def test_what_was_seen_is_observed() -> None:
    async def test(doors: SmtpDoors) -> None:
        seen: list[Any] = []
        doors.observed.seen = lambda *what: seen.append(what[:3])
        port = await doors.open("internet-to-hub", "client-to-hub-smtp")
        async with talk(port) as say:
            await say.reply()
            await say.ask("EHLO c")
            await deliver(say)
        async for say in logged_on(doors, port):
            await deliver(say, "alice@example.test")
        assert seen == [
            ("internet-to-hub", "127.0.0.1", "Anonymous"),
            ("client-to-hub-smtp", "127.0.0.1", "Basic"),
            ("client-to-hub-smtp", "127.0.0.1", "Basic"),
        ]

    play(test)


def test_what_is_refused_is_tracked_with_whom_and_by_whom() -> None:
    async def test(doors: SmtpDoors) -> None:
        port = await doors.open("internet-to-hub", "client-to-hub-smtp")
        async with talk(port) as say:
            await say.reply()
            await say.ask("EHLO client.test")
            await say.ask("MAIL FROM:<spam@remote.test>")
            for recipient in ("nobody@example.test", "victim@elsewhere.test", "bob@example.test"):
                await say.ask(f"RCPT TO:<{recipient}>")
            await say.ask("DATA")
            loop = b"".join(b"Received: from x by y; Thu, 1 Jan 2026 00:00:00 +0000\r\n" for _ in range(400))
            assert (await say.ask(loop + b"Message-ID: <m@remote.test>\r\n" + MESSAGE)).startswith("5")
        async for say in logged_on(doors, port):
            assert (await say.ask("MAIL FROM:<boss@example.test>")).startswith("550 5.7.1")
        rows = [json.loads(line) for line in doors.tracker._lines]
        assert [(row["sender"], row["recipients"], row["outcome"][:9]) for row in rows if row["step"] == "refuse"] == [
            ("spam@remote.test", ["nobody@example.test"], "550 5.1.1"),
            ("spam@remote.test", ["victim@elsewhere.test"], "550 5.7.1"),
            ("spam@remote.test", ["bob@example.test"], "554 5.4.6"),
            ("boss@example.test", [], "550 5.7.1"),
        ]
        assert {row["peer"] for row in rows} == {"127.0.0.1"}

    play(test)


def test_a_failed_log_on_names_the_account_in_the_log(tmp_path: Path) -> None:
    async def test(doors: SmtpDoors) -> None:
        port = await doors.open("client-to-hub-smtp")
        for name in ("alice", "hunter2-typed-as-a-name"):
            async with talk(port) as say:
                await say.reply()
                await say.ask("EHLO client.test")
                await say.start_tls(doors.client_tls())
                await say.ask("EHLO client.test")
                assert (await say.ask(plain(name, "wrong"))).startswith("535")

    log_file = tmp_path / "log"
    configure("hub.0", log_file)
    try:
        play(test)
    finally:
        configure("tests", None, "critical")
    rows = [json.loads(line) for line in log_file.read_text().splitlines()]
    assert [row["account"] for row in rows if row["event"] == "authentication-failed"] == ["alice@example.test", ""]
    assert "hunter2" not in log_file.read_text()
