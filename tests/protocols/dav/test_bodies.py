"""The bodies of PROPFIND, PROPPATCH, MKCOL, MKCALENDAR, LOCK and ACL.

covers: protocols.dav.names
"""

from __future__ import annotations

import pytest

from postern.protocols import xml
from postern.protocols.dav.bodies import (
    MAX_PROPERTIES,
    Ace,
    BodyError,
    LockRequest,
    PropFind,
    Wanted,
    read_acl,
    read_creation,
    read_lock,
    read_propfind,
    read_proppatch,
)
from postern.protocols.dav.names import DECLARATIONS, caldav, calendar_server, carddav, dav, element

NS = f'xmlns="DAV:"{DECLARATIONS}'


def body(text: str) -> bytes:
    return text.replace("%", NS, 1).encode()


def test_propfind_by_name() -> None:
    find = read_propfind(
        body("<propfind %><prop><getetag/><C:calendar-data><C:comp name='VEVENT'/></C:calendar-data></prop></propfind>")
    )
    assert find.wanted is Wanted.NAMED
    assert find.names == (dav("getetag"), caldav("calendar-data"))
    assert find.parts[caldav("calendar-data")].elements[0].attributes == {"name": "VEVENT"}


def test_propfind_of_all() -> None:
    assert read_propfind(b" \r\n") == PropFind()
    find = read_propfind(body("<propfind %><allprop/><include><A:address-data/><acl/></include></propfind>"))
    assert find == PropFind(Wanted.ALL, (carddav("address-data"), dav("acl")))
    assert read_propfind(body("<propfind %><propname/></propfind>")).wanted is Wanted.NAMES


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("<propfind %/>", 400),
        ("<propfind %><prop/><allprop/></propfind>", 400),
        ("<propfind xmlns='X:'><prop/></propfind>", 422),
        ("<mkcol %/>", 422),
        ("<propfind %>", 400),
        ("<!DOCTYPE x><propfind %><prop/></propfind>", 400),
        ("<propfind %><prop>" + "".join(f"<a{n}/>" for n in range(MAX_PROPERTIES + 1)) + "</prop></propfind>", 413),
        ("<propfind %><prop>" + " " * 5_000_000 + "</prop></propfind>", 413),
    ],
)
def test_what_is_no_propfind(text: str, status: int) -> None:
    with pytest.raises(BodyError) as caught:
        read_propfind(body(text))
    assert caught.value.status == status


def test_proppatch_keeps_the_order() -> None:
    changes = read_proppatch(
        body(
            "<propertyupdate % xml:lang='de'><remove><prop><I:calendar-color/></prop></remove>"
            "<set><prop><displayname>Büro &amp; mehr</displayname>"
            "<x:author xmlns:x='urn:x'><x:name xml:lang='ko'>김</x:name></x:author></prop></set></propertyupdate>"
        )
    )
    assert [(change.name, change.value is None) for change in changes] == [
        ("{http://apple.com/ns/ical/}calendar-color", True),
        (dav("displayname"), False),
        ("{urn:x}author", False),
    ]
    assert changes[1].value is not None and changes[1].value.text == "Büro & mehr"
    kept = xml.read(changes[2].markup.encode())
    assert kept.name == "{urn:x}author" and kept.attributes == {xml.LANGUAGE: "de"}
    assert kept.elements[0].attributes == {xml.LANGUAGE: "ko"} and kept.elements[0].text == "김"


def test_proppatch_changes_something() -> None:
    for text in ("<propertyupdate %/>", "<propertyupdate %><set><prop/></set></propertyupdate>"):
        with pytest.raises(BodyError):
            read_proppatch(body(text))
    many = "<displayname/>" * (MAX_PROPERTIES + 1)
    with pytest.raises(BodyError):
        read_proppatch(body(f"<propertyupdate %><remove><prop>{many}</prop></remove></propertyupdate>"))


@pytest.mark.parametrize("root", ["mkcol", "C:mkcalendar"])
def test_properties_of_a_new_collection(root: str) -> None:
    assert read_creation(b"") == []
    changes = read_creation(body(f"<{root} %><set><prop><displayname>Work</displayname></prop></set></{root}>"))
    assert [(change.name, change.markup) for change in changes] == [
        (dav("displayname"), '<D:displayname xmlns:D="DAV:">Work</D:displayname>')
    ]


def test_lock() -> None:
    text = "<lockinfo %><lockscope><{}/></lockscope><locktype><write/></locktype>{}</lockinfo>"
    assert read_lock(b"") is None
    assert read_lock(body(text.format("shared", ""))) == LockRequest(False)
    lock = read_lock(body(text.format("exclusive", "<owner><href>mailto:a@b.test</href></owner>")))
    assert lock is not None and lock.exclusive
    assert xml.read(lock.owner.encode()).text_of(dav("href")) == "mailto:a@b.test"
    for broken in (
        text.format("other", ""),
        "<lockinfo %/>",
        text.format("exclusive", "<owner>" + "x" * 40_000 + "</owner>"),
    ):
        with pytest.raises(BodyError):
            read_lock(body(broken))


def test_acl() -> None:
    entries = read_acl(
        body(
            "<acl %><ace><principal><href> /dav/principals/users/bob/ </href></principal>"
            "<grant><privilege><read/></privilege><privilege><C:read-free-busy/></privilege></grant></ace>"
            "<ace><invert><principal><property><owner/></property></principal></invert>"
            "<deny><privilege><write/></privilege></deny></ace><ace><principal><all/></principal></ace></acl>"
        )
    )
    assert entries == [
        Ace("/dav/principals/users/bob/", (dav("read"), caldav("read-free-busy")), ()),
        Ace(dav("owner"), (), (dav("write"),), True),
        Ace(dav("all"), (), ()),
    ]
    for broken in ("<acl %><ace/></acl>", "<acl %>" + "<ace><principal><all/></principal></ace>" * 101 + "</acl>"):
        with pytest.raises(BodyError):
            read_acl(body(broken))


def test_elements() -> None:
    assert element(dav("getetag")) == "<D:getetag/>"
    assert element(calendar_server("getctag"), "x") == "<S:getctag>x</S:getctag>"
    assert element("plain", "x") == "<plain>x</plain>"
    assert element('{urn:"x"}y', "z") == '<x:y xmlns:x="urn:&quot;x&quot;">z</x:y>'
