"""Acting in the place of others: only by an explicit right, over those whom it names, and with their rights alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from exchangelib import IMPERSONATION
from exchangelib.errors import ErrorImpersonateUserDenied

from postern.model.directory import Recipient, RecipientType
from postern.model.folders import FolderKind
from postern.model.items import NewItem
from postern.model.organization import Impersonation
from postern.services.ews.application import EwsApplication
from postern.services.ews.operations.every import OPERATIONS
from postern.telemetry.log import Event
from tests.services.dav.site import ALICE, BOB, guid_of, recipient_of
from tests.services.ews.exchange import account
from tests.services.ews.site import EwsDoor, EwsSite

CAROL = "carol@example.test"
READ = (
    "<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape>"
    '<m:FolderIds><t:DistinguishedFolderId Id="inbox"/></m:FolderIds></m:GetFolder>'
)


def place_of(name: str, kind: str = "PrimarySmtpAddress") -> str:
    return f"<t:ExchangeImpersonation><t:ConnectingSID><t:{kind}>{name}</t:{kind}></t:ConnectingSID></t:ExchangeImpersonation>"


def site_with(*grants: Impersonation) -> EwsSite:
    site = EwsSite()
    site.recipients.known[CAROL] = recipient_of(CAROL)
    site.access = replace(site.access, impersonations=lambda: grants)
    site.application = EwsApplication(site.access, OPERATIONS)
    return site


async def asked(site: EwsSite, who: str, whom: str, kind: str = "PrimarySmtpAddress") -> str:
    answer = await site.ask(READ, who, header=place_of(whom, kind))
    return answer.fault or answer.codes[0]


def test_the_right_is_explicit_and_names_whom() -> None:
    async def steps() -> None:
        site = site_with(Impersonation((BOB,), (ALICE,)))
        assert await asked(site, BOB, ALICE) == "NoError"
        assert await asked(site, BOB, CAROL) == "ErrorImpersonateUserDenied"
        assert await asked(site, ALICE, BOB) == "ErrorImpersonateUserDenied"
        # Without any right nobody learns who is there.
        assert await asked(site, ALICE, "nobody@example.test") == "ErrorImpersonateUserDenied"
        assert await asked(EwsSite(), BOB, ALICE) == "ErrorImpersonateUserDenied"
        assert await asked(EwsSite(), BOB, BOB) == "ErrorImpersonateUserDenied"

    asyncio.run(steps())


def test_names_of_a_user() -> None:
    async def steps() -> None:
        site = site_with(Impersonation((BOB,), ("everybody",)))
        for kind, name, code in (
            ("PrimarySmtpAddress", ALICE, "NoError"),
            ("PrimarySmtpAddress", f"post.{ALICE}", "ErrorNonPrimarySmtpAddress"),
            ("SmtpAddress", f"post.{ALICE}", "NoError"),
            ("SmtpAddress", "nobody@example.test", "ErrorNonExistentMailbox"),
            ("SmtpAddress", "", "ErrorNonExistentMailbox"),
            ("PrincipalName", "nobody", "ErrorInvalidUserPrincipalName"),
            ("SID", "S-1-5-21-1-2-3-4", "ErrorInvalidUserSid"),
        ):
            assert await asked(site, BOB, name, kind) == code, (kind, name)
        broken = "<t:ExchangeImpersonation><t:ConnectingSID/></t:ExchangeImpersonation>"
        assert (await site.ask(READ, BOB, header=broken)).fault == "ErrorInvalidExchangeImpersonationHeaderData"

    asyncio.run(steps())


def test_groups_have_it_and_are_had() -> None:
    async def steps() -> None:
        site = site_with(Impersonation(("gateways@example.test",), ("staff@example.test",)))
        for name, members in (("gateways", [BOB]), ("staff", [ALICE])):
            address, guid = f"{name}@example.test", uuid4()
            site.recipients.known[address] = Recipient(guid, RecipientType.GROUP, name, address, (address,))
            for member in members:
                site.recipients.groups[guid_of(member)] = (guid,)
        assert await asked(site, BOB, ALICE) == "NoError"
        assert await asked(site, BOB, CAROL) == "ErrorImpersonateUserDenied"
        assert await asked(site, CAROL, ALICE) == "ErrorImpersonateUserDenied"

    asyncio.run(steps())


def test_who_acts_in_the_place_of_another_has_the_rights_of_that_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Event, dict[str, Any]]] = []
    monkeypatch.setattr("postern.services.ews.impersonation.log", lambda event, **values: told.append((event, values)))

    async def steps() -> None:
        site = site_with(Impersonation((BOB,), (ALICE,)))
        for address in (ALICE, BOB):
            inbox = await site.folder(FolderKind.INBOX, address)
            mail = f"Subject: of {address}\r\n\r\n".encode()
            await site.mailboxes.create(guid_of(address), inbox, [NewItem(mail)])
        find = (
            '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>'
            '<m:ParentFolderIds><t:DistinguishedFolderId Id="inbox"/></m:ParentFolderIds></m:FindItem>'
        )
        own = (await site.ask(find, BOB)).find(".//t:ItemId").attrib["Id"]
        others = (await site.ask(find, BOB, header=place_of(ALICE))).find(".//t:ItemId").attrib["Id"]
        get = "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:ItemIds>{}</m:ItemIds></m:GetItem>"
        both = get.format(f'<t:ItemId Id="{own}"/><t:ItemId Id="{others}"/>')
        assert (await site.ask(both, BOB)).codes == ["NoError", "ErrorItemNotFound"]
        assert (await site.ask(both, BOB, header=place_of(ALICE))).codes == ["ErrorItemNotFound", "NoError"]
        await asked(site, ALICE, BOB)

    asyncio.run(steps())
    assert told[0] == (Event.IMPERSONATED, {"identity": BOB, "user": ALICE, "operation": "FindItem"})
    assert told[-1] == (Event.IMPERSONATION_REFUSED, {"identity": ALICE, "user": BOB, "operation": "GetFolder"})


@pytest.mark.slow
def test_exchangelib_acts_in_the_place_of_another(tmp_path: Path) -> None:
    async def steps() -> None:
        door = EwsDoor()
        access = replace(door.ews, impersonations=lambda: [Impersonation((BOB,), (ALICE,))])
        door.application = EwsApplication(access, OPERATIONS)
        async with door.opened_to_ews():
            guid = door.guid(ALICE)
            await door.mailboxes.logon(guid)
            inbox = next(node.id for node in await door.mailboxes.tree(guid) if node.kind is FolderKind.INBOX)
            await door.mailboxes.create(guid, inbox, [NewItem(b"Subject: hers\r\n\r\nx\r\n")])

            def work() -> list[str]:
                hers = account(door, tmp_path, ALICE, logon=BOB, access_type=IMPERSONATION)
                with pytest.raises(ErrorImpersonateUserDenied):
                    account(door, tmp_path, BOB, logon=ALICE, access_type=IMPERSONATION).inbox.refresh()
                return [item.subject for item in hers.inbox.all().only("subject")]

            assert await door.beside(work) == ["hers"]

    asyncio.run(steps())
