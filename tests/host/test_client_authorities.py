"""The authorities of users' certificates: what a start wants of their files, and the one that verify has."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import pytest

from postern.host import certificates, client_authorities, configuration, state
from postern.host.configuration import ConfigurationError
from postern.model.organization import ClientCertificates, Organization, StateFolder
from postern.net.mutual import ClientAuthorities, MutualContext
from tests.host.folders import short_folder
from tests.support.client_certificates import UserAuthority

NOW = datetime.datetime.now(datetime.UTC)
TABLE = """
[client-certificates]
names = ["Certificate.회사.test"]
authorities = "{}"
revoked = "{}"
"""


def started(folder: Path, people: Path, revoked: Path | str = "") -> tuple[StateFolder, Organization]:
    made = state.create(folder)
    text = configuration.DEFAULT.format(offset=0).replace(
        "\n[[domain]]", TABLE.format(people, revoked) + "\n[[domain]]", 1
    )
    configuration.write(made, text)
    return made, configuration.load(made)


def test_the_names_are_the_server_s_too() -> None:
    with short_folder() as folder:
        _, organization = started(folder, Path("/people.pem"))
        assert organization.client_certificates == ClientCertificates(("certificate.xn--vf4b131b.test",), "/people.pem")
        server = organization.servers[0]
        assert organization.names_of(server) == (
            *("server1.example.test", "example.test", "autodiscover.example.test", "autoconfig.example.test"),
            "certificate.xn--vf4b131b.test",
        )
        hub = replace(server, roles=frozenset())
        assert organization.names_of(hub) == ("server1.example.test", "example.test")


def test_a_start_looks_at_the_files(tmp_path: Path) -> None:
    authority = UserAuthority(tmp_path)
    for people, revoked, key in (
        (tmp_path / "nothing.pem", "", "authorities"),
        (authority.revoke(), "", "authorities"),
        (authority.file, tmp_path / "nothing.crl", "revoked"),
        (authority.file, authority.file, "revoked"),
    ):
        with short_folder() as folder:
            made, organization = started(folder, people, revoked)
            with pytest.raises(ConfigurationError, match=f"client-certificates.{key}"):
                client_authorities.prepare(made, organization, organization.servers[0], NOW)


def test_verify_has_an_authority_that_a_door_can_load(tmp_path: Path) -> None:
    people = UserAuthority(tmp_path)
    with short_folder() as folder:
        made, organization = started(folder, people.file, people.revoke())
        server, here = organization.servers[0], client_authorities.probe_authority(made)
        client_authorities.prepare(made, organization, replace(server, roles=frozenset()), NOW)
        assert not here.chain.exists(), "a server without doors for clients needs none"
        client_authorities.prepare(made, organization, server, NOW)
        first = here.chain.read_bytes()
        client_authorities.prepare(made, organization, server, NOW)
        assert here.chain.read_bytes() == first and here.key.stat().st_mode & 0o777 == 0o600
        MutualContext(None, True, ClientAuthorities(people.file, people.revoke(), (here.chain,)))
        client_authorities.prepare(made, organization, server, NOW + certificates.AUTHORITY_LIFE)
        assert here.chain.read_bytes() != first


def test_without_the_table_there_is_nothing() -> None:
    with short_folder() as folder:
        made = state.create(folder)
        organization = configuration.default(made)
        client_authorities.prepare(made, organization, organization.servers[0], NOW)
        assert organization.client_certificates is None and organization.asking_names() == ()
        assert not client_authorities.probe_authority(made).chain.exists()
