"""`postern setup ad` on a Samba domain of its own: what it says it does, does, does not do twice, and takes back.
covers: machine_files, domain_session, address_policies, cli.setup, cli.policy
covers: directory.ad.forest, directory.ad.administrator_connection
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from postern.directory.ad import schema as ad_schema
from postern.trust.kerberos import keytab
from tests.directory.samba import Domain, missing

pytestmark = [pytest.mark.samba, pytest.mark.slow, pytest.mark.root]

CONFIGURATION = """
[organization]
name = "Corp"
[active-directory]
domain = "corp.test"
[[domain]]
name = "corp.test"
[[server]]
name = "hub1"
fqdn = "hub1.corp.test"
roles = ["hub"]
addresses = ["192.0.2.20"]
[[server]]
name = "mbx1"
fqdn = "mbx1.corp.test"
roles = ["mailbox", "client-access"]
addresses = ["192.0.2.30"]
[[server]]
name = "edge1"
fqdn = "edge1.corp.test"
roles = ["edge"]
addresses = ["192.0.2.25"]
[[host]]
name = "dc1"
parties = ["active-directory", "name-server"]
addresses = ["{address}"]
fqdn = "dc1.corp.test"
"""
POSTERN_COMMAND = str(Path(sys.executable).with_name("postern"))
PEOPLE = f"CN=Users,{Domain.base}"
DATABASE = f"CN=mbx1,CN=Databases,CN=Postern,CN=Services,{Domain.configuration}"
POSTERN = f"CN=Postern,CN=Services,{Domain.configuration}"


@dataclass(frozen=True)
class Forest:
    domain: Domain
    state: Path
    output: Path

    def setup(self, *words: str, password: str = Domain.password, code: int = 0) -> str:
        argv = [POSTERN_COMMAND, "setup", "ad", "--state", str(self.state)]
        argv += ["-u", Domain.administrator, "--password-stdin", *words]
        return self._run(argv, password + "\n", code)

    def changes(self, *words: str) -> list[dict[str, str]]:
        changes: list[dict[str, str]] = json.loads(self.setup("--output", str(self.output), "--json", *words))[
            "changes"
        ]
        return changes

    def policy(self, *words: str, code: int = 0) -> str:
        argv = [POSTERN_COMMAND, "policy", "address", *words, "--state", str(self.state)]
        return self._run(argv, "", code)

    def as_server(self, *writes: dict[str, Any]) -> list[str]:
        program = str(Path(__file__).with_name("ad_server.py"))
        results: list[str] = json.loads(
            self._run([sys.executable, program, str(self.state), "hub1"], json.dumps(writes), 0)
        )
        return results

    def _run(self, argv: list[str], given: str, code: int) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("KRB5", "POSTERN"))}
        done = subprocess.run(argv, input=given, capture_output=True, text=True, timeout=100, env=environment)
        assert done.returncode == code, done.stdout + done.stderr
        assert Domain.password not in done.stdout + done.stderr and "Traceback" not in done.stderr
        return done.stdout if code == 0 else done.stdout + done.stderr

    def search(self, base: str, which: str, *attributes: str) -> str:
        return self.domain.run(
            "dc1", ["ldbsearch", "-H", "/var/lib/samba/private/sam.ldb", "-b", base, which, *attributes]
        )


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forest]:
    """A fresh domain, in which Exchange was before: its number and name for one attribute, without our property set."""
    if lacking := missing():
        pytest.skip(lacking)
    domain = Domain()
    folder = tmp_path_factory.mktemp("forest")
    try:
        domain.start()
        (folder / "state").mkdir()
        text = CONFIGURATION.format(address=domain.controllers["dc1"].address)
        (folder / "state" / "postern.toml").write_text(text)
        yield Forest(domain, folder / "state", folder / "output")
    finally:
        domain.stop()


@pytest.fixture(scope="module")
def exchange(forest: Forest) -> str:
    """The attribute as Exchange would have brought it, and how it reads then."""
    one = next(one for one in ad_schema.ATTRIBUTES if one.name == "targetAddress")
    dn = f"CN={one.cn},CN=Schema,{Domain.configuration}"
    lines = [f"dn: {dn}", "changetype: add", "objectClass: attributeSchema", f"lDAPDisplayName: {one.name}"]
    lines += [f"attributeID: {one.oid}", "attributeSyntax: 2.5.5.12", "oMSyntax: 64", "isSingleValued: TRUE"]
    lines += [f"schemaIDGUID: {one.guid}", "isMemberOfPartialAttributeSet: TRUE", "adminDescription: by Exchange", ""]
    database = "/var/lib/samba/private/sam.ldb"
    forest.domain.run(
        "dc1", ["ldbmodify", "-H", database, "--option=dsdb:schema update allowed=true"], given="\n".join(lines)
    )
    return _unchanging(forest.search(dn, "(objectClass=*)"))


@pytest.fixture(scope="module")
def prepared(forest: Forest, exchange: str) -> Forest:
    """Everything is set up, and two people and a group are there."""
    dry = forest.changes("--dry-run")
    assert forest.changes("--dry-run") == dry, "a dry run changed something"
    assert not forest.output.exists()
    done = forest.changes("--yes")
    assert done == dry, "it did not what it had said"
    for name in ("alice", "bob"):
        forest.domain.user(name)
    forest.domain.samba_tool("group", "add", "staff")
    shutil.copytree(forest.output / "hub1", forest.state / "secrets", dirs_exist_ok=True)
    return forest


def _unchanging(entry: str) -> str:
    return "\n".join(line for line in entry.splitlines() if not line.startswith("#"))


def _unfolded(ldif: str) -> str:
    """LDIF with each value on a line of its own (RFC 2849)."""
    return ldif.replace("\n ", "")


def test_a_second_run_has_nothing_to_do(prepared: Forest) -> None:
    assert prepared.changes("--yes") == []
    assert "nothing to change" in prepared.setup("--output", str(prepared.output), "--yes")


def test_what_exchange_brought_is_as_it_was(prepared: Forest, exchange: str) -> None:
    one = next(one for one in ad_schema.ATTRIBUTES if one.name == "targetAddress")
    dn = f"CN={one.cn},CN=Schema,{Domain.configuration}"
    assert _unchanging(prepared.search(dn, "(objectClass=*)")) == exchange


def test_each_server_gets_keys_that_the_kdc_knows(prepared: Forest, tmp_path: Path) -> None:
    assert sorted(path.name for path in prepared.output.iterdir()) == ["hub1", "mbx1"], "an edge is in no domain"
    for server in ("hub1", "mbx1"):
        folder = prepared.output / server
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for file in ("keytab", "machine-account", "probe-account"):
            assert stat.S_IMODE((folder / file).stat().st_mode) == 0o600
        environment = {**os.environ, **prepared.domain.environment(), "KRB5CCNAME": str(tmp_path / server)}
        account = f"{server.upper()}$@{Domain.realm}"
        subprocess.run(["kinit", "-k", "-t", str(folder / "keytab"), account], check=True, env=environment)
        service = "imap/mbx1.corp.test@CORP.TEST"
        command = ["kvno", "-k", str(prepared.output / "mbx1/keytab"), service]
        told = subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout
        assert "keytab entry valid" in told
        listed = subprocess.run(["klist", "-e"], check=True, env=environment, capture_output=True, text=True).stdout
        assert "aes256" in listed and "arcfour" not in listed
    assert (prepared.output / "hub1/probe-account").read_text() == (prepared.output / "mbx1/probe-account").read_text()


def test_the_probe_may_log_on(prepared: Forest, tmp_path: Path) -> None:
    password = (prepared.output / "hub1/probe-account").read_text()
    environment = {**os.environ, **prepared.domain.environment(), "KRB5CCNAME": str(tmp_path / "probe")}
    subprocess.run(["kinit", f"postern-probe@{Domain.realm}"], input=password, text=True, check=True, env=environment)


def test_a_mailbox_is_linked_with_its_database(prepared: Forest) -> None:
    probe = _unfolded(prepared.search(PEOPLE, "(sAMAccountName=postern-probe)", "homeMDB", "msExchHomeServerName"))
    assert f"homeMDB: {DATABASE}\n" in probe and "/cn=mbx1\n" in probe
    mailboxes = _unfolded(prepared.search(DATABASE, "(objectClass=*)", "homeMDBBL"))
    assert f"homeMDBBL: CN=postern-probe,{PEOPLE}\n" in mailboxes


def test_a_server_writes_mail_attributes_of_recipients_and_nothing_else(prepared: Forest) -> None:
    alice, staff = f"CN=alice,{PEOPLE}", f"CN=staff,{PEOPLE}"
    mail = {"mailNickname": "alice", "proxyAddresses": "SMTP:alice@corp.test", "mail": "alice@corp.test"}
    exchanges = {"targetAddress": "SMTP:alice@elsewhere.test"}
    domain = f"CN=y.test,CN=Accepted Domains,{POSTERN}"
    allowed = prepared.as_server(
        {"dn": alice, "replace": {**mail, "posternSendAs": "sales@corp.test"}},
        {"dn": alice, "replace": exchanges},
        {"dn": alice, "replace": {"homeMDB": DATABASE}},
        {"dn": staff, "replace": {"mailNickname": "staff"}},
        {"dn": domain, "add": {"objectClass": "posternAcceptedDomain", "posternDomainType": "authoritative"}},
        {"dn": domain, "delete": True},
    )
    assert allowed == ["done"] * 6
    refused = prepared.as_server(
        {"dn": alice, "replace": {"telephoneNumber": "1"}},
        {"dn": alice, "replace": {"userAccountControl": "514"}},
        {"dn": alice, "replace": {"unicodePwd": '"New-pass-1"'}},
        {"dn": alice, "replace": {"servicePrincipalName": "HOST/x"}},
        {"dn": staff, "replace": {"member": alice}},
        {"dn": f"CN=Postern Servers,{PEOPLE}", "replace": {"member": alice}},
        {"dn": f"CN=MBX1,CN=Computers,{Domain.base}", "replace": {"displayName": "x"}},
        {"dn": Domain.base, "replace": {"description": "x"}},
        {"dn": f"CN=mallory,{PEOPLE}", "add": {"objectClass": "user", "sAMAccountName": "mallory"}},
        {"dn": alice, "delete": True},
        {"dn": f"CN=x,CN=Services,{Domain.configuration}", "add": {"objectClass": "container"}},
        {"dn": f"CN=Mail-Recipient,CN=Schema,{Domain.configuration}", "replace": {"description": "x"}},
    )
    assert set(refused) <= {"INSUFFICIENT_ACCESS", "UNWILLING_TO_PERFORM"} and len(refused) == 12, refused


def test_policies_are_kept_by_a_server(prepared: Forest) -> None:
    server = {"replace": {"displayName": "Bob B", "mailNickname": "bob"}}
    assert prepared.as_server({"dn": f"CN=bob,{PEOPLE}", **server}) == ["done"]
    _as_hub(prepared, "add", "Bobs", "--template", "%d@corp.test", "--template", "%m@corp.test", "--filter", "cn=bob")
    assert '"%m@x.test"' in _as_hub(prepared, "add", "Other", "--template", "%m@x.test", code=os.EX_DATAERR)
    assert "does not take the filter" in _as_hub(
        prepared, "add", "Bad", "--template", "%m@corp.test", "--filter", "(&(cn=a)b)", code=os.EX_DATAERR
    )
    previews = {one["recipient"]: one["after"] for one in json.loads(_as_hub(prepared, "preview", "--json"))}
    assert previews["bob"] == ["bobb@corp.test", "bob@corp.test"] and previews["staff"] == ["staff@corp.test"]
    _as_hub(prepared, "edit", "Bobs", "--order", "7")
    listed = json.loads(_as_hub(prepared, "list", "--json"))
    assert (listed[0]["name"], listed[0]["order"], listed[0]["recipient_count"]) == ("Bobs", 7, 1)
    assert "one of mbx1" in _as_hub(prepared, "apply", code=os.EX_CONFIG)
    _as_hub(prepared, "remove", "Bobs", "--yes")


def _as_hub(forest: Forest, *words: str, code: int = 0) -> str:
    (forest.state / "server").write_text("hub1")
    return forest.policy(*words, code=code)


def test_who_may_not_is_told_so(prepared: Forest) -> None:
    assert "Preauthentication failed" in prepared.setup(
        "--dry-run", "--output", "/tmp", password="wrong", code=os.EX_NOPERM
    )
    argv = ["--dry-run", "--output", str(prepared.output), "--server", "edge1"]
    assert "no server of the domain" in prepared.setup(*argv, code=os.EX_NOUSER)


def test_a_lost_keytab_is_made_anew_and_a_removed_forest_again(prepared: Forest) -> None:
    """Last: it takes everything back."""
    version = max(kvno for _, kvno in keytab.principals((prepared.output / "hub1/keytab").read_bytes()))
    (prepared.output / "hub1/keytab").unlink()
    (change,) = prepared.changes("--yes")
    assert "a new password of HUB1$" in change["what"]
    assert {kvno for _, kvno in keytab.principals((prepared.output / "hub1/keytab").read_bytes())} == {version + 1}
    assert prepared.changes("--yes", "--remove")
    assert prepared.changes("--yes", "--remove") == []
    services = prepared.search(f"CN=Services,{Domain.configuration}", "(|(cn=Postern)(objectClass=postern*))", "cn")
    accounts = prepared.search(Domain.base, "(|(cn=Postern*)(cn=HUB1)(cn=MBX1))", "cn")
    assert "# 0 entries" in services and "# 0 entries" in accounts
    assert not list(prepared.output.glob("*/keytab"))
    again = prepared.changes("--yes")
    assert again and not [change for change in again if change["area"] == "schema"]
    assert prepared.changes("--yes") == []
