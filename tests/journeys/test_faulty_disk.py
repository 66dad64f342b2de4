"""The queue on a disk that forgets every unsynced write, SQLite's included; and that the disk does forget."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.faulty_disk import FaultyDisk
from tests.transport.test_queue_crash import WORKER, recover

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def disk(tmp_path: Path) -> FaultyDisk:
    built = FaultyDisk.build(tmp_path, tmp_path / "root")
    if built is None:
        pytest.skip("there is no C compiler")
    return built


def test_it_keeps_what_was_synced_and_nothing_else(disk: FaultyDisk) -> None:
    disk.root.mkdir()
    program = f"""
import os
for name, sync in (("lost", None), ("kept", os.fsync), ("data", os.fdatasync)):
    fd = os.open({str(disk.root)!r} + "/" + name, os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"first")
    if sync:
        sync(fd)
    os.write(fd, b" second")
"""
    subprocess.run([sys.executable, "-c", program], env=os.environ | disk.environment, check=True)
    disk.power_cut()
    assert {path.name: path.read_bytes() for path in disk.root.iterdir()} == {"kept": b"first", "data": b"first"}


@pytest.mark.slow
def test_power_cuts_under_load_lose_nothing_acknowledged(disk: FaultyDisk) -> None:
    first = 1
    acknowledged: set[int] = set()
    finished: set[int] = set()
    for count in (1, 200, 700, 1500):
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(disk.root / "0"), str(first)],
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            env=os.environ | disk.environment,
        )
        try:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(count)]
            process.kill()
            said += process.stdout.readlines()
        finally:
            process.kill()
            process.wait()
        numbers = [int(line) for line in said if line.endswith(b"\n")]
        acknowledged |= {number for number in numbers if number > 0}
        finished |= {-number for number in numbers if number < 0}
        first = max(acknowledged) + 1000
        disk.power_cut()
    assert acknowledged - finished <= recover(disk.root / "0").keys()
