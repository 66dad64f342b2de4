"""GetUserOofSettings and SetUserOofSettings: by their owner alone, and by exchangelib."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from exchangelib.settings import OofSettings

from postern.model.folders import FolderKind
from postern.model.out_of_office import MAX_TEXT, OofAudience, OofState, OutOfOffice
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.exchange import account
from tests.services.ews.site import EwsDoor, EwsSite

LATER = "2099-01-01T00:00:00Z"


def asked(address: str = ALICE) -> str:
    return f"<m:GetUserOofSettingsRequest><t:Mailbox><t:Address>{address}</t:Address></t:Mailbox></m:GetUserOofSettingsRequest>"


def told(
    state: str = "Scheduled",
    audience: str = "Known",
    starts: str = "2026-01-01T00:00:00",
    ends: str = LATER,
    text: str = "away",
    address: str = ALICE,
) -> str:
    return (
        f"<m:SetUserOofSettingsRequest><t:Mailbox><t:Address>{address}</t:Address></t:Mailbox><t:UserOofSettings>"
        f"<t:OofState>{state}</t:OofState><t:ExternalAudience>{audience}</t:ExternalAudience>"
        f"<t:Duration><t:StartTime>{starts}</t:StartTime><t:EndTime>{ends}</t:EndTime></t:Duration>"
        f"<t:InternalReply><t:Message>{text}</t:Message></t:InternalReply>"
        "<t:ExternalReply><t:Message>gone</t:Message></t:ExternalReply></t:UserOofSettings></m:SetUserOofSettingsRequest>"
    )


def test_settings_are_kept_and_told() -> None:
    async def steps() -> None:
        site = EwsSite()
        first = await site.ask(asked(), version="Exchange2007")
        assert first.texts(".//t:OofState") == ["Disabled"] and first.texts("m:AllowExternalOof") == ["All"]
        kept = await site.ask(told(text="&lt;p onclick='x'&gt;away&lt;/p&gt;"))
        assert kept.texts(".//m:ResponseCode") == ["NoError"]
        assert await site.mailboxes.out_of_office(guid_of(ALICE)) == OutOfOffice(
            OofState.SCHEDULED, OofAudience.KNOWN, 1_767_225_600, 4_070_908_800, "<p>away</p>", "gone"
        )
        again = await site.ask(asked(ALICE.upper()))
        assert again.texts(".//t:Message") == ["<p>away</p>", "gone"]
        assert again.texts(".//t:Duration/*") == ["2026-01-01T00:00:00Z", LATER]
        assert again.texts(".//t:ExternalAudience") == ["Known"]

    asyncio.run(steps())


def test_what_a_request_leaves_out_stays_as_it_was() -> None:
    async def steps() -> None:
        site = EwsSite()
        await site.ask(told())
        texts = "<t:InternalReply><t:Message>away</t:Message></t:InternalReply>"
        others = "<t:ExternalReply><t:Message>gone</t:Message></t:ExternalReply>"
        bare = re.sub("<t:Duration>.*</t:Duration>", "", told(state="Disabled"))
        assert (await site.ask(bare.replace(texts, "").replace(others, ""))).texts(".//m:ResponseCode") == ["NoError"]
        kept = OutOfOffice(OofState.DISABLED, OofAudience.KNOWN, 1_767_225_600, 4_070_908_800, "away", "gone")
        assert await site.mailboxes.out_of_office(guid_of(ALICE)) == kept
        emptied = told(state="Enabled", text="").replace(others, "")
        assert (await site.ask(emptied)).texts(".//m:ResponseCode") == ["NoError"]
        kept = kept._replace(state=OofState.ENABLED, internal="")
        assert await site.mailboxes.out_of_office(guid_of(ALICE)) == kept
        timeless = re.sub("<t:Duration>.*</t:Duration>", "", told())
        assert (await site.ask(timeless)).texts(".//m:ResponseCode") == ["ErrorInvalidScheduledOofDuration"]

    asyncio.run(steps())


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (told(state="Sometimes"), "ErrorSchemaValidation"),
        (told(audience=""), "ErrorSchemaValidation"),
        (told(starts=LATER), "ErrorInvalidScheduledOofDuration"),
        (told(ends="2026-02-01T00:00:00Z"), "ErrorInvalidScheduledOofDuration"),
        (told(starts="soon"), "ErrorSchemaValidation"),
        (told(text="x" * (MAX_TEXT + 1)), "ErrorInvalidOofParameter"),
    ],
)
def test_what_is_no_setting_is_refused(request_: str, code: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        answer = await site.ask(request_)
        assert (answer.codes or answer.texts(".//m:ResponseCode")) == [code]
        assert await site.mailboxes.out_of_office(guid_of(ALICE)) == OutOfOffice()

    asyncio.run(steps())


def test_nobody_else_sees_or_sets_them() -> None:
    async def steps() -> None:
        site = EwsSite()
        await site.folder(FolderKind.INBOX)
        await site.mailboxes.set_full_access(guid_of(ALICE), guid_of(BOB), True)
        for request in (asked(), told()):
            answer = await site.ask(request, BOB)
            assert (answer.status, answer.fault) == (500, "ErrorAccessDenied")
        assert (await site.ask(asked("nobody@example.test"))).fault == "ErrorNonExistentMailbox"
        assert await site.mailboxes.out_of_office(guid_of(ALICE)) == OutOfOffice()

    asyncio.run(steps())


@pytest.mark.slow
def test_exchangelib_sets_and_reads_them(tmp_path: Path) -> None:
    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:

            def work() -> None:
                mine = account(door, tmp_path, ALICE)
                assert mine.oof_settings.state == OofSettings.DISABLED
                start = datetime.now(UTC).replace(microsecond=0)
                for settings in (
                    OofSettings(
                        state=OofSettings.SCHEDULED,
                        external_audience="All",
                        internal_reply="I'm in the <b>pub</b>",
                        external_reply="Back & soon",
                        start=start,
                        end=start + timedelta(days=3),
                    ),
                    OofSettings(
                        state=OofSettings.ENABLED, external_audience="None", internal_reply="x", external_reply="y"
                    ),
                    OofSettings(state=OofSettings.DISABLED, internal_reply="x", external_reply="y"),
                ):
                    mine.oof_settings = settings
                    assert mine.oof_settings == settings

            await door.beside(work)

    asyncio.run(steps())
