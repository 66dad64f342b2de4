"""Principals of others: read and searched for by all users.

covers: principal_search
"""

from __future__ import annotations

import asyncio

import pytest

from postern.model.address_book import AddressBookEntry
from postern.model.directory import RecipientType
from postern.services.dav import principal_search
from tests.services.dav.site import (
    ALICE,
    BOB,
    LIST,
    PRINCIPAL,
    DavSite,
    Responses,
    failed,
    guid_of,
    propfind,
    report,
)

BOBS = f"/dav/principals/users/{BOB}/"
KIM = AddressBookEntry(
    guid_of("kim"), RecipientType.USER, "Kim Min-ji", ("kim@example.test", "minji@example.test"), "Min-ji", "Kim"
)
BLUE = AddressBookEntry(guid_of("blue"), RecipientType.ROOM, "Blue Room", ("blue@example.test",))
TEAM = AddressBookEntry(guid_of("team"), RecipientType.GROUP, "Blue Team", ("team@example.test",))
KIMS, BLUES, TEAMS = (f"/dav/principals/users/{entry.primary}/" for entry in (KIM, BLUE, TEAM))


def site_of(*entries: AddressBookEntry) -> DavSite:
    site = DavSite()
    site.recipients.more = {entry.guid: entry for entry in entries}
    return site


def search(*searches: tuple[str, str], test: str = "", kind: str = "") -> str:
    parts = "".join(
        f"<D:property-search><D:prop><{name}/></D:prop><D:match{kind}>{text}</D:match></D:property-search>"
        for name, text in searches
    )
    wanted = "<D:prop><D:displayname/><C:calendar-user-type/></D:prop>"
    return f"<D:principal-property-search{test}>{parts}{wanted}</D:principal-property-search>"


def test_the_principal_of_another_says_who_he_is_and_no_more() -> None:
    async def work() -> None:
        async with site_of(BLUE).client() as client:
            names = ("D:displayname", "D:principal-URL", "C:calendar-user-type", "D:current-user-principal")
            for path in (BOBS, f"/dav/principals/users/post.{BOB}/"):
                answers = await propfind(
                    client, path, *names, "C:calendar-user-address-set", "S:email-address-set", "A:principal-address"
                )
                assert list(answers) == [BOBS]
                assert answers.text(BOBS, "D:displayname") == "Bob"
                assert answers.text(BOBS, "C:calendar-user-type") == "INDIVIDUAL"
                assert answers.hrefs(BOBS, "D:principal-URL") == [BOBS]
                assert answers.hrefs(BOBS, "D:current-user-principal") == [PRINCIPAL]
                addresses = [f"mailto:{BOB}", f"mailto:post.{BOB}"]
                assert answers.hrefs(BOBS, "C:calendar-user-address-set") == addresses
                (card,) = answers.hrefs(BOBS, "A:principal-address")
                assert card.startswith(LIST) and (await client.get(card)).status_code == 200
            home = f"/dav/calendars/{BOB}/"
            assert (await propfind(client, BOBS, "C:calendar-home-set")).hrefs(BOBS, "C:calendar-home-set") == [home]
            assert (await client.get(home)).status_code == 404, "it is told where they are, and no more"
            hidden = ("A:addressbook-home-set", "D:quota-used-bytes", "D:owner", "S:getctag")
            answers = await propfind(client, BOBS, *hidden)
            assert all(answers.prop(BOBS, name) is None for name in hidden)
            everything = await client.request("PROPFIND", BOBS, headers={"depth": "1"})
            assert len(Responses(everything)) == 1
            inner = "<D:property name='principal-URL'><D:property name='displayname'/></D:property>"
            expand = f"<D:expand-property>{inner}</D:expand-property>"
            assert b"Bob" in (await report(client, BOBS, expand)).content

    asyncio.run(work())


def test_who_is_hidden_or_nobody_has_no_principal_and_none_can_be_changed() -> None:
    async def work() -> None:
        site = site_of()
        async with site.client() as client:
            for method in ("PUT", "DELETE", "PROPPATCH", "MKCOL", "ACL", "LOCK", "MOVE"):
                answer = await client.request(method, BOBS, content=b"", headers={"destination": PRINCIPAL})
                assert (answer.status_code, failed(answer)) == (403, "D:need-privileges"), method
            assert (await client.request("COPY", BOBS, headers={"destination": PRINCIPAL})).status_code == 403
            site.recipients.hidden.add(guid_of(BOB))
            for method in ("PROPFIND", "GET", "DELETE", "REPORT"):
                assert (await client.request(method, BOBS)).status_code in (400, 404), method
            assert (await client.get(BOBS)).status_code == 404
            assert (await client.get(BOBS.replace("bob", "nobody"))).status_code == 404
            assert (await client.get(PRINCIPAL)).status_code == 200

    asyncio.run(work())


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        (search(("D:displayname", "kim")), [KIMS]),
        (search(("D:displayname", "Min-ji kim")), []),
        (search(("S:email-address-set", "minji@")), [KIMS]),
        (search(("C:calendar-user-address-set", "mailto:kim@example.test"), kind=" match-type='equals'"), [KIMS]),
        (search(("S:first-name", "min-ji"), ("S:last-name", "kim")), [KIMS]),
        (search(("S:first-name", "kim")), []),
        (search(("D:displayname", "blue"), ("C:calendar-user-type", "room")), [BLUES]),
        (search(("D:displayname", "blue")), [BLUES, TEAMS]),
        (search(("D:displayname", "blue"), ("S:email-address-set", "kim"), test=" test='anyof'"), [BLUES, TEAMS, KIMS]),
        (search(("C:calendar-user-type", "GROUP")), [TEAMS]),
        (search(("D:displayname", "alice")), [PRINCIPAL]),
        (search(), [PRINCIPAL, BLUES, TEAMS, BOBS, KIMS]),
        (search(("D:getetag", "blue")), []),
    ],
)
def test_principals_are_found_by_what_they_show(body: str, paths: list[str]) -> None:
    async def work() -> None:
        async with site_of(KIM, BLUE, TEAM).client() as client:
            answers = Responses(await report(client, "/dav/principals/", body))
            assert list(answers) == paths
            if BLUES in answers:
                assert answers.text(BLUES, "C:calendar-user-type") == "ROOM"

    asyncio.run(work())


def test_properties_beside_an_empty_prop() -> None:
    """The library caldav asks so."""

    async def work() -> None:
        async with site_of(TEAM).client() as client:
            text = search(("D:displayname", "bob"))
            start, _, _ = text.rpartition("<D:prop>")
            body = f"{start}<D:prop/><C:calendar-home-set/><D:displayname/></D:principal-property-search>"
            answers = Responses(await report(client, "/dav/", body))
            assert list(answers) == [BOBS] and answers.text(BOBS, "D:displayname") == "Bob"
            assert answers.hrefs(BOBS, "C:calendar-home-set") == [f"/dav/calendars/{BOB}/"]

    asyncio.run(work())


def test_tokens_complete_an_attendee(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(principal_search, "MAX_FOUND", 3)

    def body(*tokens: str, more: str = "", context: str = "attendee") -> str:
        inner = "".join(f"<S:search-token>{token}</S:search-token>" for token in tokens)
        return (
            f"<S:calendarserver-principal-search context='{context}'>{inner}{more}<D:prop><D:displayname/></D:prop>"
            "</S:calendarserver-principal-search>"
        )

    async def work() -> None:
        async with site_of(KIM, BLUE, TEAM).client() as client:

            async def found(text: str) -> list[str]:
                return list(Responses(await report(client, "/dav/principals/", text)))

            assert await found(body("blu")) == [BLUES, TEAMS]
            assert await found(body("blu", "t")) == [TEAMS]
            assert await found(body("blu", context="location")) == [BLUES]
            assert await found(body("m")) == [KIMS]
            limited = await found(body("blu", more="<S:limit><S:nresults>1</S:nresults></S:limit>"))
            assert limited == [BLUES, "/dav/principals/"]
            assert (await report(client, "/dav/principals/", body())).status_code == 400
            everybody = Responses(await report(client, "/dav/principals/", search()))
            assert everybody.status("/dav/principals/") == 507 and len(everybody) == 5
            assert ALICE in " ".join(everybody)

    asyncio.run(work())
