"""The threading algorithms themselves, from RFC 5256's own cases to hostile references. covers: forest"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.store import threads
from postern.store.threads import Message, ordered_subject, references


def _message(uid: int, refs: str = "", subject: str = "", reply: bool = False, sent: int | None = None) -> Message:
    return Message(
        uid, uid if sent is None else sent, b"m%d" % uid, tuple(refs.encode().split()), subject.encode(), reply
    )


@pytest.mark.parametrize(
    ("messages", "answer"),
    [
        ([], b""),
        ([_message(1)], b"(1)"),
        ([_message(1), _message(2, "m1"), _message(3, "m1 m2")], b"(1 2 3)"),
        # the parent is not here: a dummy joins the two
        ([_message(2, "m1"), _message(3, "m1")], b"((2)(3))"),
        # an only child of a dummy takes its place
        ([_message(3, "m1 m2")], b"(3)"),
        # references in a circle
        ([_message(1, "m2"), _message(2, "m1")], b"(2 1)"),
        ([_message(1, "m1")], b"(1)"),
        # the same base subject joins roots: a reply goes below
        ([_message(1, subject="s"), _message(2, subject="s", reply=True)], b"(1 2)"),
        ([_message(1, subject="s", reply=True), _message(2, subject="s")], b"(2 1)"),
        # neither is a reply: siblings
        ([_message(1, subject="s"), _message(2, subject="s")], b"((1)(2))"),
        ([_message(1, subject="s"), _message(2, subject="s"), _message(3, subject="s")], b"((1)(2)(3))"),
        # the table's message is not come to before a dummy has taken it
        (
            [
                _message(1, subject="s"),
                _message(2, "x", "s", reply=True),
                _message(3, "x", "s"),
                _message(4, subject="s"),
            ],
            b"((1)(2)(3)(4))",
        ),
        # siblings by date
        ([_message(1), _message(2, "m1", sent=9), _message(3, "m1", sent=5)], b"(1 (3)(2))"),
    ],
)
def test_references(messages: list[Message], answer: bytes) -> None:
    assert references(messages) == answer


def test_others_references_give_no_parent_that_a_message_does_not_have() -> None:
    """RFC 5256 section 3, step 1.B: "if this message has no references, ... it will now have no parent"."""
    messages = [
        _message(1, "gone", "child", sent=2),
        _message(2, "m1 m3", "grand", sent=3),
        _message(3, subject="root", sent=1),
    ]
    assert references(messages) == b"(3 2)(1)"


def test_the_last_reference_is_the_parent_whatever_others_said() -> None:
    messages = [_message(1), _message(2), _message(4, "m1 m3"), _message(3, "m2")]
    assert references(messages) == b"(1)(2 3 4)"


def test_two_messages_with_one_id_are_both_there() -> None:
    twins = [Message(1, 1, b"same", (), b"a", False), Message(2, 2, b"same", (), b"b", False)]
    assert references(twins) == b"(1)(2)"


def test_ordered_subject() -> None:
    messages = [_message(1, subject="b", sent=5), _message(2, subject="a", sent=1), _message(3, subject="b", sent=2)]
    assert ordered_subject(messages) == b"(2)(3 1)"


def test_a_thread_thousands_deep() -> None:
    messages = [_message(1)] + [_message(n, f"m{n - 1}") for n in range(2, 5001)]
    assert references(messages) == b"(" + b" ".join(b"%d" % n for n in range(1, 5001)) + b")"


_MAILS = st.lists(
    st.tuples(
        st.lists(st.integers(1, 8), max_size=4), st.sampled_from(["", "s", "t"]), st.booleans(), st.integers(0, 3)
    ),
    max_size=8,
)
_Mails = list[tuple[list[int], str, bool, int]]


def _messages(data: _Mails) -> list[Message]:
    return [
        _message(uid, " ".join(f"m{r}" for r in refs), subject, reply, sent)
        for uid, (refs, subject, reply, sent) in enumerate(data, 1)
    ]


@given(_MAILS, st.integers(0, 6))
def test_deep_threads_are_told_as_shallow_ones(data: _Mails, climbed: int) -> None:
    """What is done once threads turn out to be deep gives what climbing from parent to parent gives."""
    messages = _messages(data)
    told = references(messages)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "_CLIMBED", 0)
        patch.setattr(threads, "_FEW", climbed - 1)
        assert references(messages) == told


@given(_MAILS)
def test_every_message_appears_once_in_balanced_parentheses(data: _Mails) -> None:
    messages = _messages(data)
    for build in (references, ordered_subject):
        answer = build(messages)
        assert sorted(map(int, re.findall(rb"\d+", answer))) == list(range(1, len(data) + 1))
        depth = 0
        for character in answer.decode():
            depth += {"(": 1, ")": -1}.get(character, 0)
            assert depth >= 0
        assert depth == 0
        assert b"()" not in answer and b"( " not in answer
