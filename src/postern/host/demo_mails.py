"""The mails of the demo: a few hundred, the same at every start. As in real mail, there are conversations, Korean and Japanese in
old and new charsets, HTML, attachments, and invitations.

Pure: the present time is an argument, and the random numbers have a fixed seed.
"""

from __future__ import annotations

import base64
import random
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.mime.application import MIMEApplication
from email.mime.base import MIMEBase
from email.mime.image import MIMEImage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime

from postern.model.domains import fold

PEOPLE = {"alice": "Alice Kim (김아름)", "bob": "Bob Lee", "carol": "Carol Park (박초롱)"}
STRANGERS = ("news@letters.example", "daniel@partner.example", fold("info@도메인.example"))
CONVERSATIONS = 60
SEED = 2007

_SUBJECTS = (
    ("Minutes of Monday's meeting", "utf-8"),
    ("회의록을 보내 드립니다", "utf-8"),
    ("[공지] 3월 데이터 경로 점검 안내", "euc-kr"),
    ("안녕하세요, 견적서 확인 부탁드립니다", "iso-2022-kr"),
    ("점심 같이 드실래요?", "ks_c_5601-1987"),
    ("会議の資料について", "iso-2022-jp"),
    ("发票已寄出", "gb2312"),
    ("Rechnung für März, bitte prüfen", "iso-8859-1"),
    ("Which ports are open between the two sites?", "us-ascii"),
    ("메일 서버 이전 일정", "utf-8"),
    ("Certificates end next month", "us-ascii"),
    ("사진 몇 장 보냅니다", "euc-kr"),
)
_SENTENCES = {
    "ko": (
        "안녕하세요. 지난주에 말씀드린 자료를 첨부합니다.",
        "검토하신 뒤에 의견을 주시면 감사하겠습니다.",
        "회의는 수요일 오후 두 시, 작은 회의실입니다.",
        "데이터 경로 표의 쉰두 줄을 모두 확인했습니다.",
        "서버 사이의 연결은 기본으로 암호화됩니다.",
    ),
    "ja": ("資料を添付いたします。", "ご確認をお願いいたします。", "会議は水曜日の午後二時からです。"),
    "zh": ("附件是本月的发票。", "请确认后回复。"),
    "de": ("Anbei die Rechnung für März.", "Bitte prüfen Sie die Beträge und melden Sie sich bei Rückfragen."),
    "en": (
        "Here is what we talked about last week.",
        "The hub listens on 25 and 587; nothing else is open from outside.",
        "Could you look at the table before Wednesday?",
        "I have attached the figures, and a picture of the rack.",
        "Thank you, that answers my question.",
    ),
}
_LANGUAGES = {
    "euc-kr": "ko",
    "iso-2022-kr": "ko",
    "ks_c_5601-1987": "ko",
    "iso-2022-jp": "ja",
    "gb2312": "zh",
    "iso-8859-1": "de",
    "us-ascii": "en",
}


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail of the demo. `to` are names of PEOPLE; `time` is seconds since the epoch; lines of `content` end with CRLF."""

    sender: str
    to: tuple[str, ...]
    time: int
    content: bytes


def mails(domain: str, now: int) -> list[Mail]:
    """All mails, oldest first. `domain` is the domain of the people's addresses; `now` is seconds since the epoch."""
    chance = random.Random(SEED)  # noqa: S311 (no secret: the same mails every time)
    sent: list[Mail] = []
    for number in range(CONVERSATIONS):
        began = now - 86_400 * 90 + number * 86_400 * 89 // CONVERSATIONS
        sent.extend(_conversation(chance, number, domain, began))
    return sorted(sent, key=lambda mail: mail.time)


def _conversation(chance: random.Random, number: int, domain: str, began: int) -> list[Mail]:
    """A mail and its answers. Each refers to those before it (RFC 5322 section 3.6.4)."""
    subject, charset = _SUBJECTS[number % len(_SUBJECTS)]
    everyone = list(PEOPLE)
    chance.shuffle(everyone)
    outside = number % 3 == 0
    sender = STRANGERS[number % len(STRANGERS)] if outside else f"{everyone[0]}@{domain}"
    references: list[str] = []
    exchanged = []
    time = began
    for turn in range(chance.randint(1, 9)):
        to = tuple(name for name in everyone if f"{name}@{domain}" != sender)[: chance.randint(1, 2)]
        identifier = f"<{number}.{turn}.{chance.randrange(10**9)}@{sender.rpartition('@')[2]}>"
        text = _text(chance, subject, charset)
        message = _message(chance, number + turn, text, charset)
        message["From"] = _address(sender, domain)
        message["To"] = ", ".join(_address(f"{name}@{domain}", domain) for name in to)
        # RFC 1557 section 2: ISO-2022-KR in bodies, EUC-KR in header fields.
        in_header = charset.replace("iso-2022-kr", "euc-kr")
        message["Subject"] = Header(("Re: " if turn else "") + subject, in_header, maxlinelen=70).encode()
        message["Date"] = format_datetime(datetime.fromtimestamp(time, UTC))
        message["Message-ID"] = identifier
        if references:
            message["In-Reply-To"] = references[-1]
            message["References"] = " ".join(references)
        exchanged.append(Mail(sender, to, time, message.as_bytes(policy=compat32.clone(linesep="\r\n"))))
        references.append(identifier)
        sender = f"{to[0]}@{domain}"
        time += chance.randint(600, 50_000)
    return exchanged


def _text(chance: random.Random, subject: str, charset: str) -> str:
    language = _LANGUAGES.get(charset) or ("ko" if not subject.isascii() else "en")
    sentences = [chance.choice(_SENTENCES[language]) for _ in range(chance.randint(2, 12))]
    return "\n\n".join([subject, *sentences, "--\nexample.test"])


def _message(chance: random.Random, kind: int, text: str, charset: str) -> MIMEBase:
    """Makes, in turn, a plain message, HTML with a plain alternative, one with attachments, and an invitation. Its parts are like
    those that mail programs make."""
    plain = MIMEText(text, "plain", charset)
    if kind % 5 in (0, 1):
        return plain
    alternative = MIMEMultipart("alternative", boundary=f"=-alternative-{chance.randrange(10**12)}")
    alternative.attach(plain)
    alternative.attach(MIMEText(_html(text), "html", charset))
    if kind % 5 == 2:
        return alternative
    if kind % 5 == 3:
        alternative.attach(_invitation(chance, text))
        return alternative
    mixed = MIMEMultipart("mixed", boundary=f"=-mixed-{chance.randrange(10**12)}")
    mixed.attach(alternative)
    for part in _attachments(chance):
        mixed.attach(part)
    return mixed


def _html(text: str) -> str:
    paragraphs = "".join(f"<p>{paragraph}</p>\n" for paragraph in text.split("\n\n"))
    return f'<!DOCTYPE html>\n<html><body style="font-family:sans-serif">\n{paragraphs}</body></html>\n'


def _invitation(chance: random.Random, text: str) -> MIMEText:
    """An invitation: iTIP in mail (RFC 6047 section 2.4)."""
    lines = (
        *("BEGIN:VCALENDAR", "PRODID:-//example.test//demo//EN", "VERSION:2.0", "METHOD:REQUEST", "BEGIN:VEVENT"),
        *(f"UID:{chance.randrange(10**12)}@example.test", "DTSTAMP:20260101T000000Z", "DTSTART:20260401T050000Z"),
        *("DURATION:PT1H", f"SUMMARY:{text.splitlines()[0]}", "ORGANIZER:mailto:alice@example.test"),
        *("END:VEVENT", "END:VCALENDAR", ""),
    )
    part = MIMEText("\r\n".join(lines), "calendar", "utf-8")
    part.set_param("method", "REQUEST")
    return part


def _attachments(chance: random.Random) -> Sequence[MIMEBase]:
    picture = MIMEImage(_png(chance.randint(8, 48), chance.randrange(256)), "png")
    picture.add_header("Content-Disposition", "attachment", filename="rack.png")
    figures = MIMEText("port,path\r\n25,internet-to-hub\r\n993,imap4\r\n", "csv", "us-ascii")
    # RFC 2231 section 4: a file name with its charset.
    figures.add_header("Content-Disposition", "attachment", filename=("utf-8", "ko", "데이터 경로.csv"))
    data = MIMEApplication(base64.b85encode(chance.randbytes(chance.randint(500, 60_000))))
    # Not RFC 2231, but what older Korean mail programs send: an encoded word in quotes.
    data.add_header("Content-Disposition", 'attachment; filename="=?euc-kr?B?yLjAx7fPLmRhdA==?="')
    return (picture, figures, data)[: chance.randint(1, 3)]


def _png(side: int, grey: int) -> bytes:
    """A grey square (PNG specification, sections 5 and 11)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compress((b"\0" + bytes([grey]) * side) * side)
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _address(address: str, domain: str) -> str:
    name = PEOPLE.get(address.partition("@")[0]) if address.endswith("@" + domain) else None
    if name is None:
        return address
    return f"{Header(name, 'utf-8').encode()} <{address}>"
