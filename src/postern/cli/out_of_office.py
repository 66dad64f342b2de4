"""`postern mailbox out-of-office` shows what a mailbox answers while its owner is away, and sets it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from postern.cli.directory import in_directory
from postern.cli.disconnected import opened_database
from postern.cli.failures import Failure
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo, echo_json, json_moment, json_option, moment, print_fields
from postern.items.out_of_office import harmless, plain
from postern.model.mailbox import MailboxError
from postern.model.organization import Role
from postern.model.out_of_office import OofAudience, OofState, OutOfOffice

if TYPE_CHECKING:
    from postern.directory.listing import Listing
    from postern.host.directory import OpenDirectory
    from postern.model.organization import Organization, StateFolder

_AUDIENCES = {"nobody": OofAudience.NONE, "contacts": OofAudience.KNOWN, "everybody": OofAudience.ALL}
_AUDIENCE_NAMES = {audience: name for name, audience in _AUDIENCES.items()}


@click.command("out-of-office")
@click.argument("name")
@click.option("--on", is_flag=True, help="Answer from now on.")
@click.option("--off", is_flag=True, help="Answer no more.")
@click.option("--from", "starts", metavar="TIME", help="Answer from this time on, in UTC, such as 2026-12-24T12:00.")
@click.option("--until", "ends", metavar="TIME", help="Answer until this time; goes with --from.")
@click.option("--internal", metavar="TEXT", help="The answer to people of the organization, plain or HTML.")
@click.option("--external", metavar="TEXT", help="The answer to others.")
@click.option("--audience", type=click.Choice(tuple(_AUDIENCES)), help="The others who get an answer.")
@json_option
@state_option
def out_of_office(
    name: str,
    on: bool,
    off: bool,
    starts: str | None,
    ends: str | None,
    internal: str | None,
    external: str | None,
    audience: str | None,
    as_json: bool,
    state_dir: str | None,
) -> None:
    """Show what the mailbox NAME answers while its owner is away, after it set what options name. What no option names stays.

    For example `postern mailbox out-of-office alice --on --internal Away`.
    """
    changes: dict[str, Any] = {}
    if (starts is None) != (ends is None) or on + off + (starts is not None) > 1:
        raise Failure("name --on, --off, or both of --from and --until", os.EX_USAGE)
    if on or off:
        changes["state"] = OofState.ENABLED if on else OofState.DISABLED
    if starts is not None and ends is not None:
        changes |= {"state": OofState.SCHEDULED, "starts": _time(starts), "ends": _time(ends)}
        if _time(starts) >= _time(ends):
            raise Failure("the time ends before it starts: name a later --until", os.EX_DATAERR)
    if audience is not None:
        changes["audience"] = _AUDIENCES[audience]
    for text, field in ((internal, "internal"), (external, "external")):
        if text is not None:
            changes[field] = _text(text)

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> tuple[Listing, OutOfOffice]:
        owner = await directory.write.show(name)
        async with opened_database(organization, owner) as database:
            settings = await database.out_of_office(owner.guid)
            if changes:
                settings = settings._replace(**changes)
                _check_answers(settings)
                await database.logon(owner.guid)
                await database.set_out_of_office(owner.guid, settings)
        return owner, settings

    try:
        owner, settings = in_directory(state_dir, work, Role.MAILBOX)
    except MailboxError as error:
        raise Failure(str(error), os.EX_UNAVAILABLE) from None
    if as_json:
        echo_json(_as_dict(owner, settings))
        return
    if external and not settings.tells_outsiders:
        echo("Others get no answer yet: add --audience contacts, or everybody.", err=True)
    is_timed = settings.state is OofState.SCHEDULED
    print_fields(
        {
            "name": owner.name,
            "state": settings.state.name.lower(),
            "from": moment(settings.starts) if is_timed else "",
            "until": moment(settings.ends) if is_timed else "",
            "internal": plain(settings.internal),
            "external": plain(settings.external),
            "audience": _AUDIENCE_NAMES[settings.audience],
        }
    )


def _check_answers(settings: OutOfOffice) -> None:
    """Raises Failure for settings that say to answer and answer nobody."""
    if settings.state is not OofState.DISABLED and not settings.has_answer:
        raise Failure(
            "nobody would be answered, for there is no text: add --internal TEXT, or --external TEXT with --audience",
            os.EX_USAGE,
        )


def _time(text: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(f"{text} is no time: write it as 2026-12-24T12:00", os.EX_DATAERR) from None
    return int((time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp())


def _text(text: str) -> str:
    try:
        return harmless(text)
    except ValueError as error:
        raise Failure(f"{error}; write a shorter one", os.EX_DATAERR) from None


def _as_dict(owner: Listing, settings: OutOfOffice) -> dict[str, object]:
    is_timed = settings.state is OofState.SCHEDULED
    return {
        "guid": str(owner.guid),
        "name": owner.name,
        "out_of_office": settings.state.name.lower(),
        "starts": json_moment(settings.starts) if is_timed else None,
        "ends": json_moment(settings.ends) if is_timed else None,
        "internal": settings.internal,
        "external": settings.external,
        "audience": _AUDIENCE_NAMES[settings.audience],
    }
