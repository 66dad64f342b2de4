"""Who owns a mailbox is said by a whole forest or by nobody: what a catalogue may do instead of answering.

covers: mailbox_owners
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import ldap
import pytest

from postern.directory.ad.adapter import DomainDirectory
from postern.directory.ad.client import DomainClient
from postern.directory.ldap.connection import NoSuchEntry, Result, translate
from postern.model.directory import DirectoryUnavailable, DomainController, IncompleteAnswer
from postern.model.organization import ActiveDirectory
from tests.directory.domain_reader import CATALOGUE, ROW

BASE, OTHER = "DC=corp,DC=test", "DC=emea,DC=corp,DC=test"
REFERENCE = (None, ["ldap://emea.corp.test/DC=emea,DC=corp,DC=test"])
ALICE, BOB, FRESH, GROUP, GONE = (uuid4() for _ in range(5))

Row = tuple[str | None, Any]


def entry(guid: UUID, *addresses: str, kind: str = "user") -> Row:
    values = {"objectGUID": [guid.bytes_le], "objectClass": [b"top", kind.encode()]}
    return f"CN={guid}", values | ({"proxyAddresses": [one.encode() for one in addresses]} if addresses else {})


class Controller:
    """A connection that answers from `domains`: its naming contexts, each with its entries. `more` stands beside every answer
    about people, `serves` are who is behind it, request by request."""

    def __init__(self, domains: dict[str, Sequence[Row]]) -> None:
        self.domains = domains
        self.more: list[Row] = []
        self.error: Exception | None = None
        self.serves = [DomainController("dc1.corp.test", "192.0.2.1", "", True, True)]

    async def search(self, base: str, scope: int, text: str, *_: object) -> Result:
        if "crossRef" in text:
            return Result([(f"CN={name}", {"nCName": [name.encode()]}) for name in (BASE, OTHER)], ())
        if scope == ldap.SCOPE_BASE:
            if base not in self.domains:
                raise NoSuchEntry
            return Result([(base, {"objectClass": [b"domainDNS"]})], ())
        if self.error is not None:
            raise self.error
        rows = [row for name, rows in self.domains.items() if base in ("", name) for row in rows]
        wanted = [row for row in rows if "".join(f"\\{o:02x}" for o in row[1]["objectGUID"][0]) in text]
        return Result([*wanted, *self.more], ())


class Client(DomainClient):
    """Connected to one of these without dialling."""

    def __init__(self, connection: Controller) -> None:
        super().__init__(ROW, CATALOGUE, None, None, None)  # type: ignore[arg-type]  # dials nobody
        self._there = connection
        self._root = {"configurationNamingContext": [f"CN=Configuration,{BASE}".encode()]}

    async def _connected(self) -> Any:
        serves = self._there.serves
        self._controller = serves.pop(0) if len(serves) > 1 else serves[0]
        return self._there


@pytest.fixture
def catalogue() -> Controller:
    people = [
        entry(ALICE, "smtp:al@corp.test", "SMTP:Alice@corp.test"),
        entry(GROUP, "SMTP:all@corp.test", kind="group"),
    ]
    return Controller({BASE: people, OTHER: [entry(BOB, "SMTP:bob@emea.test"), entry(GONE)]})


def owners(catalogue: Controller) -> dict[UUID, str]:
    """A controller of our own domain knows somebody whom the catalogue does not know yet, and refers to the other domain."""
    controller = Controller({BASE: [entry(FRESH, "SMTP:fresh@corp.test")]})
    controller.more = [REFERENCE]
    directory = DomainDirectory(ActiveDirectory("corp.test", "CORP"), Client(controller), Client(catalogue))
    return asyncio.run(directory.mailbox_owners([ALICE, BOB, FRESH, GROUP, GONE, *(uuid4() for _ in range(120))]))


def test_owners_are_found_in_every_domain_of_the_forest(catalogue: Controller) -> None:
    """Who lost his mail (Active Directory keeps the account) owns no mailbox, and neither does a group."""
    assert owners(catalogue) == {ALICE: "alice@corp.test", BOB: "bob@emea.test", FRESH: "fresh@corp.test"}


@pytest.mark.parametrize(
    "error", [ldap.REFERRAL, ldap.SIZELIMIT_EXCEEDED, ldap.PARTIAL_RESULTS, ldap.ADMINLIMIT_EXCEEDED]
)
def test_a_part_of_an_answer_is_none(catalogue: Controller, error: type[ldap.LDAPError]) -> None:
    catalogue.error = translate(error({"desc": "in part"}), "hub-to-ad")
    with pytest.raises(IncompleteAnswer):
        owners(catalogue)


def test_a_reference_to_another_server_is_no_answer(catalogue: Controller) -> None:
    catalogue.more = [REFERENCE]
    with pytest.raises(IncompleteAnswer):
        owners(catalogue)


def test_a_catalogue_without_one_of_the_domains_is_none(catalogue: Controller) -> None:
    del catalogue.domains[OTHER]
    with pytest.raises(IncompleteAnswer, match=OTHER):
        owners(catalogue)


def test_an_answer_from_two_catalogues_is_none(catalogue: Controller) -> None:
    catalogue.serves = [*catalogue.serves * 4, DomainController("dc2.corp.test", "192.0.2.2", "", True, True)]
    with pytest.raises(IncompleteAnswer):
        owners(catalogue)


def test_no_answer_is_none(catalogue: Controller) -> None:
    catalogue.error = DirectoryUnavailable("hub-to-ad")
    with pytest.raises(DirectoryUnavailable):
        owners(catalogue)
