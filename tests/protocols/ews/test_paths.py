"""Paths of properties, and the shapes that name them.

covers: shapes, uris
"""

from __future__ import annotations

from uuid import UUID

import pytest

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import TYPES
from postern.protocols.ews.paths import (
    MAX_PATHS,
    SETS,
    ExtendedPath,
    FieldPath,
    IndexedPath,
    path_markup,
    read_path,
    read_paths,
)
from postern.protocols.ews.shapes import MAX_BODY, Base, BodyType, Shape, read_shape

OWN = UUID("c11ff724-aa03-4555-9952-8fa248a11c3e")
PATHS = [
    ('<t:FieldURI FieldURI="item:Subject"/>', FieldPath("item:Subject")),
    (
        '<t:IndexedFieldURI FieldURI="contacts:EmailAddress" FieldIndex="EmailAddress1"/>',
        IndexedPath("contacts:EmailAddress", "EmailAddress1"),
    ),
    ('<t:ExtendedFieldURI PropertyTag="0x37" PropertyType="String"/>', ExtendedPath("String", tag=0x37)),
    (
        '<t:ExtendedFieldURI DistinguishedPropertySetId="Appointment" PropertyId="33293" PropertyType="SystemTime"/>',
        ExtendedPath("SystemTime", set=SETS["Appointment"], lid=33_293),
    ),
    (
        f'<t:ExtendedFieldURI PropertySetId="{OWN}" PropertyName="a&amp;b" PropertyType="StringArray"/>',
        ExtendedPath("StringArray", set=OWN, name="a&b"),
    ),
]


def parsed(markup: str) -> xml.Element:
    return xml.read(f'<t:x xmlns:t="{TYPES}">{markup}</t:x>'.encode())


@pytest.mark.parametrize(("markup", "path"), PATHS)
def test_a_path_is_read_and_written(markup: str, path: FieldPath) -> None:
    (element,) = parsed(markup).elements
    assert read_path(element) == path
    (again,) = parsed(path_markup(path)).elements
    assert read_path(again) == path


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ("", Code.INVALID_EXTENDED_PROPERTY),
        ('PropertyType="String"', Code.INVALID_EXTENDED_PROPERTY),
        ('PropertyTag="0x8001" PropertyType="String"', Code.INVALID_EXTENDED_PROPERTY),
        ('PropertyTag="x" PropertyType="String"', Code.INVALID_EXTENDED_PROPERTY),
        ('PropertyTag="1" PropertyName="a" PropertyType="String"', Code.INVALID_EXTENDED_PROPERTY),
        ('PropertyTag="1" PropertyType="Object"', Code.UNSUPPORTED_MAPI_PROPERTY_TYPE),
        ('PropertyTag="1" PropertyType="Words"', Code.INVALID_EXTENDED_PROPERTY),
        ('PropertySetId="nobody" PropertyId="1" PropertyType="String"', Code.INVALID_EXTENDED_PROPERTY),
        (f'PropertySetId="{OWN}" PropertyType="String"', Code.INVALID_EXTENDED_PROPERTY),
        (
            f'PropertySetId="{OWN}" PropertyId="1" PropertyName="a" PropertyType="String"',
            Code.INVALID_EXTENDED_PROPERTY,
        ),
        (f'PropertySetId="{OWN}" PropertyId="99999999999" PropertyType="String"', Code.INVALID_EXTENDED_PROPERTY),
    ],
)
def test_a_combination_that_is_not_valid_is_refused(attributes: str, code: Code) -> None:
    with pytest.raises(EwsError) as raised:
        read_paths(parsed(f"<t:ExtendedFieldURI {attributes}/>"))
    assert raised.value.code is code


def test_a_list_of_paths_is_bounded() -> None:
    assert read_paths(None) == () and len(read_paths(parsed('<t:FieldURI FieldURI="a"/>' * MAX_PATHS))) == 1
    with pytest.raises(EwsError):
        read_paths(parsed('<t:FieldURI FieldURI="a"/>' * (MAX_PATHS + 1)))
    with pytest.raises(EwsError):
        read_paths(parsed("<t:Other/>"))


def test_a_shape_says_what_is_asked_for() -> None:
    markup = (
        "<t:BaseShape>AllProperties</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>"
        "<t:BodyType>Text</t:BodyType><t:FilterHtmlContent>1</t:FilterHtmlContent><t:MaximumBodySize>12</t:MaximumBodySize>"
        f"<t:AdditionalProperties>{PATHS[0][0]}</t:AdditionalProperties>"
    )
    assert read_shape(parsed(markup)) == Shape(Base.ALL, (PATHS[0][1],), BodyType.TEXT, True, True, 12)
    assert read_shape(None) == Shape()
    assert read_shape(parsed("<t:MaximumBodySize>many</t:MaximumBodySize>")).most == MAX_BODY
    with pytest.raises(EwsError):
        read_shape(parsed("<t:BaseShape>Everything</t:BaseShape>"))
