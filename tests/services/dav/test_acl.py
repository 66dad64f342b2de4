"""ACL: nothing can be granted to others yet, and nothing pretends so."""

from __future__ import annotations

import asyncio

import pytest

from tests.services.dav.site import BOB, CALENDAR, PRINCIPAL, XMLNS, DavSite, failed

READ = "<D:grant><D:privilege><D:read/></D:privilege></D:grant>"


def acl(principal: str, privileges: str = READ) -> str:
    return f"<D:acl {XMLNS}><D:ace><D:principal>{principal}</D:principal>{privileges}</D:ace></D:acl>"


@pytest.mark.parametrize(
    ("body", "precondition"),
    [
        (acl(f"<D:href>/dav/principals/users/{BOB}/</D:href>"), "D:allowed-principal"),
        (acl("<D:all/>"), "D:allowed-principal"),
        (acl("<D:href>/dav/principals/</D:href>"), "D:allowed-principal"),
        (acl("<D:property><D:owner/></D:property>", READ.replace("grant", "deny")), "D:grant-only"),
        (
            acl("<D:all/>")
            .replace("<D:ace>", "<D:ace><D:invert>")
            .replace("</D:principal>", "</D:principal></D:invert>"),
            "D:no-invert",
        ),
    ],
)
def test_what_cannot_be_granted(body: str, precondition: str) -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            answer = await client.request("ACL", CALENDAR, content=body)
            assert answer.status_code == 403 and failed(answer) == precondition

    asyncio.run(work())


def test_the_owner_keeps_what_he_has() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            for principal in (f"<D:href>{PRINCIPAL}</D:href>", "<D:property><D:owner/></D:property>"):
                assert (await client.request("ACL", CALENDAR, content=acl(principal))).status_code == 200
            assert (await client.request("ACL", "/dav/", content=acl("<D:all/>"))).status_code == 403
            assert (await client.request("ACL", f"{CALENDAR}none", content=acl("<D:all/>"))).status_code == 404

    asyncio.run(work())
