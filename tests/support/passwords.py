"""Argon2id at its least work, for tests of who asks it and when; tests/trust/passwords/test_verifiers.py has it in earnest."""

from __future__ import annotations

import argon2
import pytest

from postern.trust.passwords import verifiers as passwords

CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
NOBODY = CHEAP.hash("nobody")


@pytest.fixture(autouse=True)
def cheap_passwords(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the tests of each folder whose conftest.py has it."""
    if request.path.stem != "test_verifiers":
        monkeypatch.setattr(passwords, "_HASHER", CHEAP)
        monkeypatch.setattr(passwords, "_NOBODY", NOBODY)
