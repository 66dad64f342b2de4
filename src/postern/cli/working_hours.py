"""`postern mailbox working-hours` shows when the owner of a mailbox works, and sets it: free/busy and suggestions tell it."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from postern.cli.directory import in_directory
from postern.cli.disconnected import opened_database
from postern.cli.failures import Failure
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo_json, json_option, print_fields
from postern.items.working_hours import WorkingHours, days_of
from postern.items.zones import zone_named
from postern.model.mailbox import MailboxError
from postern.model.organization import Role
from postern.protocols.ical.bias_zones import of_rules
from postern.protocols.ical.zone_rules import rules_of
from postern.services.mailbox import working_hours as kept

if TYPE_CHECKING:
    from postern.directory.listing import Listing
    from postern.host.directory import OpenDirectory
    from postern.model.organization import Organization, StateFolder

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


@click.command("working-hours")
@click.argument("name")
@click.option("--days", metavar="DAYS", help='Days of work, such as "Monday Tuesday", or Weekday.')
@click.option("--from", "start", metavar="TIME", help="Begin of work, such as 9:00.")
@click.option("--until", "end", metavar="TIME", help="End of work.")
@click.option("--zone", metavar="ZONE", help="The time zone, such as Europe/Berlin.")
@json_option
@state_option
def working_hours(
    name: str,
    days: str | None,
    start: str | None,
    end: str | None,
    zone: str | None,
    as_json: bool,
    state_dir: str | None,
) -> None:
    """Show when the owner of the mailbox NAME works, after it set what options name. What no option names stays.

    For example `postern mailbox working-hours alice --from 9:00 --until 17:30`.
    """
    changes: dict[str, Any] = {}
    if days is not None:
        changes["days"] = _days(days)
    for field, text in (("start", start), ("end", end)):
        if text is not None:
            changes[field] = _minute(text)
    if zone is not None:
        known = zone_named(zone)
        if known is None:
            raise Failure(f"no time zone is called {zone}: write it as Europe/Berlin", os.EX_DATAERR)
        changes |= {"zone": of_rules(rules_of(known.tzinfo, datetime.now(UTC).year)), "name": known.name}

    async def work(
        directory: OpenDirectory, organization: Organization, state: StateFolder
    ) -> tuple[Listing, WorkingHours]:
        owner = await directory.write.show(name)
        async with opened_database(organization, owner) as database:
            await database.logon(owner.guid)
            hours = await kept.read(database, owner.guid)
            if changes:
                hours = replace(hours, **changes)
                if hours.start >= hours.end:
                    raise Failure(
                        "the work ends before it begins: name a later --until, or an earlier --from", os.EX_DATAERR
                    )
                await kept.write(database, owner.guid, hours)
        return owner, hours

    try:
        owner, hours = in_directory(state_dir, work, Role.MAILBOX)
    except MailboxError as error:
        raise Failure(str(error), os.EX_UNAVAILABLE) from None
    start_at, end_at = _clock(hours.start), _clock(hours.end)
    if as_json:
        echo_json(
            {
                "guid": str(owner.guid),
                "name": owner.name,
                "work_days": hours.names.split(),
                "work_from": start_at,
                "work_until": end_at,
                "time_zone": hours.name,
            }
        )
        return
    print_fields(
        {
            "name": owner.name,
            "days": hours.names,
            "from": start_at,
            "until": end_at,
            "zone": hours.name or "that of whoever asks",
        }
    )


def _days(text: str) -> int:
    try:
        return days_of(text.replace(",", " "))
    except ValueError as error:
        raise Failure(f"{error}: write days as Monday, Tuesday, Weekday", os.EX_DATAERR) from None


def _minute(text: str) -> int:
    match = _TIME.fullmatch(text)
    if match is None:
        raise Failure(f"{text} is no time of day: write it as 9:00", os.EX_DATAERR)
    return int(match[1]) * 60 + int(match[2])


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
