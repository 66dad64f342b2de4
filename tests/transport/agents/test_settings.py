"""Settings of agents: what is written is read, what is wrong is said, from files and from command lines alike.

covers: catalogue
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.transport.agents.agent import Planned
from postern.transport.agents.catalogue import BUILT, CATALOGUE
from postern.transport.agents.connection_filter import ConnectionFilterSettings
from postern.transport.agents.recipient_filter import RecipientFilterSettings
from postern.transport.agents.sender_filter import SenderFilterSettings
from postern.transport.agents.sender_policy import Action, DmarcSettings
from postern.transport.agents.settings import described, dump, from_words, load


def test_defaults_and_what_differs() -> None:
    settings = load(RecipientFilterSettings, {"tarpit": 2, "block": ["A@x.test", "a@x.test"]})
    assert settings.tarpit == 2.0 and settings.block == ("a@x.test",) and settings.after == 3
    assert dump(settings) == {"block": ["a@x.test"], "tarpit": 2.0}
    assert load(RecipientFilterSettings, dump(settings)) == settings
    assert dump(load(DmarcSettings, {})) == {}
    assert dump(load(DmarcSettings, {"reject": "stamp"})) == {"reject": Action.STAMP}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (RecipientFilterSettings, {"tarpit": 61}),
        (RecipientFilterSettings, {"tarpit": -1}),
        (RecipientFilterSettings, {"tarpit": True}),
        (RecipientFilterSettings, {"tarpit": "5"}),
        (RecipientFilterSettings, {"unknown": 1}),
        (RecipientFilterSettings, {"block": "a@x.test"}),
        (RecipientFilterSettings, {"block": [1]}),
        (RecipientFilterSettings, {"block": ["a b"]}),
        (RecipientFilterSettings, {"block": ["x.test"] * 100_001}),
        (SenderFilterSettings, {"blank": 1}),
        (DmarcSettings, {"reject": "drop"}),
        (ConnectionFilterSettings, {"block": ["192.0.2.300"]}),
        (ConnectionFilterSettings, {"block": ["192.0.2.3 until tomorrow"]}),
        (ConnectionFilterSettings, {"providers": ["no zone"]}),
        (ConnectionFilterSettings, {"bypass": ["a@b@c"]}),
    ],
)
def test_what_is_wrong_is_said(kind: type[Any], values: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        load(kind, values)


@pytest.mark.parametrize(
    ("kind", "name", "words", "value"),
    [
        (RecipientFilterSettings, "tarpit", "0.5", 0.5),
        (RecipientFilterSettings, "tarpit", "1m", 60.0),
        (SenderFilterSettings, "blank", "yes", True),
        (SenderFilterSettings, "block", "a@x.test, y.test,", ["a@x.test", "y.test"]),
        (DmarcSettings, "reject", "stamp", "stamp"),
    ],
)
def test_words(kind: type[Any], name: str, words: str, value: Any) -> None:
    assert from_words(kind, name, words) == value
    load(kind, {name: value})


@pytest.mark.parametrize(("name", "words"), [("tarpit", "soon"), ("nothing", "1")])
def test_wrong_words(name: str, words: str) -> None:
    with pytest.raises(ValueError):
        from_words(RecipientFilterSettings, name, words)
    with pytest.raises(ValueError):
        from_words(SenderFilterSettings, "blank", "perhaps")


@given(
    st.dictionaries(
        st.sampled_from(["tarpit", "block", "after", "x"]),
        st.none() | st.booleans() | st.text() | st.lists(st.text()) | st.floats(),
    )
)
def test_whatever_a_file_holds_only_value_errors_come(values: dict[str, Any]) -> None:
    try:
        load(RecipientFilterSettings, values)
    except ValueError:
        pass


def test_the_catalogue_is_whole() -> None:
    names = [agent.name for agent in CATALOGUE]
    assert len(set(names)) == len(names)
    for agent in CATALOGUE:
        assert agent.says and agent.when(), agent.name
        if isinstance(agent, Planned):
            assert agent.waits_for, agent.name
            continue
        assert agent.doubt, agent.name
        for each in described(agent.settings_type):
            assert each.says
    # Exchange's order: who connects, who sends, who receives, what is in it; signing comes after all that changes a message.
    order = [
        "connection-filter",
        "sender-filter",
        "recipient-filter",
        "header-firewall",
        "spf",
        "dmarc",
        "dkim-signing",
    ]
    assert [name for name in BUILT if name in order] == order and names[-1] == "dkim-signing"
