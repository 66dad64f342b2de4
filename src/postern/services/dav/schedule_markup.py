"""The markup about schedule inbox and outbox that is always the same: their kinds and their privileges (RFC 6638)."""

from __future__ import annotations

from postern.protocols.dav.names import caldav, element

_DELIVER = {
    "schedule-deliver": "Deliver scheduling messages",
    "schedule-deliver-invite": "Invite",
    "schedule-deliver-reply": "Reply",
    "schedule-query-freebusy": "Ask when the owner is busy",
}
_SEND = {
    "schedule-send": "Send scheduling messages",
    "schedule-send-invite": "Invite",
    "schedule-send-reply": "Reply",
    "schedule-send-freebusy": "Ask when others are busy",
}
"""The privileges of RFC 6638 section 6: an aggregate, and those in it."""
OUTBOX_COMPONENTS = ("VEVENT", "VTODO", "VFREEBUSY")


def resource_type(is_outbox: bool) -> str:
    return f"<D:collection/><C:schedule-{'outbox' if is_outbox else 'inbox'}/>"


def privileges(is_outbox: bool) -> str:
    """Returns what the owner may do with scheduling messages."""
    return "".join(map(_privilege, _SEND if is_outbox else _DELIVER))


def _privilege(name: str) -> str:
    return f"<D:privilege>{element(caldav(name))}</D:privilege>"


def supported(is_outbox: bool) -> str:
    """Returns the tree of these privileges, as it stands in DAV:supported-privilege-set."""
    (aggregate, text), *rest = (_SEND if is_outbox else _DELIVER).items()
    return _supported(aggregate, text, "".join(_supported(name, what) for name, what in rest))


def _supported(name: str, text: str, below: str = "") -> str:
    description = f'<D:description xml:lang="en">{text}</D:description>'
    return f"<D:supported-privilege>{_privilege(name)}{description}{below}</D:supported-privilege>"
