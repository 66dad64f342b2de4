"""Parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), RET, ENVID, NOTIFY, ORCPT (RFC 3461),
AUTH (RFC 4954 section 5). Parsed to values, or to the reply that refuses them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from postern.model.mail import BodyType
from postern.protocols.smtp.address import xtext_decode
from postern.protocols.smtp.reply import Reply

MAX_ENVID = 100
"""Characters of ENVID (RFC 3461 section 4.4)."""
MAX_ORCPT = 500
"""Characters of ORCPT (RFC 3461 section 4.2)."""

_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})
# RFC 6533 section 3: the address type "utf-8" has an encoding of its own, kept as it came.
_UTF_8_ADDRESS = re.compile(r"(?:[!-*,-<>-\[\]-~]|\\x\{[0-9A-F]{2,6}\}|[\u0080-\U0010ffff])+")


@dataclass(slots=True)
class MailParameters:
    size: int = 0
    body: BodyType = BodyType.SEVEN_BIT
    smtputf8: bool = False
    ret: str = ""
    envelope_id: str = ""


PLAIN = MailParameters()
_NO_NOTIFY: frozenset[str] = frozenset()


def _syntax(text: str) -> Reply:
    return Reply(501, "5.5.4", text)


_UNKNOWN = Reply(555, "5.5.4", "Parameter not recognized or not implemented")


def _split(text: str) -> dict[str, str | None] | Reply:
    """Reads Mail-parameters (RFC 5321 section 4.1.2); a keyword may stand there once."""
    parameters: dict[str, str | None] = {}
    for item in text.split():
        keyword, equals, value = item.partition("=")
        keyword = keyword.upper()
        if _KEYWORD.fullmatch(keyword) is None or keyword in parameters or not value.isprintable():
            return _syntax("Syntax error in parameters")
        parameters[keyword] = value if equals else None
    return parameters


def parse_mail_parameters(text: str) -> MailParameters | Reply:
    """Reads the parameters behind MAIL FROM's path."""
    if not text:
        return PLAIN
    parameters = _split(text)
    if isinstance(parameters, Reply):
        return parameters
    result = MailParameters()
    for keyword, value in parameters.items():
        refusal = _mail_parameter(result, keyword, value)
        if refusal is not None:
            return refusal
    return result


def _mail_parameter(result: MailParameters, keyword: str, value: str | None) -> Reply | None:
    match keyword:
        case "SIZE":
            if value is None or not (value.isascii() and value.isdigit() and len(value) <= 20):
                return _syntax("SIZE needs a number of octets")
            result.size = int(value)
        case "BODY":
            # BINARYMIME is not offered: RFC 3030 section 3 has us refuse it.
            body = (value or "").upper()
            if body not in (BodyType.SEVEN_BIT, BodyType.EIGHT_BIT_MIME):
                return _syntax("BODY is 7BIT or 8BITMIME")
            result.body = BodyType(body)
        case "SMTPUTF8":
            if value is not None:
                return _syntax("SMTPUTF8 takes no value")
            result.smtputf8 = True
        case "RET":
            result.ret = (value or "").upper()
            if result.ret not in ("FULL", "HDRS"):
                return _syntax("RET is FULL or HDRS")
        case "ENVID":
            decoded = xtext_decode(value or "")
            if not decoded or len(value or "") > MAX_ENVID:
                return _syntax("ENVID needs xtext")
            result.envelope_id = decoded
        case "AUTH":
            # RFC 4954 section 5: who first submitted it, as the peer believes; nothing here trusts it.
            if not value or (value != "<>" and xtext_decode(value) is None):
                return _syntax("AUTH needs xtext")
        case _:
            return _UNKNOWN
    return None


def parse_rcpt_parameters(text: str) -> tuple[frozenset[str], str] | Reply:
    """Reads NOTIFY's words and ORCPT ("type;address", xtext decoded) behind RCPT TO's path."""
    if not text:
        return _NO_NOTIFY, ""
    parameters = _split(text)
    if isinstance(parameters, Reply):
        return parameters
    notify, original = _NO_NOTIFY, ""
    for keyword, value in parameters.items():
        if keyword == "NOTIFY":
            notify = frozenset((value or "").upper().split(","))
            # RFC 3461 section 4.1: NEVER stands alone.
            if notify != {"NEVER"} and not notify <= _NOTIFY:
                return _syntax("NOTIFY is NEVER or some of SUCCESS, FAILURE, DELAY")
        elif keyword == "ORCPT":
            decoded = _original(value or "")
            if decoded is None:
                return _syntax("ORCPT needs a type and xtext")
            original = decoded
        else:
            return _UNKNOWN
    return notify, original


def _original(value: str) -> str | None:
    kind, semicolon, address = value.partition(";")
    if not semicolon or not address or len(value) > MAX_ORCPT or _KEYWORD.fullmatch(kind) is None:
        return None
    if kind.lower() == "utf-8":
        return value if _UTF_8_ADDRESS.fullmatch(address) else None
    decoded = xtext_decode(address)
    return None if decoded is None else f"{kind};{decoded}"
