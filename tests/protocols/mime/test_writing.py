"""Fields and parts as they are written: Python's own reader understands them."""

from __future__ import annotations

import email
import email.policy

import pytest

from postern.protocols.mime import writing


def read(octets: bytes) -> email.message.EmailMessage:
    message = email.message_from_bytes(octets + b"\r\n", policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    return message


@pytest.mark.parametrize(
    "text", ["Lunch", "Größe " * 40, "=?not a word?=", "a" * 300, "one  two", "日本語の長い件名" * 9]
)
def test_a_text_is_read_as_it_was_written(text: str) -> None:
    field = writing.text_field("Subject", text)
    assert all(len(line) <= 78 for line in field.split(b"\r\n")) or text == "a" * 300
    assert read(field)["subject"] == text.strip()


def test_nothing_breaks_out_of_a_field() -> None:
    assert writing.text_field("Subject", "a\r\nBcc: b@c.test") == b"Subject: a Bcc: b@c.test\r\n"
    assert b"\r\nX" not in writing.people_field("To", [("a\r\nX: y", "b@c.test")])
    assert "\r\nX" not in writing.parameter("name", "a\r\nX")


@pytest.mark.parametrize("name", ["Bob", 'Bob, the (b) \\ "c"', "Jö <x@y>", ""])
def test_people_are_read_as_they_were_written(name: str) -> None:
    told = read(writing.people_field("To", [(name, "b@c.test"), ("", "d@e.test")]))["to"].addresses
    assert [(each.display_name, each.addr_spec) for each in told] == [(name, "b@c.test"), ("", "d@e.test")]


@pytest.mark.parametrize("text", ["a\nb\r\n", "Grüße\n", "x" * 2_000, "nul\0"])
def test_a_text_part_keeps_its_lines(text: str) -> None:
    told = read(writing.text_part("plain", text)).get_content()
    assert told.replace("\r\n", "\n").rstrip("\n") == text.replace("\r\n", "\n").rstrip("\n")


def test_names_of_files() -> None:
    for name in ("a b.txt", 'q".txt', "é.txt"):
        part = read(f"Content-Disposition: attachment{writing.parameter('filename', name)}\r\n".encode())
        assert part.get_filename() == name
