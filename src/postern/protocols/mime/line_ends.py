"""Line ends of content: CRLF, as RFC 5322 section 2.3 wants them and every client expects them."""

from __future__ import annotations

import re

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BARE_FEED = re.compile(rb"(?<!\r)\n")
_BINARY = re.compile(rb"^content-transfer-encoding[ \t]*+:[ \t]*+binary", re.IGNORECASE | re.MULTILINE)


def with_line_ends(content: bytes) -> bytes:
    """Content as it may leave by SMTP (RFC 5321 section 2.3.8): every CR, LF and CRLF is one line end.

    Bound: linear in the content; at most twice its length comes out.
    """
    if content.count(b"\r\n") == content.count(b"\n") == content.count(b"\r"):
        return content
    return _LINE_END.sub(b"\r\n", content)


def without_bare_feeds(content: bytes) -> bytes:
    """Content as it is kept: what a program wrote with LF alone has lines for IMAP and POP3. A lone CR is text, and what
    says that it is binary (RFC 3030 section 3) stays octet for octet.

    Bound: linear in the content; at most twice its length comes out.
    """
    if content.count(b"\n") == content.count(b"\r\n") or _BINARY.search(content) is not None:
        return content
    return _BARE_FEED.sub(b"\r\n", content)
