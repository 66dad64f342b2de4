"""The number of an answer to an update says whether it was done; an unknown one counts as no help, and not as a rest."""

from __future__ import annotations

import pytest

from postern.model.directory import DirectoryUnavailable, RecipientsUpdated
from postern.protocols.dcerpc.interfaces.recipient_update import RECIPIENT_UPDATE

UPDATE = RECIPIENT_UPDATE.operations[0]


@pytest.mark.parametrize("done", [None, RecipientsUpdated(3, 2, ("x", "y"))])
def test_there_and_back(done: RecipientsUpdated | None) -> None:
    assert UPDATE.read_result(list(UPDATE.write_result(done)), ((),)) == done


@pytest.mark.parametrize("number", [2, 77])
def test_whatever_is_neither_done_nor_a_rest(number: int) -> None:
    with pytest.raises(DirectoryUnavailable):
        UPDATE.read_result([3, 2, "x", number], ((),))
