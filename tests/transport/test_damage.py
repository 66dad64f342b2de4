"""A queue whose file is damaged is set aside with its reason; its worker starts with an empty one, and so do the others.

covers: damage
"""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from postern.cli.queue import queue
from postern.model.mail import Content, Envelope, EnvelopeRecipient
from postern.transport import control, damage
from postern.transport.adoption import Adopter, open_own
from postern.transport.envelopes import FILE
from tests.transport.world import MESSAGE, ORIGIN


async def fill(root: Path) -> None:
    """Messages enough for several pages, and a clean end, so that all of it is in the file."""
    made = open_own(root, 0)
    made.start()
    envelope = Envelope("s@remote.test", (EnvelopeRecipient("a@example.test"),))
    await asyncio.gather(*(made.accept(envelope, Content.of(MESSAGE), ORIGIN) for _ in range(200)))
    await made.close()


def spoil(file: Path, how: str) -> None:
    data = file.read_bytes()
    file.write_bytes(
        b"no database at all" * 300 if how == "no database" else data[:1024] + b"\xff" * (len(data) - 1024)
    )


@pytest.mark.parametrize("how", ["no database", "broken pages"])
def test_a_damaged_queue_is_set_aside_and_its_worker_starts(tmp_path: Path, how: str) -> None:
    root = tmp_path / "queue"
    asyncio.run(fill(root))
    spoil(root / "0" / FILE, how)
    segments = {path.name: path.read_bytes() for path in (root / "0").glob("*.segment")}
    assert segments

    async def run() -> None:
        made = open_own(root, 0)
        made.start()
        await made.close()

    asyncio.run(run())
    ((aside, reason),) = damage.found(root)
    assert "database" in reason
    assert {path.name: path.read_bytes() for path in aside.glob("*.segment")} == segments
    assert control.folders(root) == [root / "0"]
    listed = CliRunner().invoke(queue, ["list", "--state", str(tmp_path)])
    assert listed.exit_code == 0
    assert str(aside) in listed.output
    assert reason in listed.output


def test_a_dead_workers_damaged_queue_is_set_aside_too(tmp_path: Path) -> None:
    root = tmp_path / "queue"
    asyncio.run(fill(root))
    spoil(root / "0" / FILE, "no database")
    asyncio.run(Adopter(root, pytest.fail).round())
    assert len(list(damage.found(root))) == 1
    assert control.folders(root) == []


def test_another_version_is_no_damage(tmp_path: Path) -> None:
    asyncio.run(fill(tmp_path))
    with sqlite3.connect(tmp_path / "0" / FILE) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(sqlite3.DatabaseError, match="format 99"):
        open_own(tmp_path, 0)
    assert list(damage.found(tmp_path)) == []
