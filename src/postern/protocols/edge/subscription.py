"""The subscription file: XML with the fields of Exchange's New-EdgeSubscription, for one edge.

It turns bytes into a SubscriptionFile and back. A file comes from outside the organization: no document type, no entities
(`protocols.xml`), every field bounded and of its own form. Dates are ISO 8601 in UTC where Exchange writes .NET ticks; a
duration is in minutes.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import re
from collections.abc import Callable
from typing import Any

from postern.model.edge import SubscriptionFile
from postern.protocols import xml

MAX_SIZE = 65_536
ROOT = "EdgeSubscriptionData"
_BOUNDS = xml.Bounds(octets=MAX_SIZE, depth=3, elements=100, attributes=100)
_HOST = re.compile(r"(?!-)[a-zA-Z0-9-]{1,63}(?<!-)(\.(?!-)[a-zA-Z0-9-]{1,63}(?<!-))*")
_TEXT = re.compile(r"[\x20-\x7e]{1,256}")
_WORD = re.compile(r"[\w.:{}\- ]{0,64}")
_NUMBER = re.compile(r"\d{1,9}")


class SubscriptionFileError(Exception):
    """The file is not valid; the text says which field and why, and never holds the password."""


def write(file: SubscriptionFile) -> bytes:
    fields = (
        ("EdgeServerName", file.server_name),
        ("EdgeServerFQDN", file.server_fqdn),
        ("EdgeCertificateBlob", base64.b64encode(file.certificate).decode()),
        ("ESRAUsername", file.username),
        ("ESRAPassword", file.password),
        ("EffectiveDate", _date(file.effective)),
        ("Duration", str(round(file.duration / 60))),
        ("AdamSslPort", str(file.ssl_port)),
        ("ProductID", file.product_id),
        ("VersionNumber", file.version),
        ("SerialNumber", file.serial),
    )
    lines = "".join(f"  <{name}>{xml.text(value)}</{name}>\n" for name, value in fields)
    return f"{xml.DECLARATION}<{ROOT}>\n{lines}</{ROOT}>\n".encode()


def read(data: bytes) -> SubscriptionFile:
    """Reads a file. Raises SubscriptionFileError.

    Bound: linear; at most 65,536 octets, no document type.
    """
    if len(data) > MAX_SIZE:
        raise SubscriptionFileError(f"is larger than {MAX_SIZE} bytes: no subscription file")
    try:
        root = xml.read(data, _BOUNDS)
    except xml.XmlError as error:
        raise SubscriptionFileError(f"is no XML that can be read ({error}): no subscription file") from None
    if root.name != ROOT:
        raise SubscriptionFileError(f"does not begin with <{ROOT}>: no subscription file")
    fields: dict[str, str] = {}
    for child in root.elements:
        if child.name in fields or child.elements:
            raise SubscriptionFileError(f"{child.name} is there twice, or holds more than a value")
        fields[child.name] = child.text.strip()

    def field(name: str, pattern: re.Pattern[str], then: Callable[[str], Any] = str) -> Any:
        value = fields.get(name)
        if value is None:
            raise SubscriptionFileError(f"{name} is missing")
        try:
            if pattern.fullmatch(value) is None:
                raise ValueError
            return then(value)
        except (ValueError, binascii.Error, OverflowError):
            raise SubscriptionFileError(f"{name} is not what it should be") from None

    return SubscriptionFile(
        server_name=field("EdgeServerName", _HOST, str.lower),
        server_fqdn=field("EdgeServerFQDN", _HOST, str.lower),
        certificate=field("EdgeCertificateBlob", re.compile(r"[A-Za-z0-9+/=\s]{1,32768}"), _base64),
        username=field("ESRAUsername", _TEXT),
        password=field("ESRAPassword", _TEXT),
        effective=field("EffectiveDate", _TEXT, _time),
        duration=field("Duration", _NUMBER, int) * 60.0,
        ssl_port=field("AdamSslPort", _NUMBER, _port),
        product_id=field("ProductID", _WORD),
        version=field("VersionNumber", _WORD),
        serial=field("SerialNumber", _WORD),
    )


def _base64(text: str) -> bytes:
    return base64.b64decode("".join(text.split()), validate=True)


def _port(text: str) -> int:
    number = int(text)
    if not 0 < number < 65536:
        raise ValueError
    return number


def _date(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(text: str) -> float:
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment.timestamp()
