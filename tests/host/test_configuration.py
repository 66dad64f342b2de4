"""postern.toml: what is right is read, what is wrong is told.

covers: schema, contradictions, mistakes, small_files

Each file of bad-configurations begins with the messages it must give, as comments `#! line`.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from postern.host import configuration, schema, state
from postern.model.domains import netbios_name
from postern.model.organization import (
    ActiveDirectory,
    Database,
    DomainType,
    Host,
    HostService,
    Impersonation,
    Limits,
    Organization,
    Profile,
    Role,
    StateFolder,
)
from postern.paths.places import ROLES
from postern.paths.row import Party
from tests.host.folders import short_folder

BAD = sorted((Path(__file__).parent / "bad-configurations").glob("*.toml"))

GOOD = """
[organization]
name = "Example"
profile = "hardened"
realm = "EXAMPLE.TEST"
keytab = "/etc/postern.keytab"
authorities = "/etc/authorities.pem"
rpc-ports = [25000, 25100]
dns-servers = ["192.0.2.53", "[2001:db8::1]:5353"]
language = "ko"
[[domain]]
name = "Example.TEST"
[[domain]]
name = "partner.test"
type = "internal-relay"
[[server]]
name = "hub1"
fqdn = "hub1.example.test"
roles = ["hub"]
addresses = ["192.0.2.1", "2001:DB8::1"]
[[server]]
name = "mbx1"
fqdn = "mbx1.example.test"
roles = ["mailbox", "client-access"]
addresses = ["192.0.2.2"]
workers = 4
[[database]]
name = "sales"
server = "mbx1"
url = "postgresql://db1.example.test/sales"
[[send-connector]]
name = "out"
domains = ["*", "*.partner.test"]
smart-hosts = ["relay.example.net:2525"]
server = "hub1"
[[impersonation]]
by = ["gateway@Example.test", "programs@example.test"]
of = ["everybody"]
[[impersonation]]
by = ["assistant@example.test"]
of = ["alice@example.test"]
[limits]
message-size = 1048576
queue-retry = [1.0, 2.0]
"""


def test_everything_that_can_be_said_is_read() -> None:
    organization = configuration.parse(GOOD)
    assert organization.profile is Profile.HARDENED
    assert [domain.name for domain in organization.domains] == ["example.test", "partner.test"]
    assert organization.domains[1].type is DomainType.INTERNAL_RELAY
    assert organization.servers[0].addresses == ("192.0.2.1", "2001:db8::1")
    assert organization.servers[1].roles == {Role.MAILBOX, Role.CLIENT_ACCESS}
    assert organization.rpc_ports == (25000, 25100)
    assert organization.authorities == "/etc/authorities.pem"
    assert organization.send_connectors[0].smart_hosts == ("relay.example.net:2525",)
    assert organization.limits == dataclasses.replace(Limits(), message_size=1048576, queue_retry=(1.0, 2.0))
    assert organization.dns_servers == ("192.0.2.53", "[2001:db8::1]:5353")
    assert organization.language == "ko"
    assert organization.impersonations == (
        Impersonation(("gateway@Example.test", "programs@example.test"), ("everybody",)),
        Impersonation(("assistant@example.test",), ("alice@example.test",)),
    )
    assert organization.databases == (Database("sales", "mbx1", "postgresql://db1.example.test/sales"),)


TWO_MAILBOX_SERVERS = """
[organization]
name = "Example"
[[domain]]
name = "example.test"
[[server]]
name = "mbx1"
fqdn = "mbx1.example.test"
roles = ["mailbox"]
addresses = ["192.0.2.1"]
[[server]]
name = "mbx2"
fqdn = "mbx2.example.test"
roles = ["mailbox"]
addresses = ["192.0.2.2"]
"""


def test_each_mailbox_server_has_a_database_unless_the_file_says_otherwise() -> None:
    organization = configuration.parse(TWO_MAILBOX_SERVERS)
    assert organization.databases == (Database("mbx1", "mbx1"), Database("mbx2", "mbx2"))
    assert organization.server_of("mbx2") == organization.servers[1]
    assert organization.server_of("mbx3") is None


def test_the_former_key_is_the_url_of_all_databases() -> None:
    url = "postgresql://db1.example.test/mail"
    text = TWO_MAILBOX_SERVERS.replace('name = "Example"', f'name = "Example"\npostgres = "{url}"')
    assert configuration.parse(text).databases == (Database("mbx1", "mbx1", url), Database("mbx2", "mbx2", url))


def test_a_server_stands_for_its_database_where_the_directory_knows_no_other() -> None:
    named = '[[database]]\nname = "sales"\nserver = "mbx2"\n[[database]]\nname = "works"\nserver = "mbx1"\n'
    organization = configuration.parse(TWO_MAILBOX_SERVERS + named)
    assert organization.database("mbx2") == organization.database("sales") == Database("sales", "mbx2")
    assert organization.server_of("works") == organization.server_of("mbx1") == organization.servers[0]


@pytest.mark.parametrize("domain", ["회사.test", "xn--vf4b131b.test", "XN--VF4B131B.test"])
def test_domains_are_one_in_either_spelling(domain: str) -> None:
    organization = configuration.parse(GOOD.replace("partner.test", domain))
    assert organization.domains[1].name == "xn--vf4b131b.test"
    assert organization.send_connectors[0].domains == ("*", "*.xn--vf4b131b.test")
    twice = GOOD.replace("Example.TEST", "회사.test").replace("partner.test", domain)
    with pytest.raises(configuration.ConfigurationError, match="twice"):
        configuration.parse(twice)


def test_the_default_is_written_and_found_again() -> None:
    with short_folder() as folder:
        made = state.create(folder)
        first = configuration.default(made, 10000)
        assert configuration.load(made) == first
        assert first.servers[0].roles == {Role.HUB, Role.MAILBOX, Role.CLIENT_ACCESS}
        assert first.servers[0].addresses == ("127.0.0.1",)
        assert first.default_domain == "example.test"
        assert (first.offset, first.rpc_ports) == (10000, (30000, 30019))


def test_another_offset_moves_the_ports_and_nothing_else() -> None:
    with short_folder() as folder:
        made = state.create(folder)
        first = configuration.default(made, 10000)
        moved = configuration.move(made, 5000)
        assert configuration.load(made) == moved
        assert moved == dataclasses.replace(first, offset=5000, rpc_ports=(25000, 25019))


def test_without_a_file_the_way_to_one_is_told() -> None:
    with short_folder() as folder, pytest.raises(configuration.ConfigurationError, match="postern run"):
        configuration.load(state.create(folder))


def test_what_is_commented_out_in_the_default_shows_the_defaults() -> None:
    lines = configuration.DEFAULT.format(offset=0).splitlines()
    limits = lines[lines.index("[limits]") + 1 :]
    bare = "\n".join(line.removeprefix("# ") for line in limits)
    text = "\n".join(lines[: lines.index("[limits]") + 1]) + "\n" + bare
    assert configuration.parse(text).limits == Limits()


COMMENTED = [line for line in configuration.DEFAULT.splitlines() if re.match(r"# [a-z-]+ = |# \[", line)]


def test_each_commented_line_of_the_default_can_be_uncommented_as_it_stands() -> None:
    """Those of a table with the table."""
    text = configuration.DEFAULT.format(offset=0)
    blocks: list[str] = []
    for line in COMMENTED:
        if blocks and blocks[-1].startswith("# [") and f"{blocks[-1]}\n{line}\n" in text:
            blocks[-1] += f"\n{line}"
        else:
            blocks.append(line)
    assert len(blocks) > 12 and sum("\n" in block for block in blocks) == 7
    for block in blocks:
        data = tomllib.loads(text.replace(f"\n{block}\n", "\n" + block[2:].replace("\n# ", "\n") + "\n"))
        assert data != tomllib.loads(text), block


def test_the_commented_lines_of_the_organization_are_known() -> None:
    text = configuration.DEFAULT.format(offset=0)
    for line in COMMENTED[: COMMENTED.index("# [active-directory]")]:
        text = text.replace(line, line.removeprefix("# "))
    organization = configuration.parse(text)
    assert (organization.realm, organization.rpc_ports) == ("EXAMPLE.TEST", (20000, 20019))


def test_default_rpc_ports_keep_out_of_what_the_kernel_lends() -> None:
    for offset in (0, 10000, 12748, 12749, 14899):
        first, last = configuration.parse(configuration.DEFAULT.format(offset=offset)).rpc_ports
        assert last - first == 19 and last < 32768 and first > offset


DOMAIN = """
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
addresses = ["10.77.1.20"]
site = "Headquarters"
[[host]]
name = "dc1"
parties = ["active-directory", "name-server"]
addresses = ["10.77.1.10", "2001:DB8::10"]
fqdn = "dc1.corp.test"
site = "Headquarters"
[[host]]
name = "clients"
parties = ["client"]
addresses = ["10.77.3.0/24", "2001:DB8:3::/64"]
"""


def test_a_domain_and_what_stands_around_are_read() -> None:
    organization = configuration.parse(DOMAIN)
    assert organization.active_directory == ActiveDirectory("corp.test", "CORP")
    assert (organization.realm, organization.keytab) == ("CORP.TEST", "")  # `setup ad` writes the keys
    assert organization.hosts == (
        Host(
            "dc1",
            frozenset({"active-directory", "name-server"}),
            ("10.77.1.10", "2001:db8::10"),
            "dc1.corp.test",
            "Headquarters",
        ),
        Host("clients", frozenset({"client"}), ("10.77.3.0/24", "2001:db8:3::/64")),
    )


def test_a_domain_may_have_another_netbios_name_and_its_realm_be_written() -> None:
    text = DOMAIN.replace('domain = "corp.test"\n', 'domain = "corp.test"\nnetbios = "ACME"\n')
    text = text.replace('name = "Corp"', 'name = "Corp"\nrealm = "CORP.TEST"\nprofile = "hardened"')
    organization = configuration.parse(text)
    assert organization.active_directory == ActiveDirectory("corp.test", "ACME")
    assert organization.profile is Profile.HARDENED


def test_the_netbios_name_is_at_most_15_letters_of_the_first_label() -> None:
    assert netbios_name("a-very-long-name-indeed.test") == "A-VERY-LONG-NAM"


@pytest.mark.parametrize("profile", Profile)
def test_an_edges_own_file_knows_itself_the_hubs_and_no_domain(profile: Profile) -> None:
    organization = configuration.parse(
        f"""
[organization]
name = "Corp"
profile = "{profile}"
dns-servers = ["203.0.113.25"]
[[domain]]
name = "corp.test"
[[server]]
name = "edge1"
fqdn = "edge1.corp.test"
roles = ["edge"]
addresses = ["10.77.2.20"]
[[server]]
name = "hub1"
fqdn = "hub1.corp.test"
roles = ["hub"]
addresses = ["10.77.1.20"]
"""
    )
    assert (organization.realm, organization.active_directory) == ("", None)
    assert configuration.this_server(organization, None, "edge1").name == "edge1"
    assert HostService.TOPOLOGY not in organization.services(organization.servers[0])


def test_every_party_of_a_host_is_a_party_of_the_table_and_no_role() -> None:
    known = set(get_args(schema.HostParty))
    assert known <= set(Party)
    assert known.isdisjoint(ROLES)


def test_what_is_commented_out_about_other_tables_can_be_taken_as_it_stands() -> None:
    text = configuration.DEFAULT.format(offset=0)
    wanted = (
        "[active-directory]",
        "domain = ",
        "[[availability]]",
        "user = ",
        "password-file = ",
        "netbios = ",
        "[[database]]",
        "server = ",
        "url = ",
        "[[host]]",
        "name = ",
        "parties = ",
        "addresses = ",
        "fqdn = ",
    )
    lines = []
    for line in text.splitlines():
        bare = line.removeprefix("# ")
        lines.append(bare if bare.startswith(wanted) else line)
    organization = configuration.parse("\n".join(lines))
    assert organization.active_directory == ActiveDirectory("corp.example.test", "CORP")
    (space,) = organization.availability
    assert (space.domain, space.user) == ("other.test", "availability@other.test") and space.url.startswith("https://")
    assert [host.name for host in organization.hosts] == ["dc1"]
    assert organization.written_databases == configuration.parse(text).databases


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_bad_configurations_are_told_in_these_words(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    expected = [line[3:] for line in text.splitlines() if line.startswith("#! ")]
    assert expected
    with pytest.raises(configuration.ConfigurationError) as raised:
        configuration.parse(text, file.name)
    assert str(raised.value).splitlines() == expected


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:secretpw@[::1/x",
        "postgresql://u:secret%ZZpw@127.0.0.1/x",
        "postgresql://u:secretpw@127.0.0.1/x?nonsense=secretpw",
        "postgresql://u:pa@secretpw@127.0.0.1/x",
        "postgresql://u:1/secretpw@127.0.0.1/x",
        "postgresql://u:1?secretpw@127.0.0.1/x",
        "postgresql://u:secretpw#1@127.0.0.1/x",
        "postgresql://u:secretpw/x",
        "postgresql://u:secretpw@127.0.0.1:99999/x",
        "postgresql://u:secretpw@127.0.0.1/x%00",
        "mysql://u:secretpw@127.0.0.1/x",
        "ldap://[::1",
        "ldap://dc1:secretpw",
        "ldap://dc1 ldap://u:secretpw@dc2",
        "ldap://dc1 mysql://secretpw",
    ],
)
def test_a_url_that_cannot_be_read_is_told_by_its_key_and_never_repeated(url: str) -> None:
    key = "directory" if url.startswith("ldap") else "postgres"
    text = TWO_MAILBOX_SERVERS.replace('name = "Example"', f'name = "Example"\n{key} = "{url}"')
    with pytest.raises(configuration.ConfigurationError, match=rf"postern\.toml:4: organization\.{key}: ") as raised:
        configuration.parse(text)
    assert "secret" not in str(raised.value)
    bare = text.replace(f'"{url}"', url)
    with pytest.raises(configuration.ConfigurationError, match="no TOML") as raised:
        configuration.parse(bare)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///mail",
        "postgresql://u:secret%40pw@[::1]:5432/mail?sslmode=verify-full",
        "postgres://u@db1:5432,db2:5433/mail?target_session_attrs=read-write",
        "postgresql://%2Frun%2Fpostgresql/mail?user=u@db1",
        "ldaps://dc1.example.test ldap://[::1]:3890",
        "ldapi://%2Frun%2Fldapi",
    ],
)
def test_urls_of_every_kind_are_taken(url: str) -> None:
    key = "directory" if url.startswith("ldap") else "postgres"
    configuration.parse(TWO_MAILBOX_SERVERS.replace('name = "Example"', f'name = "Example"\n{key} = "{url}"'))


LONG = "a" * 70_000


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "sales"', f'name = "{LONG}"'),
        ('name = "sales"', f'name = "{LONG}\\"{LONG}"'),
        ('name = "sales"', f'{LONG} = "sales"'),
        ('name = "sales"', f"name = {LONG}"),
        ('server = "mbx1"', f'server = "{LONG}"'),
        ('realm = "EXAMPLE.TEST"', f'realm = "{LONG}"'),
        ('profile = "hardened"', f'profile = "{LONG}"'),
        ('keytab = "/etc/postern.keytab"', f'keytab = "{LONG}"'),
        ('name = "Example.TEST"', f'name = "{LONG}"'),
        ('name = "mbx1"', f'name = "{LONG}"'),
        ('roles = ["hub"]', f'roles = "{LONG}"'),
        ('roles = ["hub"]', f'roles = ["{LONG}"]'),
        ('addresses = ["192.0.2.2"]', f'addresses = ["{LONG}"]'),
        ('"relay.example.net:2525"', f'"{LONG}"'),
        ('"192.0.2.53"', f'"{LONG}"'),
        ('"*.partner.test"', f'"{LONG}"'),
        ("workers = 4", f'workers = "{LONG}"'),
        ("workers = 4", "workers = { " + ", ".join(f"k{n} = 1" for n in range(5_000)) + " }"),
        ('server = "hub1"', f'server = "{LONG}"'),
        ("message-size = 1048576", f"message-size = {'9' * 4_000}"),
    ],
)
def test_a_value_is_repeated_only_in_part(old: str, new: str) -> None:
    assert old in GOOD
    with pytest.raises(configuration.ConfigurationError) as raised:
        configuration.parse(GOOD.replace(old, new))
    assert all(len(line) < 400 for line in str(raised.value).splitlines())


@pytest.mark.parametrize("old", ['name = "sales"', 'realm = "EXAMPLE.TEST"', 'profile = "hardened"', "workers = 4"])
def test_a_url_in_the_wrong_place_is_not_repeated(old: str) -> None:
    key = old.partition(" ")[0]
    with pytest.raises(configuration.ConfigurationError) as raised:
        configuration.parse(GOOD.replace(old, f'{key} = "postgresql://u:secretpw@db1/x"'))
    assert "secret" not in str(raised.value).lower()


def _two() -> Organization:
    return configuration.parse(GOOD)


def test_this_host_is_the_server_that_is_called_like_it() -> None:
    assert configuration.this_server(_two(), None, "mbx1").name == "mbx1"
    assert configuration.this_server(_two(), None, "HUB1.example.test").name == "hub1"
    assert configuration.this_server(_two(), "hub1", "elsewhere").name == "hub1"


def test_a_host_that_is_none_of_the_servers_hears_which_there_are() -> None:
    with pytest.raises(configuration.ConfigurationError, match="hub1, mbx1"):
        configuration.this_server(_two(), None, "elsewhere")


def test_a_file_without_end_is_no_configuration(tmp_path: Path) -> None:
    """Root reads it in a folder of another account; a link to the real one is fine."""
    folder = StateFolder(tmp_path, tmp_path)
    file = configuration.path(folder)
    makers = (lambda: os.mkfifo(file), lambda: file.symlink_to("/dev/zero"), lambda: file.write_bytes(b"#" * 2**21))
    for make in makers:
        make()
        with pytest.raises(configuration.ConfigurationError, match="cannot be read"):
            configuration.load(folder)
        file.unlink()
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text(configuration.DEFAULT.format(offset=0))
    file.symlink_to(elsewhere)
    assert configuration.load(folder).offset == 0


def test_the_file_is_written_into_nothing_that_was_there(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path, tmp_path)
    os.mkfifo(tmp_path / "postern.toml.new")
    configuration.write(folder, "text")
    assert configuration.path(folder).read_text() == "text" and not configuration.path(folder).is_fifo()
