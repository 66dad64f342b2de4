"""SEARCH finds Korean, Japanese and Chinese words in mail as it is really written: in the charsets of those countries."""

from __future__ import annotations

import base64
import imaplib
import quopri
from collections.abc import Callable, Iterator

import pytest

from tests.clients.people import Mailbox

pytestmark = pytest.mark.slow


def mail(subject: str, body: str, charset: str, encoding: str, sender: str = "보낸이") -> bytes:
    """A message all of whose words are in `charset`."""

    def word(text: str) -> str:
        return f"=?{charset}?B?{base64.b64encode(text.encode(charset)).decode()}?="

    octets = body.encode(charset)
    if encoding == "base64":
        content = base64.encodebytes(octets).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        content = quopri.encodestring(octets).replace(b"\n", b"\r\n")
    else:
        content = octets.replace(b"\n", b"\r\n")
    head = (
        f"From: {word(sender)} <sender@example.test>\r\nTo: reader@example.test\r\nSubject: {word(subject)}\r\n"
        f"Date: Mon, 23 Nov 2026 12:00:00 +0900\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode() + content


MAILS = [
    mail("회의 안내", "다음 주 월요일에 회의가 있습니다.\n감사합니다.\n", "euc-kr", "8bit"),
    mail("견적서 송부", "요청하신 견적서를 보내 드립니다.\n", "euc-kr", "base64"),
    mail("똠방각하", "펲시콜라와 햏자\n", "cp949", "quoted-printable"),
    mail("会議のお知らせ", "来週の月曜日に会議があります。\nよろしくお願いします。\n", "iso-2022-jp", "7bit", "山田"),
    mail("請求書", "請求書を添付しました。カタカナ\n", "shift_jis", "base64", "山田"),
    mail("会议通知", "下周一开会,请准时参加。𠮷\n", "gb18030", "base64", "王"),
    mail("會議通知", "下週一開會,請準時參加。\n", "big5", "8bit", "王"),
    mail("회의록", "회의록을 첨부합니다. 監査\n", "utf-8", "8bit"),
]
NAMES = ["kr", "kr64", "cp949", "jp", "sjis", "gb", "big5", "utf8"]
SEARCHES = [
    ("TEXT", "회의", {"kr", "utf8"}),
    ("BODY", "회의가 있습니다", {"kr"}),
    ("SUBJECT", "견적", {"kr64"}),
    ("BODY", "견적서를", {"kr64"}),
    ("SUBJECT", "똠방", {"cp949"}),
    ("BODY", "햏자", {"cp949"}),
    ("FROM", "보낸이", {"kr", "kr64", "cp949", "utf8"}),
    ("TEXT", "会議", {"jp"}),
    ("BODY", "よろしく", {"jp"}),
    ("BODY", "カタカナ", {"sjis"}),
    ("FROM", "山田", {"jp", "sjis"}),
    ("SUBJECT", "会议", {"gb"}),
    ("BODY", "请准时", {"gb"}),
    ("BODY", "𠮷", {"gb"}),
    ("BODY", "請準時參加", {"big5"}),
    ("BODY", "監査", {"utf8"}),
    ("TEXT", "없는말", set()),
]


@pytest.fixture(scope="module")
def imap(mailbox: Callable[[], Mailbox]) -> Iterator[imaplib.IMAP4_SSL]:
    own = mailbox()
    own.put(*MAILS)
    with own.imap() as connection:
        connection.select("INBOX", readonly=True)
        yield connection


def found(imap: imaplib.IMAP4_SSL, charset: str, key: str, word: str) -> set[str]:
    imap.literal = word.encode(charset)
    status, (numbers,) = imap.search(charset, key)
    assert status == "OK"
    return {NAMES[int(number) - 1] for number in numbers.split()}


@pytest.mark.parametrize(("key", "word", "expected"), SEARCHES)
def test_search(imap: imaplib.IMAP4_SSL, key: str, word: str, expected: set[str]) -> None:
    assert found(imap, "UTF-8", key, word) == expected


@pytest.mark.parametrize(("charset", "key", "word", "expected"), [
    ("EUC-KR", "TEXT", "회의", {"kr", "utf8"}),
    ("ISO-2022-JP", "TEXT", "会議", {"jp"}),
    ("GB18030", "BODY", "请准时", {"gb"}),
])  # fmt: skip
def test_search_in_a_charset_of_the_country(
    imap: imaplib.IMAP4_SSL, charset: str, key: str, word: str, expected: set[str]
) -> None:
    """A client may ask in its own charset; a server that does not know it says BADCHARSET with those it does."""
    assert found(imap, charset, key, word) == expected
