"""The namespaces of Exchange Web Services, and how an element is written in an answer (MS-OXWSCDATA section 2.2.1).

A name that is read is in Clark's notation, as `protocols.xml` has it; one that is written has its prefix: "t:Subject".
"""

from __future__ import annotations

from postern.protocols import xml

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
ERRORS = "http://schemas.microsoft.com/exchange/services/2006/errors"
DECLARATIONS = f' xmlns:m="{MESSAGES}" xmlns:t="{TYPES}"'
"""Declares the two prefixes of answers, once at the element in the SOAP body."""

SENSITIVITIES = ("Normal", "Personal", "Private", "Confidential")
"""The words for PidTagSensitivity, from 0 on."""
IMPORTANCES = ("Low", "Normal", "High")
"""The words for PidTagImportance, from 0 on."""


def t(name: str) -> str:
    """Returns a name in the namespace of types."""
    return f"{{{TYPES}}}{name}"


def m(name: str) -> str:
    """Returns a name in the namespace of messages."""
    return f"{{{MESSAGES}}}{name}"


def element(name: str, *inner: str, **attributes: str) -> str:
    """Returns an element with this markup in it; attributes are in the order in which they are given."""
    start = name + "".join([f' {key}="{xml.attribute(each)}"' for key, each in attributes.items()])
    content = "".join(inner)
    return f"<{start}>{content}</{name}>" if content else f"<{start}/>"


def value(name: str, text: str) -> str:
    """Returns an element with a text in it."""
    return f"<{name}>{xml.text(text)}</{name}>"


def boolean(name: str, is_set: bool) -> str:
    return f"<{name}>{'true' if is_set else 'false'}</{name}>"


def number(name: str, count: int) -> str:
    return f"<{name}>{count}</{name}>"


def unsigned(text: str, digits: int = 9) -> int | None:
    """The number that one to `digits` decimal digits write; None for any other text."""
    return int(text) if len(text) <= digits and text.isascii() and text.isdigit() else None


def is_true(text: str) -> bool:
    """Whether an xs:boolean is true. `validation` refuses one in other letters, as "True"."""
    return text.strip() in ("true", "1")
