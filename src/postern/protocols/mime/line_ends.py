"""Line ends of content: CRLF, as RFC 5322 section 2.3 wants them and every client expects them."""

from __future__ import annotations

import re

_LINE_END = re.compile(rb"\r\n|\r|\n")


def with_line_ends(content: bytes) -> bytes:
    """Makes every CR, LF and CRLF one line end, so that the content may leave by SMTP (RFC 5321 section 2.3.8).

    Bound: linear in the content; at most twice its length comes out.
    """
    if content.count(b"\r\n") == content.count(b"\n") == content.count(b"\r"):
        return content
    return _LINE_END.sub(b"\r\n", content)
