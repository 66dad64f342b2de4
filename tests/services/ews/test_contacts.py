"""Contacts: made with every property, changed by part, and shown by CardDAV.

covers: contact_editor, map_editor, services.ews.fields.contact, services.ews.fields.dictionaries
covers: services.ews.fields.mapped, services.ews.fields.own_items
"""

from __future__ import annotations

import asyncio

import pytest

from postern.model.folders import FolderKind
from postern.model.item_store import RenderedItem
from postern.model.resources import NewResource
from tests.services.dav.site import ALICE, guid_of
from tests.services.ews.site import EwsSite
from tests.services.ews.test_items import read

FULL = """
<t:Categories><t:String>Friends</t:String><t:String>Work</t:String></t:Categories>
<t:FileAsMapping>LastCommaFirst</t:FileAsMapping><t:DisplayName>Kim Min-ji</t:DisplayName><t:GivenName>Min-ji</t:GivenName>
<t:Initials>K.M.</t:Initials><t:MiddleName>A</t:MiddleName><t:Nickname>MJ</t:Nickname><t:CompanyName>Sea, Ltd.</t:CompanyName>
<t:EmailAddresses><t:Entry Key="EmailAddress1" Name="Kim">kim@sea.test</t:Entry>
<t:Entry Key="EmailAddress2">minji@home.test</t:Entry></t:EmailAddresses>
<t:PhysicalAddresses><t:Entry Key="Business"><t:Street>1 Pier</t:Street><t:City>Busan</t:City><t:State>B</t:State>
<t:CountryOrRegion>Korea</t:CountryOrRegion><t:PostalCode>48000</t:PostalCode></t:Entry>
<t:Entry Key="Home"><t:City>Seoul</t:City></t:Entry></t:PhysicalAddresses>
<t:PhoneNumbers><t:Entry Key="BusinessPhone">+82 51</t:Entry><t:Entry Key="BusinessPhone2">+82 52</t:Entry>
<t:Entry Key="MobilePhone">+82 10</t:Entry><t:Entry Key="Telex">77</t:Entry></t:PhoneNumbers>
<t:AssistantName>Lee</t:AssistantName><t:Birthday>1990-02-03T11:59:00Z</t:Birthday>
<t:BusinessHomePage>https://sea.test</t:BusinessHomePage><t:Children><t:String>Ji-u</t:String></t:Children>
<t:Companies><t:String>Sea</t:String><t:String>Sky</t:String></t:Companies><t:Department>Ships</t:Department>
<t:ImAddresses><t:Entry Key="ImAddress1">kim</t:Entry><t:Entry Key="ImAddress3">mj</t:Entry></t:ImAddresses>
<t:JobTitle>Captain</t:JobTitle><t:Mileage>12 nm</t:Mileage><t:OfficeLocation>Deck 3</t:OfficeLocation>
<t:PostalAddressIndex>Business</t:PostalAddressIndex><t:Surname>Kim</t:Surname>
"""


def created(inner: str) -> str:
    return f"<m:CreateItem><m:Items><t:Contact>{inner}</t:Contact></m:Items></m:CreateItem>"


def changed(item: str, *updates: str) -> str:
    return (
        '<m:UpdateItem ConflictResolution="AutoResolve" MessageDisposition="SaveOnly"><m:ItemChanges><t:ItemChange>'
        f'<t:ItemId Id="{item}"/><t:Updates>{"".join(updates)}</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>'
    )


def test_a_contact_has_what_was_given() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = (await site.ask(created(FULL))).find(".//t:ItemId").attrib["Id"]
        told = await site.ask(read(item, base="AllProperties"))
        contact = told.find(".//t:Contact")

        def text(path: str) -> str:
            return contact.findtext(path, "", {"t": contact.tag[1:].partition("}")[0]})

        assert text("t:FileAs") == "Kim, Min-ji A" and text("t:FileAsMapping") == "LastCommaFirst"
        assert text("t:Subject") == text("t:CompleteName/t:FullName") == "Kim Min-ji"
        assert [
            text(f"t:{name}") for name in ("Initials", "CompanyName", "Department", "JobTitle", "Surname", "Mileage")
        ] == [
            "K.M.",
            "Sea, Ltd.",
            "Ships",
            "Captain",
            "Kim",
            "12 nm",
        ]
        assert text("t:Birthday") == "1990-02-03T11:59:00Z" and text("t:PostalAddressIndex") == "Business"
        assert told.texts(".//t:EmailAddresses/t:Entry") == ["kim@sea.test", "minji@home.test"]
        assert told.find(".//t:EmailAddresses/t:Entry").attrib["Name"] == "Kim"
        phones = {entry.attrib["Key"]: entry.text for entry in told.all(".//t:PhoneNumbers/t:Entry")}
        assert phones == {"BusinessPhone": "+82 51", "BusinessPhone2": "+82 52", "MobilePhone": "+82 10", "Telex": "77"}
        assert told.texts(".//t:PhysicalAddresses/t:Entry[@Key='Business']/t:City") == ["Busan"]
        assert told.texts(".//t:ImAddresses/t:Entry") == ["kim", "mj"]
        assert told.texts(".//t:Categories/t:String") == ["Friends", "Work"]
        assert told.texts(".//t:Companies/t:String") == ["Sea", "Sky"]
        # It lies in the contacts, where CardDAV finds it by its name and its addresses.
        folder = await site.folder(FolderKind.CONTACTS)
        (card,) = await site.mailboxes.resources(guid_of(ALICE), folder)
        assert card.name.endswith(".vcf") and card.item_class == "IPM.Contact"
        assert await site.mailboxes.with_addresses(guid_of(ALICE), ["kim@sea.test"]) == {"kim@sea.test": [card.id]}

    asyncio.run(steps())


def test_a_part_of_a_property_is_changed_alone() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = (await site.ask(created(FULL))).find(".//t:ItemId").attrib["Id"]
        city = '<t:IndexedFieldURI FieldURI="contacts:PhysicalAddress:City" FieldIndex="Business"/>'
        phone = '<t:IndexedFieldURI FieldURI="contacts:PhoneNumber" FieldIndex="MobilePhone"/>'
        answer = await site.ask(
            changed(
                item,
                f'<t:SetItemField>{city}<t:Contact><t:PhysicalAddresses><t:Entry Key="Business"><t:City>Ulsan</t:City></t:Entry>'
                "</t:PhysicalAddresses></t:Contact></t:SetItemField>",
                f"<t:DeleteItemField>{phone}</t:DeleteItemField>",
                '<t:DeleteItemField><t:FieldURI FieldURI="contacts:JobTitle"/></t:DeleteItemField>',
                *[
                    '<t:AppendToItemField><t:FieldURI FieldURI="item:Body"/><t:Contact><t:Body BodyType="Text">more</t:Body>'
                    "</t:Contact></t:AppendToItemField>"
                ]
                * 2,
            )
        )
        assert answer.codes == ["NoError"]
        paths = '<t:FieldURI FieldURI="contacts:JobTitle"/>', '<t:FieldURI FieldURI="item:Body"/>'
        told = await site.ask(read(item, city, phone, *paths))
        assert told.texts(".//t:Body") == ["moremore"]
        assert told.texts(".//t:City") == ["Ulsan"] and not told.all(".//t:Street")
        assert not told.all(".//t:PhoneNumbers") and not told.all(".//t:JobTitle")

    asyncio.run(steps())


@pytest.mark.parametrize(
    ("update", "code"),
    [
        (
            '<t:SetItemField><t:IndexedFieldURI FieldURI="contacts:EmailAddress" FieldIndex="EmailAddress1"/><t:Contact>'
            '<t:EmailAddresses><t:Entry Key="EmailAddress2">x</t:Entry></t:EmailAddresses></t:Contact></t:SetItemField>',
            "ErrorUpdatePropertyMismatch",
        ),
        (
            '<t:SetItemField><t:FieldURI FieldURI="contacts:HasPicture"/><t:Contact><t:HasPicture>true</t:HasPicture></t:Contact>'
            "</t:SetItemField>",
            "ErrorInvalidPropertySet",
        ),
        (
            '<t:AppendToItemField><t:FieldURI FieldURI="contacts:GivenName"/><t:Contact><t:GivenName>x</t:GivenName></t:Contact>'
            "</t:AppendToItemField>",
            "ErrorInvalidPropertyAppend",
        ),
        (
            '<t:SetItemField><t:FieldURI FieldURI="item:ItemClass"/><t:Contact><t:ItemClass>IPM.Note</t:ItemClass></t:Contact>'
            "</t:SetItemField>",
            "ErrorObjectTypeChanged",
        ),
        (
            '<t:SetItemField><t:FieldURI FieldURI="contacts:FileAsMapping"/><t:Contact><t:FileAsMapping>X</t:FileAsMapping>'
            "</t:Contact></t:SetItemField>",
            "ErrorSchemaValidation",
        ),
    ],
)
def test_what_cannot_be_changed_is_told(update: str, code: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        item = (await site.ask(created("<t:GivenName>Ada</t:GivenName>"))).find(".//t:ItemId").attrib["Id"]
        assert (await site.ask(changed(item, update))).codes == [code]

    asyncio.run(steps())


def test_the_octets_of_others_are_kept() -> None:
    """A card that CardDAV stored keeps the lines that nobody here knows, and is filed by its name."""

    async def steps() -> None:
        site = EwsSite()
        card = (
            b"BEGIN:VCARD\r\nVERSION:4.0\r\nUID:1\r\nFN:Ada Byron\r\nX-OWN;Y=z:kept\r\nTEL;TYPE=cell:1\r\nEND:VCARD\r\n"
        )
        guid, folder = guid_of(ALICE), await site.folder(FolderKind.CONTACTS)
        resource = NewResource(card, "IPM.Contact", RenderedItem(uid="1"), "1.vcf")
        (number,) = await site.mailboxes.add(guid, folder, [resource])
        found = await site.ask(
            '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape>'
            '<m:ParentFolderIds><t:DistinguishedFolderId Id="contacts"/></m:ParentFolderIds></m:FindItem>'
        )
        item = found.find(".//t:Contact/t:ItemId").attrib["Id"]
        assert found.texts(".//t:FileAs") == ["Ada Byron"] and found.texts(".//t:Entry") == ["1"]
        surname = '<t:FieldURI FieldURI="contacts:Surname"/>'
        update = f"<t:SetItemField>{surname}<t:Contact><t:Surname>Byron</t:Surname></t:Contact></t:SetItemField>"
        assert (await site.ask(changed(item, update))).codes == ["NoError"]
        (stored,) = await site.mailboxes.get(guid, [number], True)
        assert stored.content is not None and b"X-OWN;Y=z:kept\r\n" in stored.content and b"N:Byron;" in stored.content

    asyncio.run(steps())
