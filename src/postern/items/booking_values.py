"""Turns a booking policy into plain values, in which it is kept and shown, and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields

from postern.items.booking import Policy

Plain = bool | int | str | list[str]
EVERYBODY = "*"
"""Stands among addresses for everybody."""
MAX_ADDRESSES = 200
"""Addresses of one list. Larger circles are groups or everybody."""
MAX_RESPONSE = 2_000
"""Characters of the text that answers end with."""
MOST = {
    "window_days": 1_080,
    "longest_minutes": 1_000_000,
    "conflicts_of_series": 1_000,
    "conflict_percent_of_series": 100,
}
"""The highest values of numbers; the lowest is 0."""
_DEFAULTS = Policy()
_NAMES = tuple(field.name for field in fields(Policy))


def values_of(policy: Policy) -> dict[str, Plain]:
    """The settings of a policy that differ from the defaults, by name. For example {"bookers": ["*"], "window_days": 30}."""
    changed = ((name, getattr(policy, name)) for name in _NAMES if getattr(policy, name) != getattr(_DEFAULTS, name))
    return {name: _plain(value) for name, value in changed}


def all_values_of(policy: Policy) -> dict[str, Plain]:
    """All settings of a policy, by name."""
    return {name: _plain(getattr(policy, name)) for name in _NAMES}


def _plain(value: object) -> Plain:
    if value is None:
        return [EVERYBODY]
    if isinstance(value, frozenset):
        return sorted(value)
    assert isinstance(value, (bool, int, str))
    return value


def policy_of(values: Mapping[str, object]) -> Policy:
    """The policy that has these settings, and the defaults for others. Raises ValueError, which says what is wrong."""
    unknown = sorted(set(values) - set(_NAMES))
    if unknown:
        raise ValueError(f"a room has no setting {unknown[0][:40]}: there are {', '.join(_NAMES)}")
    read = {name: _read(name, value) for name, value in values.items()}
    return Policy(**read)  # type: ignore[arg-type]  # `_read` gives each its type


def _read(name: str, value: object) -> bool | int | str | frozenset[str] | None:
    default = getattr(_DEFAULTS, name)
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{name} is true or false")
        return value
    if isinstance(default, int):
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST[name]:
            raise ValueError(f"{name} is a number from 0 to {MOST[name]}")
        return value
    if isinstance(default, str):
        if not isinstance(value, str) or len(value) > MAX_RESPONSE:
            raise ValueError(f"{name} is a text of at most {MAX_RESPONSE} characters")
        return value
    return _addresses(name, value)


def _addresses(name: str, value: object) -> frozenset[str] | None:
    if not isinstance(value, Collection) or isinstance(value, (str, bytes, Mapping)) or len(value) > MAX_ADDRESSES:
        raise ValueError(f"{name} is a list of at most {MAX_ADDRESSES} addresses")
    addresses = [address.strip().lower() for address in value if isinstance(address, str)]
    if EVERYBODY in addresses and name != "delegates":
        return None
    if len(addresses) != len(value) or not all("@" in address for address in addresses):
        raise ValueError(f"{name} has addresses, or {EVERYBODY} for everybody")
    return frozenset(addresses)
