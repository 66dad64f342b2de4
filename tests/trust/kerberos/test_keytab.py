"""Keys of computer accounts: RFC 3962's examples, and files that MIT's klist reads."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from postern.trust.kerberos import keytab
from postern.trust.kerberos.keytab import AES128, AES256

RFC3962_B = [
    # Iterations, password, salt, AES128, AES256: RFC 3962 appendix B.
    (1, "password", "ATHENA.MIT.EDUraeburn", "42263c6e89f4fc28b8df68ee09799f15",
     "fe697b52bc0d3ce14432ba036a92e65bbb52280990a2fa27883998d72af30161"),
    (2, "password", "ATHENA.MIT.EDUraeburn", "c651bf29e2300ac27fa469d693bdda13",
     "a2e16d16b36069c135d5e9d2e25f896102685618b95914b467c67622225824ff"),
    (1200, "password", "ATHENA.MIT.EDUraeburn", "4c01cd46d632d01e6dbe230a01ed642a",
     "55a6ac740ad17b4846941051e1e8b0a7548d93b0ab30a8bc3ff16280382b8c2a"),
]  # fmt: skip


@pytest.mark.parametrize(("iterations", "password", "salt", "aes128", "aes256"), RFC3962_B)
def test_the_examples_of_the_rfc(
    iterations: int, password: str, salt: str, aes128: str, aes256: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keytab, "_ITERATIONS", iterations)
    assert keytab.string_to_key(password, salt, AES128).hex() == aes128
    assert keytab.string_to_key(password, salt, AES256).hex() == aes256


def test_a_computers_salt() -> None:
    assert keytab.computer_salt("CORP.TEST", "HUB1$") == "CORP.TESThosthub1.corp.test"


def test_klist_reads_it(tmp_path: Path) -> None:
    if shutil.which("klist") is None:
        pytest.skip("klist is not installed (Debian: krb5-user)")
    file = tmp_path / "keytab"
    file.write_bytes(keytab.keytab("CORP.TEST", "HUB1$", "secret", 300, ["smtp/hub1.corp.test"]))
    told = subprocess.run(["klist", "-kKe", str(file)], capture_output=True, text=True, check=True).stdout
    key = keytab.string_to_key("secret", "CORP.TESThosthub1.corp.test", AES256).hex()
    lines = [line.split() for line in told.splitlines() if "CORP.TEST" in line]
    assert [line[:2] for line in lines] == [
        *[["300", "HUB1$@CORP.TEST"]] * 2,
        *[["300", "smtp/hub1.corp.test@CORP.TEST"]] * 2,
    ]
    assert f"(0x{key})" in told
    assert keytab.principals(file.read_bytes()) == {("HUB1$", 300), ("smtp/hub1.corp.test", 300)}


@pytest.mark.parametrize("content", [b"", b"\x05\x01xxxx", b"\x05\x02\x00\x00\x00\x20\x00\x01", b"text"])
def test_what_is_no_keytab_holds_nothing(content: bytes) -> None:
    assert keytab.principals(content) == set()
