"""The table of the schema, and what the check of answers against it finds.

covers: operation
"""

from __future__ import annotations

import pytest

from postern.protocols.ews.envelope import CLOSING, opening, start_tag
from postern.protocols.ews.versions import Version
from postern.services.ews.operations.every import OPERATIONS
from tests.services.ews.schema import faults_of, schema

ID = '<t:ItemId Id="x"/>'


def answer(item: str) -> bytes:
    return (
        f"{opening()}{start_tag('GetItemResponse')}<m:ResponseMessages>"
        '<m:GetItemResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>'
        f"<m:Items><t:Message>{item}</t:Message></m:Items></m:GetItemResponseMessage></m:ResponseMessages>"
        f"</m:GetItemResponse>{CLOSING}"
    ).encode()


def test_what_the_schema_has_passes() -> None:
    item = f"{ID}<t:Subject>x</t:Subject><t:DateTimeReceived>2026-11-30T01:02:03Z</t:DateTimeReceived><t:IsRead>true</t:IsRead>"
    assert faults_of(answer(item)) == []
    uri = '<t:ExtendedFieldURI PropertyTag="0x1" PropertyType="Integer"/>'
    extended = f"<t:ExtendedProperty>{uri}<t:Value>1</t:Value></t:ExtendedProperty>"
    assert faults_of(answer(ID + extended + extended)) == []


@pytest.mark.parametrize(
    ("item", "version", "fault"),
    [
        ("<t:Subject>x</t:Subject>" + ID, Version.V2013, "t:ItemId is too late"),
        ("<t:IsRead>true</t:IsRead><t:Size>1</t:Size>", Version.V2013, "t:Size is too late"),
        (ID + ID, Version.V2013, "t:ItemId is there again"),
        ("<t:Colour>red</t:Colour>", Version.V2013, "no element t:Colour"),
        ("<t:TextBody BodyType='Text'>x</t:TextBody>", Version.V2010_SP2, "t:TextBody came with Exchange2013"),
        ("<t:Importance>Great</t:Importance>", Version.V2013, "'Great' is no ImportanceChoicesType"),
        ("<t:Size>many</t:Size>", Version.V2013, "'many' is no xs:int"),
        ("<t:IsRead>True</t:IsRead>", Version.V2013, "'True' is no xs:boolean"),
        ('<t:ItemId Id="x" Key="y"/>', Version.V2013, "no attribute Key"),
        ("<t:ItemId/>", Version.V2013, "the attribute Id is missing"),
        ("<t:From><t:Name>x</t:Name></t:From>", Version.V2013, "no element t:Name"),
    ],
)
def test_what_the_schema_has_not_is_told(item: str, version: Version, fault: str) -> None:
    faults = faults_of(answer(item), version)
    assert len(faults) >= 1 and faults[0].endswith(fault)


def test_every_operation_is_in_the_table_with_its_version() -> None:
    since = {name[2:]: place.since for name, place in schema().roots.items()}
    for operation in OPERATIONS:
        # The answer of GetPersona is named as if it were a part of a batch.
        name = f"{operation.name}Response" + ("Message" if operation.name == "GetPersona" else "")
        assert since[name] <= operation.since, operation.name


def test_every_type_that_is_named_is_there() -> None:
    table = schema()
    places = [place for kind in table.kinds.values() for place in (*kind.elements, *kind.attributes.values())]
    named = {place.type for place in (*places, *table.roots.values())}
    for kind in table.kinds.values():
        named.update(kind.members or (kind.base,))
    basic = {name for name in named if name.startswith("xs:")} | {"any", ""}
    assert named - basic <= table.kinds.keys()
