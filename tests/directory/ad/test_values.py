"""Ranges, names and numbers as Active Directory writes them; accounts that count no more."""

from __future__ import annotations

from uuid import UUID

import pytest

from postern.directory import entries
from postern.directory.ad import names
from postern.directory.ad.values import base_of, certificates_of_edges, complete, sid_of
from postern.model.directory import TrustedCertificate
from postern.model.organization import Role

GUID = UUID("11111111-2222-3333-4444-555555555555").bytes_le
GROUP = "CN=Postern Servers,CN=Users,DC=corp,DC=test"
NOW = 1_800_000_000.0


def account(**values: list[bytes]):
    known = {
        "objectGUID": [GUID],
        "objectClass": [b"top", b"user"],
        "sAMAccountName": [b"alice"],
        "userPrincipalName": [b"alice@corp.test"],
        "userAccountControl": [b"512"],
    }
    return entries.domain_account({**known, **{n.replace("_", "-"): v for n, v in values.items()}}, GROUP, NOW)


def filetime(seconds: float) -> bytes:
    return str(int((seconds + 11_644_473_600) * 10_000_000)).encode()


def test_a_naming_context() -> None:
    assert base_of("eu.corp.test.") == "DC=eu,DC=corp,DC=test"


def test_ranges_are_put_together() -> None:
    first = {"cn": [b"all"], "member": [], "member;range=0-1499": [b"a", b"b"]}
    assert complete(first) == ({"cn": [b"all"], "member": [b"a", b"b"]}, 1500)
    assert complete({"member;range=1500-*": [b"c"]}) == ({"member": [b"c"]}, 0)
    assert complete({"Member;Range=0-0": [b"a"]}) == ({"member": [b"a"]}, 1)
    assert complete({"member;range=5-9": []}) == ({"member": []}, 0)
    assert complete({"member": [b"a"]}) == ({"member": [b"a"]}, 0)


def test_a_sid_as_text() -> None:
    sid = bytes.fromhex("010500000000000515000000") + b"".join(
        n.to_bytes(4, "little") for n in (1, 2, 4_000_000_000, 512)
    )
    assert sid_of({"objectSid": [sid]}) == "S-1-5-21-1-2-4000000000-512"
    for broken in (b"", sid[:-1], b"\1\xff" + sid[2:]):
        assert sid_of({"objectSid": [broken]}) == ""
    assert sid_of({}) == ""


def test_certificates_of_edges() -> None:
    whole = {"cn": [b"edge1"], "posternFqdn": [b"Edge1.corp.test"], "posternCertificate": [b"old", b"new"]}
    assert certificates_of_edges([whole, {"cn": [b"edge2"]}, {**whole, "posternFqdn": []}]) == (
        TrustedCertificate("edge1", "edge1.corp.test", Role.EDGE, b"old"),
        TrustedCertificate("edge1", "edge1.corp.test", Role.EDGE, b"new"),
    )


@pytest.mark.parametrize(
    ("values", "enabled"),
    [
        ({}, True),
        ({"userAccountControl": [b"514"]}, False),
        ({"msDS_User_Account_Control_Computed": [b"16"]}, False),
        (
            {"msDS_User_Account_Control_Computed": [b"8388608"]},
            True,
        ),  # the password has expired: the controllers' affair
        ({"accountExpires": [b"0"]}, True),
        ({"accountExpires": [b"9223372036854775807"]}, True),
        ({"accountExpires": [filetime(NOW - 1)]}, False),
        ({"accountExpires": [filetime(NOW + 60)]}, True),
    ],
)
def test_who_may_log_on(values: dict[str, list[bytes]], enabled: bool) -> None:
    assert account(**values).enabled is enabled


def test_when_a_password_ends() -> None:
    assert account(msDS_UserPasswordExpiryTimeComputed=[filetime(NOW + 60)]).password_ends == NOW + 60
    for never in (b"0", b"9223372036854775807"):
        assert account(msDS_UserPasswordExpiryTimeComputed=[never]).password_ends is None
    assert account().password_ends is None


def test_only_computers_of_our_group_are_servers() -> None:
    computer, member = [b"top", b"user", b"computer"], [b"cn=postern servers,CN=Users,DC=corp,DC=test"]
    assert account(objectClass=computer, memberOf=member).is_server
    assert not account(objectClass=computer, memberOf=[b"CN=Postern Servers,OU=Mine,DC=corp,DC=test"]).is_server
    assert not account(objectClass=computer).is_server
    assert not account(memberOf=member).is_server


@pytest.mark.parametrize(
    ("home", "database"),
    [
        ("CN=Sales,CN=Databases,CN=Postern,CN=Services,CN=Configuration,DC=corp,DC=test", "sales"),
        ("cn=sales,cn=databases,cn=configuration,dc=postern", "sales"),
        (
            "CN=Sales,CN=Databases,CN=Exchange Administrative Group (FYDIBOHF23SPDLT),CN=Administrative Groups,CN=Corp",
            "EX1",
        ),
        ("CN=Sales,CN=Databases,CN=Configuration Archive,DC=corp,DC=test", "EX1"),
        ("CN=Sales,CN=First Storage Group,CN=InformationStore,CN=EX1,CN=Servers,CN=Corp", "EX1"),
        ("", "EX1"),
    ],
)
def test_a_database_is_ours_by_its_container(home: str, database: str) -> None:
    """Exchange keeps its databases in a container of the same name elsewhere; such a mailbox stays with Exchange's server."""
    server = b"/o=Corp/ou=Exchange Administrative Group/cn=Configuration/cn=Servers/cn=EX1"
    assert entries.database_of({"homeMDB": [home.encode()], "msExchHomeServerName": [server]}) == database


def test_the_container_is_the_one_that_setup_makes() -> None:
    assert f"{names.DATABASES},CN=Configuration" == entries.DATABASES_OF_DOMAIN
