"""The error that a part of a request ends with; the other parts go on (MS-OXWSCDATA section 2.2.4.18)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.names import value

BACK_OFF: Mapping[str, str] = MappingProxyType({"BackOffMilliseconds": "5000"})
"""The values that ErrorServerBusy has beside the code. Without them, clients that retry wait for a time of their own."""


def values_markup(values: Mapping[str, str]) -> str:
    """The values in a MessageXml, which may be of an answer or of a fault."""
    return "".join([f'<t:Value Name="{xml.attribute(key)}">{xml.text(each)}</t:Value>' for key, each in values.items()])


class EwsError(Exception):
    """A part of a request that failed. `values` are what MessageXml says beside the code, for example
    {"BackOffMilliseconds": "5000"}; `path` is the markup of the property that it is about."""

    def __init__(self, code: Code, text: str = "", values: Mapping[str, str] | None = None, path: str = "") -> None:
        super().__init__(text or code.text)
        self.code = code
        self.values = values or {}
        self.path = path

    @property
    def markup(self) -> str:
        """The elements of a response message that say what failed, in the order of the schema."""
        more = self.path + values_markup(self.values)
        return (
            value("m:MessageText", str(self))
            + value("m:ResponseCode", self.code)
            + "<m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>"
            + (f"<m:MessageXml>{more}</m:MessageXml>" if more else "")
        )
