"""What is kept of a password, against published values."""

from __future__ import annotations

import base64

import pytest

from postern.trust.passwords import verifiers as passwords
from postern.trust.passwords.saslprep import saslprep
from postern.trust.passwords.verifiers import ScramKeys


def test_argon2id_with_the_cost_that_was_decided() -> None:
    made = passwords.verifiers("wonderland")
    assert set(made) == {"argon2id"}
    assert made["argon2id"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.matches(made["argon2id"], "wonderland")
    assert not passwords.matches(made["argon2id"], "Wonderland")
    assert passwords.verifiers("wonderland")["argon2id"] != made["argon2id"]


@pytest.mark.parametrize("verifier", [None, "", "nonsense", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA"])
def test_without_a_verifier_no_password_is_right(verifier: str | None) -> None:
    assert not passwords.matches(verifier, "wonderland")
    assert not passwords.matches(verifier, "")


def test_however_a_keyboard_composes_it() -> None:
    made = passwords.verifiers("비밀번호예요")["argon2id"]
    decomposed = "\u1107\u1175\u1106\u1175\u11af\u1107\u1165\u11ab\u1112\u1169\u110b\u1168\u110b\u116d"
    assert passwords.matches(made, saslprep(decomposed))


def test_the_nt_hash_is_microsoft_s() -> None:
    assert passwords.verifiers("Password", ["nt"])["nt"] == "a4f49c406510bdcab6824ee7c30fd852"  # MS-NLMP 4.2.2.1.2


def test_scram_keys_are_rfc_7677_s() -> None:
    keys = passwords.scram_keys("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    assert str(keys) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )
    assert ScramKeys.parse(str(keys)) == keys


@pytest.mark.parametrize(
    "text", ["", "SCRAM-SHA-1$1:c2FsdA==$a:b", "SCRAM-SHA-256$x:c2FsdA==$YQ==:YQ==", "SCRAM-SHA-256$1"]
)
def test_what_are_no_scram_keys(text: str) -> None:
    with pytest.raises(ValueError):
        ScramKeys.parse(text)


@pytest.mark.parametrize("password", ["", "x" * 1025, "tab\there", "\u0627\u0031"])
def test_what_cannot_be_a_password(password: str) -> None:
    with pytest.raises(ValueError, match=r"allowed|at most|mixed|RFC") as raised:
        passwords.verifiers(password)
    assert not password or password not in str(raised.value)
