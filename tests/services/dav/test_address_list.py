"""The global address list as an address book that nobody can write to.

covers: address_list, address_search
"""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid5
from xml.etree import ElementTree

import httpx
import pytest

from postern.items import contact
from postern.items.calendar_object import Refused
from postern.items.filters import CardFilter, MatchType, PropertyFilter, TextMatch
from postern.model.address_book import AddressBookEntry
from postern.model.directory import RecipientType
from postern.services.dav import address_list, address_search
from tests.services.dav.site import (
    ALICE,
    BOB,
    CALENDAR,
    CONTACTS,
    LIST,
    NAMES,
    PRINCIPAL,
    DavSite,
    Responses,
    card,
    failed,
    guid_of,
    propfind,
    report,
)

ADDRESS_BOOKS = f"/dav/addressbooks/{ALICE}/"
BOBS_CARD = f"{LIST}{guid_of(BOB)}.vcf"
ALICES_CARD = f"{LIST}{guid_of(ALICE)}.vcf"
TEAM = AddressBookEntry(guid_of("team"), RecipientType.GROUP, "Team of Bobs", ("team@example.test",))
BLUE = AddressBookEntry(guid_of("blue"), RecipientType.ROOM, "Blue Room", ("blue@example.test",))


def site_of(*entries: AddressBookEntry, hidden: UUID | None = None) -> DavSite:
    site = DavSite()
    site.recipients.more = {entry.guid: entry for entry in entries}
    site.recipients.hidden = set() if hidden is None else {hidden}
    return site


def crowd(count: int) -> list[AddressBookEntry]:
    return [
        AddressBookEntry(uuid5(guid_of("crowd"), str(at)), RecipientType.USER, f"Person {at}", (f"p{at}@example.test",))
        for at in range(count)
    ]


async def query(client: httpx.AsyncClient, inner: str, more: str = "", data: str = "", test: str = "") -> Responses:
    body = (
        f"<A:addressbook-query><D:prop><D:getetag/>{data}</D:prop><A:filter{test}>{inner}</A:filter>{more}"
        "</A:addressbook-query>"
    )
    return Responses(await report(client, LIST, body))


def prop(name: str, text: str, kind: str = "contains") -> str:
    return f"<A:prop-filter name='{name}'><A:text-match match-type='{kind}'>{text}</A:text-match></A:prop-filter>"


def test_the_list_is_in_everybody_s_home_and_read_only() -> None:
    async def work() -> None:
        async with site_of(TEAM).client() as client:
            home = await propfind(client, ADDRESS_BOOKS, "D:displayname", "D:resourcetype", "S:getctag", depth="1")
            assert set(home) == {ADDRESS_BOOKS, CONTACTS, LIST}
            assert home.text(LIST, "D:displayname") == "Global Address List"
            kind = home.prop(LIST, "D:resourcetype")
            assert kind is not None and kind.find("A:addressbook", NAMES) is not None
            assert home.text(LIST, "S:getctag")
            names = ("D:current-user-privilege-set", "D:supported-report-set", "D:owner", "D:sync-token")
            answers = await propfind(client, LIST, *names, "S:getctag")
            rights = answers.prop(LIST, names[0])
            assert rights is not None and rights.find(".//D:read", NAMES) is not None
            assert rights.find(".//D:write", NAMES) is None and rights.find(".//D:bind", NAMES) is None
            reports = answers.prop(LIST, names[1])
            assert reports is not None and reports.find(".//A:addressbook-query", NAMES) is not None
            assert reports.find(".//D:sync-collection", NAMES) is None
            assert answers.prop(LIST, "D:owner") is None and answers.prop(LIST, "D:sync-token") is None
            assert answers.text(LIST, "S:getctag") == home.text(LIST, "S:getctag")
            answers = await propfind(client, PRINCIPAL, "A:directory-gateway", "A:principal-address")
            assert answers.hrefs(PRINCIPAL, "A:directory-gateway") == [LIST]
            assert answers.hrefs(PRINCIPAL, "A:principal-address") == [ALICES_CARD]
            sync = "<D:sync-collection><D:sync-token/><D:sync-level>1</D:sync-level></D:sync-collection>"
            assert failed(await report(client, LIST, sync)) == "D:supported-report"

    asyncio.run(work())


def test_cards_are_listed_read_and_picked() -> None:
    async def work() -> None:
        async with site_of(TEAM, BLUE, hidden=guid_of(ALICE)).client() as client:
            listed = await propfind(client, LIST, "D:getetag", "D:getcontenttype", "D:owner", depth="1")
            assert set(listed) == {LIST, BOBS_CARD, f"{LIST}{TEAM.guid}.vcf", f"{LIST}{BLUE.guid}.vcf"}
            tag = listed.text(BOBS_CARD, "D:getetag")
            answer = await client.get(BOBS_CARD)
            assert answer.status_code == 200 and answer.headers["etag"] == tag
            read = contact.read(answer.content)
            assert not isinstance(read, Refused) and contact.render(read).emails == (BOB, f"post.{BOB}")
            again = await client.get(BOBS_CARD, headers={"if-none-match": tag or ""})
            assert again.status_code == 304
            assert (await client.head(BOBS_CARD)).headers["content-length"] == str(len(answer.content))
            for name in (f"{guid_of(ALICE)}.vcf", "x.vcf", f"{guid_of(BOB)}".upper() + ".vcf", f"{guid_of(BOB)}.vcf/"):
                assert (await client.get(f"{LIST}{name}")).status_code == 404
            hrefs = "".join(f"<D:href>{each}</D:href>" for each in (BOBS_CARD, ALICES_CARD, f"{LIST}{TEAM.guid}.vcf"))
            data = "<A:address-data content-type='text/vcard' version='4.0'/>"
            body = f"<A:addressbook-multiget><D:prop><D:getetag/>{data}</D:prop>{hrefs}</A:addressbook-multiget>"
            answers = Responses(await report(client, LIST, body))
            assert answers.status(ALICES_CARD) == 404 and answers.text(BOBS_CARD, "D:getetag") == tag
            assert "KIND:group" in (answers.text(f"{LIST}{TEAM.guid}.vcf", "A:address-data") or "")
            unknown = await propfind(client, BOBS_CARD, "I:calendar-color", "D:displayname")
            assert unknown.prop(BOBS_CARD, "I:calendar-color", 404) is not None
            own = await propfind(client, PRINCIPAL, "A:principal-address")
            assert own.prop(PRINCIPAL, "A:principal-address", 404) is not None, "one who is hidden has no card"

    asyncio.run(work())


def test_the_ctag_follows_the_directory_and_is_not_computed_for_each() -> None:
    async def work() -> None:
        site = site_of(*crowd(600))
        async with site.client() as alice, site.client(BOB) as bob:
            states = [
                (await propfind(alice, LIST, "S:getctag")).text(LIST, "S:getctag"),
                (await propfind(bob, LIST.replace(ALICE, BOB), "S:getctag")).text(
                    LIST.replace(ALICE, BOB), "S:getctag"
                ),
            ]
            assert states[0] == states[1] and site.recipients.listings == 1
            site.recipients.more = dict(reversed(site.recipients.more.items()))
            site.access.list_state.until = 0.0
            assert (await propfind(alice, LIST, "S:getctag")).text(LIST, "S:getctag") == states[0]
            del site.recipients.more[next(iter(site.recipients.more))]
            site.access.list_state.until = 0.0
            assert (await propfind(alice, LIST, "S:getctag")).text(LIST, "S:getctag") != states[0]
            await propfind(alice, LIST, "D:displayname", depth="0")
            assert site.recipients.listings == 3

    asyncio.run(work())


@pytest.mark.parametrize(
    ("inner", "test", "names", "listings"),
    [
        (prop("FN", "bob"), "", {"Bob", "Team of Bobs"}, 0),
        (prop("FN", "bob", "equals"), "", {"Bob"}, 0),
        (prop("EMAIL", "BLUE@", "starts-with"), "", {"Blue Room"}, 0),
        (prop("FN", "bob") + prop("EMAIL", "blue"), "", {"Bob", "Team of Bobs", "Blue Room"}, 0),
        (prop("FN", "bob") + prop("X-ADDRESSBOOKSERVER-KIND", "group"), " test='allof'", {"Team of Bobs"}, 0),
        (prop("X-ADDRESSBOOKSERVER-KIND", "location"), "", {"Blue Room"}, 1),
        (prop("FN", "m", "ends-with"), "", {"Blue Room"}, 1),
        ("", "", {"Alice", "Bob", "Team of Bobs", "Blue Room"}, 1),
        (prop("FN", "nobody"), "", set(), 0),
    ],
)
def test_filters_become_searches(inner: str, test: str, names: set[str], listings: int) -> None:
    async def work() -> None:
        site = site_of(TEAM, BLUE)
        async with site.client() as client:
            answers = await query(client, inner, data="<A:address-data><A:prop name='FN'/></A:address-data>", test=test)
            cards = [answers.text(href, "A:address-data") or "" for href in answers]
            assert {text.partition("FN:")[2].partition("\r\n")[0].strip() for text in cards} == names
            assert site.recipients.listings == listings

    asyncio.run(work())


def test_filters_that_the_directory_cannot_search() -> None:
    text = TextMatch("a", kind=MatchType.STARTS)
    fn = PropertyFilter("FN", texts=(text,), all_of=False)
    for part, expected in (
        (fn, ["a"]),
        (PropertyFilter("N", texts=(TextMatch("a;b"),)), None),
        (PropertyFilter("FN", texts=(TextMatch("a", negate=True),)), None),
        (PropertyFilter("FN", texts=(text, TextMatch("@b")), all_of=False), None),
        (PropertyFilter("FN", texts=(text, TextMatch("@b"))), ["a"]),
        (PropertyFilter("FN", is_not_defined=True), None),
        (PropertyFilter("TITLE", texts=(text,)), None),
        (PropertyFilter("EMAIL"), None),
    ):
        assert address_search.searches_of(CardFilter((part,))) == expected, part
    title = PropertyFilter("TITLE", texts=(text,))
    assert address_search.searches_of(CardFilter((fn, title), all_of=True)) == ["a"]
    assert address_search.searches_of(CardFilter((fn, title))) is None


def test_what_is_too_much_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_list, "MAX_LISTED", 500)

    async def work() -> None:
        async with site_of(*crowd(1_200)).client() as client:
            answer = await client.request("PROPFIND", LIST, headers={"depth": "1"})
            responses = ElementTree.fromstring(answer.content).findall("D:response", NAMES)
            assert len(responses) == 502 and responses[-1].findtext("D:href", "", NAMES) == LIST
            assert responses[-1].find("D:error/D:number-of-matches-within-limits", NAMES) is not None

            async def told(inner: str, more: str = "") -> tuple[int, bool]:
                answers = await query(client, inner, more)
                is_cut = LIST in answers and answers.status(LIST) == 507
                return len(answers) - is_cut, is_cut

            assert await told("") == (500, True)
            assert await told(prop("FN", "person")) == (1_000, True)
            assert await told(prop("FN", "person 11")) == (1 + 10 + 100, False)
            assert await told(prop("FN", "person"), "<A:limit><A:nresults>7</A:nresults></A:limit>") == (7, True)

    asyncio.run(work())


def test_nothing_can_be_changed() -> None:
    async def work() -> None:
        async with site_of().client() as client:
            await client.put(f"{CONTACTS}a.vcf", content=card("a"))
            for method, path in (
                *[(method, BOBS_CARD) for method in ("PUT", "DELETE", "PROPPATCH", "MOVE", "ACL", "POST", "LOCK")],
                *[(method, LIST) for method in ("DELETE", "PROPPATCH", "MOVE", "ACL", "POST", "MKCOL")],
                ("PUT", f"{LIST}new.vcf"),
            ):
                answer = await client.request(method, path, content=card("x"), headers={"destination": CONTACTS + "x"})
                assert (answer.status_code, failed(answer)) == (403, "D:need-privileges"), (method, path)
            for method in ("COPY", "MOVE"):
                answer = await client.request(method, f"{CONTACTS}a.vcf", headers={"destination": f"{LIST}a.vcf"})
                assert failed(answer) == "D:need-privileges"
            assert (await client.request("COPY", BOBS_CARD, headers={"destination": CONTACTS + "x"})).status_code == 403
            assert (await client.get(f"/dav/addressbooks/{BOB}/global-address-list/")).status_code == 404

    asyncio.run(work())


def test_a_directory_that_does_not_answer() -> None:
    async def work() -> None:
        site = site_of()
        site.recipients.down = True
        async with site.client() as client:
            for method, path in (("GET", BOBS_CARD), ("PROPFIND", f"/dav/principals/users/{BOB}/")):
                assert (await client.request(method, path)).status_code == 503
            home = await propfind(client, ADDRESS_BOOKS, "D:displayname", "S:getctag", depth="1")
            assert home.text(LIST, "D:displayname") and home.prop(LIST, "S:getctag", 404) is not None
            assert (await client.get(CALENDAR)).status_code == 200

    asyncio.run(work())


@pytest.mark.parametrize("path", [LIST, BOBS_CARD, f"/dav/addressbooks/{BOB}/~{ALICE}~global-address-list/"])
@pytest.mark.parametrize("is_shared", [False, True])
def test_nobody_speaks_in_the_name_of_another_by_his_list(path: str, is_shared: bool) -> None:
    """Whoever asked for the list in another's home was answered as that one: with what others share with him."""

    async def work() -> None:
        site = DavSite()
        await site.mailboxes.logon(guid_of(ALICE))
        if is_shared:
            await site.sharing.set_full_access(site.recipients.known[ALICE], guid_of(BOB), True)
        body = (
            '<D:expand-property><D:property name="current-user-principal"><D:property name="quota-used-bytes"/>'
            "</D:property></D:expand-property>"
        )
        async with site.client(BOB) as bob:
            assert (await report(bob, path, body)).status_code == 404
            for method in ("PROPFIND", "GET", "PUT", "COPY"):
                assert (await bob.request(method, path, headers={"depth": "0"})).status_code == 404

    asyncio.run(work())
