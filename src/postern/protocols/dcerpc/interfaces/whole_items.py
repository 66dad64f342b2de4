"""The operations of `mailbox_items` that make and change items with their flags and bags (`model.edits`), and their codecs."""

from __future__ import annotations

from typing import Any

from postern.model.edits import Beside
from postern.model.mailbox_server import MailboxItems
from postern.protocols.dcerpc.codecs import BOOLEAN, Parameter, Wide, record
from postern.protocols.dcerpc.interfaces import item_codecs as codecs
from postern.protocols.dcerpc.interfaces import resource_codecs as resources
from postern.protocols.dcerpc.interfaces.mailbox import operation
from postern.protocols.dcerpc.ndr import I64, U8, U32, U64, UUID_T, Array, Text, Type

_MAILBOX = Parameter("mailbox", UUID_T)
_FOLDER = Parameter("folder", I64)
_CLASS = Parameter("item_class", Text())
_BAG = Parameter("properties", codecs.BAG)


def _optional(present: str, name: str, type_: Type, nothing: Any) -> Wide:
    """Carries a value or None: it counts only if the parameter `present` is 1."""
    return Wide(
        ((present, U32), (name, type_)),
        lambda value: (value is not None, nothing if value is None else value),
        lambda is_there, value: value if is_there else None,
    )


_SINCE = Parameter("unchanged_since", _optional("if_unchanged", "unchanged_since", U64, 0))
_BESIDE = Parameter(
    "beside",
    record(
        Beside,
        (
            Parameter("flags", _optional("with_flags", "flags", U64, 0)),
            Parameter("properties", codecs.BAG_CHANGES),
        ),
    ),
)
_OTHER = Parameter("content", _optional("with_content", "content", Array(U8), b""))
_VALUES = resources.rendered()


def _read_values(*wire: Any) -> Any:
    values = _VALUES.read(*wire)
    if len(values) > 1:
        raise ValueError("the values of several items")
    return values[0] if values else None


_VALUES_OR_NONE = Wide(
    _VALUES.types, lambda values: _VALUES.write((values,) if values is not None else ()), _read_values
)

WHOLE_ITEMS = {
    49: operation(
        MailboxItems.create_with,
        "create; each item gets these properties.",
        (_MAILBOX, _FOLDER, _BAG, Parameter("items", codecs.NEW_ITEMS)),
        Parameter("ids", codecs.IDS),
    ),
    50: operation(
        MailboxItems.add_with,
        "add; each item gets these properties.",
        (
            _MAILBOX,
            _FOLDER,
            Parameter("unique_uids", BOOLEAN),
            _BAG,
            Parameter("resources", resources.NEW_RESOURCES),
        ),
        Parameter("ids", codecs.IDS),
    ),
    51: operation(
        MailboxItems.edit,
        "System flags where with_flags is 1, properties, and another content where with_content is 1, all or nothing: as\n"
        "update, or as replace with one entry of the item's values. The number of the item's last change.",
        (
            _MAILBOX,
            Parameter("item", I64),
            _SINCE,
            _BESIDE,
            _CLASS,
            Parameter("rendered", _VALUES_OR_NONE),
            _OTHER,
        ),
        Parameter("change", U64),
    ),
    52: operation(
        MailboxItems.put_with,
        "put_sending, and in the same transaction flags and properties, as in edit.",
        (
            _MAILBOX,
            Parameter("letters", codecs.IDS),
            _FOLDER,
            Parameter("name", Text()),
            Parameter("expected", resources.EXPECTED),
            Parameter("unique_uid", BOOLEAN),
            _SINCE,
            _CLASS,
            _BESIDE,
            Parameter("rendered", resources.VALUES),
            Parameter("content", Array(U8)),
        ),
        resources.PUT,
    ),
    53: operation(
        MailboxItems.send,
        "Flags, properties and another content of a message, as in edit; in the same transaction it moves to the outbox and is\n"
        "ready to be sent. The number of the change.",
        (_MAILBOX, Parameter("item", I64), _SINCE, _BESIDE, _OTHER),
        Parameter("change", U64),
    ),
}
