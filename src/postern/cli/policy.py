"""`postern policy address`: e-mail address policies in Active Directory, and their application by the System Attendant."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from postern.cli.state_folder import state_option
from postern.cli.terminal import ask, echo, echo_json, json_option, print_fields, print_table
from postern.model.words import counted

if TYPE_CHECKING:
    from postern.directory.ad.address_policy import AddressPolicy
    from postern.host.address_policies import PolicyDomain
    from postern.model.organization import Organization, Server, StateFolder

T = TypeVar("T")

_template = click.option(
    "--template",
    "templates",
    multiple=True,
    metavar="ADDRESS",
    help="Such as %g.%s@corp.test; the first is the primary's.",
)
_filter = click.option(
    "--filter", "which", metavar="FILTER", help="Whom it is for: department=Sales, or an LDAP filter."
)
_order = click.option("--order", type=click.IntRange(1, 2147483647), help="The lowest that matches a recipient counts.")


@click.group("policy")
def policy() -> None:
    """Policies of the organization."""


@policy.group("address")
def address() -> None:
    """E-mail address policies: which addresses recipients get.

    Codes of a template: %g given name, %s surname, %i initials, %m mail nickname, %d display name; %1g the first letter,
    %rXY writes Y for X, %% is itself. An address that somebody has stays; where it is taken, a number follows the name.
    """


@address.command("list")
@json_option
@state_option
def listing(as_json: bool, state_dir: str | None) -> None:
    """List policies in the order in which they count."""

    async def work(opened: PolicyDomain, organization: Organization) -> list[tuple[AddressPolicy, int]]:
        policies = opened.update.policies
        return [(one, await policies.matched(one, opened.base)) for one in await policies.all()]

    found = _on_policies(state_dir, work)
    if as_json:
        echo_json([_as_dict(one) | {"recipients": count} for one, count in found])
        return
    rows = [(one.name, str(one.order), one.filter, ", ".join(one.templates), str(count)) for one, count in found]
    print_table(("policy", "order", "filter", "addresses", "matches"), rows, "there is no policy")


@address.command("show")
@click.argument("name")
@json_option
@state_option
def show(name: str, as_json: bool, state_dir: str | None) -> None:
    """Show one policy."""

    async def work(opened: PolicyDomain, organization: Organization) -> AddressPolicy:
        return await opened.update.policies.get(name)

    one = _on_policies(state_dir, work)
    if as_json:
        echo_json(_as_dict(one))
        return
    print_fields(
        {"name": one.name, "order": str(one.order), "filter": one.filter, "addresses": ", ".join(one.templates)}
    )


@address.command("add")
@click.argument("name")
@_template
@_filter
@_order
@state_option
def add(name: str, templates: tuple[str, ...], which: str | None, order: int | None, state_dir: str | None) -> None:
    """Add a policy. `postern policy address preview NAME` shows what it will do."""
    if not templates:
        raise click.UsageError("say which addresses it gives: --template %m@corp.test")

    async def work(opened: PolicyDomain, organization: Organization) -> AddressPolicy:
        one = await _made(opened, organization, _new(name), templates, which, order)
        await opened.update.policies.add(one)
        return one

    echo(f"added {_on_policies(state_dir, work).name}; recipients follow within seconds")


@address.command("edit")
@click.argument("name")
@_template
@_filter
@_order
@state_option
def edit(name: str, templates: tuple[str, ...], which: str | None, order: int | None, state_dir: str | None) -> None:
    """Change a policy; what is not said stays."""

    async def work(opened: PolicyDomain, organization: Organization) -> AddressPolicy:
        one = await _made(opened, organization, await opened.update.policies.get(name), templates, which, order)
        await opened.update.policies.change(one)
        return one

    echo(f"changed {_on_policies(state_dir, work).name}; recipients follow within seconds")


@address.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@state_option
def remove(name: str, yes: bool, state_dir: str | None) -> None:
    """Remove a policy. Addresses that it gave stay."""
    if not yes:
        ask(f"Remove the address policy {name}?", "--yes")

    async def work(opened: PolicyDomain, organization: Organization) -> None:
        await opened.update.policies.remove(name)

    _on_policies(state_dir, work)
    echo(f"removed {name}")


@address.command("preview")
@click.argument("recipients", nargs=-1)
@json_option
@state_option
def preview(recipients: tuple[str, ...], as_json: bool, state_dir: str | None) -> None:
    """Show which addresses would change: of RECIPIENTS, or of all. Changes nothing."""

    async def work(opened: PolicyDomain, organization: Organization) -> list[Any]:
        return await opened.update.preview(addresses=recipients)

    found = [one for one in _on_policies(state_dir, work) if recipients or one.before != one.after]
    if as_json:
        echo_json([{"name": one.name, "before": list(one.before), "after": list(one.after)} for one in found])
        return
    rows = [(one.name, ", ".join(one.before), ", ".join(one.after)) for one in found]
    print_table(("recipient", "has", "will have"), rows, "nothing would change")


@address.command("apply")
@click.argument("recipients", nargs=-1)
@json_option
@state_option
def apply(recipients: tuple[str, ...], as_json: bool, state_dir: str | None) -> None:
    """Have the System Attendant update RECIPIENTS now, or all, instead of within seconds of their change."""
    from postern.host import address_policies

    folder, organization, server = _here(state_dir)
    name, done = asyncio.run(address_policies.apply(folder, organization, server, recipients))
    if as_json:
        echo_json({"server": name, "seen": done.seen, "changed": done.changed, "failed": list(done.failed)})
        return
    echo(f"{name} looked at {counted(done.seen, 'recipient')} and changed {done.changed}")
    if done.failed:
        echo(f"not changed, see its log: {', '.join(done.failed)}")


def _on_policies(state_dir: str | None, work: Callable[[PolicyDomain, Organization], Awaitable[T]]) -> T:
    from postern.host import address_policies
    from postern.model.directory import DirectoryUnavailable

    folder, organization, server = _here(state_dir)

    async def run() -> T:
        async with address_policies.opened(folder, organization, server) as opened:
            return await work(opened, organization)

    try:
        return asyncio.run(run())
    except DirectoryUnavailable:
        raise click.ClickException("no domain controller answers, or none accepts this server's keys") from None


def _here(state_dir: str | None) -> tuple[StateFolder, Organization, Server]:
    from postern.host import configuration, state
    from postern.telemetry.log import configure

    configure("postern", None, "critical")
    folder = state.find(state_dir)
    organization = configuration.load(folder)
    return folder, organization, configuration.this_server(organization, configuration.recorded(folder))


def _new(name: str) -> AddressPolicy:
    from postern.directory.ad.address_policy import AddressPolicy

    return AddressPolicy(name, 100, "(mailNickname=*)", ())


async def _made(
    opened: PolicyDomain,
    organization: Organization,
    one: AddressPolicy,
    templates: Sequence[str],
    which: str | None,
    order: int | None,
) -> AddressPolicy:
    from postern.directory.ad import address_policy

    domains = [domain.name for domain in organization.domains]
    domains += await opened.update.policies.domains()
    if templates:
        one = replace(one, templates=tuple(address_policy.check_template(each, domains) for each in templates))
    if which is not None:
        one = replace(one, filter=address_policy.filter_of(which))
    return replace(one, order=order) if order is not None else one


def _as_dict(one: AddressPolicy) -> dict[str, Any]:
    return {"name": one.name, "order": one.order, "filter": one.filter, "templates": list(one.templates)}
