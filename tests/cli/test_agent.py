"""`postern agent` and `postern domain dkim` on a state folder without servers.

covers: agent_test, dkim
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from postern.cli.agent import agent
from postern.cli.domain import domain
from postern.services.agents.state import AgentFile

TOML = """
[organization]
name = "Test"
dns-servers = ["127.0.0.1:9"]
[[domain]]
name = "corp.test"
[[server]]
name = "{name}1"
fqdn = "{name}1.corp.test"
roles = ["{name}"]
addresses = ["127.0.0.1"]
"""


@pytest.fixture
def edge(tmp_path: Path) -> Path:
    (tmp_path / "postern.toml").write_text(TOML.format(name="edge"))
    return tmp_path


def call(folder: Path, *words: str) -> Result:
    command, *rest = words  # not by way of `main`, which would make this process the folder's owner
    return CliRunner().invoke({"agent": agent, "domain": domain}[command], [*rest, "--state", str(folder)])


def asked(folder: Path, *words: str) -> object:
    done = call(folder, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_list_says_what_is_not_built(edge: Path) -> None:
    rows = asked(edge, "agent", "list")
    assert isinstance(rows, list)
    by_name = {row["name"]: row for row in rows}
    assert by_name["spf"]["enabled"] and not by_name["sender-id"]["enabled"]
    assert not by_name["content-filter"]["built"] and not by_name["content-filter"]["enabled"]
    assert all(bool(row["waits_for"]) == (not row["built"]) for row in rows)
    assert "waits for" in call(edge, "agent", "list").output


def test_a_hub_has_them_switched_off_and_can_switch_them_on(tmp_path: Path) -> None:
    (tmp_path / "postern.toml").write_text(TOML.format(name="hub"))
    rows = asked(tmp_path, "agent", "list")
    assert isinstance(rows, list) and {r["name"] for r in rows if r["enabled"]} == {"dkim-signing"}
    assert call(tmp_path, "agent", "enable").exit_code != 0
    assert call(tmp_path, "agent", "enable", "--all").exit_code == 0
    rows = asked(tmp_path, "agent", "list")
    assert isinstance(rows, list) and not [r for r in rows if r["built"] and not r["enabled"]]
    assert call(tmp_path, "agent", "disable", "--all").exit_code == 0
    rows = asked(tmp_path, "agent", "list")
    assert isinstance(rows, list) and not [r for r in rows if r["enabled"]]


def test_a_change_to_an_agent_that_is_off_says_so(tmp_path: Path) -> None:
    (tmp_path / "postern.toml").write_text(TOML.format(name="hub"))
    changes = (
        ("spf", "set", "spf", "fail", "reject"),
        ("connection-filter", "add", "connection-filter", "block", "192.0.2.1"),
        ("connection-filter", "remove", "connection-filter", "block", "192.0.2.1"),
    )
    for name, *words in changes:
        assert f"the agent is off: `postern agent enable {name}`" in call(tmp_path, "agent", *words).output
    call(tmp_path, "agent", "enable", "spf")
    assert "workers know it within seconds" in call(tmp_path, "agent", *changes[0][1:]).output


def test_switch_set_add_remove(edge: Path) -> None:
    assert call(edge, "agent", "disable", "spf", "dmarc").exit_code == 0
    assert call(edge, "agent", "enable", "spf").exit_code == 0
    assert call(edge, "agent", "set", "recipient-filter", "tarpit", "10s").exit_code == 0
    assert (
        call(edge, "agent", "add", "connection-filter", "block", "192.0.2.9/24", "--until", "2090-01-31").exit_code == 0
    )
    assert call(edge, "agent", "add", "connection-filter", "block", "2001:db8::1").exit_code == 0
    state = AgentFile(edge).read()
    assert state.enabled == {"spf": True, "dmarc": False}
    assert state.settings["recipient-filter"] == {"tarpit": 10.0}
    assert state.settings["connection-filter"] == {"block": ["192.0.2.0/24 until 2090-01-31", "2001:db8::1"]}
    assert call(edge, "agent", "remove", "connection-filter", "block", "192.0.2.0/24").exit_code == 0
    assert AgentFile(edge).read().settings["connection-filter"] == {"block": ["2001:db8::1"]}
    shown = asked(edge, "agent", "show", "connection-filter")
    assert isinstance(shown, dict) and shown["settings"]["block"] == ["2001:db8::1"] and shown["enabled"]


@pytest.mark.parametrize(
    "words",
    [
        ("set", "recipient-filter", "tarpit", "long"),
        ("set", "recipient-filter", "tarpit", "2m"),
        ("set", "recipient-filter", "nothing", "1"),
        ("set", "content-filter", "x", "1"),
        ("add", "connection-filter", "block", "999.0.0.1"),
        ("add", "connection-filter", "block", "192.0.2.1", "--until", "soon"),
        ("add", "recipient-filter", "tarpit", "1"),
        ("remove", "connection-filter", "block", "192.0.2.1"),
        ("enable", "content-filter"),
    ],
)
def test_slips_are_said_and_change_nothing(edge: Path, words: tuple[str, ...]) -> None:
    done = call(edge, "agent", *words)
    assert done.exit_code != 0 and "Traceback" not in done.output
    assert not AgentFile(edge).read().settings


MESSAGE = "Authentication-Results: edge1.corp.test; dmarc=pass\nFrom: Bob <bob@other.test>\nSubject: hi\n\nbody\n"


def test_a_message_is_tried(edge: Path, tmp_path: Path) -> None:
    file = tmp_path / "message.eml"
    file.write_text(MESSAGE)
    trial = asked(edge, "agent", "test", str(file), "--offline", "--to", "alice@corp.test")
    assert isinstance(trial, dict)
    verdicts = {step["agent"]: step["verdict"] for step in trial["steps"]}
    assert (
        verdicts["header-firewall"] == "removed" and verdicts["spf"] == "temperror" and verdicts["dmarc"] == "temperror"
    )
    assert trial["reply"] is None and trial["removed_fields"] == ["Authentication-Results: edge1.corp.test; dmarc=pass"]
    assert "smtp.mailfrom=bob@other.test" in trial["added_fields"][0]
    assert "it would be taken" in call(edge, "agent", "test", str(file), "--offline").output
    assert not (edge / "agents").exists() or not list((edge / "agents").glob("statistics*")), "a trial is not counted"


@pytest.mark.parametrize(
    ("agent", "setting", "item", "by"),
    [
        ("connection-filter", "block", "192.0.2.0/24", "connection-filter"),
        ("sender-filter", "block", "other.test", "sender-filter"),
        ("recipient-filter", "block", "alice@corp.test", "recipient-filter"),
    ],
)
def test_a_trial_names_who_refuses(edge: Path, tmp_path: Path, agent: str, setting: str, item: str, by: str) -> None:
    file = tmp_path / "message.eml"
    file.write_text(MESSAGE)
    assert call(edge, "agent", "add", agent, setting, item).exit_code == 0
    done = call(edge, "agent", "test", str(file), "--offline", "--json", "--to", "alice@corp.test")
    trial = json.loads(done.output)
    assert done.exit_code == 1 and trial["steps"][-1]["agent"] == by and trial["reply"].startswith("550 5.7.1")
    assert call(edge, "agent", "test", str(file), "--client", "nowhere").exit_code != 0


def test_stats_without_workers(edge: Path) -> None:
    rows = asked(edge, "agent", "stats")
    assert isinstance(rows, list) and all(row["seen"] == 0 for row in rows)
    assert "spf" in call(edge, "agent", "stats").output


def test_dkim_keys_from_first_to_last(edge: Path) -> None:
    (edge / "secrets").mkdir(mode=0o700)
    first = asked(edge, "domain", "dkim", "corp.test", "--selector", "one")
    assert isinstance(first, list) and first[0]["name"] == "one._domainkey.corp.test"
    assert not first[0]["signs"], "its record is not published yet"
    assert first == asked(edge, "domain", "dkim", "corp.test"), "asking again makes no second one"
    assert "--use one" in call(edge, "domain", "dkim", "corp.test").output
    asked(edge, "domain", "dkim", "corp.test", "--use", "one")
    rotated = asked(edge, "domain", "dkim", "corp.test", "--rotate", "--selector", "two")
    assert isinstance(rotated, list) and [(k["selector"], k["signs"]) for k in rotated] == [
        ("one", True),
        ("two", False),
    ]
    assert call(edge, "domain", "dkim", "corp.test", "--remove", "one").exit_code != 0
    for change in ("--use", "--remove"):
        refused = call(edge, "domain", "dkim", "corp.test", change, "202711").output
        assert "corp.test has no key 202711; its keys: one, two" in refused
    used = asked(edge, "domain", "dkim", "corp.test", "--use", "two")
    assert isinstance(used, list) and [(k["selector"], k["signs"]) for k in used] == [("one", False), ("two", True)]
    last = call(edge, "domain", "dkim", "corp.test", "--remove", "one")
    assert last.exit_code == 0 and "two._domainkey.corp.test. IN TXT" in last.output and "PRIVATE" not in last.output
    assert asked(edge, "domain", "dkim", "corp.test", "--stop", "--remove", "two") == []
    assert not list((edge / "secrets" / "dkim" / "corp.test").glob("*.pem"))


def test_a_dkim_key_is_of_the_domain_in_either_spelling(edge: Path) -> None:
    (edge / "secrets").mkdir(mode=0o700)
    (first,) = asked(edge, "domain", "dkim", "회사.test", "--foreign", "--selector", "one")
    assert first["name"] == "one._domainkey.xn--vf4b131b.test"
    assert asked(edge, "domain", "dkim", "XN--VF4B131B.test") == [first]


@pytest.mark.parametrize("name", ["elsewhere.test", "../../evil.test", "no domain", "localhost"])
def test_a_dkim_key_is_made_for_our_own_domains(edge: Path, name: str) -> None:
    (edge / "secrets").mkdir(mode=0o700)
    done = call(edge, "domain", "dkim", name)
    assert done.exit_code == os.EX_DATAERR and "no accepted domain" in done.output
    assert not (edge / "secrets" / "dkim").exists()
    forced = call(edge, "domain", "dkim", name, "--foreign")
    assert forced.exit_code == (0 if name == "elsewhere.test" else os.EX_DATAERR), forced.output
    assert not list(edge.rglob("*evil*"))
