"""What the fuzz targets begin with: `python -m tests.fuzz.seeds fuzz_smtp FOLDER` fills the folder.

The clients' sides of tests/dialogs, whole and line by line, and DCE/RPC as our own client says it; and a dictionary of the words
that the parsers know, taken from them. Each seed begins with the octet that the targets read as «how to cut».
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from postern.protocols import edge_subscription
from postern.protocols.ber import OCTETS, SEQUENCE, element, integer
from postern.protocols.dcerpc.pdu import WHOLE, Kind, cut, pdu
from postern.protocols.dcerpc.protection import Level
from postern.protocols.ldap_bind import packet
from postern.trust.ntlm import NtlmInitiator, nt_hash
from tests.protocols.dcerpc.play import Pair
from tests.protocols.test_cldap import SAMBA
from tests.protocols.test_edge_subscription import FILE
from tests.protocols.test_pac import MACHINE

ROOT = Path(__file__).parents[2]
DIALOGS = ROOT / "tests" / "dialogs"
PARSERS = {
    "fuzz_smtp": ("smtp",),
    "fuzz_imap": ("imap", "pop3"),
    "fuzz_dcerpc": (),
    "fuzz_mail": ("mime",),
    "fuzz_authentication": ("authentication",),
    "fuzz_directory": (),
}
CUTS = (0, 1, 9)
_SAID = re.compile(r"^C\d?([:>]) ?(.*)$", re.MULTILINE)
_WORD = re.compile(r'b?"([A-Z][A-Z0-9=+.$-]{1,24})"')


def seeds(target: str) -> Iterator[bytes]:
    """For one target, without the first octet where that only says how to cut."""
    if target in _MADE:
        yield from _MADE[target]()
        return
    for protocol in PARSERS[target]:
        for script in sorted((DIALOGS / protocol).glob("*.txt")):
            said = [_octets(kind, line) for kind, line in _SAID.findall(script.read_text(encoding="utf-8"))]
            yield from (bytes([cut]) + b"".join(said) for cut in CUTS)
            yield from (b"\x01" + line for line in said)


def words(target: str) -> list[str]:
    """The words of the target's parsers."""
    found: set[str] = set()
    for protocol in PARSERS[target]:
        for module in (ROOT / "src" / "postern" / "protocols" / protocol).glob("*.py"):
            found |= set(_WORD.findall(module.read_text(encoding="utf-8")))
    return sorted(found)


def _octets(kind: str, line: str) -> bytes:
    if kind == ":":
        return line.encode() + b"\r\n"
    return line.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1", "replace")


def _dcerpc() -> Iterator[bytes]:
    """Streams for the server's machine (first octet 4n), stubs (4n + 1), and the tokens of a logon (4n + 3)."""
    for level in (Level.NONE, Level.PRIVACY):
        pair = Pair(level=level, max_fragment=1432)  # the smallest there is: fragments, and inputs that stay small
        for opnum, size in ((0, 0), (1, 40), (2, 3000)):
            pair.client.call(0, opnum, bytes(size))
            yield bytes([8 if level is Level.NONE else 4]) + pair.client.outgoing()
    yield b"\x00" + pdu(Kind.BIND, WHOLE, 1, bytes(28), b"", 24) + cut(Kind.REQUEST, 2, 0, 1, b"stub", 1432)
    yield from (bytes([1, opnum]) + bytes(size) for opnum in range(40) for size in (0, 16, 64))
    yield b"\x02" + bytes(64)
    initiator = NtlmInitiator("HUB1$", "EXAMPLE", nt_hash("secret"), "host/hub1")
    yield b"\x03" + initiator.negotiate()[12:]


_FIELDS = (
    b"Anna <anna@good.test>",
    b'"Boss" (\\() <boss@good.test>',
    b"a: b@c.test, <@r.test:d@e.test>;",
    b"=?utf-8?q?=ED=95?= =?utf-8?q?=9C?=",
    b"text/plain; charset*=utf-8''x; name*0=a; name*1*=%41",
    b"multipart/mixed; boundary=a",
    "\u0300\u0316 \ufdfa".encode() * 3,
)


def _mail() -> Iterator[bytes]:
    """Messages (first octet 4n), addresses (4n + 1), headers of submission (4n + 2), texts (4n + 3)."""
    for name in (b"From", b"Subject", b"Content-Type", b"Content-Transfer-Encoding"):
        for value in _FIELDS:
            yield b"\x00" + name + b": " + value + b"\r\n\r\n--a\r\n\r\nbody\r\n--a--\r\n"
            yield b"\x02" + name + b": " + value + b"\r\n"
    for value in _FIELDS:
        yield b"\x01" + value
        yield b"\x03" + value + b"<b>&amp;<!-- -->"


def _authentication() -> Iterator[bytes]:
    """Signatures and keys (first octet 4n), records (4n + 1), results (4n + 2), bodies (4n + 3)."""
    yield b"\x00v=1; a=rsa-sha256; c=relaxed/relaxed; d=b.test; s=s; h=from:to; bh=AAAA; b=AAAA; l=1; x=9; t=1"
    yield b"\x00v=DKIM1; k=ed25519; p=AAAA; t=s; h=sha256; s=email"
    terms = (
        "ip4:192.0.2.0/24",
        "ip6:::1/64",
        "a:%{d}/24//64",
        "mx",
        "ptr",
        "exists:%{ir}.%{v}.x.test",
        "include:y.test",
    )
    for term in (*terms, "redirect=z.test", "exp=%{l1r-}.x.test"):
        yield b"\x01" + term.encode() + b" -all"
        yield b"\x05?" + term.encode() + b"\n~all"
    yield from (b"\x01p=reject; sp=none; pct=50; adkim=s", b"\x01p = quarantine;;rua=mailto:a@b.test")
    yield from (b"\x02(a (b)) mx.good.test; spf=pass", b'\x02"mx.good.test" 1; none', b"\x02Sender: a@b.test\r\n")
    yield from (b"\x03a \t b\r\n\r\n", b"\x07\r\r\n\n ", b"\x0b \r\n" * 3)


def _directory() -> Iterator[bytes]:
    """Pings' answers (first octet 4n), binds and sealed packets (4n + 1), tickets (4n + 2), subscription files (4n + 3)."""
    yield from (b"\x00" + SAMBA, b"\x02" + MACHINE, b"\x03" + edge_subscription.write(FILE))
    yield b"\x01" + element(SEQUENCE, integer(1) + element(0x61, integer(14, 0x0A) + element(OCTETS, b"") * 2))
    yield from (bytes([1 + 4 * step]) + packet(bytes(step)) * 3 for step in range(12))
    yield from (b"\x00" + element(tag, bytes(8)) for tag in (SEQUENCE, OCTETS, 0x61, 0x64))
    yield from (b"\x02" + bytes(size) for size in (0, 8, 64))


_MADE = {
    "fuzz_dcerpc": _dcerpc,
    "fuzz_mail": _mail,
    "fuzz_authentication": _authentication,
    "fuzz_directory": _directory,
}


def fill(target: str, folder: Path) -> int:
    """Writes the seeds, named by what is in them, and `words` beside the folder. Says how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    made = set(seeds(target))
    for seed in made:
        (folder / hashlib.sha256(seed).hexdigest()[:40]).write_bytes(seed)
    folder.with_suffix(".dict").write_text(
        "# words of the parsers\n" + "".join(f'"{word}"\n' for word in words(target)), encoding="ascii"
    )  # libFuzzer takes no empty dictionary
    return len(made)


if __name__ == "__main__":
    print(fill(sys.argv[1], Path(sys.argv[2])))
