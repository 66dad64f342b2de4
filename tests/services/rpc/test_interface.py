"""A declared interface is served by handlers of its operations' names, and by nothing less."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from postern.protocols.dcerpc.interfaces.ad_topology import AD_TOPOLOGY, values
from postern.services.rpc.interface import InterfaceService
from tests.services.rpc_parts import ROWS

ROW = ROWS["ad-topology"]


async def controllers(caller: Any) -> Sequence[Any]:
    return values("Seoul", [])


async def failed(caller: Any, name: str) -> Sequence[Any]:
    return (len(name),)


def test_parameters_are_decoded_and_results_encoded_by_the_declaration() -> None:
    service = InterfaceService(AD_TOPOLOGY, ROW, {"failed": failed, "controllers": controllers})
    assert (service.syntax, service.row) == (AD_TOPOLOGY.syntax, ROW)
    for opnum, given, expected in ((0, (), values("Seoul", [])), (1, ("dc1",), (3,))):
        operation, procedure = AD_TOPOLOGY.operations[opnum], service.procedure(opnum)
        assert procedure is not None
        stub = asyncio.run(procedure(bytes(operation.request.encode(given)), None))  # type: ignore[arg-type]  # nobody looks
        assert tuple(operation.reply.decode(stub)) == expected
    assert service.procedure(2) is None


def test_an_operation_without_a_handler_is_found_at_once_and_so_is_the_reverse() -> None:
    with pytest.raises(ValueError, match="failed"):
        InterfaceService(AD_TOPOLOGY, ROW, {"controllers": controllers})
    with pytest.raises(ValueError, match="misspelled"):
        InterfaceService(AD_TOPOLOGY, ROW, {"controllers": controllers, "failed": failed, "misspelled": failed})
