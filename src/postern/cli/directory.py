"""Opens the directory for the commands about users, groups, aliases and domains, and prints its entries."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from postern.cli.failures import Failure, failure
from postern.cli.sizes import size
from postern.cli.terminal import ask, ask_password, print_fields
from postern.model.directory import CLOSED_PROBE, PROBE, DirectoryUnavailable, IncompleteAnswer, RecipientType
from postern.model.domains import a_labels, fold, shown
from postern.model.organization import Role

if TYPE_CHECKING:
    from postern.directory.ldap.client import Refused
    from postern.directory.listing import Listing
    from postern.host.directory import OpenDirectory
    from postern.model.organization import Database, Organization, StateFolder

T = TypeVar("T")
Work = Callable[["OpenDirectory", "Organization", "StateFolder"], Awaitable[T]]

MINIMUM_LENGTH = 8
"""Characters of a new password at least: NIST SP 800-63B section 5.1.1.1."""

password_option = click.option("--password-stdin", is_flag=True, help="Take the password from standard input.")


def in_directory(state_dir: str | None, work: Work[T], role: Role | None = None) -> T:
    """Runs `work` on the organization's directory. Raises Failure on a host without the `role` that it needs."""
    from postern.directory.ldap.client import Refused
    from postern.host import configuration, state
    from postern.host.directory import opened
    from postern.host.engines import start as engines
    from postern.telemetry.log import configure

    configure("postern", None, "critical")  # the command says itself what fails
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
        raise failure(error, f"{error}; nothing was changed: try again when the whole directory answers") from None
    except (DirectoryUnavailable, Refused) as error:
        raise no_directory(error, folder) from None


def no_directory(error: DirectoryUnavailable | Refused, folder: StateFolder) -> Failure:
    """The failure of a command whose directory does not answer, or refuses."""
    if isinstance(error, DirectoryUnavailable):
        return failure(
            error,
            f"the directory of {folder.root} does not answer: start this host with `postern run`, or name another with --state",
        )
    return failure(error, f"the directory refused that ({error}): see the directory's log")


def _check_host(organization: Organization, recorded: str | None, role: Role | None) -> None:
    """Raises Failure on a host that lacks what the command is about, and names hosts that have it: an edge has no users, and
    only a mailbox server has mailboxes."""
    if len(organization.servers) > 1 and recorded is None:
        return
    here = next((server for server in organization.servers if recorded in (None, server.name)), None)
    if here is None:
        return
    if Role.EDGE in here.roles:
        lacks = "no directory of users"
        others = [server for server in organization.servers if Role.EDGE not in server.roles]
    elif role is not None and role not in here.roles and not any(each.url for each in organization.databases):
        lacks, others = f"not the role {role}", list(organization.with_role(role))
    else:
        return
    where = " or ".join(server.name for server in others) or "a server inside the organization"
    roles = ", ".join(sorted(here.roles))
    raise Failure(f"this host is {here.name} ({roles}), which has {lacks}: say this on {where}", os.EX_CONFIG)


def in_active_directory(state_dir: str | None) -> bool:
    """Whether Active Directory keeps the accounts and passwords."""
    from postern.host import configuration, state

    return configuration.load(state.find(state_dir)).active_directory is not None


async def accepted_address(directory: OpenDirectory, organization: Organization, address: str) -> str:
    """Completes an address by the default domain. Raises Failure if this organization accepts no mail for its domain."""
    if "@" not in address:
        return f"{address}@{organization.default_domain}"
    accepted = (*organization.domains, *await directory.read.accepted_domains())
    domain = address.rpartition("@")[2]
    if a_labels(domain) not in {a_labels(each.name) for each in accepted}:
        raise not_accepted(domain, [shown(each.name) for each in accepted])
    return address


def not_accepted(domain: str, accepted: Iterable[str], otherwise: str = "") -> Failure:
    """The failure for a domain that this organization accepts no mail for; `otherwise` is what can be done besides."""
    names = ", ".join(accepted)
    return Failure(
        f"{domain} is no accepted domain of this organization ({names}): `postern domain add {domain}` makes it one{otherwise}",
        os.EX_DATAERR,
    )


def database_named(organization: Organization, wanted: str) -> Database | None:
    """Returns the database of this name or on this server; without a name the first one, None where there is none. Raises
    Failure."""
    if not wanted:
        return next(iter(organization.databases), None)
    database = organization.database(wanted)
    if database is None:
        names = ", ".join(each.name for each in organization.databases) or "none"
        raise Failure(f"{wanted} is no mailbox database of this organization: it has {names}", os.EX_NOUSER)
    return database


own_option = click.option("--own", is_flag=True, help="Show also the accounts that Postern itself uses.")


def without_own(listings: Iterable[Listing]) -> list[Listing]:
    """Leaves out the accounts that `postern verify` tries, in whichever domain they were made: they are nobody's mailboxes."""
    return [entry for entry in listings if entry.name.partition("@")[0].lower() not in (PROBE, CLOSED_PROBE)]


def refuse_postmaster(organization: Organization, entry: Listing) -> None:
    """Raises Failure for postmaster: RFC 5321 section 4.5.1 has it exist, and the hub takes mail for it from everybody."""
    name = f"postmaster@{organization.default_domain}"
    if fold(name) in (fold(entry.primary), fold(entry.name)):
        raise Failure(
            f"{name} cannot be removed, mail to it must reach somebody (RFC 5321 section 4.5.1): "
            f"`postern user forward {name} NAME` hands its mail to another",
            os.EX_DATAERR,
        )


async def keep_postmaster(directory: OpenDirectory, organization: Organization) -> None:
    """Gives postmaster a mailbox again, if the entry that was removed had the address as an alias."""
    from postern.host.directory import ensure_postmaster

    if organization.active_directory is None:
        await ensure_postmaster(directory, organization)


def confirmed(state_dir: str | None, name: str, kinds: Iterable[RecipientType]) -> str:
    """Asks whether the entry that `name` names is to be removed, and returns its address.

    The question names the entry in full, because a short name may be another's than the one that was meant. An entry of no
    such kind is refused later, without a question.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> Listing:
        return await directory.write.show(name)

    entry = in_directory(state_dir, work)
    address = entry.primary or entry.name
    if entry.type in kinds:
        also = ", ".join(name for name in (entry.display_name, *entry.aliases) if name and name != address)
        ask(f"Remove the {entry.type} {address}{f' ({also})' if also else ''}?", "--yes")
    return address


def new_password(from_stdin: bool) -> str:
    """Reads a password: by prompt, twice, or the first line of standard input. As an argument every process would see it."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = ask_password("Password", "--password-stdin", twice=True)
    if len(password) < MINIMUM_LENGTH:
        raise Failure(f"the password is too short: choose {MINIMUM_LENGTH} characters or more", os.EX_DATAERR)
    return password


async def verifiers_of(directory: OpenDirectory, name: str, password: str) -> dict[str, str]:
    try:
        return await directory.verifiers(name, password)
    except ValueError as error:
        raise Failure(f"this password cannot be used ({error}): choose another", os.EX_DATAERR) from None


def home(listing: Listing, organization: Organization) -> tuple[str, str]:
    """Returns the name of a mailbox's database and the server that has it now. A database that `postern.toml` does not know is
    named as the directory has it, without a server; both are "" for an entry without a mailbox."""
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
    """Prints an entry of the directory, a line for each of its fields."""
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
