"""`postern domain`: accepted domains beyond postern.toml, and the mechanisms that need more kept of a password."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from postern.cli import dkim
from postern.cli.directory import in_directory, without_own
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo, echo_json, json_option, print_table
from postern.model.directory import RecipientType
from postern.model.domains import a_labels, shown
from postern.model.organization import AcceptedDomain, DomainType
from postern.model.words import counted

if TYPE_CHECKING:
    from postern.host.directory import OpenDirectory
    from postern.model.organization import Organization, StateFolder

_MECHANISMS = {"ntlm": "nt", "scram": "scram-sha-256"}
_WARNINGS = {
    "ntlm": "An NT hash is as good as the password to whoever steals it; it is readable by Postern's own account alone.",
    "scram": "",
}


@click.group("domain")
def domain() -> None:
    """Domains that this organization accepts mail for."""


domain.add_command(dkim.dkim)


@domain.command("add")
@click.argument("name")
@click.option(
    "--type",
    "kind",
    type=click.Choice([kind.value for kind in DomainType]),
    default=DomainType.AUTHORITATIVE.value,
    show_default=True,
    help="Authoritative: all its recipients are here.",
)
@state_option
def add(name: str, kind: str, state_dir: str | None) -> None:
    """Accept mail for a domain."""

    from postern.directory.settings import checked_domain

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> None:
        if checked_domain(name) in (a_labels(known.name) for known in organization.domains):
            raise click.ClickException(f"{name} stands in postern.toml already")
        await directory.write.add_domain(AcceptedDomain(name, DomainType(kind)))

    in_directory(state_dir, work)
    echo(f"mail for {name} is accepted ({kind})")


@domain.command("list")
@json_option
@state_option
def listing(as_json: bool, state_dir: str | None) -> None:
    """List accepted domains."""

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> list[tuple[str, str, str]]:
        found = [(shown(one.name), one.type.value, "postern.toml") for one in organization.domains]
        return found + [
            (shown(one.name), one.type.value, "directory") for one in await directory.read.accepted_domains()
        ]

    rows = in_directory(state_dir, work)
    if as_json:
        echo_json([{"name": name, "type": kind, "source": source} for name, kind, source in rows])
    else:
        print_table(("domain", "type", "from"), rows, "there is none")


@domain.command("remove")
@click.argument("name")
@state_option
def remove(name: str, state_dir: str | None) -> None:
    """Accept mail for a domain no more. Addresses in it must be gone first."""

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> None:
        await directory.write.remove_domain(name)

    in_directory(state_dir, work)
    echo(f"mail for {name} is accepted no more")


@domain.group("auth")
def auth() -> None:
    """Mechanisms that users may prove themselves by, besides passwords inside TLS and Kerberos."""


@auth.command("enable")
@click.argument("mechanism", type=click.Choice(sorted(_MECHANISMS)))
@state_option
def enable(mechanism: str, state_dir: str | None) -> None:
    """Keep of every password that is set from now on what NTLM or SCRAM needs."""
    from postern.host.directory import ensure_probe_account

    kind = _MECHANISMS[mechanism]

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> list[str]:
        await directory.write.enable_verifier(kind)
        await ensure_probe_account(directory, state, organization)
        users = without_own(await directory.write.listings(RecipientType.USER))
        return [one.name for one in users if kind not in one.verifiers]

    without = in_directory(state_dir, work)
    echo(f"{mechanism} is enabled. Roles offer it within a minute, where the profile's paths list it.")
    if _WARNINGS[mechanism]:
        echo(_WARNINGS[mechanism])
    if without:
        shown = ", ".join(without[:5]) + (" …" if len(without) > 5 else "")
        echo(
            f"It cannot be made from what is kept of a password now: {counted(len(without), 'user')} ({shown}) can use it once "
            "their password is set again, by `postern user passwd NAME`."
        )


@auth.command("disable")
@click.argument("mechanism", type=click.Choice(sorted(_MECHANISMS)))
@state_option
def disable(mechanism: str, state_dir: str | None) -> None:
    """Offer NTLM or SCRAM no more, and erase what was kept for it."""

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> int:
        return await directory.write.disable_verifier(_MECHANISMS[mechanism])

    echo(f"{mechanism} is disabled; what was kept of {in_directory(state_dir, work)} passwords for it is erased")


@auth.command("list")
@json_option
@state_option
def auth_list(as_json: bool, state_dir: str | None) -> None:
    """Which of them are enabled."""

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> frozenset[str]:
        return await directory.read.enabled_verifiers()

    enabled = in_directory(state_dir, work)
    rows = [(mechanism, kind in enabled) for mechanism, kind in sorted(_MECHANISMS.items())]
    if as_json:
        echo_json([{"mechanism": mechanism, "enabled": on} for mechanism, on in rows])
    else:
        print_table(("mechanism", "enabled"), [(mechanism, "yes" if on else "no") for mechanism, on in rows], "")
