"""Finds the owners of mailboxes by objectGUID, over the whole forest, and never from half an answer.

An owner who is missing here loses the mailbox after a while (`store/disconnected.py`). So an answer for a part only (a reference
to another server, a limit reached, a domain that the catalogue does not hold) counts as no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from postern.directory import entries
from postern.directory.ad import names as ad_names
from postern.directory.ad.client import DomainClient
from postern.directory.ldap.client import BASE, ONE_LEVEL, SUBTREE, Client, Refused
from postern.model.directory import IncompleteAnswer

_ATTRIBUTES = ("objectGUID", "objectClass", "proxyAddresses")
"""The attributes that an owner is read from. Every global catalogue has all three, whatever else a forest replicates to it."""
_OF_DOMAINS = "(&(objectClass=crossRef)(systemFlags:1.2.840.113556.1.4.803:=2))"
"""The filter of domains: the bit FLAG_CR_NTDS_DOMAIN (MS-ADTS 2.2.10) by the rule "has this bit" (3.1.1.3.4.4)."""


async def in_tree(client: Client, base: str, guids: Sequence[UUID]) -> dict[UUID, str]:
    """Returns those of these objects that have a mailbox, each with its primary address. Raises IncompleteAnswer,
    DirectoryUnavailable."""
    answer: dict[UUID, str] = {}
    for which in entries.guid_filters(guids):
        for entry in await client.search_whole(base, SUBTREE, which, _ATTRIBUTES):
            if address := entries.mailbox_owner(entry.attributes):
                answer[entries.guid_of(entry.attributes)] = address
    return answer


async def in_forest(
    controller: DomainClient, catalogue: DomainClient, base: str, guids: Sequence[UUID]
) -> dict[UUID, str]:
    """Does as `in_tree` for a whole forest. One catalogue, which holds every domain, answers for all. A controller of our own
    domain (`base`) is asked for those that are missing: it hears of a new account before the catalogue of another site does."""
    await _holds_every_domain(controller, catalogue)
    serving = await catalogue.controller()
    answer = await in_tree(catalogue, "", guids)
    if await catalogue.controller() is not serving:
        raise IncompleteAnswer("the global catalogue changed while it was asked")
    missing = [guid for guid in guids if guid not in answer]
    try:
        for which in entries.guid_filters(missing):
            for entry in await controller.search(base, SUBTREE, which, _ATTRIBUTES):
                if address := entries.mailbox_owner(entry.attributes):
                    answer[entries.guid_of(entry.attributes)] = address
    except Refused as error:
        raise IncompleteAnswer(f"a domain controller refused: {error}") from None
    return answer


async def _holds_every_domain(controller: DomainClient, catalogue: DomainClient) -> None:
    """Raises IncompleteAnswer unless the catalogue holds every domain of the forest. An administrator who lowers the required
    occupancy level makes a controller call itself a catalogue (isGlobalCatalogReady) before it does."""
    configuration = entries.text(await controller.root(), "configurationNamingContext")
    partitions = f"{ad_names.PARTITIONS},{configuration}"
    domains = await controller.search_whole(partitions, ONE_LEVEL, _OF_DOMAINS, ("nCName",))
    if not domains:
        raise IncompleteAnswer("the configuration names no domain of the forest")
    for domain in domains:
        name = entries.text(domain.attributes, "nCName")
        if len(await catalogue.search_whole(name, BASE, "(objectClass=*)", ("objectClass",))) != 1:
            raise IncompleteAnswer(f"the global catalogue does not hold {name}")
