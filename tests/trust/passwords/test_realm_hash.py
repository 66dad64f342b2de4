"""The hashes that are kept for Digest belong to the spellings of one name. covers: realm_hash"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from uuid import uuid4

import pytest

from postern.model.directory import Account
from postern.trust.passwords import verifiers as passwords
from postern.trust.passwords.realm_hash import ALGORITHMS, KeptRealmHashes, names_of
from tests.trust.people import run

ALICE = Account(uuid4(), "alice@example.test", True, False, "1")
REALM = "example.test"


class Kept:
    digest_realm = REALM

    def __init__(self, kept: str | None) -> None:
        self.kept = kept

    async def verifier(self, account: Account, kind: str) -> str | None:
        assert kind == "digest"
        return self.kept


def kept_of(name: str, password: str = "wonderland") -> KeptRealmHashes:
    return KeptRealmHashes(Kept(passwords.verifiers(password, ["digest"], name, REALM)["digest"]))


@pytest.mark.parametrize("name", ["alice@example.test", "alice"])
def test_the_whole_name_and_its_local_part(name: str) -> None:
    text = f"{name}:{REALM}:wonderland".encode()
    kept = kept_of("Alice@Example.test")
    assert run(kept.realm_hash(ALICE, name, "SHA-256")) == hashlib.sha256(text).hexdigest()
    assert run(kept.realm_hash(ALICE, name, "MD5")) == hashlib.md5(text).hexdigest()
    assert kept.digest_realm == REALM


@pytest.mark.parametrize(
    "name", ["Alice", "ALICE@example.test", "EXAMPLE\\alice", "al@example.test", "", "example.test"]
)
def test_no_other_spelling_has_a_hash(name: str) -> None:
    assert [run(kept_of("alice@example.test").realm_hash(ALICE, name, algorithm)) for algorithm in ALGORITHMS] == [
        None
    ] * 2


def test_a_domain_in_letters_has_hashes_by_both_spellings() -> None:
    account = replace(ALICE, name="kim@xn--vf4b131b.test")
    assert names_of("kim@회사.test") == names_of(account.name) == ("kim@xn--vf4b131b.test", "kim@회사.test", "kim")
    kept = kept_of("kim@회사.test")
    hashes = {run(kept.realm_hash(account, name, "SHA-256")) for name in names_of(account.name)}
    assert len(hashes) == 3 and None not in hashes


def test_a_password_is_composed_before_it_is_hashed() -> None:
    composed, taken_apart = (
        kept_of(ALICE.name, "gr\u00fc\u00df g\u00f6tt"),
        kept_of(ALICE.name, "gru\u0308\u00df go\u0308tt"),
    )
    assert (
        run(composed.realm_hash(ALICE, "alice", "MD5"))
        == run(taken_apart.realm_hash(ALICE, "alice", "MD5"))
        is not None
    )


@pytest.mark.parametrize("text", [None, "", "SHA-256", "SHA-256$a", "MD5$a$b$c SHA-512$a$b"])
def test_without_a_hash_there_is_none(text: str | None) -> None:
    assert run(KeptRealmHashes(Kept(text)).realm_hash(ALICE, "alice", "SHA-256")) is None


def test_without_a_realm_none_is_made() -> None:
    assert set(passwords.verifiers("wonderland", ["digest"], "alice@example.test")) == {"argon2id"}
    assert set(passwords.verifiers("wonderland", [], "alice@example.test", REALM)) == {"argon2id"}
