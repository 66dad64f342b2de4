"""The demo's mails are the same every time, and as various as real mail."""

from __future__ import annotations

import email
import email.policy
from collections import Counter
from email.message import EmailMessage

from postern.host.demo_mails import PEOPLE, Mail, mails

NOW = 1_790_000_000
MAILS = mails("example.test", NOW)


def parsed(mail: Mail) -> EmailMessage:
    message = email.message_from_bytes(mail.content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_they_are_the_same_every_time() -> None:
    assert mails("example.test", NOW) == MAILS
    assert mails("example.test", NOW + 60) != MAILS, "but always of the last three months"


def test_everyone_gets_some() -> None:
    counts = Counter(name for mail in MAILS for name in mail.to)
    assert set(counts) == set(PEOPLE)
    assert min(counts.values()) > 100
    assert all(NOW - 91 * 86_400 < mail.time <= NOW + 6 * 86_400 for mail in MAILS)


def test_all_can_be_read_by_another_program() -> None:
    subjects = set()
    for mail in MAILS:
        message = parsed(mail)
        assert not message.defects
        subjects.add(str(message["subject"]))
        for part in message.walk():
            if part.get_content_maintype() == "text":
                assert "\ufffd" not in part.get_content()
    assert "안녕하세요, 견적서 확인 부탁드립니다" in subjects
    assert "会議の資料について" in subjects


def test_charsets_types_and_names_of_files_are_various() -> None:
    parts = [part for mail in MAILS for part in parsed(mail).walk()]
    charsets = {part.get_content_charset() for part in parts}
    assert {"utf-8", "euc-kr", "iso-2022-kr", "ks_c_5601-1987", "iso-2022-jp", "gb2312", "iso-8859-1"} <= charsets
    types = {part.get_content_type() for part in parts}
    assert {"text/html", "text/calendar", "image/png", "text/csv", "application/octet-stream"} <= types
    assert {"데이터 경로.csv", "rack.png"} <= {part.get_filename() for part in parts}


def test_answers_refer_to_what_they_answer() -> None:
    known: set[str] = set()
    answers = 0
    for mail in sorted(MAILS, key=lambda mail: mail.time):
        message = parsed(mail)
        for reference in str(message.get("References", "")).split():
            answers += 1
            assert reference in known
        known.add(str(message["Message-ID"]))
    assert answers > 200


def test_lines_are_what_smtp_carries() -> None:
    for mail in MAILS:
        assert mail.content.count(b"\n") == mail.content.count(b"\r\n") == mail.content.count(b"\r")
        assert max(map(len, mail.content.split(b"\r\n"))) <= 998
