"""A booking policy as plain values, there and back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.items.booking import Policy
from postern.items.booking_values import MOST, all_values_of, policy_of, values_of

_PEOPLE = st.frozensets(st.sampled_from(["a@x.test", "b@x.test", "c@y.test"]))
_CIRCLES = st.none() | _PEOPLE


@given(
    st.builds(
        Policy,
        automatic=st.booleans(),
        bookers=_CIRCLES,
        requesters=_CIRCLES,
        exempt=_CIRCLES,
        delegates=_PEOPLE,
        outsiders=st.booleans(),
        window_days=st.integers(0, MOST["window_days"]),
        longest_minutes=st.integers(0, MOST["longest_minutes"]),
        conflict_percent_of_series=st.integers(0, 100),
        response=st.text(max_size=20),
    )
)
def test_a_policy_comes_back(policy: Policy) -> None:
    assert policy_of(json.loads(json.dumps(values_of(policy)))) == policy
    assert policy_of(json.loads(json.dumps(all_values_of(policy)))) == policy


def test_only_what_differs_is_kept() -> None:
    assert values_of(Policy()) == {}
    assert values_of(Policy(requesters=None, window_days=30)) == {"requesters": ["*"], "window_days": 30}


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("windowdays", 3, "no setting windowdays"),
        ("window_days", 2_000, "from 0 to 1080"),
        ("window_days", True, "from 0 to 1080"),
        ("series", 1, "true or false"),
        ("bookers", "a@x.test", "list of at most"),
        ("bookers", ["a"], "has addresses"),
        ("delegates", ["*"], "has addresses"),
        ("response", "x" * 2_001, "a text of at most"),
    ],
)
def test_what_is_wrong_is_said(name: str, value: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        policy_of({name: value})
