"""WebDAV clients that nobody here wrote, at a door in TLS: litmus has all of RFC 4918, cadaver is what people type into.

covers: application, address_list, managed_attachments
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
from tests.services.dav.site import ALICE, BOB, CALENDAR, FILES, LIST, DavDoor, event

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


@needs("curl")
def test_curl_attaches_a_file_and_a_guest_reads_it(tmp_path: Path) -> None:
    """The requests of RFC 8607's examples."""
    (tmp_path / "agenda.html").write_text("<html><body><h1>Agenda</h1></body></html>")
    people = (f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE:mailto:{ALICE}", f"ATTENDEE:mailto:{BOB}")
    (tmp_path / "e.ics").write_bytes(event("e", "Planning", "20300302T100000Z", *people))

    async def work() -> None:
        async with DavDoor().opened_to_dav() as door:
            url = f"https://localhost:{door.port}{CALENDAR}64.ics"

            async def curl(*arguments: str, user: str = ALICE) -> str:
                return await run(tmp_path, "curl", "-sSki", "-u", f"{user}:{PASSWORD}", *arguments)

            def field(answer: str, name: str) -> str:
                (value,) = re.findall(rf"^{name}: (.*?)\r?$", answer, re.IGNORECASE | re.MULTILINE)
                return str(value)

            html = ("-H", "content-type: text/html", "-H", "prefer: return=representation")
            named = (*html, "-H", "content-disposition: attachment; filename=agenda.html")
            assert " 201 " in await curl("-T", "e.ics", "-H", "content-type: text/calendar", url)
            added = await curl(*named, "--data-binary", "@agenda.html", f"{url}?action=attachment-add")
            assert " 201 " in added and field(added, "content-location") == f"{CALENDAR}64.ics" and field(added, "etag")
            first = field(added, "cal-managed-id")
            unfolded = added.replace("\r\n ", "")
            assert f"ATTACH;MANAGED-ID={first};FMTTYPE=text/html;FILENAME=agenda.html;SIZE=41:" in unfolded
            (place,) = re.findall(r"^ATTACH.*?:(https://\S+)", unfolded, re.MULTILINE)
            for user in (ALICE, BOB):
                assert (await curl(place, user=user)).endswith("<h1>Agenda</h1></body></html>")
            (tmp_path / "agenda.html").write_text("<html><body><h1>Later</h1></body></html>")
            update = f"{url}?action=attachment-update&managed-id={first}"
            updated = await curl(*named, "--data-binary", "@agenda.html", update)
            second = field(updated, "cal-managed-id")
            assert " 200 " in updated and second != first and " 404 " in await curl(place)
            removed = await curl("-X", "POST", f"{url}?action=attachment-remove&managed-id={second}")
            assert " 204 " in removed and "ATTACH" not in await curl(url)

    asyncio.run(work())


@needs("curl")
def test_curl_reads_the_directory(tmp_path: Path) -> None:
    async def work() -> None:
        async with DavDoor().opened_to_dav() as door:
            url = f"https://localhost:{door.port}{LIST}"
            curl = ("curl", "-sSk", "-u", f"{ALICE}:{PASSWORD}")
            listed = await run(tmp_path, *curl, "-X", "PROPFIND", "-H", "Depth: 1", url)
            cards = re.findall(rf"{LIST}([0-9a-f-]{{36}}\.vcf)", listed)
            assert len(cards) == 2
            shown = [await run(tmp_path, *curl, f"{url}{name}") for name in cards]
            assert {name for name in ("FN:Alice", "FN:Bob") for text in shown if name in text} == {"FN:Alice", "FN:Bob"}
            refused = await run(tmp_path, *curl, "-w", "%{http_code}", "-X", "DELETE", f"{url}{cards[0]}")
            assert "need-privileges" in refused and refused.endswith("403")

    asyncio.run(work())
