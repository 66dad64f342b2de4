"""`postern domain dns` on a state folder without servers, and a name server beside it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

from click.testing import CliRunner, Result

from postern.cli.domain import domain
from tests.services.name_server import Zone, serving

TOML = """
[organization]
name = "Test"
dns-servers = ["127.0.0.1:{port}"]
[[domain]]
name = "corp.test"
[[server]]
name = "all1"
fqdn = "all1.corp.test"
roles = {roles}
addresses = ["192.0.2.1"]
"""


ALL = ("hub", "client-access", "mailbox")


def call(folder: Path, *words: str, port: int = 9, roles: Sequence[str] = ALL) -> Result:
    (folder / "postern.toml").write_text(TOML.format(port=port, roles=json.dumps(roles)))
    return CliRunner().invoke(domain, [*words, "--state", str(folder)], env={"COLUMNS": "80"})


def checked(folder: Path, zone: Zone, *words: str) -> Result:
    async def run() -> Result:
        async with serving(zone) as server:
            return await asyncio.to_thread(call, folder, "dns", "corp.test", "--check", *words, port=server.port)

    return asyncio.run(run())


def zone_of(folder: Path) -> dict[tuple[str, str], list[str]]:
    """Everything that the command says, as published."""
    sets = json.loads(call(folder, "dns", "corp.test", "--json").stdout)
    return {(each["name"], each["type"]): each["values"] for each in sets}


def test_records_are_printed_for_a_zone_file(tmp_path: Path) -> None:
    done = call(tmp_path, "dns", "corp.test")
    assert done.exit_code == 0, done.output
    said = done.stdout.splitlines()
    assert said[:4] == [
        "; mail to the domain",
        "corp.test. IN MX 10 all1.corp.test.",
        "; hosts that send for it (SPF)",
        'corp.test. IN TXT "v=spf1 mx -all"',
    ]
    assert "_imaps._tcp.corp.test. IN SRV 0 1 993 all1.corp.test." in said
    assert "all1.corp.test. IN A 192.0.2.1" in said
    assert all(line.startswith(";") or " IN " in line for line in said)
    assert "no key of corp.test is on this host" in done.stderr


def test_a_key_s_record_is_among_them(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir(mode=0o700)
    call(tmp_path, "dkim", "corp.test", "--selector", "one")
    done = call(tmp_path, "dns", "CORP.test")
    assert 'one._domainkey.corp.test. IN TXT ( "v=DKIM1;' in done.stdout and not done.stderr
    assert "p=none" in done.stdout
    call(tmp_path, "dkim", "corp.test", "--use", "one")
    assert "p=quarantine" in call(tmp_path, "dns", "corp.test").stdout


def test_an_edge_says_which_records_others_know(tmp_path: Path) -> None:
    done = call(tmp_path, "dns", "corp.test", roles=["edge"])
    assert "_imaps" not in done.stdout and "MX 10 all1.corp.test." in done.stdout
    assert "knows no client access server" in done.stderr


def test_only_our_own_domains_have_records(tmp_path: Path) -> None:
    done = call(tmp_path, "dns", "elsewhere.test", roles=["edge"])
    assert done.exit_code == os.EX_DATAERR and "no accepted domain" in done.output


def test_a_check_finds_what_is_published(tmp_path: Path) -> None:
    done = checked(tmp_path, zone_of(tmp_path))
    assert done.exit_code == 0, done.output
    assert max(map(len, done.stdout.splitlines())) <= 80 and "missing" not in done.stdout
    told = json.loads(checked(tmp_path, zone_of(tmp_path), "--json").stdout)
    assert {each["verdict"] for each in told} == {"published"}
    assert told[1]["published"] == ["v=spf1 mx -all"]


def test_a_check_finds_what_is_missing_and_what_is_wrong(tmp_path: Path) -> None:
    zone = zone_of(tmp_path)
    del zone["_imaps._tcp.corp.test", "SRV"]
    zone["corp.test", "MX"] = ["10 old.corp.test."]
    done = checked(tmp_path, zone)
    assert done.exit_code == 1, done.output
    *_, wrong, missing = done.stdout.splitlines()
    assert wrong == "corp.test. IN MX 10 all1.corp.test."
    assert missing == "_imaps._tcp.corp.test. IN SRV 0 1 993 all1.corp.test."
    assert "old.corp.test." in done.stdout
    zone["corp.test", "MX"] = ["10 all1.corp.test."]
    zone["_imaps._tcp.corp.test", "SRV"] = ["0 1 993 all1.corp.test."]
    zone["corp.test", "TXT"] = ["v=spf1 ip4:192.0.2.1 -all"]
    other = checked(tmp_path, zone)
    assert other.exit_code == 0 and "other" in other.stdout, "another policy may be right, too"
