"""Strings that SEARCH looks for, before any database is asked. covers: search"""

from __future__ import annotations

import pytest

from postern.model.mailbox import MailboxError
from postern.protocols.mime.words import fold
from postern.store import search


def test_a_string_to_look_for_is_bounded_and_folded_as_texts_are() -> None:
    assert search._folded("Ｆｕｌｌ e" + "\u0316\u0300" * 100) == fold("Ｆｕｌｌ e" + "\u0316\u0300" * 15)
    assert search._folded("x" * search.MAX_NEEDLE) == "x" * search.MAX_NEEDLE
    for text in ("x" * (search.MAX_NEEDLE + 1), "\ufdfa" * 1000):
        with pytest.raises(MailboxError, match="too long") as raised:
            search._folded(text)
        assert raised.value.code == "LIMIT"
