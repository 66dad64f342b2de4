"""WebDAV clients that nobody here wrote, at a door in TLS: litmus has all of RFC 4918, cadaver is what people type into.

covers: application
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.services.dav.site import ALICE, FILES, DavDoor

pytestmark = pytest.mark.slow
PASSWORD = "wonderland"
COMMANDS = """mkcol folder
cd folder
put hello.txt
copy hello.txt copied.txt
lock copied.txt
unlock copied.txt
move copied.txt moved.txt
propset moved.txt color red
propget moved.txt color
get moved.txt fetched.txt
cd ..
rmcol folder
ls
quit
"""


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


async def run(folder: Path, *command: str, typed: str = "") -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "HOME": str(folder), "LC_ALL": "C.UTF-8"},
        cwd=folder,
    )
    try:
        output, _ = await process.communicate(typed.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode("utf-8", "replace")


@needs("litmus")
def test_litmus_passes_all_it_has(tmp_path: Path) -> None:
    async def work() -> str:
        async with DavDoor().opened_to_dav() as door:
            url = f"https://localhost:{door.port}{FILES}"
            return await run(tmp_path, "litmus", "-k", url, ALICE, PASSWORD)

    output = asyncio.run(work())
    counts = re.findall(r"of (\d+) tests run: (\d+) passed, (\d+) failed", output)
    assert len(counts) == 5 and sum(int(passed) for _, passed, _ in counts) == 103, output
    assert all(failed == "0" for _, _, failed in counts), output
    assert "WARNING" not in output, output


@needs("cadaver")
def test_cadaver(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text(f"machine localhost login {ALICE} password {PASSWORD}\n")
    (tmp_path / ".netrc").chmod(0o600)
    (tmp_path / "hello.txt").write_text("hello")

    async def work() -> str:
        async with DavDoor().opened_to_dav() as door:
            # cadaver asks whether it may trust the certificate only where somebody sits at a terminal.
            command = f"cadaver https://localhost:{door.port}{FILES}"
            return await run(tmp_path, "script", "-qec", command, "/dev/null", typed=f"y\n{COMMANDS}")

    output = asyncio.run(work())
    assert "failed" not in output and "Value of color is: red" in output, output
    assert (tmp_path / "fetched.txt").read_text() == "hello"
    assert "collection is empty" in output
