"""Commands to values.

covers: cursor, commands, parse_fetch, parse_search
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.model.items import Flag, FlagChange
from postern.model.search import SearchTerm, SortKey
from postern.protocols.imap import modified_utf7
from postern.protocols.imap.commands import (
    Append,
    Authenticate,
    BodyPart,
    Command,
    Fetch,
    Invalid,
    List,
    Login,
    OnIdentifier,
    OnMailbox,
    Search,
    SetAcl,
    Sort,
    Status,
    Store,
)
from postern.protocols.imap.cursor import SAVED, STAR
from postern.protocols.imap.parse import parse
from postern.store.folders import MAX_PATH_OCTETS, checked_path


def said(text: str, *literals: bytes, utf8: bool = False) -> Any:
    return parse(b"a1 " + text.encode(), list(literals), utf8)


def program(text: str, *literals: bytes) -> SearchTerm:
    command = said("SEARCH " + text, *literals)
    assert isinstance(command, Search), command
    return command.program


def test_login_takes_atoms_quoted_strings_and_literals() -> None:
    assert said("LOGIN alice secret") == Login(b"a1", "LOGIN", "alice", "secret")
    assert said(r'login "al\"ice" "a\\b"') == Login(b"a1", "LOGIN", 'al"ice', "a\\b")
    literal = said("LOGIN {5}\r\n {3+}\r\n", b"alice", "비".encode())
    assert literal == Login(b"a1", "LOGIN", "alice", "비")


def test_a_password_is_never_shown() -> None:
    assert "secret" not in repr(said("LOGIN alice secret"))
    assert "c2Vj" not in repr(said("AUTHENTICATE PLAIN c2Vj"))


def test_authenticate_knows_the_empty_initial_response() -> None:
    assert said("AUTHENTICATE plain") == Authenticate(b"a1", "AUTHENTICATE", "PLAIN", None)
    assert said("AUTHENTICATE EXTERNAL =") == Authenticate(b"a1", "AUTHENTICATE", "EXTERNAL", b"")


@pytest.mark.parametrize(
    ("text", "name"),
    [("inbox", "INBOX"), ("InBoX/a", "INBOX/a"), ('"&vBvHQA-"', "받은"), ("~peter", "~peter"), ("inboxes", "inboxes")],
)
def test_mailbox_names(text: str, name: str) -> None:
    assert said("SELECT " + text).mailbox == name


def test_every_path_that_the_store_keeps_has_a_name_on_the_wire() -> None:
    """Each of these letters is shifted alone, and needs the most octets of modified UTF-7."""
    name = checked_path([*["é&" * 85] * 7, "é&" * 69 + "&"])
    path = "/".join(name)
    assert len(path.encode()) == MAX_PATH_OCTETS
    for literal, utf8 in ((modified_utf7.encode(path), False), (path.encode(), True)):
        assert said(f"SELECT {{{len(literal)}}}\r\n", literal, utf8=utf8).mailbox == path
    assert said("SELECT {5000}\r\n", b"&AOk-" * 1_000).mailbox == "é" * 1_000
    assert said("SELECT {5001}\r\n", b"x" * 5_001).text == "Mailbox name too long"


def test_mailbox_names_in_utf8_once_enabled() -> None:
    assert said('SELECT "R&D 받은"', utf8=True).mailbox == "R&D 받은"
    assert said('SELECT "받은"', utf8=True).mailbox == "받은", "form C"
    assert said('SELECT "&vBv"').code == "CANNOT"


def test_fetch_macros_and_lists() -> None:
    assert said("FETCH 1 ALL").items == ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE")
    assert said("uid fetch 1:* (FLAGS UID flags)") == Fetch(b"a1", "UID FETCH", ((1, STAR),), ("FLAGS", "UID"))
    assert isinstance(said("FETCH 1 (ALL)"), Invalid)
    assert said("FETCH $ UID").messages == SAVED
    changed = said("UID FETCH 1,3:5 (UID) (CHANGEDSINCE 12)")
    assert changed.changed_since == 12 and changed.items == ("UID", "MODSEQ")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("BODY[]", BodyPart(b"BODY[]")),
        ("BODY.PEEK[]<10.20>", BodyPart(b"BODY[]<10>", partial=(10, 20), peek=True)),
        ("body[1.2.mime]", BodyPart(b"BODY[1.2.MIME]", part=(1, 2), what="MIME")),
        ("BODY[3.HEADER]", BodyPart(b"BODY[3.HEADER]", part=(3,), what="HEADER")),
        (
            "BODY[HEADER.FIELDS (From x-a)]",
            BodyPart(b"BODY[HEADER.FIELDS (FROM X-A)]", what="HEADER.FIELDS", fields=(b"From", b"x-a")),
        ),
        ("RFC822.HEADER", BodyPart(b"RFC822.HEADER", what="HEADER", peek=True)),
        ("BINARY[2]", BodyPart(b"BINARY[2]", kind="BINARY", part=(2,))),
        ("BINARY.SIZE[2]", BodyPart(b"BINARY.SIZE[2]", kind="BINARY.SIZE", part=(2,), peek=True)),
    ],
)
def test_fetch_sections(text: str, part: BodyPart) -> None:
    assert said(f"FETCH 1 {text}").items == (part,)


@pytest.mark.parametrize(
    "text",
    [
        "FETCH 0 UID",
        "FETCH 1",
        "FETCH 1 ()",
        "FETCH 1 BODY[0]",
        "FETCH 1 BODY[MIME]",
        "FETCH 1 BODY[1.FOO]",
        "FETCH 1 BODY[HEADER.FIELDS ()]",
        "FETCH 1 BODY[]<0.0>",
        "FETCH 1 BINARY[1.TEXT]",
        "FETCH 99999999999 UID",
        "FETCH 1 UID EXTRA",
        "STORE 1 FLAGS (\\Nonsense)",
        "STORE 1 FLOGS (\\Seen)",
        "SELECT",
        "SELECT a b",
        "SEARCH",
        "SEARCH BOGUS",
        "SEARCH SINCE yesterday",
        "SEARCH (1",
        "SORT () UTF-8 ALL",
        "SORT (BOGUS) UTF-8 ALL",
        "STATUS a ()",
        "STATUS a (BOGUS)",
        "LIST (RECURSIVEMATCH) a *",
        "APPEND a",
        'APPEND a "not a date" {1}\r\n',
        "UID SELECT a",
        "CAPABILITY x",
        "LOGIN a",
        'LOGIN a "b',
        "SETACL a bob",
        'SETACL a "" lr',
        "SETACL a bob lrQ",
        "SETACL a bob lrq",
        "SETACL a bob lr1",
        "SETACL a bob lr-w",
        "SETACL a " + "b" * 1_001 + " lr",
        "GETACL a bob",
        "LISTRIGHTS a",
        'DELETEACL a ""',
        "NOSUCH",
    ],
)
def test_bad_commands_are_invalid_under_their_tag(text: str) -> None:
    command = said(text, b"x")
    assert isinstance(command, Invalid), command
    assert command.tag == b"a1" and not command.code


def test_store() -> None:
    command = said("UID STORE 4:2,7 (UNCHANGEDSINCE 9) -FLAGS.SILENT (\\seen $Junk \\Recent)")
    assert isinstance(command, Store)
    assert command.messages == ((4, 2), (7, 7)) and command.change is FlagChange.REMOVE and command.silent
    assert command.flags.bits == Flag.SEEN and command.flags.keywords == ("$Junk",)
    assert command.unchanged_since == 9
    assert said("STORE 1 +FLAGS \\Seen \\Deleted").flags.bits == Flag.SEEN | Flag.DELETED


def test_append_takes_several_messages() -> None:
    command = said(
        'APPEND Sent (\\Seen) " 1-Feb-1994 21:52:25 +0000" {3}\r\n {3+}\r\n UTF8 (~{2}\r\n)', b"abc", b"def", b"gh"
    )
    assert isinstance(command, Append)
    assert [message.content for message in command.messages] == [b"abc", b"def", b"gh"]
    assert command.messages[0].internal_date == 760139545 and command.messages[0].flags.bits == Flag.SEEN


def test_access_control() -> None:
    """RFC 4314 section 7; an identifier is UTF-8 (appendix A)."""
    assert said("SetAcl inbox bob +lrl") == SetAcl(b"a1", "SETACL", "INBOX", "bob", "+", "lr")
    assert said('SETACL "a b" {4}\r\n ""', "박".encode() + b"x") == SetAcl(b"a1", "SETACL", "a b", "박x", "", "")
    assert said("SETACL a -bob -d") == SetAcl(b"a1", "SETACL", "a", "-bob", "-", "d")
    assert said("LISTRIGHTS a anyone") == OnIdentifier(b"a1", "LISTRIGHTS", "a", "anyone")
    assert said("DELETEACL a anyone") == OnIdentifier(b"a1", "DELETEACL", "a", "anyone")
    assert said("GETACL inbox") == OnMailbox(b"a1", "GETACL", "INBOX", "inbox")
    assert said("MYRIGHTS a") == OnMailbox(b"a1", "MYRIGHTS", "a", "a")
    assert said('LIST "" * RETURN (MYRIGHTS)').returns == {"MYRIGHTS"}


def test_search_programs() -> None:
    assert program("ALL") == SearchTerm("all")
    assert program("UNSEEN 1:*") == SearchTerm(
        "and",
        terms=(
            SearchTerm("not", terms=(SearchTerm("flag", number=Flag.SEEN),)),
            SearchTerm("sequence", uids=((1, STAR),)),
        ),
    )
    assert program("OR (FROM a) NOT UID 3") == SearchTerm(
        "or",
        terms=(
            SearchTerm("and", terms=(SearchTerm("from", text="a"),)),
            SearchTerm("not", terms=(SearchTerm("uid", uids=((3, 3),)),)),
        ),
    )
    assert program('HEADER X-A ""') == SearchTerm("header", name="X-A")
    assert program("SENTSINCE 1-Feb-1994") == SearchTerm("sentsince", number=8797)
    assert program('MODSEQ "/flags/\\\\draft" all 620') == SearchTerm("modseq", number=620)
    assert program("KEYWORD $Junk") == SearchTerm("keyword", text="$Junk")


def test_search_decodes_its_charset() -> None:
    assert program("CHARSET UTF-8 SUBJECT {6}\r\n", "한글".encode()).text == "한글"
    assert program("CHARSET EUC-KR SUBJECT {4}\r\n", "한글".encode("euc-kr")).text == "한글"
    assert program("SUBJECT {6}\r\n", "한글".encode()).text == "한글"
    assert said("SEARCH CHARSET X-NONE ALL").code == "BADCHARSET (US-ASCII UTF-8)"
    assert said("SEARCH CHARSET EUC-KR SUBJECT {1}\r\n", b"\xff").code == "BADCHARSET"


def test_search_is_bounded() -> None:
    assert said("SEARCH " + "(" * 60 + "ALL" + ")" * 60).code == "LIMIT"
    assert said("SEARCH " + "NOT " * 60 + "ALL").code == "LIMIT"
    assert said("SEARCH" + " ALL" * 3000).code == "LIMIT"
    assert said("SEARCH TEXT {8193}\r\n", b"x" * 8193).code == "LIMIT"
    assert isinstance(said("SEARCH TEXT {8192}\r\n", b"x" * 8192), Search)


def test_search_returns() -> None:
    assert said("SEARCH RETURN () ALL").returns == {"ALL"}
    assert said("SEARCH RETURN (MIN COUNT) ALL").returns == {"MIN", "COUNT"}
    assert said("SEARCH ALL").returns is None


def test_sort_and_thread() -> None:
    command = said("UID SORT (REVERSE DATE SUBJECT) UTF-8 ALL")
    assert isinstance(command, Sort) and command.uid
    assert command.keys == (SortKey("date", True), SortKey("subject"))
    assert said("THREAD REFERENCES US-ASCII ALL").algorithm == "REFERENCES"


def test_list_extended() -> None:
    command = said('LIST (SUBSCRIBED) "" (INBOX "a/%") RETURN (CHILDREN STATUS (MESSAGES UNSEEN))')
    assert command == List(
        b"a1",
        "LIST",
        "",
        ("INBOX", "a/%"),
        frozenset({"SUBSCRIBED"}),
        frozenset({"CHILDREN", "STATUS"}),
        ("MESSAGES", "UNSEEN"),
        True,
    )
    assert said('LIST "" %').patterns == ("%",)
    assert said("STATUS a (MESSAGES SIZE)") == Status(b"a1", "STATUS", "a", ("MESSAGES", "SIZE"))


TOKENS = """a1 UID FETCH STORE SEARCH SORT LIST LOGIN APPEND SELECT STATUS ENABLE ID NIL ( ) [ ] < > " {3} $ * 1:* 0 2,3 BODY[
BODY.PEEK[ HEADER.FIELDS TEXT MIME 1.2 OR NOT SUBJECT CHARSET UTF-8 RETURN MIN +FLAGS \\Seen UTF8 ~{2}"""
WORDS = st.lists(st.sampled_from(TOKENS.split()), max_size=12)


@given(WORDS, st.sampled_from([" ", ""]))
def test_garbage_of_tokens_never_raises(words: list[str], between: str) -> None:
    text = between.join(words).replace("}", "}\r\n").encode()
    literals = [b"abc"] * text.count(b"\r\n")
    assert isinstance(parse(b"t " + text, literals), Command)


@given(st.binary(max_size=80))
def test_garbage_of_bytes_never_raises(data: bytes) -> None:
    assert isinstance(parse(data.replace(b"\n", b""), []), Command)
