"""GetPasswordExpirationDate: of one's own password, as the directory knows it."""

from __future__ import annotations

import asyncio

import pytest

from postern.model.directory import Account
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.site import EwsSite


def asked(address: str = ALICE) -> str:
    named = f"<m:MailboxSmtpAddress>{address}</m:MailboxSmtpAddress>" if address else ""
    return f"<m:GetPasswordExpirationDate>{named}</m:GetPasswordExpirationDate>"


@pytest.mark.parametrize(("ends", "told"), [(None, "9999-12-31T23:59:59Z"), (1_800_000_000.5, "2027-01-15T08:00:00Z")])
def test_the_date_is_told_to_its_owner_alone(ends: float | None, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps() -> None:
        site = EwsSite()

        async def account(name: str) -> Account:
            return Account(guid_of(name), name, True, False, "", password_ends=ends)

        monkeypatch.setattr(site.recipients, "account", account)
        for address in (ALICE, f"post.{ALICE}", ""):
            answer = await site.ask(asked(address))
            assert answer.texts("m:PasswordExpirationDate") == [told]
        # As Evolution writes it.
        elsewhere = asked(BOB).replace("m:Mailbox", "t:Mailbox")
        assert (await site.ask(elsewhere)).texts("m:ResponseCode") == ["ErrorAccessDenied"]
        assert (await site.ask(asked(BOB))).texts("m:ResponseCode") == ["ErrorAccessDenied"]
        assert (await site.ask(asked(), version="Exchange2010_SP1")).fault == "ErrorInvalidRequest"

    asyncio.run(steps())
