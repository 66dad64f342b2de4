"""Address lists (RFC 5322 section 3.4), read leniently and rendered as IMAP's envelope has them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from postern.protocols.mime.comments import comment_end
from postern.protocols.mime.grammar import nstring
from postern.protocols.mime.words import decode_words

MAX_ADDRESSES = 10_000
MISSING_DOMAIN = b"MISSING_DOMAIN"
MISSING_MAILBOX = b"MISSING_MAILBOX"
"""The marks in an envelope for the side of an `@` that a field does not name: ENVELOPE has no other sign for it."""

# What nearly every address looks like: no comment, no escape, no route, no group.
# Possessive (*+) where letters could be given back in vain: a hostile header must not cost quadratic time.
_SIMPLE = re.compile(
    rb"""(?:(?:\s*+"([^"\\\r\n]*+)"\s*+|([^"<>@,;:()\\\[\]]*+))<([^\s"<>@,;:()\\\[\]]++)@([^\s"<>@,;:()\\\[\]]++)>"""
    rb"""|\s*+([^\s"<>@,;:()\\\[\]]++)@([^\s"<>@,;:()\\\[\]]++))\s*+(?:,|\Z)"""
)
_TOKEN = re.compile(
    rb"""\s++|"(?:[^"\\]++|\\.)*+"?|\[(?:[^\]\\]++|\\.)*+\]?|[<>@,;:()]|[^\s"\[<>@,;:()]++""", re.DOTALL
)
_WHOLE = re.compile(rb"""\"(?:[^"\\]++|\\.)*+"|\[(?:[^\]\\]++|\\.)*+\]""", re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.\u0080-\U0010ffff]++")
# One mailbox as nearly all are written, which has one reading; the rest is looked at token by token.
_PLAIN_MAILBOX = re.compile(
    rb"(?:[A-Za-z0-9. ]*+<[A-Za-z0-9.+_-]++@[A-Za-z0-9.-]++>|[A-Za-z0-9.+_-]++@[A-Za-z0-9.-]++)"
)
# RFC 5322 section 3.4 in kinds of tokens (see `_kind`), for values that have only one reading.
_MAILBOX_LIST = re.compile(rb"(?:[wq]*+<[wq]@[wl]>|[wq]@[wl])(?:,(?:[wq]*+<[wq]@[wl]>|[wq]@[wl]))*+")


@dataclass(frozen=True, slots=True)
class Address:
    """One address. `name` is raw (encoded words as they stand). The start of a group has only `mailbox`; its end has nothing.

    `broken`: no grammar has it so, not even the obsolete one (RFC 5322 section 4.4). Words stand beside each other within the
    mailbox or the domain, or one of the two is missing beside its `@`. A broken address may be shown, but no mail may be sent to
    it.
    """

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    host: bytes | None
    broken: bool = False

    def render(self) -> bytes:
        """Renders the address as (name source-route mailbox host) (RFC 9051 section 7.5.2)."""
        return b"(%b %b %b %b)" % (
            nstring(self.name),
            nstring(self.route),
            nstring(self.mailbox),
            nstring(self.host),
        )

    @property
    def display(self) -> str:
        """The name as text, else mailbox@host (RFC 5957 section 3)."""
        return decode_words(self.name or self._written)

    @property
    def complete(self) -> bool:
        """Whether the field names both a mailbox and a domain. IMAP's marks for a missing one do not count."""
        return self.mailbox not in (None, b"", MISSING_MAILBOX) and self.host not in (None, b"", MISSING_DOMAIN)

    def completed(self, domain: str) -> Address:
        """The address with `domain` if the field names a mailbox alone, as people write to each other; else as it is."""
        local = (self.mailbox or b"").decode("utf-8", "replace")
        if self.broken or self.host != MISSING_DOMAIN or _DOT_ATOM.fullmatch(local) is None:
            return self
        return replace(self, host=domain.encode())

    @property
    def spec(self) -> str:
        """mailbox@host as RFC 5322 section 3.4.1 writes it: the mailbox is quoted where it must be."""
        local = (self.mailbox or b"").decode("utf-8", "replace")
        if _DOT_ATOM.fullmatch(local) is None:
            escaped = local.replace("\\", r"\\").replace('"', r"\"")
            local = f'"{escaped}"'
        return f"{local}@{(self.host or b'').decode('utf-8', 'replace')}"

    @property
    def address(self) -> str:
        """mailbox@host as the envelope tells it, without quotes. RFC 2047 section 5 allows no encoded word in an
        address: one that stands there is not decoded, so that DNS is asked about the domain that readers see."""
        return self._written.decode("utf-8", "replace")

    @property
    def _written(self) -> bytes:
        return (self.mailbox or b"") + (b"@" + self.host if self.host else b"")


@lru_cache(maxsize=1024)
def _cached(value: bytes) -> tuple[tuple[Address, ...], bytes]:
    addresses = tuple(_parse(value))
    return addresses, b"(%b)" % b"".join([a.render() for a in addresses]) if addresses else b"NIL"


def address_list(value: bytes | None) -> tuple[tuple[Address, ...], bytes]:
    """The addresses and their rendering, NIL when there are none.

    Bound: linear in the value; at most 10,000 addresses, and nesting costs no stack.
    """
    if not value:
        return (), b"NIL"
    if len(value) <= 512:
        return _cached(value)
    return _cached.__wrapped__(value)


def is_plain(value: bytes) -> bool:
    """Whether this is one mailbox in the usual form, which has only one reading and stands there as the envelope tells it.

    Bound: linear in the value.
    """
    return _PLAIN_MAILBOX.fullmatch(value) is not None


def mailbox_list(value: bytes) -> tuple[Address, ...] | None:
    """The addresses of a mailbox-list (RFC 5322 section 3.4), of a longer one the first 10,000; None for anything else. An
    ambiguous value is no such list: a group, a route, an address as the name of another (`a@a.test <b@b.test>`), quotes without
    an end.

    Bound: linear in the value; at most 10,000 addresses.
    """
    if is_plain(value):
        return address_list(value)[0]
    tokens = _tokens(value)
    if sum(map(len, tokens)) != len(value) or not _MAILBOX_LIST.fullmatch(b"".join(map(_kind, tokens))):
        return None
    return address_list(value)[0]


def _kind(token: bytes) -> bytes:
    """The kind of a token: `w` for a word, `q` for a quoted string, `l` for a domain literal, nothing for blanks and comments,
    marks as they are; `!` for what has no end or escapes something outside of quotes."""
    first = token[:1]
    if first == b"(" or token.isspace():
        return b""
    if first in (b'"', b"["):
        whole = _WHOLE.fullmatch(token) is not None
        return b"!" if not whole else b"q" if first == b'"' else b"l"
    if first in b"<>@,;:)":
        return first
    return b"!" if b"\\" in token or b"]" in token else b"w"


def _parse(value: bytes) -> list[Address]:
    result: list[Address] = []
    place = 0
    while place < len(value) and len(result) < MAX_ADDRESSES:
        match = _SIMPLE.match(value, place)
        if match is None:
            most = MAX_ADDRESSES - len(result)
            return result + _Tokens(_cut(value[place:], most)).addresses(most)
        name = match[1] if match[1] is not None else b" ".join((match[2] or b"").split())
        result.append(Address(name or None, None, match[3] or match[5], match[4] or match[6]))
        place = match.end()
    return result


def _cut(value: bytes, most: int) -> bytes:
    """The value up to the `@` where it has `most` addresses: the rest is not even cut into tokens."""
    if value.count(b"@") <= most:
        return value
    place = -1
    for _ in range(most + 1):
        place = value.index(b"@", place + 1)
    return value[:place]


class _Tokens:
    """Reads the whole grammar, obsolete forms included. Tokens that fit nothing become part of a name."""

    def __init__(self, value: bytes) -> None:
        self._tokens = _tokens(value)
        self._place = 0

    def addresses(self, most: int) -> list[Address]:
        result: list[Address] = []
        in_group = False
        pending: list[bytes] = []
        has_at = False  # "@" is among the pending tokens: looked for once, not again at every colon
        while self._place < len(self._tokens) and len(result) < most:
            token = self._tokens[self._place]
            self._place += 1
            if token[0] in b",;":
                self._plain(pending, result, most)
                has_at = False
                if token == b";" and in_group:
                    result.append(Address(None, None, None, None))
                    in_group = False
            elif token == b":" and not in_group and not has_at:
                result.append(Address(None, None, _phrase(pending) or b"", None))
                pending.clear()
                in_group = True
            elif token == b"<":
                result.append(self._angle(_phrase(pending)))
                pending.clear()
                has_at = False
                self._skip_to_end()
            else:
                pending.append(token)
                has_at = has_at or token == b"@"
        self._plain(pending, result, most)
        if in_group:
            result.append(Address(None, None, None, None))
        return result[:most]

    def _plain(self, tokens: list[bytes], result: list[Address], most: int) -> None:
        """Reads addresses without angle brackets: one, or several where a comma was forgotten, until there are `most`. The name
        is the words in front, or else the comment behind (the custom of RFC 822's time)."""
        if b"@" not in tokens:
            if any(map(_is_word, tokens)):
                result.append(Address(_last_comment(tokens), None, *_split(tokens)))
            tokens.clear()
            return
        name: list[bytes] = []
        comment: bytes | None = None
        named = True
        for piece in _pieces(tokens):
            if len(result) >= most:
                break
            if piece[0][0] == 40:
                comment = _last_comment(piece) or comment
                if not named:
                    result[-1] = replace(result[-1], name=comment)
            elif b"@" not in piece:
                name += [*piece, b" "]
            else:
                phrase = _phrase(name)
                result.append(Address(phrase or comment, None, *_split(piece)))
                name, comment, named = [], None, phrase is not None
        tokens.clear()

    def _angle(self, name: bytes | None) -> Address:
        inside: list[bytes] = []
        while self._place < len(self._tokens):
            token = self._tokens[self._place]
            self._place += 1
            if token == b">":
                break
            inside.append(token)
        route = None
        # obs-route (RFC 5322 section 4.4)
        if b":" in inside and next(token for token in inside if _is_word(token)) == b"@":
            colon = inside.index(b":")
            route = b"".join([token for token in inside[:colon] if _is_word(token)])
            inside = inside[colon + 1 :]
        return Address(name, route, *_split(inside))

    def _skip_to_end(self) -> None:
        while self._place < len(self._tokens) and self._tokens[self._place] not in (b",", b";", b"<"):
            self._place += 1
        if self._place < len(self._tokens) and self._tokens[self._place] == b",":
            self._place += 1


def _tokens(value: bytes) -> list[bytes]:
    """Cuts a value into words, marks and blanks, in order. A comment is one token, with its parentheses and all that it nests.

    A comment without an end takes all that follows it, and is left out.
    """
    result: list[bytes] = []
    place = 0
    while (match := _TOKEN.match(value, place)) is not None:
        if match[0] == b"(":
            end = comment_end(value, place)
            if end < 0:
                break
            result.append(value[place:end])
            place = end
        else:
            result.append(match[0])
            place = match.end()
    return result


def _pieces(tokens: list[bytes]) -> list[list[bytes]]:
    """Cuts tokens into comments, and runs of words between blanks. Blanks around `@` and full stops do not part (RFC 5322 section
    4.4)."""
    pieces: list[list[bytes]] = []
    last: list[bytes] = []
    apart = True
    for token in tokens:
        if not _is_word(token):
            apart = True
            if token[0] == 40:
                pieces.append([token])
            continue
        if last and (not apart or _joins(last[-1][-1:]) or _joins(token[:1])):
            last.append(token)
        else:
            last = [token]
            pieces.append(last)
        apart = False
    return pieces


def _joins(octet: bytes) -> bool:
    return octet in (b"@", b".")


def _last_comment(tokens: list[bytes]) -> bytes | None:
    comments = [_ESCAPED.sub(rb"\1", token[1:-1]).strip() for token in tokens if token[0] == 40]
    return comments[-1] or None if comments else None


def _is_word(token: bytes) -> bool:
    return not token.isspace() and token[0] != 40


def _unquoted(token: bytes) -> bytes:
    if token[:1] != b'"':
        return token
    inner = token[1:-1] if len(token) > 1 and token.endswith(b'"') else token[1:]
    return _ESCAPED.sub(rb"\1", inner) if b"\\" in inner else inner


def _phrase(tokens: list[bytes]) -> bytes | None:
    text = b" ".join(b"".join([_unquoted(t) if _is_word(t) else b" " for t in tokens]).split())
    return text or None


def _split(tokens: list[bytes]) -> tuple[bytes, bytes, bool]:
    """The mailbox, the domain, and whether they are broken."""
    if b"@" not in tokens:
        text, apart = _joined(tokens)
        return (_phrase(tokens) or MISSING_MAILBOX), MISSING_DOMAIN, apart or not text
    at = len(tokens) - 1 - tokens[::-1].index(b"@")
    (mailbox, torn), (host, split) = _joined(tokens[:at], unquoted=True), _joined(tokens[at + 1 :])
    missing = not any(map(_is_word, tokens[:at]))  # `""` is there, if empty
    broken = torn or split or missing or not host or b"@" in tokens[:at]
    return MISSING_MAILBOX if missing else mailbox, host or MISSING_DOMAIN, broken


def _joined(tokens: list[bytes], unquoted: bool = False) -> tuple[bytes, bool]:
    """Joins words, and says whether some stand beside each other. Blanks and comments around full stops are nothing (RFC 5322
    section 4.4); elsewhere a blank stays, because without it two words would become an address that nobody wrote."""
    parts: list[bytes] = []
    last, apart, torn = b".", False, False
    for token in tokens:
        if not _is_word(token):
            apart = True
            continue
        if not _joins(last[-1:]) and not _joins(token[:1]):
            torn = True
            if apart:
                parts.append(b" ")
        parts.append(_unquoted(token) if unquoted else token)
        last, apart = token, False
    return b"".join(parts), torn
