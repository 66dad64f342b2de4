"""Steps: what waits for what, what runs together, and what a failure ends."""

from __future__ import annotations

import threading

import pytest

from postern.lab.steps import LabStep, Progress, cause, run


def test_steps_run_after_what_they_need() -> None:
    done: list[str] = []
    steps = [
        LabStep("last", lambda: done.append("last"), ("left", "right")),
        LabStep("left", lambda: done.append("left"), ("first",)),
        LabStep("right", lambda: done.append("right"), ("first",)),
        LabStep("first", lambda: done.append("first")),
    ]
    told: list[Progress] = []
    run(steps, told.append)
    assert (done[0], done[-1]) == ("first", "last")
    assert sorted(done[1:-1]) == ["left", "right"]
    assert {one.step for one in told if one.seconds is None} == {one.step for one in told if one.seconds is not None}


def test_what_can_run_together_does() -> None:
    meeting = threading.Barrier(2, timeout=10)
    run([LabStep("one", lambda: void(meeting.wait())), LabStep("two", lambda: void(meeting.wait()))], void)


def test_the_first_failure_ends_it_and_what_runs_is_told_to_give_up() -> None:
    given_up, after = threading.Event(), []

    def fail() -> None:
        raise OSError("no")

    steps = [
        LabStep("fails", fail),
        LabStep("waits", lambda: void(given_up.wait(10))),
        LabStep("never", lambda: after.append(1), ("fails",)),
    ]
    with pytest.raises(OSError, match="no"):
        run(steps, void, given_up.set)
    assert given_up.is_set()
    assert not after


def test_steps_that_wait_for_each_other_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="wait for what never comes: one, two"):
        run([LabStep("one", lambda: None, ("two",)), LabStep("two", lambda: None, ("one",))], void)


def void(_: object) -> None:
    """Whatever it is, nobody asks."""


def test_the_line_that_names_a_cause_is_told_however_much_follows() -> None:
    missing = "Error loading module '/usr/lib/samba/vfs/acl_xattr.so': cannot open shared object file"
    after = [f'  File "provision.py", line {number}, in missing_part' for number in range(40)]
    told = cause("\n".join(["Looking up addresses", missing, *after, "ProvisioningError: see above"]))
    assert told.splitlines()[:2] == [missing, "…"]
    assert told.splitlines()[-1] == "ProvisioningError: see above"
    assert len(told.splitlines()) == 14


def test_few_words_are_told_whole() -> None:
    assert cause("one\ntwo\n") == "one\ntwo"
    assert cause("") == ""


def test_many_causes_are_told_by_the_first_ones() -> None:
    told = cause("\n".join(f"error {number}" for number in range(100)))
    assert told.splitlines() == [*(f"error {n}" for n in range(8)), "…", *(f"error {n}" for n in range(88, 100))]
