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

from postern.protocols.dcerpc.pdu import WHOLE, Kind, cut, pdu
from postern.protocols.dcerpc.protection import Level
from postern.trust.ntlm import NtlmInitiator, nt_hash
from tests.protocols.dcerpc.play import Pair

ROOT = Path(__file__).parents[2]
DIALOGS = ROOT / "tests" / "dialogs"
PARSERS = {"fuzz_smtp": ("smtp",), "fuzz_imap": ("imap", "pop3"), "fuzz_dcerpc": ()}
CUTS = (0, 1, 9)
_SAID = re.compile(r"^C\d?([:>]) ?(.*)$", re.MULTILINE)
_WORD = re.compile(r'b?"([A-Z][A-Z0-9=+.$-]{1,24})"')


def seeds(target: str) -> Iterator[bytes]:
    """For one target, without the first octet where that only says how to cut."""
    if target == "fuzz_dcerpc":
        yield from _dcerpc()
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
