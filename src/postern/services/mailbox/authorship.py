"""Says who wrote a delivered message, as far as our servers found out: by the fields that they put in front of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from postern.model.domains import fold
from postern.protocols.authentication.header import Field, ascii_domain, fields
from postern.protocols.authentication.results import MethodResult, claims_to_be, read_results, vouching
from postern.protocols.mime.address import mailbox_list
from postern.protocols.mime.header import lines_end
from postern.protocols.smtp.address import parse_mailbox

MAX_HEADER = 65_536
"""Octets of the header that are read. A From behind them proves nothing."""
_RECEIVED = re.compile(
    rb"received: from [^\s(]++ (?:\(\[[^\]\s]*+\]\)\s++)?by ([^\s(]++) \(Postern\) with ([a-z0-9]++)[\s;]",
    re.IGNORECASE,
)
"""The trace field of a server of ours, as far as it writes it alone (RFC 3848): behind that stands the recipient."""
_PROVEN = re.compile(rb"MAPI|(?:UTF8)?E?SMTPS?A", re.IGNORECASE)


def proven_author(content: bytes, names: Collection[str]) -> str:
    """The address in From, folded, if it is proven; else "". `names` are those of our servers and domains, in lower case
    (`Organization.own_names`).

    It is proven where every server of ours that the message came through had it from somebody authenticated: then a user
    submitted it, who may write only addresses of his own there. In mail from outside it is proven by Authentication-Results of
    ours, which nobody else can bring in: a DKIM signature or DMARC for its domain, or SPF if the reverse-path is of its domain.

    Bound: linear in the first 65,536 octets; at most 2,000 fields.
    """
    end = lines_end(content, 0, min(len(content), MAX_HEADER))
    if end < 0:
        return ""
    section = fields(content[:end])
    author = _author(section)
    if not author:
        return ""
    own = frozenset(names)
    is_proven: bool | None = None
    for field in section[1:] if section[0].name == "return-path" else section:
        if field.name == "authentication-results" and claims_to_be(field, own):
            results = [result for result in read_results(field) if _speaks_of(result, author)]
            return author if vouching(results, author) else ""
        received = _RECEIVED.match(field.raw)
        if received is None or received[1].decode("utf-8", "replace").lower() not in own:
            break
        # One that nobody authenticated to has it from a stranger, or from an edge of ours, which writes the results.
        is_proven = is_proven is not False and _PROVEN.fullmatch(received[2]) is not None
    return author if is_proven else ""


def is_denied(content: bytes, sender: str, names: Collection[str]) -> bool:
    """Whether our servers found that the `sender` in the reverse-path did not send a message, which then must not be answered:
    the answer would go to somebody who never wrote. `names` are as in `proven_author`.

    Bound: linear in the first 65,536 octets; at most 2,000 fields.
    """
    end = lines_end(content, 0, min(len(content), MAX_HEADER))
    section = fields(content[:end]) if end >= 0 else []
    own = frozenset(names)
    for field in section[1:] if section and section[0].name == "return-path" else section:
        if field.name == "authentication-results" and claims_to_be(field, own):
            return vouching(read_results(field), sender) is False
        received = _RECEIVED.match(field.raw)
        if received is None or received[1].decode("utf-8", "replace").lower() not in own:
            break
    return False


def _author(section: Sequence[Field]) -> str:
    """The one address in the one From; "" where readers could see several, or another."""
    written = [field.value for field in section if field.name == "from"]
    listed = mailbox_list(written[0]) if len(written) == 1 else None
    if not listed or len(listed) > 1 or listed[0].spec != listed[0].address or "=?" in listed[0].spec:
        return ""
    address = parse_mailbox(listed[0].spec)
    return fold(address) if address else ""


def _speaks_of(result: MethodResult, author: str) -> bool:
    """Whether a result is about the author's domain, or names its own: SPF is about the reverse-path."""
    if result.method != "spf":
        return True
    path = dict(result.properties).get("smtp.mailfrom", "")
    return ascii_domain(path.rpartition("@")[2]) == ascii_domain(author.rpartition("@")[2])
