"""`postern paths`: what it prints for people, for programs and for nft, and that docs/paths.md is current.

covers: paths_page, paths_map
"""

from __future__ import annotations

import csv
import json
import os
import time
from pathlib import Path as FilePath
from typing import Any

import pytest
from click.testing import CliRunner, Result

from postern.cli.paths import paths
from postern.cli.paths_page import document
from postern.cli.terminal import day, json_moment
from postern.model.organization import Profile
from postern.model.security import Seal
from postern.paths.firewall import ruleset
from postern.paths.row import Party
from postern.paths.table import TABLE, deviations, settle
from postern.telemetry.observed import Observed
from tests.paths.organizations import ONE

ROOT = FilePath(__file__).parents[2]
SEEN = float(int(time.time()) - 2 * 86_400)
KEYS = {
    "path",
    "table",
    "name",
    "caller",
    "callee",
    "ports",
    "default_auth",
    "supported_auth",
    "encryption",
    "encrypted_by_default",
    "ours",
}
TOML = """\
[organization]
name = "Example"
profile = "hardened"
realm = "EXAMPLE.TEST"
keytab = "/etc/postern.keytab"
offset = 10000
[[domain]]
name = "example.test"
[[server]]
name = "hub1"
fqdn = "hub1.example.test"
roles = ["hub"]
addresses = ["192.0.2.1"]
[[server]]
name = "mb1"
fqdn = "mb1.example.test"
roles = ["mailbox"]
addresses = ["192.0.2.2"]
"""


@pytest.fixture
def state(tmp_path: FilePath) -> str:
    (tmp_path / "postern.toml").write_text(TOML, encoding="utf-8")
    (tmp_path / "observed").mkdir()
    return str(tmp_path)


def run(*words: str, width: int = 100) -> Result:
    return CliRunner().invoke(
        paths, words, env={"COLUMNS": str(width), "POSTERN_STATE": "/nonexistent", "TERM": "dumb"}
    )


def said(*words: str, width: int = 100) -> str:
    result = run(*words, width=width)
    assert result.exit_code == 0, result.output
    return result.output


def as_json(*words: str) -> Any:
    return json.loads(said(*words, "--json"))


def test_json_has_the_references_cells_and_no_other_keys() -> None:
    rows = {row["path"]: row for row in as_json("--profile", "reference")}
    assert all(set(row) == KEYS for row in rows.values())
    assert list(rows) == list(TABLE)
    with open(ROOT / "src/postern/paths/data-paths.tsv", encoding="utf-8", newline="") as file:
        for cells in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            row = rows[cells["id"]]
            assert not row["ours"]
            assert (row["table"], row["name"]) == (cells["section"], cells["path"])
            for key in ("ports", "default_auth", "supported_auth", "encryption", "encrypted_by_default"):
                assert row[key] == cells[key]


def test_without_an_organization_the_table_is_the_reference() -> None:
    assert as_json() == as_json("--profile", "reference")


def test_with_an_organization_the_table_is_as_its_profile_settles_it(state: str) -> None:
    assert as_json("--state", state) == as_json("--profile", "hardened")


@pytest.mark.parametrize("role", [party.value for party in Party])
def test_a_role_has_its_rows(role: str) -> None:
    rows = as_json("--role", role)
    assert [row["path"] for row in rows] == [
        row.id for row in TABLE.values() if role in [party.value for party in (*row.caller, row.callee)]
    ]
    assert rows


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_table_for_people_has_every_row_and_stays_within_the_terminal(width: int) -> None:
    lines = said("--profile", "practical", width=width).splitlines()
    assert max(map(len, lines)) <= width
    firsts = {line.split()[0] for line in lines if line.strip()}
    assert set(TABLE) <= firsts


def test_a_role_at_no_end_is_no_role() -> None:
    result = run("--role", "postmaster")
    assert result.exit_code == 2
    assert "unified-messaging" in result.output


def test_against_shows_what_differs_and_why() -> None:
    rows = as_json("--profile", "practical", "--against", "reference")
    pairs = deviations(Profile.PRACTICAL, Profile.REFERENCE)
    assert [row["path"] for row in rows] == [row.id for row, _ in pairs]
    for row in rows:
        assert set(row) == KEYS | {"against", "reasons"}
        assert row["reasons"]
        assert row["against"] != {key: row[key] for key in KEYS}
    text = " ".join(said("--profile", "practical", "--against", "reference", width=140).split())
    for row, _ in pairs:
        assert row.id in text
        for reason in row.reasons:
            assert reason in text


def test_against_has_reasons_the_other_way_round_too() -> None:
    for row in as_json("--profile", "reference", "--against", "hardened"):
        assert row["reasons"], row["path"]


def test_against_itself_nothing_differs() -> None:
    assert as_json("--profile", "practical", "--against", "practical") == []
    assert "do not differ" in said("--profile", "practical", "--against", "practical")


def test_show_tells_all_of_a_row() -> None:
    text = " ".join(said("show", "client-to-hub-smtp", width=140).split())
    assert "client → hub" in text
    assert "465/TCP, TLS from the first byte" in text
    assert "few know NTLM or Kerberos" in text
    assert "Encryption is required before authentication" in text
    assert "path=client-to-hub-smtp" in text
    whole = as_json("show", "client-to-hub-smtp")
    assert set(whole) > KEYS
    assert list(whole["profiles"]) == ["reference", "practical", "hardened"]
    assert whole["profiles"]["practical"]["reasons"] == list(settle(Profile.PRACTICAL)["client-to-hub-smtp"].reasons)
    assert whole["waits_for"] == ""


@pytest.mark.parametrize("row_id", TABLE)
def test_show_has_words_for_every_row(row_id: str) -> None:
    text = said("show", row_id, width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert as_json("show", row_id)["profiles"]["hardened"]["enforced"]


def test_the_row_of_exchange_web_services_says_so() -> None:
    """The reference's name for it, Availability service, is of the time when it had little else."""
    assert "Exchange Web Services" in said("show", "availability")
    assert "Exchange Web Services" in as_json("show", "availability")["notes"]
    (line,) = (line for line in document().splitlines() if line.startswith("| `availability`<br>"))
    assert "Availability service" in line and "Exchange Web Services" in line


def test_show_says_what_an_unbuilt_row_waits_for() -> None:
    assert "waits for the unified messaging role" in said("show", "um-to-hub")


def test_show_of_no_row_is_one_line() -> None:
    result = run("show", "imap5")
    assert result.exit_code == os.EX_USAGE
    assert 'no row is called imap5; did you mean "imap4"?' in result.output


def test_firewall_is_the_ruleset_of_that_host(state: str) -> None:
    text = said("firewall", "--host", "mb1", "--state", state)
    assert text.startswith("#!/usr/sbin/nft -f\n# mb1 ")
    assert "ip saddr 192.0.2.1" in text
    assert said("--state", state, "firewall", "--host", "mb1") == text
    assert "policy drop" in ruleset(ONE, "server1")


def test_firewall_of_a_host_that_is_no_server(tmp_path: FilePath) -> None:
    host = '[[host]]\nname = "admin1"\nparties = ["administrator"]\naddresses = ["192.0.2.9"]\n'
    (tmp_path / "postern.toml").write_text(TOML + host, encoding="utf-8")
    text = said("firewall", "--host", "admin1", "--state", str(tmp_path))
    assert text.startswith("#!/usr/sbin/nft -f\n# admin1 (192.0.2.9): administrator; ")
    assert 'tcp dport 22 counter name "out-ssh" accept' in text
    assert "ip saddr 192.0.2.9 tcp dport 22" in said("firewall", "--host", "mb1", "--state", str(tmp_path))


def test_firewall_of_an_unknown_host_names_those_that_there_are(state: str) -> None:
    result = run("firewall", "--host", "mb7", "--state", state)
    assert result.exit_code == os.EX_NOUSER
    assert "hub1, mb1" in result.output


def test_firewall_without_an_organization_says_so() -> None:
    result = run("firewall", "--host", "mb1")
    assert result.exit_code == os.EX_CONFIG
    assert "yet: `postern run` writes it" in result.output


def test_observed_shows_what_was_used(state: str) -> None:
    observed = Observed(FilePath(state) / "observed" / "hub.0.jsonl")
    for _ in range(3):
        observed.seen("imap4", "203.0.113.7", "Basic", Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384"), SEEN)
    observed.seen("internet-to-hub", "203.0.113.9", "Anonymous", None, SEEN + 100)
    observed.seen("pop3", "203.0.113.8", "Basic", None, SEEN - 29 * 86_400)  # before the days that are kept
    observed.flush()
    assert as_json("observed", "--state", state) == [
        {
            "path": "imap4",
            "peer": "203.0.113.7",
            "mechanism": "Basic",
            "seal": "TLSv1.3",
            "cipher": "TLS_AES_256_GCM_SHA384",
            "count": 3,
            "first_seen": json_moment(SEEN),
            "last_seen": json_moment(SEEN),
        },
        {
            "path": "internet-to-hub",
            "peer": "203.0.113.9",
            "mechanism": "Anonymous",
            "seal": "none",
            "cipher": "",
            "count": 1,
            "first_seen": json_moment(SEEN + 100),
            "last_seen": json_moment(SEEN + 100),
        },
    ]
    for width in (80, 140):
        text = said("observed", "--state", state, width=width)
        assert max(map(len, text.splitlines())) <= width
        for word in ("imap4", "203.0.113.7", "Basic", "TLSv1.3", day(SEEN), "none"):
            assert word in text


def test_observed_of_a_quiet_organization_says_so(state: str) -> None:
    assert "no observation yet" in said("observed", "--state", state)
    assert as_json("observed", "--state", state) == []


def test_map_draws_the_organization_with_what_it_observed(state: str) -> None:
    observed = Observed(FilePath(state) / "observed" / "hub.0.jsonl")
    observed.seen("client-to-hub-smtp", "203.0.113.7", "Kerberos", Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384"), SEEN)
    observed.flush()
    text = said("map", "--state", f"hub1={state}")
    assert text.startswith("<svg ") and text.endswith("</svg>\n")
    assert "clients to hub1, encryption required. Observed 1 time: Kerberos, TLSv1.3, TLS_AES_256_GCM_SHA384" in text
    assert "1 of them observed in use" in text
    assert "bserved" not in said("map", "--state", f"hub1={state}", "--declared")


def test_map_takes_several_state_folders_and_writes_a_file(state: str, tmp_path: FilePath) -> None:
    other = tmp_path / "mb1"
    (other / "observed").mkdir(parents=True)
    (other / "postern.toml").write_text(TOML, encoding="utf-8")
    observed = Observed(other / "observed" / "mailbox.0.jsonl")
    observed.seen("hub-to-mailbox-mapi", "192.0.2.1", "Kerberos", Seal("RPC privacy", "aes256"), SEEN)
    observed.flush()
    picture = tmp_path / "map.svg"
    assert said("map", "--state", f"hub1={state}", "--state", str(other), "--output", str(picture)) == ""
    assert "hub-to-mailbox-mapi: hub1 to mb1, encryption required. Observed 1 time" in picture.read_text()
    result = run("map", "--state", f"hub1={state}", "--output", str(tmp_path / "no" / "map.svg"))
    assert result.exit_code == os.EX_CANTCREAT and "cannot be written: No such file" in result.output


def test_map_asks_whose_folder_it_is(state: str) -> None:
    result = run("map", "--state", state)
    assert result.exit_code == os.EX_CONFIG
    assert "--state NAME=" in result.output and "hub1, mb1" in result.output
    assert run("map", "--state", f"mb7={state}").exit_code == os.EX_CONFIG
    assert said("map", "--state", state, "--declared").startswith("<svg ")


def test_map_without_an_organization_says_so() -> None:
    result = run("map")
    assert result.exit_code == os.EX_CONFIG
    assert "yet: `postern run` writes it" in result.output


def test_the_page_is_current() -> None:
    assert (ROOT / "docs/paths.md").read_text(encoding="utf-8") == document(), "write it anew: postern paths docs"
    assert said("docs") == document()


def test_the_page_names_every_row_and_every_reason() -> None:
    page = document()
    for row in TABLE.values():
        assert f"`{row.id}`" in page
    for profile in (Profile.PRACTICAL, Profile.HARDENED):
        for row in settle(profile).values():
            assert all(reason in page for reason in row.reasons), row.id
