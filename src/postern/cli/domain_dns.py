"""`postern domain dns` shows the records that a domain should publish, and compares them with what DNS says.

`services.autodiscover.domain_records` computes and compares them.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import click

from postern.cli.called import called
from postern.cli.dkim import check_accepted, key_ring
from postern.cli.failures import FOUND_WRONG, Failure
from postern.cli.state_folder import state_option
from postern.cli.terminal import echo, echo_json, json_option, print_table
from postern.model.domains import a_labels, shown
from postern.model.organization import Role

if TYPE_CHECKING:
    from postern.model.organization import Organization
    from postern.services.autodiscover.domain_records import Comparison, RecordSet


@click.command("dns")
@click.argument("name")
@click.option("--check", is_flag=True, help="Ask DNS, and compare; the status is 1 if something is missing or wrong.")
@json_option
@state_option
def dns(name: str, check: bool, as_json: bool, state_dir: str | None) -> None:
    """Show the DNS records of a domain, ready to paste into its zone.

    They name the servers and services of this organization that run: where mail goes, who may send, and where mail programs,
    phones and calendars find theirs. Keys of DKIM are on the host where mail leaves, so say this there; an edge knows no others
    than itself. A server with a private address needs the one that the internet reaches: its line is a comment.

    For example `postern domain dns example.test --check`.
    """
    domain = a_labels(name).rstrip(".")
    check_accepted(state_dir, domain)
    organization, sets, keys = _records(state_dir, domain)
    if not as_json:
        _advise(organization, domain, keys)
    if check:
        _check(organization, sets, as_json)
    else:
        _show(sets, as_json)


def _records(state_dir: str | None, domain: str) -> tuple[Organization, tuple[RecordSet, ...], bool]:
    """The organization, the records of the domain, and whether it has keys here."""
    from postern.host import configuration, state
    from postern.paths.table import settle
    from postern.services.autodiscover.client_services import client_services
    from postern.services.autodiscover.domain_records import domain_records

    organization = configuration.load(state.find(state_dir))
    ring = key_ring(state_dir)
    keys = [ring.load(domain, selector) for selector in ring.selectors(domain)]
    services = client_services(organization, settle(organization.profile), frozenset())
    published = [(key.name, key.record) for key in keys]
    sets = domain_records(domain, organization, services, published, bool(ring.in_use(domain)))
    return organization, sets, bool(keys)


def _advise(organization: Organization, domain: str, keys: bool) -> None:
    """Says on standard error which records another host knows."""
    if not keys:
        echo(
            f"; no key of {shown(domain)} is on this host: where mail leaves, `{called()} domain dkim {domain}` makes one",
            err=True,
        )
    if not organization.with_role(Role.CLIENT_ACCESS):
        echo("; this host knows no client access server: ask one for the records of clients", err=True)


def _show(sets: tuple[RecordSet, ...], as_json: bool) -> None:
    if as_json:
        echo_json([_fields(each) for each in sets])
        return
    purpose = ""
    for each in sets:
        if each.purpose != purpose:
            echo(f"; {each.purpose}")
        purpose = each.purpose
        for line in each.zone_lines:
            echo(line)


def _check(organization: Organization, sets: tuple[RecordSet, ...], as_json: bool) -> None:
    from postern.net.dns import Resolver
    from postern.paths.table import settle
    from postern.services.autodiscover.domain_records import Publication, compare

    async def ask() -> list[Comparison]:
        resolver = Resolver(settle(organization.profile)["any-server-to-dns"], organization.dns_servers)
        return await compare(sets, resolver.records)

    compared = asyncio.run(ask())
    if as_json:
        echo_json(
            [
                {**_fields(each.wanted), "published": list(each.published), "verdict": each.verdict.value}
                for each in compared
            ]
        )
    else:
        rows = [
            (each.wanted.name, each.wanted.kind, each.verdict.value, ", ".join(each.published)) for each in compared
        ]
        print_table(("name", "type", "verdict", "published"), rows, "")
        for each in compared:
            if each.verdict in (Publication.MISSING, Publication.OTHER):
                for line in each.wanted.zone_lines:
                    echo(line)
    if any(each.is_wrong for each in compared):
        raise click.exceptions.Exit(FOUND_WRONG)
    if any(each.verdict is Publication.NO_ANSWER for each in compared):
        raise Failure("DNS did not answer every question: try again later", os.EX_TEMPFAIL)


def _fields(records: RecordSet) -> dict[str, object]:
    return {
        "name": records.name,
        "type": records.kind,
        "values": list(records.values),
        "purpose": records.purpose,
        "binding": records.binding,
    }
