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

from postern.model.folders import FolderKind
from postern.model.sharing import ROLES
from tests.services.dav.site import ALICE, BOB, CALENDAR, FILES, DavDoor, event

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


@needs("vdirsyncer")
def test_vdirsyncer_finds_what_others_share_and_keeps_it(tmp_path: Path) -> None:
    """Bob's program looks into his home alone, and writes into the calendar that alice shares with him."""

    async def work() -> tuple[str, bytes, bytes]:
        door = DavDoor()
        async with door.opened_to_dav(), door.client() as alice:
            assert (await alice.put(f"{CALENDAR}a.ics", content=event("a", "Shared"))).status_code == 201
            known = door.recipients.known
            nodes = await door.mailboxes.tree(known[ALICE].guid)
            calendar = next(node.id for node in nodes if node.kind is FolderKind.CALENDAR)
            await door.sharing.set_rights(known[ALICE], calendar, known[BOB].guid, ROLES["editor"])
            (tmp_path / "ca.pem").write_bytes(door.authority.cert_pem.bytes())
            url = f"https://localhost:{door.port}/dav/"
            (tmp_path / "config").write_text(VDIRSYNCER.format(folder=tmp_path, url=url, user=BOB, password=PASSWORD))
            program = ("vdirsyncer", "-c", str(tmp_path / "config"))
            output = await run(tmp_path, *program, "discover", "calendars", typed="y\n" * 9)
            output += await run(tmp_path, *program, "sync")
            folder = tmp_path / "calendars" / f"~{ALICE}~calendar"
            read = (folder / "a.ics").read_bytes()
            (folder / "b.ics").write_bytes(event("b", "By bob"))
            output += await run(tmp_path, *program, "sync")
            return output, read, (await alice.get(f"{CALENDAR}b.ics")).content

    output, read, written = asyncio.run(work())
    assert "Calendar (Alice)" in output and "error" not in output.lower(), output
    assert b"Shared" in read and b"By bob" in written


VDIRSYNCER = """[general]
status_path = "{folder}/status/"
[pair calendars]
a = "files"
b = "server"
collections = ["from b"]
[storage files]
type = "filesystem"
path = "{folder}/calendars/"
fileext = ".ics"
[storage server]
type = "caldav"
url = "{url}"
username = "{user}"
password = "{password}"
verify = "{folder}/ca.pem"
"""
