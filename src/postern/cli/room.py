"""`postern room` manages rooms and equipment: mailboxes on which nobody logs on, and which answer requests for meetings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from postern.cli.directory import accepted_address, database_named, in_directory
from postern.cli.disconnected import mailbox_database, opened_database
from postern.cli.failures import Failure
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo, echo_json, json_option, print_fields, print_table
from postern.items.booking import Policy
from postern.items.booking_values import EVERYBODY, Plain, all_values_of, policy_of
from postern.model.directory import RecipientType
from postern.model.mailbox import MailboxError
from postern.model.organization import Role

if TYPE_CHECKING:
    from postern.directory.listing import Listing
    from postern.host.directory import OpenDirectory
    from postern.model.organization import Organization, StateFolder
    from postern.store.database import MailboxDatabase

F = TypeVar("F", bound=Callable[..., Any])
_HELP = {
    "automatic": "Answer requests without a person.",
    "bookers": "Who books by themselves.",
    "requesters": "Who may ask the delegates.",
    "exempt": "Who may ask them for anything.",
    "delegates": "Who decides about what is asked.",
    "outsiders": "Let people outside the organization book.",
    "window_days": "Days ahead for which it can be booked.",
    "beyond_window": "Take a series that goes on after these.",
    "longest_minutes": "The longest meeting.",
    "series": "Take series of meetings.",
    "conflicts": "Allow several meetings at once.",
    "conflicts_of_series": "Meetings of a series that may be declined alone.",
    "conflict_percent_of_series": "The same as a part of the series.",
    "response": "What each answer ends with.",
}
"""The settings of a policy in words."""


def policy_options(command: F) -> F:
    """Gives a command an option for each setting of a policy."""
    for each in reversed(fields(Policy)):
        name, text = each.name.replace("_", "-"), _HELP[each.name]
        if isinstance(each.default, bool):
            option = click.option(f"--{name}/--no-{name}", each.name, default=None, help=text)
        elif isinstance(each.default, int):
            option = click.option(f"--{name}", each.name, type=int, metavar="NUMBER", help=text)
        elif isinstance(each.default, str):
            option = click.option(f"--{name}", each.name, metavar="TEXT", help=text)
        else:
            option = click.option(f"--{name}", each.name, metavar="WHO", help=text)
        command = option(command)
    return command


@click.group("room")
def room() -> None:
    """Manage rooms and equipment. `postern user remove` removes them.

    WHO is everybody, nobody, or names of users with commas between them. A room books for those of --bookers what its settings
    allow. For those of --requesters it holds the time and asks its delegates; without delegates, whoever may write into its
    calendar decides.
    """


@room.command("create")
@click.argument("address")
@click.option("--name", "display_name", default="", metavar="TEXT", help="The display name.")
@click.option("--equipment", is_flag=True, help="A projector, a car: no room.")
@click.option("--database", default="", metavar="NAME", help="The mailbox database; by default the first one.")
@click.option("--hidden", is_flag=True, help="Leave it out of address lists.")
@policy_options
@state_option
def create(
    address: str,
    display_name: str,
    equipment: bool,
    database: str,
    hidden: bool,
    state_dir: str | None,
    **settings: bool | int | str | None,
) -> None:
    """Add a room, which answers requests for meetings by itself.

    In Active Directory an account that is there becomes a room.

    For example `postern room create blue --name "Blue" --window-days 90`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> str:
        full = await accepted_address(directory, organization, address)
        home = database_named(organization, database)
        wanted = await _settings(directory, settings)
        if wanted and (home is None or not home.url):
            raise Failure("this host does not reach the room's database: set how it is booked there", os.EX_CONFIG)
        _with({}, wanted)  # raises before there is half a room
        await directory.write.add_user(
            full,
            {},
            display_name=display_name,
            database=home,
            hidden=hidden,
            room=True,
            equipment=equipment,
        )
        if wanted:
            await _change(organization, await directory.write.show(full), wanted)
        return full

    echo(f"created {in_directory(state_dir, work)}")


@room.command("list")
@json_option
@state_option
def listing(as_json: bool, state_dir: str | None) -> None:
    """List rooms and equipment, with how those of this host are booked.

    For example `postern room list`.
    """

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> list[tuple[Listing, Policy | None]]:
        rooms = await directory.write.listings(RecipientType.ROOM)
        here = {entry.guid for entry in rooms if (home := organization.database(entry.database)) and home.url}
        if not here:
            return [(entry, None) for entry in rooms]
        async with mailbox_database(organization, state) as database:
            return [(entry, await _policy(database, entry) if entry.guid in here else None) for entry in rooms]

    rooms = in_directory(state_dir, work, Role.MAILBOX)
    if as_json:
        echo_json([_as_dict(*each) for each in rooms])
        return
    rows = [
        (
            entry.name,
            entry.display_name,
            "equipment" if entry.equipment else "room",
            _booked_by(policy) if policy is not None else "",
            f"{policy.window_days} days" if policy is not None else "",
        )
        for entry, policy in rooms
    ]
    print_table(("name", "display name", "kind", "booked by", "ahead"), rows, "no room")


@room.command("show")
@click.argument("name")
@json_option
@state_option
def show(name: str, as_json: bool, state_dir: str | None) -> None:
    """Show a room and how it is booked.

    For example `postern room show blue`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> tuple[Listing, Policy]:
        entry = await directory.write.show(name, RecipientType.ROOM)
        async with opened_database(organization, entry) as database:
            return entry, await _policy(database, entry)

    entry, policy = in_directory(state_dir, work, Role.MAILBOX)
    if as_json:
        echo_json(_as_dict(entry, policy))
        return
    settings = {each.replace("_", "-"): _shown(value) for each, value in all_values_of(policy).items()}
    kind = "equipment" if entry.equipment else "room"
    print_fields({"name": entry.name, "display name": entry.display_name, "kind": kind, **settings})


@room.command("set")
@click.argument("name")
@policy_options
@state_option
def set_(name: str, state_dir: str | None, **settings: bool | int | str | None) -> None:
    """Set how a room is booked. What no option names stays.

    For example `postern room set blue --bookers alice,bob --no-series`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> str:
        entry = await directory.write.show(name, RecipientType.ROOM)
        wanted = await _settings(directory, settings)
        if not wanted:
            raise Failure("name what is set: `postern room set --help` has the settings", os.EX_USAGE)
        await _change(organization, entry, wanted)
        return entry.name

    echo(f"set how {in_directory(state_dir, work, Role.MAILBOX)} is booked")


async def _settings(directory: OpenDirectory, options: Mapping[str, bool | int | str | None]) -> dict[str, Plain]:
    """Returns the settings that options name, with addresses for names. Raises Failure."""
    kinds = {each.name: each.default for each in fields(Policy)}
    settings: dict[str, Plain] = {}
    for name, value in options.items():
        if value is None:
            continue
        if isinstance(value, str) and not isinstance(kinds[name], str):
            settings[name] = await _addresses(directory, name, value)
        else:
            settings[name] = value
    return settings


async def _addresses(directory: OpenDirectory, setting: str, text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["everybody"] and setting != "delegates":
        return [EVERYBODY]
    if names == ["nobody"]:
        return []
    choice = "nobody" if setting == "delegates" else "everybody, nobody"
    if not names or "everybody" in names or "nobody" in names:
        raise Failure(f"--{setting} takes {choice}, or names of users", os.EX_USAGE)
    addresses = []
    for name in names:
        entry = await directory.write.show(name)
        if entry.type is not RecipientType.USER:
            raise Failure(f"{name} is a {entry.type}: name {choice}, or users", os.EX_DATAERR)
        addresses.append(entry.primary)
    return addresses


async def _change(organization: Organization, entry: Listing, settings: Mapping[str, Plain]) -> None:
    from postern.services.mailbox.booking_policies import BookingPolicies

    async with opened_database(organization, entry) as database:
        await database.logon(entry.guid)
        kept = all_values_of(await _policy(database, entry))
        await BookingPolicies(database).write(entry.guid, _with(kept, settings))


def _with(kept: Mapping[str, Plain], settings: Mapping[str, Plain]) -> Policy:
    """The policy of what is kept and what is set anew. Raises Failure, which names settings as the options do."""
    try:
        return policy_of({**kept, **settings})
    except ValueError as error:
        raise Failure(str(error).replace("_", "-"), os.EX_DATAERR) from None


async def _policy(database: MailboxDatabase, entry: Listing) -> Policy:
    """Returns the policy of a room; the default one where nothing has reached its mailbox yet, or another host has it."""
    from postern.services.mailbox.booking_policies import BookingPolicies

    try:
        return await BookingPolicies(database).read(entry.guid)
    except MailboxError as error:
        if error.code != "NONEXISTENT":
            raise
        return Policy()
    except ValueError as error:
        raise Failure(f"the settings of {entry.name} cannot be read: {error}", os.EX_DATAERR) from None


def _booked_by(policy: Policy) -> str:
    return _who(all_values_of(policy)["bookers"]) if policy.automatic else "a person answers"


def _who(value: Plain) -> str:
    assert isinstance(value, list)
    return "everybody" if value == [EVERYBODY] else ", ".join(value) or "nobody"


def _shown(value: Plain) -> str:
    if isinstance(value, list):
        return _who(value)
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _as_dict(entry: Listing, policy: Policy | None) -> dict[str, object]:
    return {
        "guid": str(entry.guid),
        "name": entry.name,
        "display_name": entry.display_name,
        "kind": "equipment" if entry.equipment else "room",
        "booking": all_values_of(policy) if policy is not None else None,
    }
