"""Our renderings beside Dovecot's, message by message: the same values, however each may be quoted."""

from __future__ import annotations

import imaplib
import os
import pwd
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from postern.protocols.mime.message import render
from postern.protocols.mime.sections import section
from tests.protocols.mime.corpus import CORPUS
from tests.protocols.mime.imap_grammar import Value, parse

DOVECOT = Path("/usr/lib/dovecot/imap")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DOVECOT.exists(), reason="Dovecot's imap is not installed"),
]


@pytest.fixture(scope="module")
def dovecot() -> Iterator[imaplib.IMAP4]:
    """Dovecot's imap process alone, already logged in, on a maildir of its own that holds the corpus."""
    folder = Path(tempfile.mkdtemp(prefix="dv-", dir="/tmp"))
    (folder / "conf").write_text(
        f"base_dir={folder}/run\nmail_location=maildir:{folder}/mail\nstats_writer_socket_path=\nlog_path={folder}/log\n"
    )
    name, become = "tester", ""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        name, become = "nobody", f"setpriv --reuid={nobody.pw_uid} --regid={nobody.pw_gid} --clear-groups "
    command = f"cd / && exec {become}env -i USER={name} HOME={folder} {DOVECOT} -c {shlex.quote(str(folder / 'conf'))}"
    client = imaplib.IMAP4_stream(command)
    try:
        for message in CORPUS:
            client.literal = message  # append() would turn bare LF into CRLF and set flags
            assert client._simple_command("APPEND", "INBOX")[0] == "OK"
        client.select("INBOX", readonly=True)
        yield client
    finally:
        client.shutdown()
        client.process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _fetch(client: imaplib.IMAP4, number: int, item: str) -> bytes:
    status, data = client.fetch(str(number), f"({item})")
    assert status == "OK"
    joined = b""
    for piece in data:
        joined += piece[0] + b"\r\n" + piece[1] if isinstance(piece, tuple) else piece or b""
    match = re.fullmatch(rb"\d+ \(\S+(?: \(\S+ \([^)]*\)\]| \([^)]*\)\])? (.*)\)", joined, re.DOTALL)
    assert match is not None, joined
    return match[1]


def _plain(value: Value) -> Value:
    """Letters' case of types and parameter names says nothing."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.lower() if isinstance(value, bytes) else value


@pytest.mark.parametrize("number", range(len(CORPUS)))
def test_envelope_and_structures(dovecot: imaplib.IMAP4, number: int) -> None:
    rendered = render(CORPUS[number])
    assert parse(rendered.envelope) == parse(_fetch(dovecot, number + 1, "ENVELOPE"))
    assert _plain(parse(rendered.body_structure)) == _plain(parse(_fetch(dovecot, number + 1, "BODY")))
    assert _plain(parse(rendered.structure)) == _plain(parse(_fetch(dovecot, number + 1, "BODYSTRUCTURE")))


@pytest.mark.parametrize("number", range(len(CORPUS)))
def test_sections(dovecot: imaplib.IMAP4, number: int) -> None:
    for part in ((), (1,), (2,), (1, 1), (1, 2), (2, 1), (3,)):
        for what in ("", "HEADER", "TEXT", "MIME") if part else ("", "HEADER", "TEXT"):
            name = ".".join([*map(str, part), *([what] if what else [])])
            theirs = parse(_fetch(dovecot, number + 1, f"BODY.PEEK[{name}]"))
            ours = section(CORPUS[number], part, what)
            # Dovecot says "" as well as NIL for what is not there, and takes 1.1 of a part without parts for the part.
            if ours or len(part) < 2:
                assert (ours or None) == (theirs or None), name
    chosen = parse(_fetch(dovecot, number + 1, "BODY.PEEK[HEADER.FIELDS (Subject From)]"))
    assert section(CORPUS[number], (), "HEADER.FIELDS", [b"subject", b"from"]) == chosen
    others = parse(_fetch(dovecot, number + 1, "BODY.PEEK[HEADER.FIELDS.NOT (Subject From)]"))
    assert section(CORPUS[number], (), "HEADER.FIELDS.NOT", [b"subject", b"from"]) == others
