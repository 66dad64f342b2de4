"""One whole lab for all tests of a run: to build it takes longer than to use it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab.live import BASE, Lab
from tests.support.needs import needs


@pytest.fixture(scope="session")
@needs("lab", together="lab")
def lab() -> Iterator[Lab]:
    """Up, with everything in it; whoever changes something in it puts it back. While tests are written, POSTERN_TEST_LAB names a
    lab that is up already, and stays up."""
    if name := os.environ.get("POSTERN_TEST_LAB"):
        running = Lab(name)
        running.at_first = running.status()
        yield running
        return
    _clean()
    lab = Lab(f"pt{os.getpid()}")
    try:
        lab.command("up")
        lab.at_first = lab.status()
        yield lab
    finally:
        lab.command("down")


def _clean() -> None:
    """What runs before this one left because they were killed."""
    for folder in BASE.glob("pt*") if BASE.exists() else ():
        number = folder.name.removeprefix("pt").split("-")[0]
        if number.isdigit() and not os.path.exists(f"/proc/{number}"):
            Lab(folder.name).command("down")
