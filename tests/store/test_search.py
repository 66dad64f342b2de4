"""SEARCH is exact whatever the charset; SORT and THREAD as RFC 5256 says."""

from __future__ import annotations

import asyncio
import base64
import quopri
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from postern.model.items import Column
from postern.model.mailbox import MailboxError
from postern.model.search import SearchTerm, SortKey
from postern.store import search
from postern.store.database import MailboxDatabase
from tests.store.conftest import Box, Store, message

pytestmark = pytest.mark.slow

_WORDS = {
    "회의록": ("euc-kr", "cp949", "utf-8"),
    "議事録": ("iso-2022-jp", "shift_jis", "euc-jp"),
    "会议记录": ("gb18030", "gb2312"),
    "會議記錄": ("big5", "utf-8"),
}


def _encoded(word: str, charset: str, encoding: str) -> bytes:
    body = f"앞 {word}뒤".replace("앞 ", "< ").replace("뒤", " >").encode(charset)
    if encoding == "base64":
        body = base64.encodebytes(body)
    elif encoding == "quoted-printable":
        body = quopri.encodestring(body)
    subject = base64.b64encode(word.encode(charset))
    return (
        b"Subject: =?%b?B?%b?=\r\nContent-Type: text/plain; charset=%b\r\nContent-Transfer-Encoding: %b\r\n\r\n%b"
        % (charset.encode(), subject, charset.encode(), encoding.encode(), body)
    )


@pytest.fixture(scope="module")
def asian(store: Store) -> tuple[Box, dict[str, list[int]]]:
    box = store.mailbox()
    where: dict[str, list[int]] = {}
    for word, charsets in _WORDS.items():
        for charset in charsets:
            for encoding in ("8bit", "base64", "quoted-printable"):
                where.setdefault(word, []).extend(box.append(_encoded(word, charset, encoding)))
    box.append(message("other", "nothing of it"))
    return box, where


@pytest.mark.parametrize("word", _WORDS)
@pytest.mark.parametrize("key", ["subject", "body", "text"])
def test_words_in_any_charset(asian: tuple[Box, dict[str, list[int]]], word: str, key: str) -> None:
    box, where = asian
    assert box.search(key, text=word) == where[word]
    assert box.search(key, text=word[1:]) == where[word]


def _and(*terms: SearchTerm) -> dict[str, Any]:
    return {"terms": terms}


@pytest.fixture(scope="module")
def mixed(store: Store) -> Box:
    box = store.mailbox()
    date = 1_700_000_000  # 14 November 2023, 22:13:20 UTC: day 19675
    html = "<html><body>Bud<b>get</b> &amp; plan<style>hidden{}</style></body></html>"
    box.append(
        message("Budget 100%_\\", "quick brown Fox", From="Alice <alice@example.org>", To="bob@x.org"), date=date
    )
    box.append(
        message("Re: budget", html, Content_Type="text/html", From="bob@x.org", Cc="alice@example.org"),
        date=date + 86400,
    )
    box.append(
        message("STRASSE", "Straße", Date="Wed, 15 Nov 2023 01:00:00 +0900", X_Note="alice@example.org"), date=date
    )
    box.append(message("long", "z" * 9000, List_Id="<l.x>"), date=date, flags=1 | 4)
    return box


@pytest.mark.parametrize(
    ("key", "values", "uids"),
    [
        ("all", {}, [1, 2, 3, 4]),
        ("subject", {"text": "BUDGET"}, [1, 2]),
        ("subject", {"text": "100%_\\"}, [1]),
        ("subject", {"text": "0%x"}, []),
        ("body", {"text": "budget & plan"}, [2]),
        ("body", {"text": "hidden"}, []),
        ("body", {"text": "budget 100"}, []),
        ("text", {"text": "budget"}, [1, 2]),
        ("text", {"text": "strasse"}, [3]),
        ("body", {"text": "STRASSE"}, [3]),
        ("from", {"text": "alice"}, [1]),
        ("cc", {"text": "EXAMPLE.org"}, [2]),
        ("to", {"text": "example.org"}, []),
        ("header", {"name": "X-Note", "text": "alice"}, [3]),
        ("header", {"name": "list-id", "text": ""}, [4]),
        ("header", {"name": "x", "text": ""}, []),
        ("larger", {"number": 9000}, [4]),
        ("smaller", {"number": 9000}, [1, 2, 3]),
        ("before", {"number": 19676}, [1, 3, 4]),
        ("on", {"number": 19676}, [2]),
        ("since", {"number": 19676}, [2]),
        ("senton", {"number": 19676}, [2, 3]),
        ("sentbefore", {"number": 19676}, [1, 4]),
        ("sentsince", {"number": 19676}, [2, 3]),
        ("flag", {"number": 4}, [4]),
        ("flag", {"number": 5}, [4]),
        ("uid", {"uids": ((2, 2), (4, 3))}, [2, 3, 4]),
        ("uid", {"uids": ()}, []),
        ("not", _and(SearchTerm("flag", number=1)), [1, 2, 3]),
        ("or", _and(SearchTerm("flag", number=1), SearchTerm("from", text="bob")), [2, 4]),
        ("and", _and(SearchTerm("subject", text="budget"), SearchTerm("not", terms=(SearchTerm("uid", uids=((1, 1),)),))), [2]),
        ("and", _and(), [1, 2, 3, 4]),
        ("or", _and(), []),
    ],
)  # fmt: skip
def test_keys(mixed: Box, key: str, values: dict[str, Any], uids: list[int]) -> None:
    assert mixed.search(key, **values) == uids


def test_addresses_are_searched_as_the_envelope_tells_them(store: Store) -> None:
    box = store.mailbox()
    box.append(message("comment", From="Carol (in (her) office) <carol @ example . org>", To='"Q. (x)" <dan@x.org>'))
    box.append(message("escapes", From='"Mike \\"M\\" Doe" <mike@x.org>', Cc='"carol@example.org" <eve@x.org>'))
    box.append(message("plain", From="Carol <carol@example.org>", Cc="Big Bug bug@x.org"))
    assert box.search("from", text="carol@example.org") == [1, 3]
    assert box.search("from", text="office") == []
    assert box.search("header", name="From", text="office) <") == [1]
    assert box.search("from", text='mike "m" doe') == [2]
    assert box.search("cc", text="carol@example.org") == [2]
    assert box.search("cc", text="") == [2, 3]
    assert box.search("bcc", text="") == []
    assert box.search("text", text="office") == [1]


def test_the_epoch_is_a_date(store: Store) -> None:
    box = store.mailbox()
    box.append(message("epoch", Date="Thu, 01 Jan 1970 00:00:00 +0000"), date=1_700_000_000)
    box.append(message("none"), date=1_600_000_000)
    assert box.search("sentbefore", number=1) == [1]
    assert box.search("senton", number=1_600_000_000 // 86_400) == [2]
    sort = [SortKey("date", False)]
    assert list(store.run(store.database.search(box.guid, box.inbox, SearchTerm("all"), sort)).uids) == [1, 2]


def test_sets_of_any_shape(store: Store) -> None:
    """Few ranges and many, single UIDs among them, given in any order and either way round."""
    box = store.mailbox()
    box.append(*[message(str(n)) for n in range(120)])
    for ranges in (
        [(n, n + 1) for n in range(1, 110, 3)],
        [(n + 1, n) for n in range(100, 1, -4)] + [(7, 7), (111, 111)],
        [(n, n) for n in range(1, 120, 2)],
        [(5, 9), (3, 3), (200, 300)],
    ):
        found = list(store.run(store.database.search(box.guid, box.inbox, SearchTerm("uid", uids=tuple(ranges)))).uids)
        assert found == [n for n in range(1, 121) if any(min(pair) <= n <= max(pair) for pair in ranges)]


def test_modseq(mixed: Box) -> None:
    folder = mixed.store.run(mixed.store.database.folder(mixed.guid, mixed.inbox))
    assert mixed.search("modseq", number=folder.highest_modseq) == [4]


@pytest.mark.parametrize("term", [SearchTerm("nonsense"), SearchTerm("and", terms=(SearchTerm("all"),) * 2000)])
def test_what_is_no_program_is_refused(mixed: Box, term: SearchTerm) -> None:
    with pytest.raises(MailboxError):
        mixed.store.run(mixed.store.database.search(mixed.guid, mixed.inbox, term))


def test_quotes_in_needles_are_data(mixed: Box) -> None:
    assert mixed.search("text", text="'); DROP TABLE items; --") == []
    assert mixed.search("header", name="a'\n:", text="\0'") == []
    assert mixed.search("all") == [1, 2, 3, 4]


def test_sort(store: Store) -> None:
    box = store.mailbox()
    box.append(message("[x] re: Beta", From="Zoe <carol@x>", Date="Mon, 1 Jan 2024 00:00:00 +0000"), date=30)
    box.append(message("alpha", From="Adam <dave@x>", Date="Tue, 2 Jan 2024 00:00:00 +0000"), date=20)
    box.append(message("BETA", From="bob@x", Date="Sun, 31 Dec 2023 00:00:00 +0000"), date=10)

    def sort(*keys: tuple[str, bool]) -> list[int]:
        chosen = [SortKey(key, reverse) for key, reverse in keys]
        return list(store.run(store.database.search(box.guid, box.inbox, SearchTerm("all"), chosen)).uids)

    assert sort(("subject", False)) == [2, 1, 3]
    assert sort(("subject", False), ("date", False)) == [2, 3, 1]
    assert sort(("subject", True)) == [1, 3, 2]
    assert sort(("arrival", False)) == [3, 2, 1]
    assert sort(("date", True)) == [2, 1, 3]
    assert sort(("from", False)) == [3, 1, 2]
    assert sort(("displayfrom", False)) == [2, 3, 1]
    assert sort(("uid", True)) == [3, 2, 1]
    assert sort(("uid", False)) == [1, 2, 3]
    with pytest.raises(MailboxError):
        sort(("colour", False))


def test_sort_is_by_upper_case_letters_with_their_accents_behind_them(store: Store) -> None:
    """RFC 5256 section 3 by i;unicode-casemap (RFC 5051)."""
    box = store.mailbox()
    ordered = ["!a", "eA", "Eb", "éa", "f", "Zoo", "[a", "^a", "_a", "{a", "가", "나"]
    for subject in reversed(ordered):
        box.append(message(subject, From=f'"x" <{len(subject)}@x>'))
    found = list(store.run(store.database.search(box.guid, box.inbox, SearchTerm("all"), [SortKey("subject")])).uids)
    assert [ordered[-uid] for uid in found] == ordered


def test_thread(store: Store) -> None:
    box = store.mailbox()
    day = "{} Jan 2024 00:00:00 +0000"
    box.append(message("start", Message_ID="<1@x>", Date=day.format(1)))
    box.append(message("Re: start", Message_ID="<2@x>", In_Reply_To="<1@x>", Date=day.format(2)))
    box.append(message("Re: start", Message_ID="<3@x>", References="<1@x> <2@x>", Date=day.format(3)))
    box.append(message("Re: start", Message_ID="<4@x>", References="<1@x>", Date=day.format(4)))
    box.append(message("else", Message_ID="<5@x>", Date=day.format(5)))

    def thread(algorithm: str) -> bytes:
        return store.run(store.database.thread(box.guid, box.inbox, SearchTerm("all"), algorithm))

    assert thread("REFERENCES") == b"(1 (2 3)(4))(5)"
    assert thread("ORDEREDSUBJECT") == b"(1 (2)(3)(4))(5)"
    with pytest.raises(MailboxError):
        thread("REFS")


@contextmanager
def held(store: Store, table: str) -> Iterator[None]:
    """Nobody else reads the table meanwhile."""
    with psycopg.connect(store.dsn) as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


def test_who_searches_holds_up_nothing_else(store: Store) -> None:
    """More sessions search for words than there are connections, and get no answer: all else goes on, quick searches too."""
    busy, second, third, other = boxes = [store.mailbox() for _ in range(4)]
    for box in boxes:
        box.append(message("one", "a word"))
    words, unseen = SearchTerm("body", text="a word"), SearchTerm("not", terms=(SearchTerm("flag", number=1),))

    async def run() -> None:
        database = await MailboxDatabase.open(store.dsn, connections=8)
        try:
            with held(store, "texts"):
                searching = [
                    asyncio.create_task(database.search(box.guid, box.inbox, words))
                    for box in (*[busy] * 12, second, third)
                ]
                got = await database.fetch(busy.guid, busy.inbox, [(1, 1)], Column.CONTENT)
                assert list(got.contents) == [message("one", "a word")]
                assert list((await database.search(other.guid, other.inbox, unseen)).uids) == [1]
                assert not any(task.done() for task in searching)
            assert [list(found.uids) for found in await asyncio.gather(*searching)] == [[1]] * 14
        finally:
            await database.close()

    store.run(run())


def test_a_search_ends_after_its_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SECONDS", 0.2)
    box = store.mailbox()
    box.append(message("one", "a word"))
    words = SearchTerm("body", text="a word")

    async def run() -> None:
        database = await MailboxDatabase.open(store.dsn, connections=8)
        try:
            with held(store, "texts"):
                for ask in (
                    database.search(box.guid, box.inbox, words),
                    database.thread(box.guid, box.inbox, words, "REFERENCES"),
                ):
                    with pytest.raises(MailboxError) as late:
                        await ask
                    assert late.value.code == "LIMIT"
            got = await database.fetch(box.guid, box.inbox, [(1, 1)], Column.CONTENT)
            assert list(got.contents) == [message("one", "a word")]
        finally:
            await database.close()

    store.run(run())
    assert list(store.run(store.database.search(box.guid, box.inbox, words)).uids) == [1]


def test_a_search_ends_when_its_caller_goes_away(store: Store) -> None:
    """Again and again: until the database has ended what he left behind, his next search waits, and it does end it."""
    busy, other = store.mailbox(), store.mailbox()
    for box in (busy, other):
        box.append(message("one", "a word"))
    words = SearchTerm("body", text="a word")

    async def until_running(many: int) -> None:
        async with asyncio.timeout(30):
            while True:
                await asyncio.sleep(0.01)
                with psycopg.connect(store.dsn) as connection:
                    found = connection.execute(
                        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'postern-search'"
                        " AND datname = current_database() AND wait_event_type = 'Lock'"
                    ).fetchone()
                assert found is not None and found[0] <= 2
                if found[0] == many:
                    return

    async def run() -> None:
        database = await MailboxDatabase.open(store.dsn, connections=8)
        try:
            both = (database.search(box.guid, box.inbox, words) for box in (busy, other))
            assert [list(found.uids) for found in await asyncio.gather(*both)] == [
                [1],
                [1],
            ]  # both connections are there
            with held(store, "texts"):
                for ask in [database.search(busy.guid, busy.inbox, words) for _ in range(4)] + [
                    database.thread(busy.guid, busy.inbox, words, "REFERENCES")
                ]:
                    task = asyncio.create_task(ask)
                    await until_running(1)
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                await until_running(0)
                theirs = asyncio.create_task(database.search(other.guid, other.inbox, words))
                await until_running(1)
            assert list((await theirs).uids) == [1]
            assert list((await database.search(busy.guid, busy.inbox, words)).uids) == [1]
        finally:
            await database.close()

    store.run(run())
