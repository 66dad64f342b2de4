"""Arguments of the commands that have a grammar: MAIL, RCPT, AUTH and BDAT, each to its event or to the reply that refuses it.

These are pure functions of the text behind the verb; `server` keeps the order of commands.
"""

from __future__ import annotations

import base64
import binascii
import re

from postern.protocols.smtp.address import parse_path
from postern.protocols.smtp.events import Authenticate, Mail, Rcpt
from postern.protocols.smtp.parameters import parse_mail_parameters, parse_rcpt_parameters
from postern.protocols.smtp.reply import Reply

MAX_CHUNK_DIGITS = 20
"""Digits of a chunk's size (RFC 3030 section 2)."""

_MECHANISM = re.compile(r"[A-Za-z0-9_-]{1,20}")
_BDAT = re.compile(rf"([0-9]{{1,{MAX_CHUNK_DIGITS}}})( +LAST)?", re.IGNORECASE | re.ASCII)

_BAD_SENDER = Reply(501, "5.1.7", "Bad sender address syntax")
_BAD_RECIPIENT = Reply(501, "5.1.3", "Bad recipient address syntax")
# RFC 6531 section 3.5.
_NEEDS_UTF8 = Reply(553, "5.6.7", "SMTPUTF8 is needed for this address")
TOO_LARGE = Reply(552, "5.3.4", "Message is larger than this server takes")


def parse_mail(text: str, max_size: int) -> Mail | Reply:
    """Reads the text behind MAIL (RFC 5321 section 4.1.1.2). No RFC has a space behind the colon, but many clients send it.

    Bound: linear in the text, which the command line bounds.
    """
    path = parse_path(text[5:].lstrip(" ")) if text[:5].upper() == "FROM:" else None
    if path is None or path[1][:1] not in ("", " "):
        return _BAD_SENDER
    parameters = parse_mail_parameters(path[1])
    if isinstance(parameters, Reply):
        return parameters
    if parameters.size > max_size:
        return TOO_LARGE
    if not path[0].isascii() and not parameters.smtputf8:
        return _NEEDS_UTF8
    return Mail(path[0], parameters)


def parse_rcpt(text: str, smtputf8: bool) -> Rcpt | Reply:
    """Reads the text behind RCPT (RFC 5321 section 4.1.1.3).

    Bound: linear in the text, which the command line bounds.
    """
    path = parse_path(text[3:].lstrip(" "), bare_postmaster=True) if text[:3].upper() == "TO:" else None
    if path is None or not path[0] or path[1][:1] not in ("", " "):
        return _BAD_RECIPIENT
    parameters = parse_rcpt_parameters(path[1])
    if isinstance(parameters, Reply):
        return parameters
    if not path[0].isascii() and not smtputf8:
        return _NEEDS_UTF8
    return Rcpt(path[0], *parameters)


def parse_auth(text: str) -> Authenticate | Reply:
    """Reads the text behind AUTH (RFC 4954 section 4).

    Bound: linear in the text, which the command line bounds.
    """
    mechanism, _, initial = text.partition(" ")
    if _MECHANISM.fullmatch(mechanism) is None:
        return Reply(501, "5.5.4", "A mechanism is needed")
    if not initial:
        return Authenticate(mechanism.upper(), None)
    # "=" is an initial response of no octets.
    data = b"" if initial == "=" else decode_base64(initial.encode())
    if data is None:
        return Reply(501, "5.5.2", "The initial response is not base64")
    return Authenticate(mechanism.upper(), data)


def parse_bdat(text: str) -> tuple[int, bool] | None:
    """Reads the size of the chunk, and whether it is the last (RFC 3030 section 2)."""
    match = _BDAT.fullmatch(text)
    return (int(match[1]), match[2] is not None) if match is not None else None


def decode_base64(data: bytes) -> bytes | None:
    """Decodes strict base64 (RFC 4648 section 4); None if it is anything else."""
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
