"""What stands in the place of the store of a mailbox: a cast to the interface of the store hides it from the type checker.

covers: guarded, address_list, services.access.guarded, services.access.guarded_reading
"""

from __future__ import annotations

import inspect
from http import HTTPStatus
from typing import cast

import pytest

from postern.model.folders import Right
from postern.model.mailbox_server import MailboxItems
from postern.services.dav.address_list import _Cards
from postern.services.dav.guarded import DavItems
from postern.services.dav.request import Refusal


def operations(kind: type) -> dict[str, str]:
    """The parameters and the result of each public operation, by name."""
    members = inspect.getmembers(kind, inspect.isfunction)
    return {name: str(inspect.signature(each)) for name, each in members if not name.startswith("_")}


@pytest.mark.parametrize("kind", [DavItems, _Cards])
def test_operations_are_called_as_those_of_the_store(kind: type) -> None:
    own, there = operations(kind), operations(MailboxItems)
    assert own and own == {name: there.get(name, "not an operation of the store") for name in own}


def test_an_operation_that_nobody_has_judged_is_refused() -> None:
    guarded = DavItems(cast(MailboxItems, object()), lambda folder: Right.OWNER)
    for name in operations(MailboxItems).keys() - operations(DavItems).keys():
        with pytest.raises(Refusal) as refused:
            getattr(guarded, name)
        assert refused.value.status is HTTPStatus.FORBIDDEN
