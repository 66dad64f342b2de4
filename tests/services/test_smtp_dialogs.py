"""Plays the scripts of tests/dialogs/smtp; see the README there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
import uvloop

from tests.services.smtp_doors import SmtpDoors
from tests.services.talk import PATIENCE, talk

SCRIPTS = sorted((Path(__file__).parents[1] / "dialogs" / "smtp").glob("*.txt"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_dialog(script: Path) -> None:
    first, *lines = script.read_text(encoding="utf-8").splitlines()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play(first.removeprefix("# rows:").split(), lines))


async def play(rows: list[str], lines: list[str]) -> None:
    doors = SmtpDoors()
    try:
        async with asyncio.timeout(PATIENCE), talk(await doors.open(*rows)) as say:
            for number, line in enumerate(lines, 2):
                kind, text = line[:2], line[3:]
                if kind == "C:":
                    say.send(text)
                elif kind == "C>":
                    say.send(text.encode().decode("unicode_escape").encode("latin-1"))
                elif kind == "S!":
                    assert await say.is_closed(), f"line {number}: the connection is still open"
                else:
                    said = (await say.reader.readline()).decode().removesuffix("\r\n")
                    assert re.fullmatch(text, said), f"line {number}: {said!r} is not {text!r}"
    finally:
        await doors.close()
