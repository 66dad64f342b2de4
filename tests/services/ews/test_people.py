"""Personas: people of contacts and of the directory.

covers: personas, services.ews.operations.find_people
"""

from __future__ import annotations

import asyncio

import pytest

from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.site import EwsSite
from tests.services.ews.test_contacts import FULL, created
from tests.services.ews.test_lists import address, crew
from tests.services.ews.test_names import contact, site_with_people

CONTACTS = '<m:ParentFolderId><t:DistinguishedFolderId Id="contacts"/></m:ParentFolderId>'
DIRECTORY = CONTACTS.replace("contacts", "directory")


def find(where: str = CONTACTS, query: str = "", view: str = "", order: str = "", shape: str = "") -> str:
    rows = view or 'MaxEntriesReturned="100" Offset="0"'
    paging = f'<m:IndexedPageItemView {rows} BasePoint="Beginning"/>'
    text = f"<m:QueryString>{query}</m:QueryString>" if query else ""
    return f"<m:FindPeople>{shape}{paging}{order}{where}{text}</m:FindPeople>"


def ordered(uri: str) -> str:
    return f'<m:SortOrder><t:FieldOrder Order="Descending"><t:FieldURI FieldURI="{uri}"/></t:FieldOrder></m:SortOrder>'


def persona(item: str) -> str:
    return f'<m:GetPersona><m:PersonaId Id="{item}"/></m:GetPersona>'


async def with_contacts() -> EwsSite:
    site = site_with_people()
    for name in ("Cleo", "ada", "Bonnie"):
        await contact(site, name, f"{name.lower()}@sea.test", f"{name.lower()}@home.test")
    await site.ask(crew(address("a@sea.test")))
    return site


def test_people_of_a_folder() -> None:
    async def steps() -> None:
        site = await with_contacts()
        told = await site.ask(find())
        assert told.content.attrib["ResponseClass"] == "Success"
        assert told.texts("m:People/t:Persona/t:DisplayName") == ["ada", "Bonnie", "Cleo", "Crew"]
        assert told.texts("m:TotalNumberOfPeopleInView") == ["4"]
        assert told.texts(".//t:Persona/t:PersonaType")[-1] == "DistributionList"
        assert told.texts(".//t:EmailAddress/t:EmailAddress")[:2] == ["ada@sea.test", "bonnie@sea.test"]
        last = await site.ask(find(view='MaxEntriesReturned="9" Offset="1"').replace("Beginning", "End"))
        assert last.texts("m:People/t:Persona/t:DisplayName") == ["ada", "Bonnie", "Cleo"]
        page = await site.ask(find(view='MaxEntriesReturned="2" Offset="1"'))
        assert page.texts("m:People/t:Persona/t:DisplayName") == ["Bonnie", "Cleo"]
        assert (await site.ask(find(order=ordered("persona:DisplayName")))).texts("m:People/t:Persona/t:DisplayName")[
            0
        ] == "Crew"
        shape = (
            "<m:PersonaShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
            '<t:FieldURI FieldURI="persona:DisplayName"/></t:AdditionalProperties></m:PersonaShape>'
        )
        first = (await site.ask(find(shape=shape))).all(".//t:Persona")[0]
        assert [each.tag.rpartition("}")[2] for each in first] == ["PersonaId", "DisplayName"]
        assert (await site.ask(find(), BOB)).texts("m:TotalNumberOfPeopleInView") == ["0"]

    asyncio.run(steps())


def test_people_are_searched() -> None:
    async def steps() -> None:
        site = await with_contacts()
        names = "m:People/t:Persona/t:DisplayName"
        assert (await site.ask(find(query='"bon"'))).texts(names) == ["Bonnie"]
        assert (await site.ask(find(DIRECTORY, "bo"))).texts(names) == ["Bob"]
        # Without a folder, both are.
        assert (await site.ask(find("", "bo"))).texts(names) == ["Bob", "Bonnie"]
        assert (await site.ask(find(DIRECTORY))).texts("m:TotalNumberOfPeopleInView") == ["0"]

    asyncio.run(steps())


def test_a_persona_is_read_by_its_id() -> None:
    async def steps() -> None:
        site = site_with_people()
        await site.ask(created(FULL))
        item = (await site.ask(find())).find(".//t:PersonaId").attrib["Id"]
        told = await site.ask(persona(item))
        assert told.content.tag.endswith("}GetPersonaResponseMessage")
        assert told.texts("m:Persona/t:DisplayName") == ["Kim Min-ji"] and told.texts("m:Persona/t:Title") == [
            "Captain"
        ]
        assert told.texts("m:Persona/t:FileAs") == ["Kim, Min-ji A"]
        assert told.texts("m:Persona/t:EmailAddresses/t:Address/t:EmailAddress") == ["kim@sea.test", "minji@home.test"]
        assert told.texts("m:Persona/t:MobilePhones//t:Number") == ["+82 10"]
        assert told.texts("m:Persona/t:Attributions/t:Attribution/t:DisplayName") == ["Outlook"]
        entry = (await site.ask(find(DIRECTORY, "bob"))).find(".//t:PersonaId").attrib["Id"]
        told = await site.ask(persona(entry))
        assert told.texts("m:Persona/t:EmailAddress/t:EmailAddress") == [BOB]
        by_address = (
            f"<m:GetPersona><m:EmailAddress><t:EmailAddress>{BOB}</t:EmailAddress></m:EmailAddress></m:GetPersona>"
        )
        assert (await site.ask(by_address)).texts("m:Persona/t:DisplayName") == ["Bob"]
        site.recipients.hidden.add(guid_of(BOB))
        for ask, asker, code in (
            (persona(item), BOB, "ErrorItemNotFound"),
            (persona(entry), ALICE, "ErrorItemNotFound"),
            (by_address, ALICE, "ErrorItemNotFound"),
            (persona("x"), ALICE, "ErrorInvalidIdMalformed"),
            ("<m:GetPersona/>", ALICE, "ErrorSchemaValidation"),
        ):
            assert (await site.ask(ask, asker)).texts("m:ResponseCode") == [code], ask

    asyncio.run(steps())


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (find(view='MaxEntriesReturned="0" Offset="0"'), "ErrorInvalidPagingMaxRows"),
        (find(view='MaxEntriesReturned="x" Offset="0"'), "ErrorSchemaValidation"),
        (
            find(order=ordered("persona:Title")),
            "ErrorUnsupportedPathForSortGroup",
        ),
        (find(order="<m:Restriction/>"), "ErrorUnsupportedQueryFilter"),
    ],
)
def test_what_is_no_search(ask: str, code: str) -> None:
    async def steps() -> None:
        answer = await EwsSite().ask(ask)
        assert (answer.codes or answer.texts("m:ResponseCode")) == [code]

    asyncio.run(steps())
