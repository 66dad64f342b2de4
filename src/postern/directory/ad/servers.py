"""Plans what `postern setup ad` makes for each server: its computer account with service names and AES keys, its membership in
the servers' group, and its object in Postern's container. Plans the account that `postern verify` logs on with, too.

Pure, as `setup`: returns the steps that are missing in what was read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from postern.directory.ad import names
from postern.directory.ad.setup import ADD, Forest, SetupError
from postern.directory.ad.steps import Add, Modify, NewSecret, SetupStep
from postern.directory.entries import ACCOUNT_DISABLED, NORMAL_ACCOUNT, WORKSTATION_ACCOUNT
from postern.directory.entries import home as home_of
from postern.model.directory import PROBE
from postern.model.organization import Database, Role, Server

REPLACE = 2
"""RFC 4511 section 4.6."""
KEY_VERSION = "msDS-KeyVersionNumber"
AES_ONLY = 24
"""msDS-SupportedEncryptionTypes (MS-KILE 2.2.7): AES128 and AES256."""
_NEVER_EXPIRES = 0x10000

_SERVICES: Mapping[Role, tuple[str, ...]] = {
    Role.HUB: ("SMTP", "SmtpSvc"),
    Role.MAILBOX: ("exchangeMDB", "exchangeRFR", "exchangeAB"),
    Role.CLIENT_ACCESS: ("IMAP", "IMAP4", "POP", "POP3", "HTTP"),
    Role.UNIFIED_MESSAGING: ("SIP",),
}
_KEPT = ("userAccountControl", "dNSHostName", "msDS-SupportedEncryptionTypes")


def service_names(server: Server) -> list[str]:
    """Returns servicePrincipalName values: each service of the server's roles, with the full and with the short name."""
    services = ["HOST", *(service for role in _SERVICES if role in server.roles for service in _SERVICES[role])]
    hosts = dict.fromkeys((server.fqdn, server.name))
    return [f"{service}/{host}" for service in services for host in hosts]


def keytab_names(server: Server) -> list[str]:
    """Returns the service names in the forms that clients write to a KDC: in lower case too, for MIT's keytabs heed case."""
    return list(dict.fromkeys(form for name in service_names(server) for form in (_lower_service(name), name)))


def computer_dn(domain: str, server: Server) -> str:
    """Returns the name of the computer account; `domain` is the domain's distinguished name."""
    return f"CN={server.machine_account.rstrip('$')},CN=Computers,{domain}"


def key_version(forest: Forest, server: Server) -> int:
    """Returns the version number of the account's keys in the directory; 0 where there is no account."""
    versions = forest.values(computer_dn(forest.domain, server), KEY_VERSION)
    return int(versions[0]) if versions else 0


def probe_dn(forest: Forest) -> str:
    return f"CN={names.PROBE_ACCOUNT},CN=Users,{forest.domain}"


def server_dn(forest: Forest, server: Server) -> str:
    return forest.below_configuration(f"CN={server.name},{names.SERVERS}")


def steps(forest: Forest, server: Server, secret_is_known: bool) -> Iterator[SetupStep]:
    """Returns the steps for one server. With `secret_is_known` the account's password and keytab are in their files, and no new
    ones are made."""
    dn, area = computer_dn(forest.domain, server), server.name
    _refuse_taken(forest, server, dn)
    wanted: dict[str, list[bytes]] = {
        "userAccountControl": [str(WORKSTATION_ACCOUNT).encode()],
        "dNSHostName": [server.fqdn.encode()],
        "msDS-SupportedEncryptionTypes": [str(AES_ONLY).encode()],
    }
    spns = [name.encode() for name in service_names(server)]
    if not forest.has(dn):
        account = {
            "objectClass": [b"computer"],
            "sAMAccountName": [server.machine_account.encode()],
            "description": [f"Postern: {', '.join(sorted(server.roles))}".encode()],
            **wanted,
            "servicePrincipalName": spns,
        }
        yield SetupStep(
            area, f"computer account {server.machine_account}", Add(dn, account, True), server.machine_account
        )
    else:
        changes: list[tuple[int, str, Sequence[bytes] | None]] = [
            (REPLACE, name, wanted[name]) for name in _KEPT if forest.values(dn, name) != wanted[name]
        ]
        have = {value.lower() for value in forest.values(dn, "servicePrincipalName")}
        if lacking := [spn for spn in spns if spn.lower() not in have]:
            changes.append((ADD, "servicePrincipalName", lacking))
        if changes:
            yield SetupStep(
                area, f"computer account {server.machine_account}: service names, AES keys", Modify(dn, changes)
            )
        if not secret_is_known:
            title = f"a new password of {server.machine_account}, for its secret is not here: an earlier keytab stops working"
            yield SetupStep(area, title, NewSecret(dn), server.machine_account)
    members = {value.decode().lower() for value in forest.values(forest.group, "member")}
    if dn.lower() not in members:
        join = Modify(forest.group, [(ADD, "member", [dn.encode()])])
        yield SetupStep(area, f"{server.machine_account} is a member of {names.SERVERS_GROUP}", join)
    yield from _object(forest, server)


def _refuse_taken(forest: Forest, server: Server, dn: str) -> None:
    for other, values in forest.objects.items():
        account = [value.lower() for value in values.get("sAMAccountName", ())]
        if server.machine_account.lower().encode() in account and other != dn.lower():
            raise SetupError(
                f"{server.machine_account} is {other} already: move it to CN=Computers, or rename the server"
            )


def _object(forest: Forest, server: Server) -> Iterator[SetupStep]:
    dn = server_dn(forest, server)
    wanted: dict[str, list[bytes]] = {
        names.SERVER_FQDN: [server.fqdn.encode()],
        names.SERVER_ROLE: [role.value.encode() for role in sorted(server.roles)],
        names.SITE: [server.site.encode()],
        names.NETWORK_ADDRESS: [address.encode() for address in server.addresses],
    }
    if not forest.has(dn):
        values = {"objectClass": [names.SERVER_CLASS.encode()], "cn": [server.name.encode()], **wanted}
        yield SetupStep(server.name, f"server object {server.name}", Add(dn, values))
        return
    changes = [
        (REPLACE, name, values) for name, values in wanted.items() if sorted(forest.values(dn, name)) != sorted(values)
    ]
    if changes:
        yield SetupStep(server.name, f"server object {server.name}: as postern.toml says", Modify(dn, changes))


def database_steps(forest: Forest, databases: Iterable[Database]) -> Iterator[SetupStep]:
    """Returns steps that make the objects that homeMDB can name."""
    for database in databases:
        dn = forest.below_configuration(f"CN={database.name},{names.DATABASES}")
        if not forest.has(dn):
            values = {"objectClass": [names.DATABASE_CLASS.encode()], "cn": [database.name.encode()]}
            yield SetupStep("databases", f"database {database.name}", Add(dn, values))


def probe_steps(
    forest: Forest, domain: str, address: str, home: Database | None, secret_is_known: bool
) -> Iterator[SetupStep]:
    """Returns steps for the account of the probe, with a mailbox that is in no address list."""
    dn = probe_dn(forest)
    control = NORMAL_ACCOUNT | _NEVER_EXPIRES
    if not forest.has(dn):
        account = {
            "objectClass": [b"user"],
            "sAMAccountName": [names.PROBE_ACCOUNT.encode()],
            "userPrincipalName": [f"{PROBE}@{domain}".encode()],
            "displayName": [b"Postern's own probe"],
            "description": [b"postern verify logs on with it"],
            "userAccountControl": [str(control).encode()],
            "mailNickname": [PROBE.encode()],
            "mail": [address.encode()],
            "proxyAddresses": [f"SMTP:{address}".encode()],
            "msExchHideFromAddressLists": [b"TRUE"],
            names.POLICIES_EXCLUDED: [names.EXCLUDED.encode()],
            **home_of(home, forest.below_configuration(names.DATABASES)),
        }
        yield SetupStep("probe", f"account {names.PROBE_ACCOUNT}", Add(dn, account, True), names.PROBE_ACCOUNT)
        return
    bits = int((forest.values(dn, "userAccountControl") or [b"0"])[0])
    if bits & ACCOUNT_DISABLED:
        enabled = [str(bits & ~ACCOUNT_DISABLED).encode()]
        yield SetupStep(
            "probe", f"enable {names.PROBE_ACCOUNT}", Modify(dn, [(REPLACE, "userAccountControl", enabled)])
        )
    if not secret_is_known:
        title = f"a new password of {names.PROBE_ACCOUNT}, for it is not here"
        yield SetupStep("probe", title, NewSecret(dn), names.PROBE_ACCOUNT)


def _lower_service(name: str) -> str:
    service, _, host = name.partition("/")
    return f"{service.lower()}/{host}"
