"""Paths and mailboxes of RFC 5321 section 4.1.2 with RFC 6531's UTF-8, and xtext of RFC 3461.

It reads text, and returns values or None. It does not know whether an address exists.
"""

from __future__ import annotations

import ipaddress
import re

from postern.model.domains import a_labels

MAX_LOCAL_PART = 256
"""Octets of a local part. RFC 5321 section 4.5.3.1.1 asks for 64 at least; variable envelope return paths need more."""
MAX_DOMAIN = 255

_ATOM = r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\U0010ffff]++"
_QUOTED = r'"(?:[ !#-\[\]-~\u0080-\U0010ffff]|\\[ -~])*+"'
# RFC 5321 has no underscore, but names with it send mail all the same.
_LABEL = r"[A-Za-z0-9_\u0080-\U0010ffff]++(?:-++[A-Za-z0-9_\u0080-\U0010ffff]++)*+"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*+"
_LITERAL = r"\[[A-Za-z0-9.:\-]++\]"
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*+")
_MAILBOX = rf"(?P<local>{_ATOM}(?:\.{_ATOM})*+|{_QUOTED})@(?P<domain>{_DOMAIN}|{_LITERAL})"
# RFC 5321 appendix C: a source route is parsed and ignored.
_ROUTE = rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*+:)?+"
_PATH = re.compile(rf"<(?:{_ROUTE}{_MAILBOX})?>")
_POSTMASTER = re.compile(r"<postmaster>", re.IGNORECASE)
_WHOLE_MAILBOX = re.compile(_MAILBOX)
_ESCAPED = re.compile(r"\\(.)")

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*+")
_HEXCHAR = re.compile(r"\+([0-9A-F]{2})")
_NOT_XCHAR = re.compile(r"[^!-*,-<>-~]")


def parse_path(text: str, bare_postmaster: bool = False) -> tuple[str, str] | None:
    """The address of a leading path ("" for "<>") and the text behind it; None if there is no path.

    `bare_postmaster` admits RCPT's "<Postmaster>" (RFC 5321 section 4.1.1.3), which comes back as "postmaster".

    Bound: linear in the text, which the command line bounds.
    """
    match = _PATH.match(text)
    if match is None:
        if bare_postmaster and (match := _POSTMASTER.match(text)) is not None:
            return "postmaster", text[match.end() :]
        return None
    address = _mailbox(match)
    return None if address is None else (address, text[match.end() :])


def parse_mailbox(text: str) -> str | None:
    """Reads a whole mailbox in its plainest form, without quotes that are not needed; None if it is none.

    Bound: linear in the text; an address has 256 and 255 octets at most.
    """
    match = _WHOLE_MAILBOX.fullmatch(text)
    return _mailbox(match) if match is not None else None


def _mailbox(match: re.Match[str]) -> str | None:
    local, domain = match["local"], match["domain"]
    if local is None:
        return ""
    if len(local.encode()) > MAX_LOCAL_PART or len(domain.encode()) > MAX_DOMAIN:
        return None
    if domain[0] == "[" and not _is_literal(domain[1:-1]):
        return None
    if local[0] == '"':
        # RFC 5321 section 4.1.2: "alice"@x and alice@x are the same mailbox; the simple form is preferred.
        plain = _ESCAPED.sub(r"\1", local[1:-1])
        if _DOT_STRING.fullmatch(plain):
            local = plain
    return f"{local}@{domain}"


def _is_literal(text: str) -> bool:
    """Whether a text is an address literal (RFC 5321 section 4.1.3)."""
    tagged = text[:5].lower() == "ipv6:"
    try:
        address = ipaddress.ip_address(text[5:] if tagged else text)
    except ValueError:
        return False
    return (address.version == 6) == tagged


def domain_of(address: str) -> str:
    """The domain as it is compared (`model.domains`); "" if there is none."""
    return a_labels(address.rpartition("@")[2]) if "@" in address else ""


def xtext_decode(text: str) -> str | None:
    """Decodes xtext (RFC 3461 section 4); None if it is not xtext, or hides anything but printable US-ASCII.

    Bound: linear in the text.
    """
    if _XTEXT.fullmatch(text) is None:
        return None
    decoded = _HEXCHAR.sub(lambda match: chr(int(match[1], 16)), text) if "+" in text else text
    return decoded if decoded.isascii() and decoded.isprintable() else None


def xtext_encode(text: str) -> str:
    """Encodes printable US-ASCII as xtext (RFC 3461 section 4)."""
    return _NOT_XCHAR.sub(lambda match: f"+{ord(match[0]):02X}", text)
