"""`postern domain` manages accepted domains beside those of `postern.toml`, and the mechanisms that need a verifier."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from postern.cli import dkim, domain_dns
from postern.cli.called import called
from postern.cli.directory import in_directory, without_own
from postern.cli.failures import Failure
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo, echo_json, json_option, print_table
from postern.model.directory import RecipientType
from postern.model.domains import a_labels, shown
from postern.model.organization import AcceptedDomain, DomainType
from postern.model.words import counted, first_of

if TYPE_CHECKING:
    from postern.host.directory import OpenDirectory
    from postern.model.organization import Organization, StateFolder

_MECHANISMS = {"digest": "digest", "ntlm": "nt", "scram": "scram-sha-256"}
_WARNINGS = {
    "digest": "Its hashes open HTTP doors that list Digest as the password does; only Postern's own account can read them.",
    "ntlm": "An NT hash is as good as the password to a thief; only Postern's own account can read it.",
    "scram": "",
}


@click.group("domain")
def domain() -> None:
    """Manage the domains that this organization accepts mail for."""


domain.add_command(dkim.dkim)
domain.add_command(domain_dns.dns)


@domain.command("add")
@click.argument("name")
@click.option(
    "--type",
    "kind",
    type=click.Choice([kind.value for kind in DomainType]),
    default=DomainType.AUTHORITATIVE.value,
    show_default=True,
    help="In an authoritative domain all recipients are here.",
)
@state_option
def add(name: str, kind: str, state_dir: str | None) -> None:
    """Accept mail for a domain.

    For example `postern domain add sales.example.test`.
    """
    from postern.directory.settings import checked_domain

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> None:
        if checked_domain(name) in (a_labels(known.name) for known in organization.domains):
            raise Failure(f"{name} is in `postern.toml` already: there is nothing to add", os.EX_DATAERR)
        await directory.write.add_domain(AcceptedDomain(name, DomainType(kind)))

    in_directory(state_dir, work)
    echo(f"mail for {name} is accepted ({kind})")


@domain.command("list")
@json_option
@state_option
def listing(as_json: bool, state_dir: str | None) -> None:
    """List accepted domains.

    For example `postern domain list`.
    """

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> list[tuple[str, str, str]]:
        configured = [(shown(each.name), each.type.value, "postern.toml") for each in organization.domains]
        added = await directory.read.accepted_domains()
        return configured + [(shown(each.name), each.type.value, "directory") for each in added]

    rows = in_directory(state_dir, work)
    if as_json:
        echo_json([{"name": name, "type": kind, "source": source} for name, kind, source in rows])
    else:
        print_table(("domain", "type", "from"), rows, "no accepted domain")


@domain.command("remove")
@click.argument("name")
@state_option
def remove(name: str, state_dir: str | None) -> None:
    """Stop accepting mail for a domain. Remove the addresses in it first.

    For example `postern domain remove sales.example.test`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> None:
        await directory.write.remove_domain(name)

    in_directory(state_dir, work)
    echo(f"mail for {name} is no longer accepted")


@domain.group("auth")
def auth() -> None:
    """Switch the mechanisms of users besides passwords inside TLS and Kerberos."""


@auth.command("enable")
@click.argument("mechanism", type=click.Choice(sorted(_MECHANISMS)))
@state_option
def enable(mechanism: str, state_dir: str | None) -> None:
    """Enable a mechanism: keep its verifier of each password that is set from now on.

    For example `postern domain auth enable scram`.
    """
    from postern.host.directory import ensure_probe_account

    kind = _MECHANISMS[mechanism]

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> list[str]:
        await directory.write.enable_verifier(kind, a_labels(organization.default_domain))
        await ensure_probe_account(directory, state, organization)
        users = without_own(await directory.write.listings(RecipientType.USER))
        return [listing.name for listing in users if kind not in listing.verifiers]

    without = in_directory(state_dir, work)
    echo(f"{mechanism} is enabled; roles offer it within a minute, where the paths of the profile list it")
    if _WARNINGS[mechanism]:
        echo(_WARNINGS[mechanism])
    if without:
        echo(
            f"{counted(len(without), 'user')} ({first_of(without, 5)}) cannot use it yet, for it cannot be made from what is "
            f"kept of their passwords: set them again with `{called()} user passwd NAME`."
        )


@auth.command("disable")
@click.argument("mechanism", type=click.Choice(sorted(_MECHANISMS)))
@state_option
def disable(mechanism: str, state_dir: str | None) -> None:
    """Disable a mechanism, and erase the verifiers that were kept for it.

    For example `postern domain auth disable scram`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> int:
        return await directory.write.disable_verifier(_MECHANISMS[mechanism])

    echo(f"{mechanism} is disabled; {counted(in_directory(state_dir, work), 'verifier')} of it erased")


@auth.command("list")
@json_option
@state_option
def auth_list(as_json: bool, state_dir: str | None) -> None:
    """List the mechanisms, and which of them are enabled.

    For example `postern domain auth list`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> frozenset[str]:
        return await directory.read.enabled_verifiers()

    enabled = in_directory(state_dir, work)
    rows = [(mechanism, kind in enabled) for mechanism, kind in sorted(_MECHANISMS.items())]
    if as_json:
        echo_json([{"mechanism": mechanism, "enabled": on} for mechanism, on in rows])
    else:
        print_table(("mechanism", "enabled"), [(mechanism, "yes" if on else "no") for mechanism, on in rows], "")
