"""A command's own connection to Active Directory, as this server or as an administrator. It needs no running part of Postern.

Reads postern.toml, DNS and the server's keytab. The caller decides what is done on the connection.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from postern.directory.ad.administrator_connection import OneController
from postern.directory.ad.client import DomainClient
from postern.directory.ad.setup import SetupError
from postern.directory.ldap import tickets
from postern.model.directory import DomainController
from postern.model.organization import ActiveDirectory, Organization, Server, StateFolder
from postern.net.dns import DnsError, Resolver
from postern.net.tunnel import tunnel
from postern.paths.row import Wire
from postern.paths.table import settle

TIMEOUT = 30.0
"""Seconds for one request of a command."""


def domain_of(organization: Organization) -> ActiveDirectory:
    """The organization's domain. Raises SetupError in an organization without Active Directory."""
    if organization.active_directory is None:
        raise SetupError(
            'postern.toml names no Active Directory: add [active-directory] with a line domain = "corp.example.test"'
        )
    return organization.active_directory


def keytab_of(organization: Organization, state: StateFolder) -> Path:
    return Path(organization.keytab) if organization.keytab else state.keytab


@asynccontextmanager
async def as_server(
    state: StateFolder, organization: Organization, server: Server, row: str
) -> AsyncIterator[DomainClient]:
    """Connects on the row with this id, with this server's own keys. Raises SetupError; requests raise DirectoryUnavailable."""
    path, realm = settle(organization.profile)[row], domain_of(organization).domain.upper()
    keytab = keytab_of(organization, state)
    if not keytab.exists():
        raise SetupError(f"this server has no keys ({keytab} is missing): `postern setup ad` makes them")
    controller = await choose(organization)
    with kerberos(realm, controller) as configuration:
        os.environ.update(tickets.environment(keytab, configuration))
        machine = tickets.MachineTickets(server.machine_account, realm, keytab)
        client = DomainClient(path, path.port("ldap", Wire.TCP), OneController(controller), tunnel, machine, TIMEOUT)
        try:
            yield client
        finally:
            await client.close()


async def choose(organization: Organization, name: str = "") -> DomainController:
    """The controller of this name or, for "", one of the [[host]] tables or the one that DNS names first (MS-ADTS 6.3.6).
    Raises SetupError."""
    domain = domain_of(organization).domain
    for host in organization.hosts:
        if "active-directory" in host.parties and host.fqdn and name.lower() in ("", host.name, host.fqdn.lower()):
            return DomainController(host.fqdn, host.addresses[0], host.site, True, True)
    resolver = Resolver(settle(organization.profile)["any-server-to-dns"], organization.dns_servers)
    fqdn = name if "." in name else f"{name}.{domain}" if name else ""
    try:
        if not fqdn:
            services = await resolver.services(f"_ldap._tcp.dc._msdcs.{domain}")
            fqdn = services[0].host
        return DomainController(fqdn, (await resolver.addresses(fqdn))[0], "", True, True)
    except (DnsError, IndexError) as error:
        what = f"the domain controller {fqdn}" if fqdn else f"a domain controller of {domain}"
        raise SetupError(
            f"DNS does not know {what} ({error}): name one with --controller, or write it as [[host]] into postern.toml"
        ) from None


@contextmanager
def kerberos(realm: str, controller: DomainController) -> Iterator[str]:
    """Makes Kerberos of this process ask the chosen controller, for no other knows yet what was just changed there. Yields the
    path of krb5.conf, and restores the environment at the end."""
    former = {name: os.environ.get(name) for name in _ENVIRONMENT}
    with tempfile.NamedTemporaryFile("w", prefix="postern-krb5-", suffix=".conf") as out:
        out.write(_KRB5_CONF.format(realm=realm, domain=realm.lower(), address=controller.address))
        out.flush()
        os.environ["KRB5_CONFIG"] = out.name
        try:
            yield out.name
        finally:
            for name, value in former.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


_ENVIRONMENT = ("KRB5_CONFIG", "KRB5CCNAME", "KRB5_CLIENT_KTNAME")
_KRB5_CONF = """[libdefaults]
 default_realm = {realm}
 dns_canonicalize_hostname = false
 rdns = false
 dns_lookup_kdc = false
[realms]
 {realm} = {{
  kdc = {address}
 }}
[domain_realm]
 .{domain} = {realm}
 {domain} = {realm}
"""
