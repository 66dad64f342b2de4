"""Passwords cost these tests next to nothing."""

from tests.support.passwords import cheap_passwords

__all__ = ["cheap_passwords"]
