"""Attachments by number."""

from __future__ import annotations

import pytest

from postern.items import contact
from postern.items.attachments import calendar_line, contact_line, of_calendar, of_contact
from postern.items.contact import Contact
from tests.items.calendars import event, read

START = "DTSTART:20260101T120000Z"


@pytest.mark.parametrize(
    ("line", "name", "media", "uri", "octets"),
    [
        ("ATTACH:https://x.test/a.pdf", "", "application/octet-stream", "https://x.test/a.pdf", None),
        (
            "ATTACH;FMTTYPE=text/plain;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=a.txt:aGVs\r\n bG8=",
            "a.txt",
            "text/plain",
            "",
            b"hello",
        ),
        ("ATTACH;FILENAME=b.txt:data:text/plain;base64,aGVsbG8=", "b.txt", "text/plain", "", b"hello"),
        ("ATTACH:data:text/plain,hel%6co", "", "text/plain", "", b"hello"),
        ("ATTACH:CID:1@x.test", "", "application/octet-stream", "CID:1@x.test", None),
        ("ATTACH;FMTTYPE=rubbish;ENCODING=BASE64:!", "", "application/octet-stream", "", b""),
    ],
)
def test_what_a_line_attaches(line: str, name: str, media: str, uri: str, octets: bytes | None) -> None:
    (found,) = of_calendar(read(*event(START, line)))
    assert (found.number, found.name, found.media, found.uri, found.octets) == (1, name, media, uri, octets)


def test_they_are_counted_in_order() -> None:
    lines = [*event(START, "ATTACH:a:1", "ATTACH:a:2"), *event("RECURRENCE-ID:20260102T120000Z", START, "ATTACH:a:3")]
    assert [(each.number, each.uri) for each in of_calendar(read(*lines))] == [(1, "a:1"), (2, "a:2"), (3, "a:3")]
    assert len(of_calendar(read(*event(START, *["ATTACH:a:1"] * 1_100)))) == 1_000


@pytest.mark.parametrize(
    ("line", "media", "octets"),
    [
        ("PHOTO;ENCODING=b;TYPE=JPEG:aGVsbG8=", "image/jpeg", b"hello"),
        ("PHOTO;TYPE=home;VALUE=uri:https://x.test/a.png", "application/octet-stream", None),
        ("PHOTO:data:image/png;base64,aGVsbG8=", "image/png", b"hello"),
        ("KEY;MEDIATYPE=application/pgp-keys:https://x.test/key", "application/pgp-keys", None),
        ("PHOTO;JPEG;BASE64:aGVsbG8=", "image/jpeg", b"hello"),
    ],
)
def test_pictures_and_keys_of_a_card(line: str, media: str, octets: bytes | None) -> None:
    found = contact.read(f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\n{line}\r\nEND:VCARD\r\n".encode())
    assert isinstance(found, Contact)
    (attachment,) = of_contact(found)
    assert (attachment.media, attachment.octets) == (media, octets)


@pytest.mark.parametrize("media", ["image/png", "nonsense"])
def test_a_new_line_brings_its_octets_back(media: str) -> None:
    told = media if media == "image/png" else "application/octet-stream"
    entry = calendar_line(b"hello", "plan;1.txt", media)
    (attachment,) = of_calendar(read(*event(START, entry.raw.decode().replace("\r\n ", "").strip())))
    assert (attachment.name, attachment.media, attachment.octets) == ("plan;1.txt", told, b"hello")
    for version in ("3.0", "4.0"):
        for is_photo in (True, False):
            line = contact_line(b"hello", "me.png", media, is_photo, version).raw.decode()
            card = contact.read(f"BEGIN:VCARD\r\nVERSION:{version}\r\nFN:x\r\n{line}END:VCARD\r\n".encode())
            assert isinstance(card, Contact)
            (attachment,) = of_contact(card)
            assert attachment.octets == b"hello" and attachment.name == ("" if is_photo else "me.png")
            assert attachment.media == told or (is_photo and version == "3.0")
