"""ACL: rights that are granted by it, and what cannot be granted."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest

from postern.model.directory import RecipientType
from postern.model.folders import EVERYBODY, FolderKind, Right
from postern.model.sharing import ROLES
from tests.services.dav.site import (
    ALICE,
    BOB,
    CALENDAR,
    CONTACTS,
    FILES,
    HOME,
    NAMES,
    PRINCIPAL,
    XMLNS,
    DavSite,
    event,
    failed,
    guid_of,
    propfind,
    recipient_of,
)

BOBS_PRINCIPAL = f"<D:href>/dav/principals/users/{BOB}/</D:href>"
TEAM = "team@example.test"


def ace(principal: str, *privileges: str) -> str:
    granted = "".join(f"<D:privilege><{name}/></D:privilege>" for name in privileges or ("D:read",))
    return f"<D:ace><D:principal>{principal}</D:principal><D:grant>{granted}</D:grant></D:ace>"


def acl(*aces: str) -> str:
    return f"<D:acl {XMLNS}>{''.join(aces)}</D:acl>"


async def rights(site: DavSite, kind: FolderKind = FolderKind.CALENDAR) -> dict[object, Right]:
    node = next(node for node in await site.mailboxes.tree(guid_of(ALICE)) if node.kind is kind)
    return dict(await site.mailboxes.rights(guid_of(ALICE), node.id))


@pytest.mark.parametrize(
    ("body", "precondition"),
    [
        (acl(ace("<D:href>/dav/principals/users/nobody@example.test/</D:href>")), "D:allowed-principal"),
        (acl(ace("<D:all/>")), "D:allowed-principal"),
        (acl(ace("<D:unauthenticated/>")), "D:allowed-principal"),
        (acl(ace("<D:href>/dav/principals/</D:href>")), "D:allowed-principal"),
        (acl(ace(BOBS_PRINCIPAL, "D:read", "D:levitate")), "D:not-supported-privilege"),
        (acl(ace(BOBS_PRINCIPAL)).replace("grant>", "deny>"), "D:grant-only"),
        (
            acl(ace(BOBS_PRINCIPAL))
            .replace("<D:ace>", "<D:ace><D:invert>")
            .replace("</D:principal>", "</D:principal></D:invert>"),
            "D:no-invert",
        ),
    ],
)
def test_what_cannot_be_granted(body: str, precondition: str) -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as client:
            answer = await client.request("ACL", CALENDAR, content=body)
            assert answer.status_code == 403 and failed(answer) == precondition
            assert await rights(site) == {}

    asyncio.run(work())


def test_the_owner_keeps_what_he_has() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            for principal in (f"<D:href>{PRINCIPAL}</D:href>", "<D:property><D:owner/></D:property>"):
                for path in (CALENDAR, HOME, FILES):
                    answer = await client.request("ACL", path, content=acl(ace(principal, "D:all")))
                    assert answer.status_code == 200
            assert (await client.request("ACL", "/dav/", content=acl(ace("<D:all/>")))).status_code == 403
            assert (await client.request("ACL", f"{CALENDAR}none", content=acl(ace("<D:all/>")))).status_code == 404
            for path in (HOME, FILES):
                answer = await client.request("ACL", path, content=acl(ace(BOBS_PRINCIPAL)))
                assert answer.status_code == 403 and failed(answer) == "D:allowed-principal"

    asyncio.run(work())


def test_a_list_replaces_what_was_granted() -> None:
    async def work() -> None:
        site = DavSite()
        site.recipients.known[TEAM] = replace(recipient_of(TEAM), type=RecipientType.GROUP)
        bob, team = guid_of(BOB), guid_of(TEAM)
        async with site.client() as alice, site.client(BOB) as client:
            await alice.put(f"{CALENDAR}a.ics", content=event("a"))
            body = acl(
                ace(BOBS_PRINCIPAL, "D:read", "D:write"),
                ace(f"<D:href>https://mail.example.test/dav/principals/users/{TEAM}/</D:href>", "D:bind"),
                ace("<D:authenticated/>", "C:read-free-busy"),
            )
            assert (await alice.request("ACL", CALENDAR, content=body)).status_code == 200
            assert await rights(site) == {bob: ROLES["editor"], team: Right.CREATE | Right.VISIBLE}
            assert (await client.get(f"{CALENDAR}a.ics")).status_code == 200
            assert (await alice.request("ACL", CALENDAR, content=acl(ace(BOBS_PRINCIPAL)))).status_code == 200
            # The list does not name everybody, who would have a default.
            assert await rights(site) == {bob: ROLES["reviewer"], EVERYBODY: Right(0)}
            assert (await alice.request("ACL", CALENDAR, content=acl())).status_code == 200
            assert await rights(site) == {EVERYBODY: Right(0)}
            assert (await client.get(f"{CALENDAR}a.ics")).status_code == 404
            assert (await alice.request("ACL", CONTACTS, content=acl(ace(BOBS_PRINCIPAL)))).status_code == 200
            assert await rights(site, FolderKind.CONTACTS) == {bob: ROLES["reviewer"]}

    asyncio.run(work())


def test_what_is_granted_is_told() -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as alice:
            before = await aces(alice)
            assert before == [
                (PRINCIPAL, ["all"], True),
                ("authenticated", ["read-current-user-privilege-set", "read-free-busy"], False),
            ]
            assert (await alice.request("ACL", CALENDAR, content=acl(ace(BOBS_PRINCIPAL)))).status_code == 200
            reads = ["read-current-user-privilege-set", "read", "read-free-busy"]
            assert await aces(alice) == [before[0], (f"/dav/principals/users/{BOB}/", reads, False)]

    asyncio.run(work())


async def aces(client: httpx.AsyncClient) -> list[tuple[str, list[str], bool]]:
    """The access control list of the calendar: of each entry the principal, the privileges, and whether it is protected."""
    element = (await propfind(client, CALENDAR, "D:acl")).prop(CALENDAR, "D:acl")
    assert element is not None
    told = []
    for entry in element.findall("D:ace", NAMES):
        (who,) = entry.findall("D:principal/*", NAMES)
        names = [each.tag.partition("}")[2] for each in entry.findall("D:grant/D:privilege/*", NAMES)]
        told.append((who.text or who.tag.partition("}")[2], names, entry.find("D:protected", NAMES) is not None))
    return told


@pytest.mark.parametrize("role", ["owner", "editor"])
def test_who_owns_the_folder_grants_too(role: str) -> None:
    async def work() -> None:
        site = DavSite()
        async with site.client() as alice, site.client(BOB) as bob:
            await alice.put(f"{CALENDAR}a.ics", content=event("a"))
            node = next(n for n in await site.mailboxes.tree(guid_of(ALICE)) if n.kind is FolderKind.CALENDAR)
            await site.mailboxes.set_rights(guid_of(ALICE), node.id, guid_of(BOB), ROLES[role])
            answer = await bob.request("ACL", CALENDAR, content=acl(ace(BOBS_PRINCIPAL, "D:all")))
            told = (await propfind(bob, CALENDAR, "D:acl")).prop(CALENDAR, "D:acl")
            if role == "owner":
                assert answer.status_code == 200 and told is not None
                assert (await rights(site))[guid_of(BOB)] == ROLES["owner"]
            else:
                assert answer.status_code == 403 and failed(answer) == "D:need-privileges" and told is None
            assert (await bob.request("ACL", f"{CALENDAR}a.ics", content=acl())).status_code == 403

    asyncio.run(work())
