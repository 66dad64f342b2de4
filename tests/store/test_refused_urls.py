"""URLs that libpq refuses: what is raised, and with it what is logged, repeats no part of them."""

from __future__ import annotations

import asyncio
import traceback

import pytest

from postern.model.mailbox import MailboxError
from postern.store.connection import Connection
from postern.store.usage import usage


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:secretpw@[::1/x",
        "postgresql://u:secret%ZZpw@127.0.0.1/x",
        "postgresql://u:pa@/secretpw",
        "postgresql://u:secretpw/x",
        "postgresql://u:1@127.0.0.1:1/x?secretpw=1",
    ],
)
def test_a_url_that_libpq_refuses_is_a_database_that_does_not_answer(url: str) -> None:
    with pytest.raises(MailboxError) as raised:
        asyncio.run(Connection.open(url, "test"))
    assert raised.value.code == "UNAVAILABLE"
    assert "secret" not in "".join(traceback.format_exception(raised.value))
    assert asyncio.run(usage(url)) is None
