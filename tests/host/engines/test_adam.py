"""The edge's own directory server as others meet it: OpenLDAP's and OpenSSL's own clients knock at 50636, 50389 and the unix
socket.

covers: host.edge, directory.adam.accounts, directory.adam.client, directory.adam.layout
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from postern.directory.adam import layout
from postern.directory.adam.accounts import AccountError, is_name_of, new_name
from postern.directory.adam.client import AdamClient, BindRefused, WrongCertificate, by_ntlm
from postern.directory.ldap.client import SUBTREE, Entry
from postern.host import edge, secret_files
from postern.host.edge import EdgeError, check_certificate
from postern.host.engines import adam
from postern.model.directory import DirectoryUnavailable
from postern.model.organization import Profile
from postern.model.security import Mechanism
from postern.paths.table import settle
from postern.protocols.edge import subscription as edge_subscription
from postern.roles.secrets import Secret
from tests.edge_hosts import EDGE, HUBS, TwoHosts, empty, leaf, run, two_hosts

pytestmark = [
    pytest.mark.slapd,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("ldapsearch") is None, reason="OpenLDAP's clients are missing: install ldap-utils"),
]
PASSWORD = "a replicator's password"


@pytest.fixture(scope="module")
def started() -> Iterator[TwoHosts]:
    with two_hosts() as hosts:
        yield hosts


@pytest.fixture
def hosts(started: TwoHosts) -> TwoHosts:
    empty(started)
    return started


@pytest.fixture(scope="module")
def by_reference() -> Iterator[TwoHosts]:
    with two_hosts(Profile.REFERENCE) as hosts:
        yield hosts


def ask(program: str, *words: str, given: str = "", folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """One of OpenLDAP's clients. It trusts any certificate: who may come in is what is looked at here."""
    environment = {"PATH": os.environ["PATH"], "LDAPTLS_REQCERT": "never"}
    return subprocess.run(
        [program, *words], input=given, capture_output=True, text=True, timeout=20, env=environment, cwd=folder
    )


def replicator(hosts: TwoHosts, begins: float = -60.0, ends: float = 3600.0) -> str:
    async def make() -> str:
        async with edge.accounts(hosts.organization, hosts.edge_state) as accounts:
            return await accounts.add("hub1", PASSWORD, time.time() + begins, time.time() + ends)

    return run(make)


def whoami(uri: str, dn: str, password: str = PASSWORD, *more: str) -> subprocess.CompletedProcess[str]:
    return ask("ldapwhoami", "-x", "-H", uri, "-D", dn, "-w", password, *more)


def test_a_replicator_binds_inside_tls(hosts: TwoHosts) -> None:
    dn = replicator(hosts)
    answer = whoami(hosts.ldaps(), dn)
    assert (answer.returncode, answer.stdout.strip()) == (0, f"dn:{dn}")


def test_a_wrong_password_is_refused(hosts: TwoHosts) -> None:
    answer = whoami(hosts.ldaps(), replicator(hosts), PASSWORD + "x")
    assert answer.returncode == 49  # RFC 4511 invalidCredentials
    assert "Invalid credentials" in answer.stderr


@pytest.mark.parametrize(("begins", "ends"), [(-7200.0, -3600.0), (3600.0, 7200.0)], ids=["over", "to come"])
def test_outside_its_time_slapd_itself_refuses_an_account(hosts: TwoHosts, begins: float, ends: float) -> None:
    assert whoami(hosts.ldaps(), replicator(hosts, begins, ends)).returncode == 49


def test_nobody_comes_in_without_a_name(hosts: TwoHosts) -> None:
    answer = ask("ldapsearch", "-x", "-LLL", "-H", hosts.ldaps(), "-b", layout.REPLICATED)
    assert answer.returncode != 0
    assert not answer.stdout
    assert whoami(hosts.ldaps(), replicator(hosts), "").returncode != 0  # RFC 4513 section 5.1.2: unauthenticated bind


def test_a_password_in_clear_text_is_refused_and_with_starttls_taken(hosts: TwoHosts) -> None:
    dn = replicator(hosts)
    clear = whoami(hosts.ldap(), dn)
    assert clear.returncode == 13  # confidentialityRequired
    assert whoami(hosts.ldap(), dn, PASSWORD, "-ZZ").returncode == 0


def test_by_the_reference_50389_listens_for_hubs_and_still_takes_no_password_in_clear_text(
    by_reference: TwoHosts,
) -> None:
    dn = replicator(by_reference)
    assert f"ldap://127.0.0.2:{by_reference.organization.port(50389)}" in adam.listeners(
        by_reference.organization, EDGE
    )
    assert whoami(by_reference.ldap(), dn).returncode == 13
    assert whoami(by_reference.ldaps(), dn).returncode == 0


def test_where_it_listens_follows_from_the_rows(hosts: TwoHosts) -> None:
    elsewhere = replace(EDGE, addresses=("192.0.2.7", "2001:db8::7"))
    plain = replace(hosts.organization, offset=0)
    assert adam.listeners(plain, elsewhere) == (
        *("ldaps://192.0.2.7:50636", "ldaps://[2001:db8::7]:50636", "ldap://127.0.0.1:50389"),
    )
    assert adam.listeners(replace(plain, profile=Profile.REFERENCE), elsewhere) == (
        *("ldaps://192.0.2.7:50636", "ldaps://[2001:db8::7]:50636"),
        *("ldap://192.0.2.7:50389", "ldap://[2001:db8::7]:50389", "ldap://127.0.0.1:50389"),
    )


def test_tls_1_1_is_refused(hosts: TwoHosts) -> None:
    """RFC 8996. The same client comes in with TLS 1.2, so that it is the version that is refused."""
    place = f"127.0.0.2:{hosts.organization.port(50636)}"
    words = ["openssl", "s_client", "-connect", place, "-cipher", "DEFAULT:@SECLEVEL=0"]
    old, new = (
        subprocess.run([*words, version], input=b"", capture_output=True, timeout=20)
        for version in ("-tls1_1", "-tls1_2")
    )
    assert b"Cipher is (NONE)" in old.stdout
    assert b"Cipher is ECDHE-" in new.stdout


ENTRY = "dn: {dn}\nobjectClass: container\ncn: {cn}\n"


def test_it_writes_below_what_is_replicated_and_nowhere_else(hosts: TwoHosts) -> None:
    words = ("-x", "-H", hosts.ldaps(), "-D", replicator(hosts), "-w", PASSWORD)
    inside = f"cn=a,{layout.REPLICATED}"
    assert ask("ldapadd", *words, given=ENTRY.format(dn=inside, cn="a")).returncode == 0
    assert ask("ldapdelete", *words, inside).returncode == 0
    for parent in (layout.ACCOUNTS, layout.SUFFIX):
        answer = ask("ldapadd", *words, given=ENTRY.format(dn=f"cn=a,{parent}", cn="a"))
        assert answer.returncode == 50, parent  # insufficientAccessRights
    mine = f"dn: {layout.REPLICATORS}\nchangetype: modify\nadd: member\nmember: cn=me,{layout.ACCOUNTS}\n"
    longer = f"dn: {words[4]}\nchangetype: modify\nreplace: pwdEndTime\npwdEndTime: 20990101000000Z\n"
    for change in (mine, longer):
        assert ask("ldapmodify", *words, "-e", "relax", given=change).returncode != 0
        assert ask("ldapmodify", *words, given=change).returncode != 0


def test_it_reads_nothing_besides(hosts: TwoHosts) -> None:
    words = ("-x", "-LLL", "-H", hosts.ldaps(), "-D", replicator(hosts), "-w", PASSWORD)
    assert f"dn: {layout.RECIPIENTS}" in ask("ldapsearch", *words, "-b", layout.REPLICATED).stdout
    for base in (layout.ACCOUNTS, layout.SUFFIX, layout.REQUESTS, "cn=config", "cn=Subschema"):
        assert "dn:" not in ask("ldapsearch", *words, "-b", base).stdout.replace(
            f",{layout.REPLICATED}", ""
        ) or base in (layout.SUFFIX,), base
    everywhere = ask("ldapsearch", *words, "-b", layout.SUFFIX, "1.1").stdout
    assert all(line.endswith(layout.REPLICATED) for line in everywhere.splitlines() if line.startswith("dn:"))


def test_who_is_removed_loses_an_open_connection_too(hosts: TwoHosts) -> None:
    dn = replicator(hosts)
    words = ["ldapmodify", "-x", "-H", hosts.ldaps(), "-D", dn, "-w", PASSWORD]
    environment = {"PATH": os.environ["PATH"], "LDAPTLS_REQCERT": "never"}
    change = "dn: {0}\nchangetype: modify\nreplace: posternState\nposternState: {1}\n\n"

    async def state_is(wanted: str) -> bool:
        async with edge.accounts(hosts.organization, hosts.edge_state) as accounts:
            return (await accounts.state())[1] == wanted

    async def remove() -> None:
        async with edge.accounts(hosts.organization, hosts.edge_state) as accounts:
            await accounts.remove(dn)

    client = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    try:
        assert client.stdin is not None
        client.stdin.write(change.format(layout.STATE, "one"))
        client.stdin.flush()
        while not run(lambda: state_is("one")):
            assert client.poll() is None
        run(remove)
        said, _ = client.communicate(change.format(layout.STATE, "two"), timeout=20)
    finally:
        client.kill()
        client.wait()
    assert "Insufficient access" in said
    assert run(lambda: state_is("one"))


def test_the_edge_s_own_processes_prove_themselves_by_ntlm(hosts: TwoHosts, by_reference: TwoHosts) -> None:
    for its, tls in ((hosts, ("-ZZ",)), (by_reference, ())):
        secret = secret_files.obtain(its.edge_state, Secret.ADAM_SERVICE)
        words = ("-Q", "-Y", "NTLM", "-H", its.ldap(), *tls, "-U", "postern")
        answer = ask("ldapwhoami", *words, "-w", secret)
        assert answer.stdout.strip().lower() == f"dn:{layout.SERVICE}".lower(), answer.stderr
        assert ask("ldapwhoami", *words, "-w", secret + "x").returncode != 0
        found = ask("ldapsearch", *words, "-w", secret, "-LLL", "-b", layout.REPLICATED, "1.1")
        assert f"dn: {layout.RECIPIENTS}" in found.stdout
        added = ask("ldapadd", *words, "-w", secret, given=ENTRY.format(dn=f"cn=a,{layout.REPLICATED}", cn="a"))
        assert added.returncode == 50


def test_roles_ask_by_ntlm_where_the_row_has_no_unix_socket(hosts: TwoHosts, by_reference: TwoHosts) -> None:
    """By the reference in clear text on this host; with StartTLS, to the edge's own certificate only."""

    async def by_the_row() -> None:
        async with by_reference.edge_directory() as directory:
            assert await directory.accepted_domains() == ()
            with pytest.raises(DirectoryUnavailable, match="nothing was replicated"):
                await directory.recipient("alice@corp.test")

    async def in_tls(certificate: bytes, password: str) -> list[Entry]:
        row, bind = settle(Profile.PRACTICAL)["edge-adam"], by_ntlm("postern", password)
        client = AdamClient(row, hosts.ldap(), bind, Mechanism.NTLM, lambda: certificate)
        try:
            return await client.search(layout.REPLICATED, SUBTREE, "(cn=State)", ("cn",))
        finally:
            await client.close()

    run(by_the_row)
    secret = secret_files.obtain(hosts.edge_state, Secret.ADAM_SERVICE)
    assert len(run(lambda: in_tls(leaf(hosts.edge_state), secret))) == 1
    with pytest.raises(WrongCertificate):
        run(lambda: in_tls(leaf(hosts.hub_state), secret))
    with pytest.raises(BindRefused):
        run(lambda: in_tls(leaf(hosts.edge_state), secret + "x"))


def test_without_tls_ntlm_comes_no_further_where_the_row_asks_for_tls(hosts: TwoHosts) -> None:
    secret = secret_files.obtain(hosts.edge_state, Secret.ADAM_SERVICE)
    answer = ask("ldapwhoami", "-Q", "-Y", "NTLM", "-H", hosts.ldap(), "-U", "postern", "-w", secret)
    assert answer.returncode != 0
    assert "confidentiality required" in answer.stderr


def test_no_other_mechanism_is_offered(hosts: TwoHosts) -> None:
    for mechanism in ("DIGEST-MD5", "CRAM-MD5", "PLAIN", "SCRAM-SHA-256", "LOGIN", "ANONYMOUS"):
        answer = ask("ldapwhoami", "-Q", "-Y", mechanism, "-H", hosts.ldaps(), "-U", "postern", "-w", "x")
        assert answer.returncode != 0, mechanism
        assert "mechanism" in answer.stderr.lower() or "mech" in answer.stderr.lower(), answer.stderr


def test_by_the_unix_socket_the_kernel_says_who_calls(hosts: TwoHosts) -> None:
    answer = ask("ldapwhoami", "-Q", "-Y", "EXTERNAL", "-H", adam.socket_uri(hosts.edge_state))
    assert answer.stdout.strip().lower() == f"dn:{layout.SERVICE}".lower(), answer.stderr


def test_a_replicator_is_nobody_by_ntlm(hosts: TwoHosts) -> None:
    name = replicator(hosts).partition(",")[0][3:]
    assert ask("ldapwhoami", "-Q", "-Y", "NTLM", "-ZZ", "-H", hosts.ldap(), "-U", name, "-w", PASSWORD).returncode != 0


def test_the_administrator_stays_on_this_host(hosts: TwoHosts) -> None:
    """Its password is in the state folder; and what the file says besides ends with the file."""
    secret = secret_files.obtain(hosts.edge_state, Secret.ADAM)
    assert whoami(adam.socket_uri(hosts.edge_state), layout.ADMINISTRATOR, secret).returncode == 0
    assert whoami(hosts.ldaps(), layout.ADMINISTRATOR, secret + "x").returncode == 49


def test_a_certificate_is_taken_up_by_stopping_the_engine(hosts: TwoHosts) -> None:
    before = hosts.edge_slapd.pid
    assert before is not None
    hosts.edge_slapd.stop()
    assert hosts.edge_slapd.pid is None
    hosts.edge_slapd.start()
    assert hosts.edge_slapd.pid not in (None, before)
    assert whoami(hosts.ldaps(), replicator(hosts)).returncode == 0


def test_accounts_are_bounded_and_named_so_that_nobody_guesses(
    hosts: TwoHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_name_of(new_name("hub1"), "hub1")
    assert not is_name_of(new_name("hub1"), "hub2")
    assert not is_name_of(f"cn=postern,{layout.ACCOUNTS}", "hub1")
    assert not is_name_of(f"cn=ESRA.hub1.0123456789abcdef,{layout.REPLICATED}", "hub1")
    monkeypatch.setattr("postern.directory.adam.accounts.MAX_ACCOUNTS", 1)
    replicator(hosts)
    with pytest.raises(AccountError, match="already"):
        replicator(hosts)


def test_what_ends_is_swept(hosts: TwoHosts) -> None:
    kept, over = replicator(hosts), replicator(hosts, -7200.0, -1.0)

    async def work() -> None:
        async with edge.accounts(hosts.organization, hosts.edge_state) as accounts:
            assert [one.dn for one in await accounts.expire(time.time())] == [over]
            assert [one.dn for one in await accounts.replicators()] == [kept]

    run(work)


# Subscription files


def test_a_new_file_ends_the_one_before(hosts: TwoHosts) -> None:
    first = edge_subscription.read(run(hosts.subscription_file))
    assert whoami(hosts.ldaps(), first.username, first.password).returncode == 0
    second = edge_subscription.read(run(hosts.subscription_file))
    assert whoami(hosts.ldaps(), first.username, first.password).returncode == 49
    assert whoami(hosts.ldaps(), second.username, second.password).returncode == 0
    assert second.certificate == leaf(hosts.edge_state)
    assert second.duration == 1440 * 60
    assert second.ssl_port == hosts.organization.port(50636)


def test_only_an_edge_writes_one(hosts: TwoHosts) -> None:
    async def work() -> bytes:
        return await edge.new_subscription(hosts.organization, HUBS[0], hosts.hub_state)

    with pytest.raises(EdgeError, match="no edge"):
        run(work)


def test_the_certificate_of_a_file_is_looked_at(hosts: TwoHosts) -> None:
    der, now = leaf(hosts.edge_state), time.time()
    check_certificate(der, EDGE.fqdn, now)
    for certificate, name, moment, words in (
        (der, "other.corp.test", now, "does not name other.corp.test"),
        (der, EDGE.fqdn, now + 500 * 86400, "not valid today"),
        (b"no certificate", EDGE.fqdn, now, "no valid certificate"),
    ):
        with pytest.raises(EdgeError, match=words):
            check_certificate(certificate, name, moment)


def test_a_file_that_does_not_fit_is_not_subscribed(hosts: TwoHosts) -> None:
    good = edge_subscription.read(run(hosts.subscription_file))
    cases = (
        (replace(good, server_name="edge9"), "no edge edge9"),
        (replace(good, server_fqdn="edge1.evil.test"), "no edge edge1"),
        (replace(good, effective=good.effective - 1441 * 60), "expired"),
        (replace(good, effective=good.effective - 1441 * 60, duration=1e6), "expired"),
        (replace(good, effective=good.effective + 3600), "from the future"),
        (replace(good, certificate=leaf(hosts.hub_state)), "does not name"),
    )

    async def work() -> None:
        async with hosts.hub() as hub:
            for file, words in cases:
                with pytest.raises(EdgeError, match=words):
                    await hub.subscribe(edge_subscription.write(file))
            with pytest.raises(EdgeError, match="no subscription file"):
                await hub.subscribe(b"<x/>")
            assert await hub.sources.store.subscriptions() == ()

    run(work)


def test_the_directory_s_password_is_in_no_command_line(hosts: TwoHosts) -> None:
    secrets = [secret_files.obtain(hosts.edge_state, name) for name in (Secret.ADAM, Secret.ADAM_SERVICE)]
    line = Path(f"/proc/{hosts.edge_slapd.pid}/cmdline").read_text()
    assert not any(secret in line for secret in secrets)
    assert not hosts.edge_state.adam.stat().st_mode & 0o077
    assert not (hosts.edge_state.adam / "slapd.conf").stat().st_mode & 0o077


def test_forgetting_leaves_nothing_behind(hosts: TwoHosts) -> None:
    async def work() -> None:
        dn = replicators[0]
        assert await edge.forget(hosts.organization, hosts.edge_state) == 1
        async with edge.accounts(hosts.organization, hosts.edge_state) as accounts:
            assert await accounts.replicators() == ()
            client = accounts._client
            left = await client.search(layout.REPLICATED, SUBTREE, "(!(objectClass=container))", ("cn",))
            assert left == []
        assert whoami(hosts.ldaps(), dn).returncode == 49

    replicators = [replicator(hosts)]
    words = ("-x", "-H", hosts.ldaps(), "-D", replicators[0], "-w", PASSWORD)
    domain = f"dn: cn=corp.test,{layout.DOMAINS}\nobjectClass: acceptedDomain\ncn: corp.test\nposternDomainType: authoritative\n"
    assert ask("ldapadd", *words, given=domain).returncode == 0
    run(work)
