"""Guessing gets slow, for the guesser and not for the owner; and the books stay small."""

from __future__ import annotations

import pytest

from postern.model.security import network
from postern.trust.passwords.backoff import MAX_WAIT, Backoff


def fail(backoff: Backoff, account: str, host: str, now: float) -> float | None:
    """One wrong guess, waited out; how long it had to wait, None if it was turned away."""
    guess = backoff.enter(account, host, now)
    if guess is None:
        return None
    guess.failed(now + guess.wait)
    return guess.wait


def test_an_account_s_failures_from_one_address_wait_twice_as_long_each_time() -> None:
    backoff, now, waits = Backoff(), 0.0, []
    for _ in range(12):
        wait = fail(backoff, "alice", "192.0.2.1", now)
        assert wait is not None
        waits.append(round(wait, 3))
        now += wait
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30]


def test_guesses_at_the_same_time_gain_nothing() -> None:
    backoff = Backoff()
    guesses = [backoff.enter("alice", "192.0.2.1", 0.0) for _ in range(100)]
    let_in = [guess for guess in guesses if guess is not None]
    assert len(let_in) < 12
    assert sum(guess.wait == 0 for guess in let_in) == 5
    assert all(guess.wait <= MAX_WAIT for guess in let_in)


def test_the_owner_is_not_locked_out() -> None:
    backoff = Backoff()
    owner = backoff.enter("alice", "198.51.100.7", 0.0)
    assert owner is not None
    owner.succeeded(0.0)
    for attacker in range(400):
        fail(backoff, "alice", f"192.0.2.{attacker % 250}", 1.0)
    assert backoff.is_free("alice", "198.51.100.7", 2.0)
    again = backoff.enter("alice", "198.51.100.7", 2.0)
    assert again is not None and again.wait == 0
    # Nor is the owner at a new address: what others did elsewhere is no reason to make him wait.
    assert backoff.is_free("alice", "203.0.113.9", 2.0)
    elsewhere = backoff.enter("alice", "203.0.113.9", 2.0)
    assert elsewhere is not None and elsewhere.wait == 0


def test_an_address_that_tries_everyone_is_slowed_down() -> None:
    backoff = Backoff()
    for number in range(60):
        fail(backoff, f"user{number}", "192.0.2.1", 0.0)
    assert not backoff.is_free("someone-else", "192.0.2.1", 0.0)
    assert backoff.is_free("someone-else", "192.0.2.2", 0.0)
    assert not backoff.is_free("someone-else", "::ffff:192.0.2.1", 0.0)


def test_a_success_of_one_account_does_not_clear_its_address() -> None:
    backoff = Backoff()
    for number in range(60):
        fail(backoff, f"user{number}", "192.0.2.1", 0.0)
    own = backoff.enter("mallory", "192.0.2.1", 1000.0)
    assert own is not None
    own.succeeded(1000.0)
    for number in range(60):
        fail(backoff, f"user{number}", "192.0.2.1", 1000.0)
    again = backoff.enter("mallory", "192.0.2.1", 1000.0)
    assert again is not None
    again.succeeded(1000.0)
    assert not backoff.is_free("victim", "192.0.2.1", 1000.0)


def test_many_accounts_may_log_on_from_one_address_at_once() -> None:
    backoff = Backoff()
    guesses = [backoff.enter(f"user{number}", "192.0.2.1", 0.0) for number in range(500)]
    assert all(guess is not None and guess.wait == 0 for guess in guesses)


def test_what_was_not_decided_does_not_count() -> None:
    backoff = Backoff()
    for _ in range(100):
        guess = backoff.enter("alice", "192.0.2.1", 0.0)
        assert guess is not None
        guess.undecided()
        guess.failed(0.0)  # it ended already
    assert backoff.is_free("alice", "192.0.2.1", 0.0)


def test_success_forgives_and_time_forgets() -> None:
    backoff = Backoff()
    for _ in range(5):
        fail(backoff, "alice", "192.0.2.1", 0.0)
    assert not backoff.is_free("alice", "192.0.2.1", 0.5)
    guess = backoff.enter("alice", "192.0.2.1", 0.5)
    assert guess is not None
    guess.succeeded(1.0)
    assert backoff.is_free("alice", "192.0.2.1", 1.0)
    for _ in range(8):
        fail(backoff, "bob", "192.0.2.1", 1.0)
    assert not backoff.is_free("bob", "192.0.2.1", 2.0)
    assert backoff.is_free("bob", "192.0.2.1", 1000.0)


def test_the_tables_are_bounded() -> None:
    backoff = Backoff(size=100)
    for number in range(1000):
        guess = backoff.enter(f"user{number}", f"10.0.{number // 250}.{number % 250}", 0.0)
        assert guess is not None
        guess.succeeded(0.0)
        fail(backoff, f"other{number}", f"10.1.{number // 250}.{number % 250}", 0.0)
    tables = (backoff._pairs, backoff._addresses, backoff._trusted)
    assert [len(table) for table in tables] == [100] * 3


@pytest.mark.parametrize(
    ("host", "whose"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("local", "local"),
        ("no:address", "no:address"),
    ],
)
def test_whose_address_it_is(host: str, whose: str) -> None:
    assert network(host) == whose


def test_a_harmless_account_s_failures_count_against_it_alone() -> None:
    backoff, now = Backoff(), 0.0
    for _ in range(200):
        guess = backoff.enter("postern-probe", "192.0.2.1", now, harmless=True)
        assert guess is not None
        now += guess.wait
        guess.failed(now)
    assert not backoff.is_free("postern-probe", "192.0.2.1", now)
    assert backoff.is_free("alice", "192.0.2.1", now)
    assert fail(backoff, "alice", "192.0.2.1", now) == 0
