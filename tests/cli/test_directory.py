"""`postern user`, `group`, `alias` and `domain` on a running private directory.

covers: user, user_certificate, group, alias, domain
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from postern.cli import user_certificate
from postern.cli.failures import Failure
from postern.cli.user import user
from postern.host import configuration, directory, secret_files
from postern.host import state as state_folder
from postern.model.organization import AcceptedDomain
from postern.trust.passwords.realm_hash import realm_hash
from tests.cli.conftest import PASSWORD, Organized
from tests.support.client_certificates import UserAuthority

pytestmark = pytest.mark.slow


def test_a_user_from_first_to_last(org: Organized) -> None:
    org.add("alice", "--name", "Alice 앨리스", "--alias", "al@example.test", "--quota", "2G")
    (alice,) = [one for one in org.json("user", "list") if not one["hidden"]]
    assert alice == org.json("user", "show", "al@example.test")
    assert (alice["name"], alice["display_name"], alice["aliases"]) == (
        "alice@example.test", "Alice 앨리스", ["al@example.test"])  # fmt: skip
    assert alice["quota"] == 2 * 1024**3 and alice["home_server"] == org.organization.servers[0].name
    assert alice["database"] == org.organization.databases[0].name
    assert alice["verifiers"] == ["argon2id"]
    assert org.logs_on("alice@example.test", PASSWORD)

    org.done("user", "disable", "alice")
    assert not org.logs_on("alice@example.test", PASSWORD)
    org.done("user", "enable", "alice@example.test")
    assert org.logs_on("alice@example.test", PASSWORD)

    org.done("user", "passwd", "alice", "--password-stdin", typed="another password\n")
    assert org.logs_on("alice", "another password") and not org.logs_on("alice", PASSWORD)

    assert "the quota of alice@example.test is 1 KB\n" in org.done("user", "quota", "alice", "500"), "as it is kept"
    assert org.json("user", "show", "alice")["quota"] == 1024
    org.done("user", "quota", "alice", "0")
    org.done("user", "send-as", "alice", "sales@example.test")
    shown = org.done("user", "show", "alice")
    assert "alice@example.test" in shown and "sales@example.test" in shown and "quota" not in shown
    assert "alice@example.test" in org.done("user", "list")

    assert "removed alice@example.test" in org.done("user", "remove", "alice", "--yes")
    assert not org.logs_on("alice", "another password")
    assert "there is no" in org.refused("user", "show", "alice")


def test_the_certificates_of_a_user(org: Organized, tmp_path: Path) -> None:
    org.add("alice", "--alias", "al@example.test")
    org.add("bob")
    authority = UserAuthority(tmp_path)
    file, _ = authority.issue(serial=0x5F3A01)
    assert org.done("user", "certificate", "list", "alice") == "no certificate\n"
    added = org.done("user", "certificate", "add", "al@example.test", str(file))
    assert "alice@example.test has the certificate 5f3a01, good until" in added
    assert "no row of the profile practical takes a user's certificate: the profile hardened does" in added
    assert org.json("user", "certificate", "list", "alice") == [
        {"serial": "5f3a01", "issuer": 'O="Example, Inc.",CN=People of Example'}
    ]
    assert "alice@example.test has this certificate already" in org.refused(
        "user", "certificate", "add", "alice", str(file)
    )
    assert "another account has this" in org.refused("user", "certificate", "add", "bob", str(file))
    server, _ = authority.issue(uses=())
    assert "not for client authentication" in org.refused("user", "certificate", "add", "bob", str(server))
    assert "no certificate with the serial 77" in org.refused("user", "certificate", "remove", "alice", "77")
    assert "no longer has" in org.done("user", "certificate", "remove", "alice", "5F:3A:01")
    assert org.json("user", "certificate", "list", "alice") == []
    assert "there is no" in org.refused("user", "certificate", "list", "carol")


def test_active_directory_is_told_what_to_write() -> None:
    there: Any = SimpleNamespace(certificates=None)
    with pytest.raises(Failure, match=r"altSecurityIdentities of the account, such as X509:<I>CN=a<SR>01"):
        asyncio.run(user_certificate._opened(there, "alice", "X509:<I>CN=a<SR>01"))


def test_passwords_come_by_standard_input_or_prompt_only(org: Organized) -> None:
    assert "choose 8 characters or more" in org.refused("user", "add", "alice", "--password-stdin", typed="short\n")
    assert "choose 8 characters or more" in org.refused("user", "add", "alice", "--password-stdin", typed="")
    assert "--password-stdin" in org.refused("user", "add", "alice", typed=PASSWORD)  # no terminal
    assert "cannot be used" in org.refused("user", "add", "alice", "--password-stdin", typed="bell\x07bell\n")
    for command in (user.commands["add"], user.commands["passwd"]):
        assert not any(parameter.name == "password" for parameter in command.params)
    assert org.refused("user", "show", "alice")


def test_addresses_stay_within_accepted_domains(org: Organized) -> None:
    words = org.refused("user", "add", "alice@other.test", "--password-stdin", typed=PASSWORD)
    assert "other.test is no accepted domain" in words and "postern domain add other.test" in words
    assert "accepted (authoritative)" in org.done("domain", "add", "other.test")
    assert {"name": "other.test", "type": "authoritative", "source": "directory"} in org.json("domain", "list")
    org.add("alice@other.test")
    assert "1 entry still has addresses" in org.refused("domain", "remove", "other.test")
    assert "in `postern.toml` already" in org.refused("domain", "add", "example.test")
    assert "no domain name" in org.refused("domain", "add", "other_test")


def test_a_password_is_asked_for_when_the_account_can_be_made(org: Organized) -> None:
    org.add("alice")
    assert "other.test is no accepted domain" in org.refused("user", "add", "bob@other.test")
    assert "other.test is no accepted domain" in org.refused("user", "add", "bob", "--alias", "b@other.test")
    assert "no mailbox database" in org.refused("user", "add", "bob", "--database", "none")
    assert "taken by alice@example.test" in org.refused("user", "add", "ALICE")
    assert "taken by alice@example.test" in org.refused("user", "add", "bob", "--alias", "alice")
    assert "there is no terminal to ask" in org.refused("user", "add", "bob")
    assert "nobody" in org.refused("user", "passwd", "nobody")
    assert "there is no terminal to ask" in org.refused("user", "passwd", "alice")


def test_both_spellings_of_a_domain_are_one(org: Organized) -> None:
    assert "accepted" in org.done("domain", "add", "회사.test")
    assert "accepted domain already" in org.refused("domain", "add", "xn--vf4b131b.test")
    assert {"name": "회사.test", "type": "authoritative", "source": "directory"} in org.json("domain", "list")
    org.add("kim@xn--vf4b131b.test")
    assert org.json("user", "show", "kim@회사.test")["primary"] == "kim@회사.test"
    assert all(org.logs_on(f"kim@{domain}", PASSWORD) for domain in ("회사.test", "xn--vf4b131b.test"))


def test_who_has_an_address_keeps_it(org: Organized) -> None:
    org.add("alice")
    org.add("bob")
    assert "taken by alice@example.test" in org.refused("user", "add", "ALICE", "--password-stdin", typed=PASSWORD)
    assert "al@example.test reaches alice" in org.done("alias", "add", "alice", "al")
    assert "taken by alice@example.test" in org.refused("alias", "add", "bob", "al@example.test")
    assert {"alias": "al@example.test", "recipient": "alice@example.test"} in org.json("alias", "list")
    assert org.json("alias", "list", "bob") == []
    assert "no longer reaches alice@example.test" in org.done("alias", "remove", "al")
    assert "primary address" in org.refused("alias", "remove", "alice")


def test_a_group_from_first_to_last(org: Organized) -> None:
    org.add("alice")
    org.add("bob")
    org.done("group", "add", "all", "--name", "Everyone", "--member", "alice")
    org.done("group", "member", "add", "all@example.test", "bob")
    (everyone,) = org.json("group", "list")
    assert everyone["members"] == ["alice@example.test", "bob@example.test"]
    org.done("group", "member", "remove", "all@example.test", "alice")
    assert org.json("group", "show", "all@example.test")["members"] == ["bob@example.test"]
    assert "bob@example.test" in org.done("group", "show", "all@example.test")
    assert "is a group" in org.refused("user", "remove", "all@example.test", "--yes")
    assert "is a user, not a group" in org.refused("group", "remove", "alice@example.test", "--yes")
    assert org.postern("group", "remove", "all@example.test", typed="n\n").exit_code != 0
    asked = org.done("group", "remove", "ALL", typed="y\n")
    assert "Remove the group all@example.test" in asked, "in full, whom the short name found"
    assert org.json("group", "list") == []


def test_forwarding(org: Organized) -> None:
    org.add("alice")
    org.add("bob")
    org.done("user", "forward", "alice", "bob", "--keep")
    assert org.json("user", "show", "alice")["target"] == "bob@example.test"
    org.done("user", "forward", "alice")
    assert org.json("user", "show", "alice")["target"] == ""


def test_rooms(org: Organized) -> None:
    org.done("user", "add", "blue-room", "--room")
    (room,) = org.json("user", "list", "--rooms")
    assert (room["type"], room["enabled"], room["verifiers"]) == ("room", False, [])
    org.done("user", "remove", "blue-room@example.test", "--yes")


def test_ntlm_and_scram_need_an_administrator_and_a_new_password(org: Organized) -> None:
    org.add("alice")
    assert org.json("domain", "auth", "list") == [
        {"mechanism": name, "enabled": False} for name in ("digest", "ntlm", "scram")
    ]
    words = org.done("domain", "auth", "enable", "ntlm")
    assert "1 user (alice@example.test)" in words and "postern user passwd" in words
    assert org.json("user", "show", "alice")["verifiers"] == ["argon2id"]
    org.done("user", "passwd", "alice", "--password-stdin", typed=PASSWORD)
    org.done("domain", "auth", "enable", "scram")
    org.add("bob")
    assert org.json("user", "show", "alice")["verifiers"] == ["argon2id", "nt"]
    assert org.json("user", "show", "bob")["verifiers"] == ["argon2id", "nt", "scram-sha-256"]
    # verify's own account follows at once.
    probe = org.json("user", "show", "postern-probe@example.test")
    assert probe["verifiers"] == ["argon2id", "nt", "scram-sha-256"] and probe["hidden"]
    assert "3 verifiers" in org.done("domain", "auth", "disable", "ntlm")
    assert org.json("user", "show", "alice")["verifiers"] == ["argon2id"]


def test_digest_has_hashes_of_the_name_that_a_password_is_set_for(org: Organized) -> None:
    for name in ("alice", "bob"):
        org.add(name, "--alias", f"{name[:2]}@example.test")
    said = org.done("domain", "auth", "enable", "digest")
    assert "2 users (alice@example.test, bob@example.test)" in said and "Postern's own account can read them" in said
    assert {"mechanism": "digest", "enabled": True} in org.json("domain", "auth", "list")
    org.done("user", "passwd", "al@example.test", "--password-stdin", typed=PASSWORD)
    org.add("carol")
    probe = secret_files.obtain(org.state, "probe-account")
    for name, password in (("alice", PASSWORD), ("carol", PASSWORD), ("postern-probe", probe)):
        assert org.json("user", "show", name)["verifiers"] == ["argon2id", "digest"]
        for spelling in (name, f"{name}@example.test"):
            assert org.digest_hash(spelling) == realm_hash("SHA-256", spelling, "example.test", password)
    assert org.digest_hash("bob") is None
    assert "3 verifiers" in org.done("domain", "auth", "disable", "digest")
    assert org.digest_hash("alice") is None


def test_our_own_account_is_listed_only_when_asked_for(org: Organized) -> None:
    org.add("alice")
    probe = "postern-probe@example.test"
    assert [one["name"] for one in org.json("user", "list")] == ["alice@example.test"]
    assert {one["name"] for one in org.json("user", "list", "--own")} == {"alice@example.test", probe}
    assert probe not in org.done("user", "list") and probe in org.done("user", "list", "--own")
    assert org.json("user", "show", probe)["hidden"]


def test_our_own_accounts_follow_the_default_domain(org: Organized) -> None:
    def seeded(domain: str) -> dict[str, str]:
        domains = (AcceptedDomain(domain), *(one for one in org.organization.domains if one.name != domain))
        organization = replace(org.organization, domains=domains)
        asyncio.run(directory.seed(org.state, organization, organization.servers[0]))
        return {one["name"]: one["guid"] for one in org.json("user", "list", "--own")}

    org.done("domain", "auth", "enable", "digest")
    before = seeded("example.test")
    after = seeded("new.test")
    assert after.keys() == {"postern-probe@new.test", "postmaster@new.test"}
    assert set(after.values()) == set(before.values()), "the mailboxes are the same"
    password = secret_files.obtain(org.state, "probe-account")
    assert org.logs_on("postern-probe@new.test", password)
    name = "postern-probe@new.test"
    assert org.digest_hash(name) == realm_hash("SHA-256", name, "example.test", password), "in the realm as it was"
    assert "there is no" in org.refused("user", "show", "postmaster@example.test")
    assert seeded("example.test") == before


def test_postmaster_stays(org: Organized) -> None:
    name = "postmaster@example.test"

    def postmaster() -> tuple[str, str]:
        found = org.json("user", "show", name)
        return found["type"], found["name"]

    org.add("alice", "--alias", name)
    assert postmaster() == ("user", "alice@example.test")
    org.done("user", "remove", "alice", "--yes")
    assert postmaster() == ("user", name), "it has a mailbox again at once"
    for words in (org.refused("user", "remove", "POSTMASTER", "--yes"), org.refused("group", "remove", name, "--yes")):
        assert "RFC 5321 section 4.5.1" in words and f"postern user forward {name} NAME" in words
    assert postmaster() == ("user", name)
    org.without_postmaster()
    org.add("bob", "--alias", name)
    org.done("alias", "remove", "postmaster")
    assert postmaster() == ("user", name)


def test_no_secret_is_ever_printed(org: Organized) -> None:
    org.add("alice")
    printed = org.done("user", "show", "alice") + org.done("user", "list", "--json") + org.done("user", "list")
    for secret in ("$argon2id$", PASSWORD, secret_files.obtain(org.state, "probe-account")):
        assert secret not in printed


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="cli-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        state = state_folder.create(folder / "state")
        nowhere = Organized(state, configuration.default(state))
        secret_files.obtain(state, "directory")
        words = nowhere.refused("user", "list")
        assert words.count("\n") == 1 and "does not answer" in words and "postern run" in words
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_no_command_sends_a_terminal_what_a_name_holds(org: Organized) -> None:
    """ESC, C1, bidirectional and a line feed in a display name and in what else an entry may hold; rich's markup too."""
    hostile = "Eve\npostern: forged \x1b[2J\x9b\u202e[red]x[/red]"
    org.add("eve", "--name", hostile)
    org.done("group", "add", "all", "--name", hostile, "--member", "eve")
    org.done("alias", "add", "eve", "evil")
    for words in (
        ("user", "list"),
        ("user", "show", "eve"),
        ("user", "list", "--json"),
        ("user", "show", "eve", "--json"),
        ("group", "list"),
        ("group", "show", "all"),
        ("alias", "list"),
        ("domain", "list"),
        ("domain", "auth", "list"),
    ):
        said = org.done(*words)
        assert not {"\x1b", "\x9b", "\u202e"} & set(said), words
        assert not [line for line in said.splitlines() if line.lstrip("│ ").startswith("postern: forged")], words
    assert r"Eve\x0apostern: forged \x1b[2J\x9b\u202e[red]x[/red]" in org.done("user", "list")
    assert org.json("user", "show", "eve")["display_name"] == hostile
    refused = org.refused("user", "show", hostile)
    assert "forged" in refused
