"""FindItem: conditions, orders, parts and groups of a result.

covers: services.ews.finding, services.ews.judging, services.ews.store_terms, services.ews.item_values, services.ews.item_reading
covers: protocols.ews.conditions, protocols.ews.views, protocols.ews.query_strings
"""

from __future__ import annotations

import asyncio
import random
from uuid import UUID

import pytest

from postern.items.properties import Type
from postern.items.property_values import encoded
from postern.model.folders import FolderKind, Right
from postern.model.item_store import PropertyName
from postern.model.items import Flag, FlagChange, NewItem
from postern.protocols.ews.ids import FolderId
from postern.services.ews import finding, item_reading
from tests.services.dav.site import ALICE, BOB, guid_of, recipient_of
from tests.services.ews.site import Answer, EwsSite

GUID = guid_of(ALICE)
SUBJECT = '<t:FieldURI FieldURI="item:Subject"/>'
RECEIVED = '<t:FieldURI FieldURI="item:DateTimeReceived"/>'
COLOR = '<t:ExtendedFieldURI PropertySetId="c11ff724-aa03-4555-9952-8fa248a11c3e" PropertyName="color" PropertyType="String"/>'
COUNT = '<t:ExtendedFieldURI PropertyTag="0x1234" PropertyType="Integer"/>'
DAY = 86_400
SUBJECTS = ("Lunch", "lunch again", "Straße", "Re: Plan", "Café plan", "2026", "Zebra")


def field(uri: str) -> str:
    return f'<t:FieldURI FieldURI="{uri}"/>'


def constant(text: str) -> str:
    return f'<t:Constant Value="{text}"/>'


def compare(operator: str, path: str, text: str) -> str:
    return f"<t:{operator}>{path}<t:FieldURIOrConstant>{constant(text)}</t:FieldURIOrConstant></t:{operator}>"


def contains(path: str, text: str, mode: str = "Substring", comparison: str = "IgnoreCase") -> str:
    return (
        f'<t:Contains ContainmentMode="{mode}" ContainmentComparison="{comparison}">{path}{constant(text)}</t:Contains>'
    )


def find(
    folder: int,
    restriction: str = "",
    order: str = "",
    view: str = "",
    query: str = "",
    attributes: str = 'Traversal="Shallow"',
    paths: str = SUBJECT,
) -> str:
    return (
        f"<m:FindItem {attributes}><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>"
        f"<t:AdditionalProperties>{paths}</t:AdditionalProperties></m:ItemShape>{view}"
        f"{f'<m:Restriction>{restriction}</m:Restriction>' if restriction else ''}"
        f"{f'<m:SortOrder>{order}</m:SortOrder>' if order else ''}"
        f'<m:ParentFolderIds><t:FolderId Id="{FolderId(GUID, folder)}"/></m:ParentFolderIds>'
        f"{f'<m:QueryString>{query}</m:QueryString>' if query else ''}</m:FindItem>"
    )


def by(path: str, way: str = "Ascending") -> str:
    return f'<t:FieldOrder Order="{way}">{path}</t:FieldOrder>'


class Inbox:
    """An inbox with a message for each of SUBJECTS, a day later each. The first two are read; the third is flagged, red and has a
    count of 6."""

    def __init__(self, site: EwsSite, folder: int) -> None:
        self.site, self.folder = site, folder

    @classmethod
    async def filled(cls) -> Inbox:
        site = EwsSite()
        folder = await site.folder(FolderKind.INBOX)
        items = [
            NewItem(
                f"From: Anna Ash <anna@example.test>\r\nSubject: {subject}\r\n\r\nBody {number}\r\n".encode(),
                internal_date=DAY * (number + 1) + 3_600,
            )
            for number, subject in enumerate(SUBJECTS)
        ]
        ids = await site.mailboxes.create(GUID, folder, items)
        await site.mailboxes.change_flags(GUID, folder, [(1, 2)], FlagChange.ADD, Flag.SEEN)
        await site.mailboxes.change_flags(GUID, folder, [(3, 3)], FlagChange.ADD, Flag.FLAGGED)
        inbox = cls(site, folder)
        name = PropertyName(UUID("c11ff724-aa03-4555-9952-8fa248a11c3e"), name="color")
        (number,) = await site.mailboxes.property_ids(GUID, [name], create=True)
        await site.mailboxes.set_properties(
            GUID,
            ids[2],
            {number << 16 | Type.STRING: encoded(Type.STRING, "red"), 0x12340003: encoded(Type.INTEGER32, 6)},
        )
        return inbox

    async def ask(self, restriction: str = "", **how: str) -> Answer:
        return await self.site.ask(find(self.folder, restriction, **how))

    async def found(self, restriction: str = "", **how: str) -> list[str]:
        answer = await self.ask(restriction, **how)
        assert answer.codes == ["NoError"], answer.text
        return answer.texts(".//t:Subject")


CONDITIONS = [
    (contains(SUBJECT, "LUNCH"), {"Lunch", "lunch again"}),
    (contains(SUBJECT, "LUNCH", comparison="Exact"), set()),
    (contains(SUBJECT, "lunch", "FullString"), {"Lunch"}),
    (contains(SUBJECT, "lunch", "Prefixed"), {"Lunch", "lunch again"}),
    (contains(SUBJECT, "plan", "Prefixed"), set()),
    (contains(SUBJECT, "pla", "PrefixOnWords"), {"Re: Plan", "Café plan"}),
    (contains(SUBJECT, "pla", "ExactPhrase"), set()),
    (contains(SUBJECT, "plan", "ExactPhrase"), {"Re: Plan", "Café plan"}),
    (contains(SUBJECT, "cafe"), set()),
    (contains(SUBJECT, "cafe", comparison="Loose"), {"Café plan"}),
    (contains(SUBJECT, "CAFE", comparison="IgnoreNonSpacingCharacters"), set()),
    (contains(SUBJECT, "strasse"), {"Straße"}),
    (compare("IsEqualTo", SUBJECT, "LUNCH"), {"Lunch"}),
    (compare("IsEqualTo", SUBJECT, "2026"), {"2026"}),
    (compare("IsGreaterThanOrEqualTo", SUBJECT, "straße"), {"Straße", "Zebra"}),
    (compare("IsNotEqualTo", SUBJECT, "Lunch"), set(SUBJECTS) - {"Lunch"}),
    (compare("IsEqualTo", field("message:IsRead"), "true"), {"Lunch", "lunch again"}),
    (compare("IsNotEqualTo", field("message:IsRead"), "true"), set(SUBJECTS) - {"Lunch", "lunch again"}),
    (compare("IsLessThan", RECEIVED, "1970-01-03T01:00:00Z"), {"Lunch"}),
    (compare("IsLessThanOrEqualTo", RECEIVED, "1970-01-03T01:00:00Z"), {"Lunch", "lunch again"}),
    (compare("IsGreaterThan", RECEIVED, "1970-01-08T01:00:00+00:00"), set()),
    (compare("IsGreaterThanOrEqualTo", RECEIVED, "1970-01-08T02:00:00+01:00"), {"Zebra"}),
    (compare("IsEqualTo", RECEIVED, "1970-01-08T01:00:00Z"), {"Zebra"}),
    (compare("IsNotEqualTo", RECEIVED, "1970-01-08T01:00:00Z"), set(SUBJECTS) - {"Zebra"}),
    (compare("IsGreaterThan", field("item:Size"), "10"), set(SUBJECTS)),
    (compare("IsLessThan", field("item:Size"), "10"), set()),
    (compare("IsEqualTo", field("item:ItemClass"), "ipm.note"), set(SUBJECTS)),
    (contains(field("item:ItemClass"), "IPM.No", "Prefixed"), set(SUBJECTS)),
    (compare("IsEqualTo", COLOR, "red"), {"Straße"}),
    (f"<t:Exists>{COLOR}</t:Exists>", {"Straße"}),
    (f"<t:Not><t:Exists>{COLOR}</t:Exists></t:Not>", set(SUBJECTS) - {"Straße"}),
    (compare("IsGreaterThan", COUNT, "5"), {"Straße"}),
    (compare("IsGreaterThan", COUNT, "10"), set()),
    (f"<t:Excludes>{COUNT}<t:Bitmask Value='0x2'/></t:Excludes>", set(SUBJECTS) - {"Straße"}),
    (f"<t:Excludes>{COUNT}<t:Bitmask Value='8'/></t:Excludes>", set(SUBJECTS)),
    (contains('<t:ExtendedFieldURI PropertyTag="0x37" PropertyType="String"/>', "lunch"), {"Lunch", "lunch again"}),
    (
        f"<t:And>{contains(SUBJECT, 'plan')}{compare('IsGreaterThan', RECEIVED, '1970-01-05T02:00:00Z')}</t:And>",
        {"Café plan"},
    ),
    (f"<t:Or>{contains(SUBJECT, 'zebra')}{compare('IsEqualTo', COLOR, 'red')}</t:Or>", {"Zebra", "Straße"}),
    (
        f"<t:Not><t:Or>{contains(SUBJECT, 'plan')}{contains(SUBJECT, 'lunch')}</t:Or></t:Not>",
        {"Straße", "2026", "Zebra"},
    ),
    (
        f"<t:IsEqualTo>{SUBJECT}<t:FieldURIOrConstant>{SUBJECT}</t:FieldURIOrConstant></t:IsEqualTo>",
        set(SUBJECTS),
    ),
]


def test_conditions_of_every_kind_find_what_meets_them() -> None:
    async def steps() -> None:
        inbox = await Inbox.filled()
        for restriction, subjects in CONDITIONS:
            assert set(await inbox.found(restriction)) == subjects, restriction
            # As it is judged, beside something that the store cannot find: nothing has a color "none".
            judged = f"<t:Or>{restriction}{compare('IsEqualTo', COLOR, 'none')}</t:Or>"
            assert set(await inbox.found(judged)) == subjects, judged
            twice = f"<t:And>{restriction}<t:Not>{compare('IsEqualTo', COLOR, 'none')}</t:Not></t:And>"
            assert set(await inbox.found(twice)) == subjects, twice

    asyncio.run(steps())


def test_times_without_an_offset_are_in_the_zone_of_the_request() -> None:
    async def steps() -> None:
        inbox = await Inbox.filled()
        zone = '<t:TimeZoneContext><t:TimeZoneDefinition Id="Korea Standard Time"/></t:TimeZoneContext>'
        # 01:00 in UTC is 10:00 in Seoul.
        local = f"<t:Not>{compare('IsNotEqualTo', RECEIVED, '1970-01-08T10:00:00')}</t:Not>"
        for header, subjects in ((zone, ["Zebra"]), ("", [])):
            answer = await inbox.site.ask(find(inbox.folder, f"<t:And>{local}</t:And>"), header=header)
            assert answer.texts(".//t:Subject") == subjects, answer.text

    asyncio.run(steps())


def test_what_the_store_finds_is_what_is_judged() -> None:
    """Any conditions joined in any way find the same by the store, as far as it can, and item by item."""

    async def steps() -> None:
        inbox = await Inbox.filled()
        dice = random.Random(11)
        leaves = [restriction for restriction, _ in CONDITIONS]

        def joined(depth: int) -> str:
            kind = dice.choice(("And", "Or", "Not", "leaf")) if depth else "leaf"
            if kind == "leaf":
                return dice.choice(leaves)
            count = 1 if kind == "Not" else dice.randint(1, 3)
            return f"<t:{kind}>{''.join(joined(depth - 1) for _ in range(count))}</t:{kind}>"

        for _ in range(60):
            restriction = joined(3)
            judged = f"<t:Or>{compare('IsEqualTo', COLOR, 'none')}{restriction}</t:Or>"
            assert await inbox.found(restriction) == await inbox.found(judged), restriction

    asyncio.run(steps())


@pytest.mark.parametrize(
    ("query", "subjects"),
    [
        ("lunch", {"Lunch", "lunch again"}),
        ("subject:lunch", {"Lunch", "lunch again"}),
        ('subject:"lunch again"', {"lunch again"}),
        ("subject:(plan OR zebra)", {"Re: Plan", "Café plan", "Zebra"}),
        ("subject:plan -caf", {"Re: Plan"}),
        ("subject:plan AND NOT caf", {"Re: Plan"}),
        ("isread:true", {"Lunch", "lunch again"}),
        ("isread:no lunch", set()),
        ("isflagged:true", {"Straße"}),
        ("isflagged:no subject:lunch", {"Lunch", "lunch again"}),
        ("hasattachment:true", set()),
        ("importance:normal subject:plan", {"Re: Plan", "Café plan"}),
        ("from:ann subject:zebra", {"Zebra"}),
        ('from:"Anna Ash" 2026', {"2026"}),
        ("to:anna", set()),
        ("participants:anna subject:zebra", {"Zebra"}),
        ("category:red", set()),
        ("attachment:plan", set()),
        ("sent:1970-01-02", {"Lunch"}),
        ("received:1970-01-02", {"Lunch"}),
        ("received:1/2/1970..01/03/1970", {"Lunch", "lunch again"}),
        ("received:>=1970-01-08", {"Zebra"}),
        ("received:>1970-01-08", set()),
        ("received:<1970-01-03", {"Lunch"}),
        ("received:<=1970-01-03", {"Lunch", "lunch again"}),
        # ecederstrand/exchangelib#583
        ("Received: > 1970-01-08 00:59:59 AND from:ann", {"Zebra"}),
        ("received:>1970-01-08 01:00:00", set()),
        ('received:<"1970-01-02 01:00:01"', {"Lunch"}),
        ("received:1970-01-02T01:00:00Z", {"Lunch"}),
        ("received:<= 1970-01-02 01:00", {"Lunch"}),
        ("size: < 1KB subject:zebra", {"Zebra"}),
        ("received:today", set()),
        ("received:last week", set()),
        ("size:>1KB", set()),
        ("size:<1KB kind:email", set(SUBJECTS)),
        ("kind:contacts", set()),
        ("body:2", {"Straße"}),
        ("unknown:word", set()),
    ],
)
def test_a_query_finds_by_its_keywords(query: str, subjects: set[str]) -> None:
    async def steps() -> None:
        inbox = await Inbox.filled()
        assert set(await inbox.found(query=query.replace("<", "&lt;"))) == subjects

    asyncio.run(steps())


def test_results_are_sorted_by_any_property() -> None:
    async def steps() -> None:
        inbox = await Inbox.filled()
        newest = list(reversed(SUBJECTS))
        assert await inbox.found() == newest
        assert await inbox.found(order=by(RECEIVED)) == list(SUBJECTS)
        assert await inbox.found(order=by(RECEIVED, "Descending")) == newest
        # The store knows subjects; a property of MAPI is sorted here, and what has none comes first.
        assert (await inbox.found(order=by(SUBJECT)))[:2] == ["2026", "Café plan"]
        assert (await inbox.found(order=by(COLOR)))[-1] == "Straße"
        assert (await inbox.found(order=by(COLOR, "Descending") + by(RECEIVED, "Descending"))) == [
            "Straße",
            *[subject for subject in newest if subject != "Straße"],
        ]
        assert (await inbox.found(contains(SUBJECT, "lunch"), order=by(COUNT) + by(RECEIVED))) == [
            "Lunch",
            "lunch again",
        ]

    asyncio.run(steps())


def test_items_are_sorted_by_their_uids(monkeypatch: pytest.MonkeyPatch) -> None:
    # DavMail takes no item without this number, and asks for the next page by the last one (mguessan/davmail#162).
    uid = '<t:ExtendedFieldURI PropertyTag="0xe23" PropertyType="Integer"/>'

    async def steps() -> None:
        inbox = await Inbox.filled()
        held = sorted(inbox.site.mailboxes._folder(GUID, inbox.folder).items)
        above = compare("IsGreaterThan", uid, str(held[3]))
        answer = await inbox.site.ask(find(inbox.folder, above, by(uid), paths=uid))
        assert list(map(int, answer.texts(".//t:Value"))) == held[4:]
        # The store sorts them: no item is read for it.
        monkeypatch.setattr(finding, "MAX_READ", 0)
        for way, expected in (("Ascending", held), ("Descending", held[::-1])):
            told: list[int] = []
            for start in range(0, len(held), 3):
                view = f'<m:IndexedPageItemView MaxEntriesReturned="3" Offset="{start}" BasePoint="Beginning"/>'
                answer = await inbox.site.ask(find(inbox.folder, order=by(uid, way), view=view, paths=uid))
                told += map(int, answer.texts(".//t:Value"))
            assert told == expected

    asyncio.run(steps())


@pytest.mark.parametrize("order", [by(RECEIVED), by(COLOR) + by(RECEIVED)])
def test_a_view_shows_a_part(order: str) -> None:
    async def steps() -> None:
        inbox = await Inbox.filled()
        every = (
            list(SUBJECTS) if order == by(RECEIVED) else [*(each for each in SUBJECTS if each != "Straße"), "Straße"]
        )

        async def page(view: str) -> tuple[list[str], dict[str, str]]:
            answer = await inbox.ask(order=order, view=view)
            assert answer.codes == ["NoError"], answer.text
            return answer.texts(".//t:Subject"), dict(answer.find(".//m:RootFolder").attrib)

        def indexed(offset: int, most: int, base: str = "Beginning") -> str:
            return f'<m:IndexedPageItemView MaxEntriesReturned="{most}" Offset="{offset}" BasePoint="{base}"/>'

        told = {"TotalItemsInView": "7"}
        assert await page(indexed(2, 3)) == (
            every[2:5],
            told | {"IndexedPagingOffset": "5", "IncludesLastItemInRange": "false"},
        )
        assert await page(indexed(5, 3)) == (
            every[5:],
            told | {"IndexedPagingOffset": "7", "IncludesLastItemInRange": "true"},
        )
        assert (await page(indexed(9, 3)))[0] == []
        assert await page(indexed(1, 2, "End")) == (
            every[4:6],
            told | {"IndexedPagingOffset": "3", "IncludesLastItemInRange": "false"},
        )
        assert await page(indexed(6, 5, "End")) == (
            every[:1],
            told | {"IndexedPagingOffset": "7", "IncludesLastItemInRange": "true"},
        )
        fraction = '<m:FractionalPageItemView MaxEntriesReturned="2" Numerator="1" Denominator="2"/>'
        assert await page(fraction) == (
            every[3:5],
            told | {"NumeratorOffset": "5", "AbsoluteDenominator": "7", "IncludesLastItemInRange": "false"},
        )

        def sought(base: str) -> str:
            return (
                f'<m:SeekToConditionPageItemView MaxEntriesReturned="2" BasePoint="{base}">'
                f"<t:Condition>{contains(SUBJECT, 'plan')}</t:Condition></m:SeekToConditionPageItemView>"
            )

        first, last = every.index("Re: Plan"), every.index("Café plan")
        assert (await page(sought("Beginning")))[0] == every[first : first + 2]
        assert (await page(sought("End")))[0] == every[last - 1 : last + 1]

    asyncio.run(steps())


def test_items_are_put_into_groups() -> None:
    async def steps() -> None:
        inbox = await Inbox.filled()
        group = (
            f'<m:GroupBy Order="Descending">{field("message:IsRead")}'
            f'<t:AggregateOn Aggregate="Maximum">{RECEIVED}</t:AggregateOn></m:GroupBy>'
        )

        async def groups(view: str = "") -> list[tuple[str, list[str]]]:
            answer = await inbox.ask(view=view + group)
            assert answer.codes == ["NoError"], answer.text
            return [
                (each[0].text or "", [item.text or "" for item in each.iter() if item.tag.endswith("}Subject")])
                for each in answer.all(".//t:GroupedItems")
            ]

        newest = list(reversed(SUBJECTS))
        assert await groups() == [("false", newest[:5]), ("true", newest[5:])]
        part = '<m:IndexedPageItemView MaxEntriesReturned="2" Offset="4" BasePoint="Beginning"/>'
        assert await groups(part) == [("false", newest[4:5]), ("true", newest[5:6])]

    asyncio.run(steps())


def test_items_are_put_into_groups_by_conversation() -> None:
    async def steps() -> None:
        inbox = await Inbox.filled()
        again = NewItem(b"From: bob@example.test\r\nSubject: Re: Lunch\r\n\r\n", internal_date=DAY * 20)
        await inbox.site.mailboxes.create(GUID, inbox.folder, [again])
        group = (
            '<m:DistinguishedGroupBy Order="Descending"><t:StandardGroupBy>ConversationTopic</t:StandardGroupBy>'
            "</m:DistinguishedGroupBy>"
        )
        answer = await inbox.ask(contains(SUBJECT, "n"), view=group)
        assert answer.texts(".//t:GroupIndex")[0] == "Lunch"
        assert answer.texts(".//t:GroupedItems[1]//t:Subject") == ["Re: Lunch", "Lunch"]

    asyncio.run(steps())


@pytest.mark.parametrize("contents", [1, 2, 50])
def test_contacts_are_found_by_their_names(contents: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Contents are read in lists of so many.
    monkeypatch.setattr(item_reading, "_CONTENTS", contents)

    async def steps() -> None:
        inbox = await Inbox.filled()
        contacts = await inbox.site.folder(FolderKind.CONTACTS)
        for name, city in (("Zoe", "Oslo"), ("anna", "Bonn"), ("Bob", "Rome"), ("Émile", "Bonn")):
            made = await inbox.site.ask(
                f"<m:CreateItem><m:Items><t:Contact><t:DisplayName>{name}</t:DisplayName>"
                f'<t:EmailAddresses><t:Entry Key="EmailAddress1">{name[0].lower()}@example.test</t:Entry></t:EmailAddresses>'
                f'<t:PhysicalAddresses><t:Entry Key="Home"><t:City>{city}</t:City></t:Entry></t:PhysicalAddresses>'
                "</t:Contact></m:Items></m:CreateItem>"
            )
            assert made.codes == ["NoError"], made.text
        name = field("contacts:DisplayName")

        async def found(restriction: str = "", view: str = "", order: str = "", query: str = "") -> list[str]:
            answer = await inbox.site.ask(find(contacts, restriction, order, view, query, paths=name))
            assert answer.codes == ["NoError"], answer.text
            return answer.texts(".//t:DisplayName")

        assert await found(view='<m:ContactsView MaxEntriesReturned="10"/>') == ["anna", "Bob", "Zoe", "Émile"]
        assert await found(view='<m:ContactsView InitialName="b" FinalName="c"/>') == ["Bob"]
        assert await found(view='<m:ContactsView MaxEntriesReturned="2" InitialName="B"/>') == ["Bob", "Zoe"]
        assert await found(order=by(name, "Descending")) == ["Émile", "Zoe", "Bob", "anna"]
        assert sorted(await found(contains(name, "o"))) == ["Bob", "Zoe"]
        email = '<t:IndexedFieldURI FieldURI="contacts:EmailAddress" FieldIndex="EmailAddress1"/>'
        assert await found(compare("IsEqualTo", email, "B@example.test")) == ["Bob"]
        other = '<t:IndexedFieldURI FieldURI="contacts:EmailAddress" FieldIndex="EmailAddress2"/>'
        assert await found(f"<t:Exists>{other}</t:Exists>") == []
        city = '<t:IndexedFieldURI FieldURI="contacts:PhysicalAddress:City" FieldIndex="Home"/>'
        assert sorted(await found(compare("IsEqualTo", city, "bonn"))) == ["anna", "Émile"]
        assert await found(query="rome") == ["Bob"]

    asyncio.run(steps())


def test_what_cannot_be_searched_is_told() -> None:
    async def steps() -> None:
        inbox = await Inbox.filled()
        deep = contains(SUBJECT, "a")
        for _ in range(50):
            deep = f"<t:Not>{deep}</t:Not>"
        assert len(await inbox.found(deep)) > 0
        many = f"<t:And>{contains(SUBJECT, 'a') * 255}</t:And>"
        for restriction, code in (
            (many, "ErrorRestrictionTooComplex"),
            (contains(SUBJECT, "a" * 9_000), "ErrorRestrictionTooLong"),
            (contains(field("item:MimeContent"), "a"), "ErrorUnsupportedPathForQuery"),
            (contains(field("item:Nothing"), "a"), "ErrorUnsupportedPathForQuery"),
            (contains(RECEIVED, "a"), "ErrorContainsFilterWrongType"),
            (f"<t:Excludes>{COUNT}<t:Bitmask Value='x'/></t:Excludes>", "ErrorInvalidExcludesRestriction"),
            ("<t:And/>", "ErrorInvalidRestriction"),
            ("<t:Near/>", "ErrorSchemaValidation"),
            (f"<t:Contains>{SUBJECT}</t:Contains>", "ErrorInvalidRestriction"),
            (contains(SUBJECT, "a", "Somewhere"), "ErrorSchemaValidation"),
        ):
            assert (await inbox.ask(restriction)).codes == [code], restriction
        for view, code in (
            ('<m:IndexedPageItemView Offset="-1" BasePoint="Beginning"/>', "ErrorInvalidIndexedPagingParameters"),
            ('<m:IndexedPageItemView MaxEntriesReturned="0" Offset="0" BasePoint="End"/>', "ErrorInvalidPagingMaxRows"),
            ('<m:FractionalPageItemView Numerator="3" Denominator="2"/>', "ErrorInvalidFractionalPagingParameters"),
            ('<m:FractionalPageItemView Numerator="0" Denominator="0"/>', "ErrorInvalidFractionalPagingParameters"),
        ):
            assert (await inbox.ask(view=view)).codes == [code]
        assert (await inbox.ask(order=by(field("item:MimeContent")))).codes == ["ErrorUnsupportedPathForSortGroup"]
        for query, code in (
            ("(a", "ErrorUnsupportedQueryFilter"),
            ("a)", "ErrorUnsupportedQueryFilter"),
            ("received:someday", "ErrorUnsupportedQueryFilter"),
            ("isread:perhaps", "ErrorUnsupportedQueryFilter"),
            ("a " * 300, "ErrorRestrictionTooComplex"),
            ("a" * 5_000, "ErrorQueryFilterTooLong"),
        ):
            assert (await inbox.ask(query=query)).codes == [code], query

    asyncio.run(steps())


@pytest.mark.parametrize("uri", ["item:Attachments", "item:Body", "item:MimeContent", "item:TextBody"])
def test_a_property_that_no_list_has_is_not_for_this_operation(uri: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox = await site.folder(FolderKind.INBOX)
        answer = await site.ask(find(inbox, paths=SUBJECT + field(uri)))
        assert answer.codes == ["ErrorInvalidPropertyForOperation"]
        assert answer.find(".//m:MessageXml/t:FieldURI").attrib["FieldURI"] == uri
        mime = "<t:IncludeMimeContent>true</t:IncludeMimeContent><t:AdditionalProperties>"
        told = await site.ask(find(inbox).replace("<t:AdditionalProperties>", mime))
        assert told.codes == ["ErrorInvalidPropertyForOperation"]

    asyncio.run(steps())


LUNCH = contains(SUBJECT, "Lunch")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        # A condition beside the Restriction, one in the wrong namespace, and one of two.
        (f"<m:Restriction>{LUNCH}</m:Restriction>", LUNCH),
        ("m:Restriction", "t:Restriction"),
        ("</m:Restriction>", "</m:Restriction><m:Restriction/>"),
        ("m:ParentFolderIds", "m:ParentFolderIDs"),
        ('Traversal="Shallow"', 'Traversal="Shallow" MaxEntriesReturned="1"'),
    ],
)
def test_what_the_schema_has_not_is_a_fault(right: str, wrong: str) -> None:
    """Else a client would get every item where it asked for some."""

    async def steps() -> None:
        inbox = await Inbox.filled()
        request = (
            '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>'
            f"<m:Restriction>{LUNCH}</m:Restriction><m:ParentFolderIds>"
            '<t:DistinguishedFolderId Id="inbox"/></m:ParentFolderIds></m:FindItem>'
        )
        assert len((await inbox.site.ask(request)).all(".//t:ItemId")) == 2
        assert right in request
        answer = await inbox.site.ask(request.replace(right, wrong))
        assert (answer.status, answer.fault) == (500, "ErrorSchemaValidation"), answer.text

    asyncio.run(steps())


def test_folders_have_no_associated_or_softly_deleted_items() -> None:
    async def steps() -> None:
        inbox = await Inbox.filled()
        for traversal in ("Associated", "SoftDeleted"):
            assert await inbox.found(attributes=f'Traversal="{traversal}"') == []
        assert (await inbox.ask(attributes='Traversal="Deep"')).codes == ["ErrorSchemaValidation"]

    asyncio.run(steps())


def test_rights_decide_in_anothers_folder() -> None:
    async def steps() -> None:
        inbox = await Inbox.filled()
        await inbox.site.folder(FolderKind.INBOX, BOB)
        body = find(inbox.folder)
        assert (await inbox.site.ask(body, BOB)).codes == ["ErrorFolderNotFound"]
        await inbox.site.sharing.set_rights(recipient_of(ALICE), inbox.folder, guid_of(BOB), Right.VISIBLE)
        assert (await inbox.site.ask(body, BOB)).codes == ["ErrorAccessDenied"]
        rights = Right.VISIBLE | Right.READ_ANY
        await inbox.site.sharing.set_rights(recipient_of(ALICE), inbox.folder, guid_of(BOB), rights)
        assert len((await inbox.site.ask(body, BOB)).texts(".//t:Subject")) == len(SUBJECTS)

    asyncio.run(steps())
