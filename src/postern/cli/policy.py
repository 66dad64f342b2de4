"""`postern policy address` manages e-mail address policies in Active Directory, and has the System Attendant apply them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from postern.cli.failures import failure
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
    help="An address such as %g.%s@corp.test; the first makes the primary address; may be repeated.",
)
_filter = click.option(
    "--filter", "which", metavar="FILTER", help="The recipients: department=Sales, or an LDAP filter."
)
_order = click.option(
    "--order",
    type=click.IntRange(1, 2147483647),
    help="Of the policies that match a recipient, the one with the lowest order counts.",
)


@click.group("policy")
def policy() -> None:
    """Manage policies of the organization."""


@policy.group("address")
def address() -> None:
    """Manage e-mail address policies, which give recipients their addresses.

    Codes of a template: %g given name, %s surname, %i initials, %m mail nickname, %d display name; %1g the first letter,
    %rXY writes Y for X, %% is itself. An address that a recipient has stays; where it is taken, a number follows the name.
    """


@address.command("list")
@json_option
@state_option
def listing(as_json: bool, state_dir: str | None) -> None:
    """List policies in the order in which they count.

    For example `postern policy address list`.
    """

    async def work(opened: PolicyDomain, organization: Organization) -> list[tuple[AddressPolicy, int]]:
        policies = opened.update.policies
        return [(each, await policies.matched(each, opened.base)) for each in await policies.all()]

    counts = _on_policies(state_dir, work)
    if as_json:
        echo_json([_as_dict(each) | {"recipient_count": count} for each, count in counts])
        return
    rows = [(each.name, str(each.order), each.filter, ", ".join(each.templates), str(count)) for each, count in counts]
    print_table(("policy", "order", "filter", "templates", "recipients"), rows, "no policy")


@address.command("show")
@click.argument("name")
@json_option
@state_option
def show(name: str, as_json: bool, state_dir: str | None) -> None:
    """Show a policy.

    For example `postern policy address show sales`.
    """

    async def work(opened: PolicyDomain, organization: Organization) -> AddressPolicy:
        return await opened.update.policies.get(name)

    chosen = _on_policies(state_dir, work)
    if as_json:
        echo_json(_as_dict(chosen))
        return
    print_fields(
        {
            "name": chosen.name,
            "order": str(chosen.order),
            "filter": chosen.filter,
            "templates": ", ".join(chosen.templates),
        }
    )


@address.command("add")
@click.argument("name")
@_template
@_filter
@_order
@state_option
def add(name: str, templates: tuple[str, ...], which: str | None, order: int | None, state_dir: str | None) -> None:
    """Add a policy. `postern policy address preview` shows what it changes.

    For example `postern policy address add sales --template %m@corp.test`.
    """
    if not templates:
        raise click.UsageError("the policy gives no address: name one, such as --template %m@corp.test")

    async def work(opened: PolicyDomain, organization: Organization) -> AddressPolicy:
        policy = await _edited(opened, organization, _new(name), templates, which, order)
        await opened.update.policies.add(policy)
        return policy

    echo(f"added {_on_policies(state_dir, work).name}; recipients follow within seconds")


@address.command("edit")
@click.argument("name")
@_template
@_filter
@_order
@state_option
def edit(name: str, templates: tuple[str, ...], which: str | None, order: int | None, state_dir: str | None) -> None:
    """Change a policy; it keeps what no option names.

    For example `postern policy address edit sales --order 10`.
    """

    async def work(opened: PolicyDomain, organization: Organization) -> AddressPolicy:
        policy = await _edited(opened, organization, await opened.update.policies.get(name), templates, which, order)
        await opened.update.policies.change(policy)
        return policy

    echo(f"changed {_on_policies(state_dir, work).name}; recipients follow within seconds")


@address.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@state_option
def remove(name: str, yes: bool, state_dir: str | None) -> None:
    """Remove a policy. Addresses that it gave stay.

    For example `postern policy address remove sales`.
    """
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
    """Show which addresses would change, for RECIPIENTS or for all. It changes nothing.

    For example `postern policy address preview bob`.
    """

    async def work(opened: PolicyDomain, organization: Organization) -> list[Any]:
        return await opened.update.preview(addresses=recipients)

    previews = [each for each in _on_policies(state_dir, work) if recipients or each.before != each.after]
    if as_json:
        echo_json([{"recipient": p.name, "before": list(p.before), "after": list(p.after)} for p in previews])
        return
    rows = [(each.name, ", ".join(each.before), ", ".join(each.after)) for each in previews]
    print_table(("recipient", "before", "after"), rows, "nothing would change")


@address.command("apply")
@click.argument("recipients", nargs=-1)
@json_option
@state_option
def apply(recipients: tuple[str, ...], as_json: bool, state_dir: str | None) -> None:
    """Have the System Attendant update RECIPIENTS, or all, now; it does so by itself within seconds of a change.

    For example `postern policy address apply bob`.
    """
    from postern.host import address_policies

    folder, organization, server = _here(state_dir)
    attendant, done = asyncio.run(address_policies.apply(folder, organization, server, recipients))
    if as_json:
        echo_json({"server": attendant, "seen": done.seen, "changed": done.changed, "failed": list(done.failed)})
        return
    echo(f"{attendant} looked at {counted(done.seen, 'recipient')} and changed {done.changed}")
    if done.failed:
        echo(f"{', '.join(done.failed)} could not be changed: see the log of {attendant}")


def _on_policies(state_dir: str | None, work: Callable[[PolicyDomain, Organization], Awaitable[T]]) -> T:
    from postern.host import address_policies
    from postern.model.directory import DirectoryUnavailable

    folder, organization, server = _here(state_dir)

    async def run() -> T:
        async with address_policies.opened(folder, organization, server) as opened:
            return await work(opened, organization)

    try:
        return asyncio.run(run())
    except DirectoryUnavailable as error:
        raise failure(
            error, "no domain controller answers, or none accepts this server's keys: see `postern topology`"
        ) from None


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


async def _edited(
    opened: PolicyDomain,
    organization: Organization,
    policy: AddressPolicy,
    templates: Sequence[str],
    which: str | None,
    order: int | None,
) -> AddressPolicy:
    from postern.directory.ad import address_policy

    domains = [domain.name for domain in organization.domains]
    domains += await opened.update.policies.domains()
    if templates:
        policy = replace(policy, templates=tuple(address_policy.check_template(each, domains) for each in templates))
    if which is not None:
        policy = replace(policy, filter=address_policy.filter_of(which))
    return replace(policy, order=order) if order is not None else policy


def _as_dict(policy: AddressPolicy) -> dict[str, Any]:
    return {
        "name": policy.name,
        "order": policy.order,
        "filter": policy.filter,
        "templates": list(policy.templates),
    }
