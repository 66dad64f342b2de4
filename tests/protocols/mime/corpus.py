"""Messages of every shape that a server meets, well-formed and not; all with CRLF line ends, as IMAP stores them."""

from __future__ import annotations

import email.policy
from email.message import EmailMessage


def _addresses() -> list[bytes]:
    values = [
        b"a@b.c", b"Alice <a@b.c>", b'"Kim, Bob" <b@c.d>, carol@d.e', b'"q \\"x\\" y" <a@b.c>', b"<a@b.c>",
        b"A (comment) B <a@b.c>", b"a@b.c (Alice)", b"group: a@b.c, D <d@e.f>;", b"undisclosed-recipients:;",
        b"<@r1,@r2:a@b.c>", b"a@[192.0.2.1]", b'"a b"@c.d', b"first.last <f.l@x-y.z>", b"=?utf-8?B?7ZqM?= <a@b.c>",
        b"A B C <a@b.c>,\r\n\tD <d@e.f>", b"A  B <a@b.c>", b'""@b.c', b'"" <a@b.c>',
    ]  # fmt: skip
    return [
        b"From: %b\r\nTo: x@y.z\r\nSubject: addresses %d\r\n\r\nbody\r\n" % (value, n) for n, value in enumerate(values)
    ]


def _headers() -> list[bytes]:
    return [
        b"Subject: folded\r\n over\r\n\ttwo lines\r\nDate: Mon, 23 Nov 2026 10:00:00 +0900\r\n\r\nx\r\n",
        b"Subject:\r\nFrom: a@b.c\r\nReply-To: r@s.t\r\nSender: s@t.u\r\nCc: c@d.e\r\nBcc: d@e.f\r\n\r\n",
        b"Message-ID: <1@x>\r\nIn-Reply-To: <2@x>\r\nReferences: <3@x>\r\n\r\n",
        "Subject: 회의록\r\nFrom: 밥 <b@c.d>\r\n\r\n본문\r\n".encode(),
        b'Subject: "quotes" and \\ backslash\r\n\r\n',
        b"Subject: no body at all\r\n",
        b"\r\nno header at all\r\n",
        b"Subject: no body\r\nX-A: b\r\n",
        b"SUBJECT: case\r\nfrom: a@b.c\r\n\r\n",
        b"To: a@b.c\r\nTo: d@e.f\r\nSubject: two To\r\n\r\n",
        b"Sender:\r\nFrom: a@b.c\r\nSubject: empty sender\r\n\r\n",
    ]


def _types() -> list[bytes]:
    values = [
        b"text/plain", b"text/plain; charset=utf-8", b'TEXT/HTML; Charset="ISO-8859-1"', b"text/plain; format=flowed; delsp=yes",
        b"application/octet-stream; name=\"a b.bin\"", b"application/x; name*=utf-8''%ED%9A%8C.pdf",
        b"application/x; name*0=aaa; name*1=bbb", b"application/x;\r\n name*0*=utf-8''%ED;\r\n name*1*=%9A%8C",
        b"image/png (comment); name=x.png", b"text/plain; charset=utf-8;", b'text/x; a="quo\\"ted"',
        b"text/plain; charset=us-ascii (Plain; text)",
    ]  # fmt: skip
    messages = [b"Content-Type: %b\r\nSubject: types\r\n\r\nline one\r\nline two\r\n" % value for value in values]
    messages += [
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: BASE64\r\nContent-ID: <c@d>\r\nContent-Description: words\r\n"
        b'Content-MD5: Q2hlY2s=\r\nContent-Disposition: Attachment; FileName="a.txt"; size=3\r\n'
        b"Content-Language: en, ko\r\nContent-Location: http://x/y\r\n\r\nYWJj\r\n",
        b"Content-Type: text/plain\r\nContent-Disposition: inline\r\nContent-Language: de\r\n\r\nx\r\n",
    ]
    return messages


def _multiparts() -> list[bytes]:
    head = b'Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    inner = b"Subject: inner\r\nFrom: i@j.k\r\n\r\ninner body\r\nsecond\r\n"
    nested = (
        b"Content-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\none\r\n"
        b"--i\r\nContent-Type: text/html\r\n\r\n<p>\r\n--i--\r\n"
    )
    picture = b"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n"
    return [
        head + b"--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\n<b>two</b>\r\n--b--\r\n",
        head + b"preamble\r\n--b\r\nX: y\r\n\r\none\r\n--b--\r\nepilogue\r\n",
        head + b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--b--\r\n",
        head + b"--b\r\n" + nested + b"\r\n" + picture,
        head + b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: deep\r\n" + nested + b"\r\n--b--\r\n",
        head.replace(b"mixed", b"digest") + b"--b\r\n\r\nSubject: d1\r\n\r\nx\r\n--b\r\n\r\nSubject: d2\r\n\r\ny\r\n--b--\r\n",
        head + b"--b\r\n\r\nnever closed\r\n",
        head + b"--b  \r\n\r\nspace behind\r\n--b--  \r\n",
        head + b"nothing here\r\n",
        b"Content-Type: message/rfc822\r\n\r\n" + inner,
        b"Content-Type: multipart/mixed\r\nSubject: no boundary\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
        b"Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n"
        b"--i\r\n\r\nx\r\n--o\r\n\r\ny\r\n--o--\r\n",
        # A part within that uses its parent's boundary, with an attachment behind it.
        head + b"--b\r\n" + nested.replace(b"=i", b"=b").replace(b"--i", b"--b") + b"\r\n" + picture,
        head + b"--b junk\r\nContent-Type: text/html\r\n\r\none\r\n--bc\r\n\r\ntwo\r\n--b-- trailing junk\r\n",
        head + b"--b\r\n" + nested.replace(b"=i", b"=bb").replace(b"--i", b"--bb") + b"--bb\r\n\r\nx\r\n" + picture,
        head.replace(b'"b"', b"b (the boundary)") + picture,
    ]  # fmt: skip


def _by_python() -> list[bytes]:
    message = EmailMessage()
    message["Subject"] = "보고서 첨부"
    message["From"] = "김철수 <kim@example.org>"
    message["To"] = "alice@example.test"
    message.set_content("본문\n" * 20)
    message.add_alternative("<p>본문</p>", subtype="html")
    message.add_attachment(b"\x00\x01" * 300, maintype="application", subtype="pdf", filename="보고서.pdf")
    inner = EmailMessage()
    inner["Subject"] = "forwarded"
    inner["From"] = "x@y.z"
    inner.set_content("inside\n")
    outer = EmailMessage()
    outer["Subject"] = "fwd"
    outer.set_content("see below\n")
    outer.add_attachment(inner)
    return [m.as_bytes(policy=email.policy.SMTP) for m in (message, outer)]


CORPUS: list[bytes] = [*_addresses(), *_headers(), *_types(), *_multiparts(), *_by_python()]
