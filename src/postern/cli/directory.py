"""What the commands about users, groups, aliases and domains share: the open directory, passwords, tables and JSON."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from postern.cli.terminal import ask, ask_password, print_fields
from postern.model.directory import PROBE, DirectoryUnavailable, IncompleteAnswer, RecipientType
from postern.model.domains import a_labels, fold, shown
from postern.model.organization import Role

if TYPE_CHECKING:
    from postern.directory.administration import Listing
    from postern.host.directory import OpenDirectory
    from postern.model.organization import Organization, StateFolder

T = TypeVar("T")
Work = Callable[["OpenDirectory", "Organization", "StateFolder"], Awaitable[T]]

MINIMUM_LENGTH = 8
"""Characters of a new password: NIST SP 800-63B section 5.1.1.1."""

password_option = click.option("--password-stdin", is_flag=True, help="Take the password from standard input.")


def in_directory(state_dir: str | None, work: Work[T], role: Role | None = None) -> T:
    """Runs `work` on the organization's directory; with `role`, on a host that has it. The wrong host says so."""
    from postern.directory.ldap.client import Refused
    from postern.host import configuration, state
    from postern.host.directory import opened
    from postern.host.engines import start as engines
    from postern.telemetry.log import configure

    configure("postern", None, "critical")  # a person reads one line of ours, a program reads JSON
    folder = state.find(state_dir)
    configured = configuration.load(folder)
    _check_host(configured, configuration.recorded(folder), role)
    organization = engines.resolved(configured, folder)

    async def run() -> T:
        async with opened(folder, organization) as directory:
            return await work(directory, organization, folder)

    try:
        return asyncio.run(run())
    except IncompleteAnswer as error:
        raise click.ClickException(
            f"{error}: nothing can be said of mailbox owners now, and nothing was changed"
        ) from None
    except DirectoryUnavailable:
        raise click.ClickException(
            f"the directory of {folder.root} does not answer: start the organization with `postern run`, or name "
            "another with --state"
        ) from None
    except Refused as error:
        raise click.ClickException(f"the directory refused that: {error}") from None


def _check_host(organization: Organization, recorded: str | None, role: Role | None) -> None:
    """Refuses a command on a host that lacks what it is about, and names those that have it: an edge has no users, and only a
    mailbox server has mailboxes."""
    if len(organization.servers) > 1 and recorded is None:
        return
    here = next((one for one in organization.servers if recorded in (None, one.name)), None)
    if here is None:
        return
    if Role.EDGE in here.roles:
        lacks, others = "no directory of users", [one for one in organization.servers if Role.EDGE not in one.roles]
    elif role is not None and role not in here.roles and not any(one.url for one in organization.databases):
        lacks, others = f"not the role {role}", list(organization.with_role(role))
    else:
        return
    where = " or ".join(one.name for one in others) or "a server inside the organization"
    roles = ", ".join(sorted(here.roles))
    raise click.ClickException(f"this host is {here.name} ({roles}), which has {lacks}: say this on {where}")


def in_active_directory(state_dir: str | None) -> bool:
    """Whether accounts and passwords are Active Directory's."""
    from postern.host import configuration, state

    return configuration.load(state.find(state_dir)).active_directory is not None


async def accepted_address(directory: OpenDirectory, organization: Organization, address: str) -> str:
    """The address, completed by the default domain; only in a domain that this organization accepts mail for."""
    if "@" not in address:
        return f"{address}@{organization.default_domain}"
    accepted = (*organization.domains, *await directory.read.accepted_domains())
    domain = address.rpartition("@")[2]
    if a_labels(domain) not in {a_labels(one.name) for one in accepted}:
        names = ", ".join(shown(one.name) for one in accepted)
        raise click.ClickException(
            f"{domain} is no accepted domain of this organization ({names}): `postern domain add {domain}`"
        )
    return address


own_option = click.option("--own", is_flag=True, help="Show Postern's own accounts, too.")


def without_own(found: Iterable[Listing]) -> list[Listing]:
    """Leaves out Postern's own accounts: the mailbox that `postern verify` logs on to is no one's, in whichever domain it was
    made."""
    return [one for one in found if one.name.partition("@")[0].lower() != PROBE]


def refuse_postmaster(organization: Organization, found: Listing) -> None:
    """Refuses to remove postmaster: RFC 5321 section 4.5.1 has it exist, and the hub takes mail for it unasked."""
    name = f"postmaster@{organization.default_domain}"
    if fold(name) in (fold(found.primary), fold(found.name)):
        raise click.ClickException(
            f"{name} stays: whoever writes to it must reach somebody (RFC 5321 section 4.5.1); "
            f"`postern user forward {name} NAME` hands its mail to another"
        )


async def keep_postmaster(directory: OpenDirectory, organization: Organization) -> None:
    """Gives postmaster a mailbox again, if what was removed had the address as an alias."""
    from postern.host.directory import ensure_postmaster

    if organization.active_directory is None:
        await ensure_postmaster(directory, organization)


def confirmed(state_dir: str | None, name: str, kinds: Iterable[RecipientType]) -> str:
    """Asks whether the entry that `name` finds is to be removed, and returns its address. The question tells in full who was
    found, for a short name may be somebody else's than the one meant. What is of no such kind is refused later, unasked."""

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> Listing:
        return await directory.write.show(name)

    found = in_directory(state_dir, work)
    address = found.primary or found.name
    if found.type in kinds:
        also = ", ".join(one for one in (found.display_name, *found.aliases) if one and one != address)
        ask(f"Remove the {found.type} {address}{f' ({also})' if also else ''}?", "--yes")
    return address


def new_password(from_stdin: bool) -> str:
    """By prompt, twice, or the first line of standard input; never as an argument, where every process sees it."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = ask_password("Password", "--password-stdin", twice=True)
    if len(password) < MINIMUM_LENGTH:
        raise click.ClickException(f"a password has at least {MINIMUM_LENGTH} characters")
    return password


async def verifiers_of(directory: OpenDirectory, password: str) -> dict[str, str]:
    try:
        return await directory.verifiers(password)
    except ValueError as error:
        raise click.ClickException(f"this password cannot be used: {error}") from None


def home(listing: Listing, organization: Organization) -> tuple[str, str]:
    """The name of a mailbox's database and the server that has it now. What postern.toml does not know is told as it is kept,
    with no server; "" twice for whoever has no mailbox."""
    database = organization.database(listing.database) if listing.database else None
    return (database.name, database.server) if database is not None else (listing.database, "")


def as_dict(listing: Listing, organization: Organization) -> dict[str, Any]:
    database, server = home(listing, organization)
    return {
        "guid": str(listing.guid),
        "type": listing.type.value,
        "name": listing.name,
        "display_name": listing.display_name,
        "primary": listing.primary,
        "aliases": list(listing.aliases),
        "enabled": listing.enabled,
        "hidden": listing.hidden,
        "database": database,
        "home_server": server,
        "quota": listing.quota,
        "target": listing.target,
        "members": list(listing.members),
        "send_as": list(listing.send_as),
        "verifiers": list(listing.verifiers),
    }


def print_listing(listing: Listing, organization: Organization) -> None:
    """One entry, a line for each thing that it has."""
    database, server = home(listing, organization)
    print_fields(
        {
            "name": listing.name,
            "display name": listing.display_name,
            "type": listing.type.value,
            "address": listing.primary,
            "aliases": ", ".join(listing.aliases),
            "members": ", ".join(listing.members),
            "forwards to": listing.target,
            "may send as": ", ".join(listing.send_as),
            "database": database,
            "mailbox server": server,
            "quota": size(listing.quota) if listing.quota else "",
            "password": ", ".join(listing.verifiers),
            "log on": "" if listing.enabled else "disabled",
            "address lists": "hidden" if listing.hidden else "",
            "objectGUID": str(listing.guid),
        }
    )


def size(octets: int) -> str:
    """Bytes as people read them."""
    amount = float(octets)
    for unit in ("bytes", "KB", "MB", "GB"):
        if amount < 1024 or unit == "GB":
            break
        amount /= 1024
    return f"{amount:.4g} {unit}"


def octets(text: str | int) -> int:
    """A size as people write it: 2G, 500M, 100K, or bytes. For `type=` of an option."""
    word = str(text).strip().upper().removesuffix("B")
    factor = {"K": 1024, "M": 1024**2, "G": 1024**3}.get(word[-1:], 1)
    digits = word[:-1] if factor > 1 else word
    if not digits.isdecimal():
        raise click.BadParameter(f"{text} is no size: 2G, 500M, 100K, or a number of bytes")
    return int(digits) * factor
