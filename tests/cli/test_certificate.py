"""`postern certificate` on a folder whose organization does not run."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from postern.cli.certificate import certificate
from postern.host import certificates, configuration, own_certificate, state
from postern.model.organization import StateFolder
from tests.certificates import Made, authority, make
from tests.host.folders import short_folder
from tests.pebble import LOOKED_FOR, pebble, quick_looks
from tests.support.ports import free_offset

__all__ = ["quick_looks"]
NAME = "server1.example.test"
ROOT = authority("Another authority")
OWN = make(NAME, ROOT, days=(-1, 90))
PASSWORD = "through the glass"
OFFSET = free_offset((80,))


@pytest.fixture
def folder() -> Iterator[StateFolder]:
    with short_folder() as made:
        folder = state.create(made / "state")
        organization = configuration.default(folder, OFFSET)
        certificates.ensure(folder, organization, organization.servers[0], datetime.datetime.now(datetime.UTC))
        yield folder


def postern(folder: StateFolder, *words: str, typed: str | None = None) -> Result:
    """The command with its output in a pipe, where no value is cut: $COLUMNS would make it a terminal."""
    return CliRunner().invoke(certificate, [*words, "--state", str(folder.root)], input=typed, env={"COLUMNS": None})


def done(folder: StateFolder, *words: str) -> str:
    result = postern(folder, *words)
    assert result.exit_code == 0, result.output or repr(result.exception)
    return result.output


def files(folder: Path, made: Made, password: str = "") -> tuple[str, str]:
    written = made.write(folder)
    chain, key = written.chain, written.key
    chain.write_bytes(chain.read_bytes() + ROOT.certificate.public_bytes(Encoding.PEM))
    if password:
        lock = BestAvailableEncryption(password.encode())
        key.write_bytes(made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
    return str(chain), str(key)


def test_show_tells_whose_it_is_and_who_shows_it(folder: StateFolder) -> None:
    text = done(folder, "show")
    for words in (NAME, "this host renews it", f"{OFFSET + 143} imap4", f"{OFFSET + 993} imap4", "396 days left"):
        assert words in text, text
    shown = json.loads(done(folder, "show", "--json"))
    server, ca = shown["certificates"]
    assert server["use"] == "server" and server["source"] == "local" and server["days_left"] == 396
    assert NAME in server["names"] and f"{OFFSET + 143} imap4" in server["doors"]
    assert server["missing"] == []
    written = configuration.path(folder).read_text()
    configuration.write(folder, written.replace('"example.test"', '"another.test"'))
    missing = json.loads(done(folder, "show", "--json"))["certificates"][0]["missing"]
    assert missing == ["another.test", "autodiscover.another.test", "autoconfig.another.test"]
    assert "without" in done(folder, "show")
    configuration.write(folder, written)
    assert ca["use"] == "authority" and ca["subject"] == server["issuer"] and shown["requested"] == []


def test_request_then_import(folder: StateFolder, tmp_path: Path) -> None:
    asked = x509.load_pem_x509_csr(done(folder, "request").encode())
    assert done(folder, "request", NAME, "--output", str(tmp_path / "x.csr")).startswith(
        f"wrote a request for {NAME} to"
    )
    assert x509.load_pem_x509_csr((tmp_path / "x.csr").read_bytes()).public_key() == asked.public_key()
    assert json.loads(done(folder, "show", "--json"))["requested"] == [NAME]
    assert "waits for its certificate" in done(folder, "show")
    key = own_certificate._key(folder.certificates / "request.key")
    assert key is not None
    chain, _ = files(tmp_path, make(NAME, ROOT, days=(-1, 90), key=key))
    output = done(folder, "import", chain)
    assert "warning: this machine does not know the authority Another authority" in output
    assert f"imported the certificate of {NAME}, good until" in output
    assert "from the next start on" in output
    assert json.loads(done(folder, "show", "--json"))["certificates"][0]["source"] == "own"


def test_the_password_of_a_key_is_asked_for(
    folder: StateFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, key = files(tmp_path, OWN, PASSWORD)
    refused = postern(folder, "import", chain, "--key", key)
    assert refused.exit_code and "no terminal" in refused.output
    monkeypatch.setattr("postern.cli.certificate.ask_password", lambda *_: "wrong")
    refused = postern(folder, "import", chain, "--key", key)
    assert refused.exit_code == os.EX_DATAERR and "does not open with this password" in refused.output
    monkeypatch.setattr("postern.cli.certificate.ask_password", lambda *_: PASSWORD)
    assert "imported" in done(folder, "import", chain, "--key", key)


def test_what_cannot_be_used_is_refused_and_dry_runs_change_nothing(folder: StateFolder, tmp_path: Path) -> None:
    chain, key = files(tmp_path, make("mail.other.test", ROOT, days=(-1, 90)))
    refused = postern(folder, "import", chain, "--key", key)
    assert refused.exit_code == os.EX_DATAERR and f"does not name {NAME}" in refused.output
    assert "nothing was changed" in done(folder, "import", chain, "--key", key, "--without-name", "--dry-run")
    assert json.loads(done(folder, "show", "--json"))["certificates"][0]["source"] == "local"
    large = tmp_path / "large"
    large.write_bytes(bytes(2_000_000))
    assert postern(folder, "import", str(large)).exit_code == os.EX_DATAERR
    assert postern(folder, "request", "not a name").exit_code == os.EX_DATAERR


def test_renew_makes_another_local_one_and_leaves_an_imported_one(folder: StateFolder, tmp_path: Path) -> None:
    before = certificates.place(folder).chain.read_bytes()
    assert "renewed the certificate of" in done(folder, "renew")
    assert certificates.place(folder).chain.read_bytes() != before
    chain, key = files(tmp_path, OWN)
    done(folder, "import", chain, "--key", key)
    refused = postern(folder, "renew")
    assert refused.exit_code == os.EX_CONFIG and "only its authority can renew it" in refused.output
    done(folder, "renew", "--local")
    assert json.loads(done(folder, "show", "--json"))["certificates"][0]["source"] == "local"


def test_before_the_first_start_there_is_none(tmp_path: Path) -> None:
    with short_folder() as made:
        folder = state.create(made / "state")
        configuration.default(folder, OFFSET)
        assert "the first `postern run` makes one" in done(folder, "show")


def test_an_edge_and_a_hub_say_what_must_follow(tmp_path: Path) -> None:
    from tests.cli.test_hosts import TOML

    with short_folder() as made:
        for host, says in (("edge1", "postern edge subscription new"), ("hub1", "EdgeSync publishes it")):
            folder = state.create(made / host)
            (folder.root / "postern.toml").write_text(TOML)
            (folder.root / "server").write_text(host)
            assert says in done(folder, "renew")


# ACME


def test_acme_needs_its_rows_and_names_that_others_look_up(folder: StateFolder) -> None:
    closed = postern(folder, "acme", "mail.example.test")
    assert closed.exit_code == os.EX_CONFIG and "`acme = true` under [organization]" in closed.output
    opened(folder)
    for name, says in (
        ("*.example.test", "is not built"),
        ("localhost", "no name of the public DNS"),
        ("a b", "no host name"),
    ):
        refused = postern(folder, "acme", name)
        assert refused.exit_code == os.EX_DATAERR and says in refused.output
    private = postern(folder, "acme", "--directory", "https://127.0.0.1:14000/dir", NAME)
    assert private.exit_code == os.EX_UNAVAILABLE and "say --private" in private.output
    assert not (folder.certificates / "acme.json").exists()


def opened(folder: StateFolder, port: int = 53) -> None:
    file = folder.root / "postern.toml"
    text = file.read_text().replace("# acme = false", "acme = true")
    file.write_text(text.replace("# dns-servers = []", f'dns-servers = ["127.0.0.1:{port}"]'))


@pytest.mark.usefixtures("quick_looks")
def test_acme_issues_and_renew_asks_again(folder: StateFolder) -> None:
    with pebble(OFFSET + 80) as server:
        opened(folder, server.names)
        there = ("--directory", server.directory, "--authorities", str(server.authorities), "--private")
        refused = postern(folder, "acme", *there)
        assert refused.exit_code == os.EX_UNAVAILABLE and "then say --agree" in refused.output
        said = done(folder, "acme", *there, "--agree", "--contact", "postmaster@example.test")
        assert f"issued the certificate of {NAME}, " in said and "and others, good until" in said
        assert "it renews itself" in said
        assert "warning: this machine does not know the authority" in said
        first = json.loads(done(folder, "show", "--json"))["certificates"][0]
        assert first["source"] == "acme" and set(first["names"]) == {NAME, "example.test", *LOOKED_FOR}
        assert "an authority by ACME; this host renews it" in done(folder, "show")
        assert "issued the certificate" in done(folder, "renew")
        second = json.loads(done(folder, "show", "--json"))["certificates"][0]
        assert second["fingerprint"] != first["fingerprint"] and second["source"] == "acme"
        assert "issued the certificate of mail.example.test" in done(folder, "acme", "mail.example.test", "--agree")
    done(folder, "renew", "--local")
    assert not (folder.certificates / "acme.json").exists()
