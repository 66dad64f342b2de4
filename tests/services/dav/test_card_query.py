"""addressbook-query: contacts by their properties, whole or in part."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from postern.services.dav import card_query
from tests.services.dav.site import CONTACTS, DavSite, Responses, card, failed, report

KIM = "<A:prop-filter name='FN'><A:text-match match-type='starts-with'>KIM</A:text-match></A:prop-filter>"
MAIL = "<A:prop-filter name='EMAIL'/>"


def query(inner: str, data: str = "", test: str = "", limit: str = "") -> str:
    return (
        f"<A:addressbook-query><D:prop><D:getetag/>{data}</D:prop><A:filter{test}>{inner}</A:filter>{limit}"
        "</A:addressbook-query>"
    )


async def fill(client: httpx.AsyncClient) -> None:
    for name, *more in (
        ("Kim Min", "EMAIL;TYPE=work:kim@a.test"),
        ("Kim Ho",),
        ("김 철수", "EMAIL:cs@a.test"),
        ("Bo",),
    ):
        answer = await client.put(f"{CONTACTS}{name.encode().hex()}", content=card(name, name, *more))
        assert answer.status_code == 201


async def found_by(client: httpx.AsyncClient, body: str) -> set[str]:
    answers = Responses(await report(client, CONTACTS, body))
    return {bytes.fromhex(href.removeprefix(CONTACTS)).decode() for href in answers}


def test_filters() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await fill(client)
            assert await found_by(client, query("")) == {"Kim Min", "Kim Ho", "김 철수", "Bo"}
            assert await found_by(client, query(KIM)) == {"Kim Min", "Kim Ho"}
            assert await found_by(client, query(KIM + MAIL)) == {"Kim Min", "Kim Ho", "김 철수"}
            assert await found_by(client, query(KIM + MAIL, test=" test='allof'")) == {"Kim Min"}
            korean = "<A:prop-filter name='FN'><A:text-match>김</A:text-match></A:prop-filter>"
            assert await found_by(client, query(korean)) == {"김 철수"}
            work_ = "<A:param-filter name='TYPE'><A:text-match>work</A:text-match></A:param-filter>"
            assert await found_by(client, query(f"<A:prop-filter name='EMAIL'>{work_}</A:prop-filter>")) == {"Kim Min"}
            without = "<A:prop-filter name='EMAIL'><A:is-not-defined/></A:prop-filter>"
            assert await found_by(client, query(without)) == {"Kim Ho", "Bo"}

    asyncio.run(work())


def test_contents_whole_and_in_part() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await fill(client)
            path = f"{CONTACTS}{b'Kim Min'.hex()}"
            answers = Responses(await report(client, CONTACTS, query(KIM, "<A:address-data/>")))
            assert str(answers.text(path, "A:address-data")).encode() == (await client.get(path)).content
            part = "<A:address-data><A:prop name='UID'/><A:prop name='EMAIL'/></A:address-data>"
            text = str(Responses(await report(client, CONTACTS, query(KIM, part))).text(path, "A:address-data"))
            assert text.splitlines() == [
                "BEGIN:VCARD",
                "VERSION:3.0",
                "UID:Kim Min",
                "EMAIL;TYPE=work:kim@a.test",
                "END:VCARD",
            ]

    asyncio.run(work())


def test_a_card_in_another_version() -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            await fill(client)
            path = f"{CONTACTS}{b'Kim Min'.hex()}"
            data = "<A:address-data content-type='text/vcard' version='{}'/>"
            for version, number in (("4.0", "4.0"), ("3.0", "3.0")):
                answers = Responses(await report(client, CONTACTS, query(KIM, data.format(version))))
                text = str(answers.text(path, "A:address-data"))
                assert f"VERSION:{number}" in text and "FN:Kim Min" in text

    asyncio.run(work())


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        monkeypatch.setattr(card_query, "PAGE", 3)
        monkeypatch.setattr(card_query, "BATCH", 2)
        async with DavSite().client() as client:
            await fill(client)
            limit = "<A:limit><A:nresults>{}</A:nresults></A:limit>"
            answers = Responses(await report(client, CONTACTS, query("", limit=limit.format(2))))
            assert len(answers) == 3 and answers.status(CONTACTS) == 507
            assert len(await found_by(client, query("", limit=limit.format(4)))) == 4

    asyncio.run(work())


@pytest.mark.parametrize(
    ("body", "precondition"),
    [
        ("<A:addressbook-query/>", "A:valid-filter"),
        (query(KIM, test=" test='none'"), "A:valid-filter"),
        (
            query("<A:prop-filter name='FN'><A:text-match match-type='x'>y</A:text-match></A:prop-filter>"),
            "A:valid-filter",
        ),
        (
            query("<A:prop-filter name='FN'><A:text-match collation='x'>y</A:text-match></A:prop-filter>"),
            "A:supported-collation",
        ),
        (query("", "<A:address-data version='2.1'/>"), "A:supported-address-data"),
    ],
)
def test_queries_that_are_none(body: str, precondition: str) -> None:
    async def work() -> None:
        async with DavSite().client() as client:
            answer = await report(client, CONTACTS, body)
            assert answer.status_code == 403 and failed(answer) == precondition

    asyncio.run(work())
