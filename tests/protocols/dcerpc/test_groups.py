"""Association groups: begun and joined by binds, left with connections; context handles live as long as their group."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.dcerpc.client import Bound, ClientMachine, Failed
from postern.protocols.dcerpc.groups import MAX_HANDLES, Context, Groups
from postern.protocols.dcerpc.interface import idl
from postern.protocols.dcerpc.ndr import CONTEXT_HANDLE, U32, Message
from postern.protocols.dcerpc.pdu import Nak
from postern.protocols.dcerpc.server import ServerMachine
from postern.protocols.dcerpc.server_events import Closing
from tests.protocols.dcerpc.play import ECHO
from tests.services.counters import COUNTERS

HANDLE = UUID("11111111-2222-3333-4444-555555555555")


def bound(groups: Groups, group: int = 0) -> tuple[ServerMachine, ClientMachine, object]:
    """A connection of a server, and what its bind was answered with."""
    server, client = ServerMachine([ECHO], groups=groups), ClientMachine()
    client.bind((ECHO,), group=group)
    server.receive(client.outgoing())
    refused = server.next_event()
    assert refused is None or isinstance(refused, Closing)
    client.receive(server.outgoing())
    return server, client, client.next_event()


def context(owner: str = "HUB1$") -> Context:
    return Context("value", owner, lambda: None)


def test_a_bind_begins_a_group_and_another_joins_it() -> None:
    groups = Groups()
    first, _, answer = bound(groups)
    assert isinstance(answer, Bound) and answer.group
    second, _, joined = bound(groups, answer.group)
    assert isinstance(joined, Bound) and joined.group == answer.group
    assert first.group is second.group
    _, _, other = bound(groups)
    assert isinstance(other, Bound) and other.group != answer.group


def test_a_group_that_is_not_here_is_refused() -> None:
    groups = Groups()
    server, _, answer = bound(groups, 77)
    assert isinstance(answer, Failed) and answer.nak == Nak.NOT_SPECIFIED
    assert server.ended() == []
    first, _, begun = bound(groups)
    assert isinstance(begun, Bound)
    first.ended()
    assert isinstance(bound(groups, begun.group)[2], Failed), "its last connection has ended"


def test_an_interface_that_is_added_stays_in_the_group() -> None:
    server, client, answer = bound(Groups())
    assert isinstance(answer, Bound)
    client.alter_context(b"")
    server.receive(client.outgoing())
    assert server.next_event() is None
    client.receive(server.outgoing())
    altered = client.next_event()
    assert isinstance(altered, Bound) and altered.group == answer.group


def test_handles_live_until_the_last_connection_ends() -> None:
    groups = Groups()
    first, _, answer = bound(groups)
    assert isinstance(answer, Bound)
    second, _, _ = bound(groups, answer.group)
    kept = context()
    assert first.group is not None and second.group is not None
    assert first.group.open(HANDLE, kept)
    assert first.ended() == []
    assert first.ended() == [], "said twice, it counts once"
    group = second.group
    assert group.find(HANDLE, "HUB1$") is kept
    assert second.ended() == [kept]
    assert group.find(HANDLE, "HUB1$") is None
    assert not group.open(HANDLE, kept), "nobody would ever run it down"


def test_a_handle_is_its_owners_and_there_are_not_too_many() -> None:
    group = Groups().join(0)
    assert group is not None
    for number in range(MAX_HANDLES):
        assert group.open(UUID(int=number + 1), context())
    assert not group.open(HANDLE, context())
    assert group.open(UUID(int=0), context("CAS1$")), "another owner has places of its own"
    assert group.find(UUID(int=1), "CAS1$") is None
    group.close(UUID(int=1))
    assert group.find(UUID(int=1), "HUB1$") is None
    assert group.open(HANDLE, context())


@given(st.lists(st.integers(0, 5), max_size=60))
def test_groups_are_those_of_the_connections_that_there_are(steps: list[int]) -> None:
    """0 begins a group, 1 and 2 join one, the others end a connection."""
    groups = Groups()
    connections = []
    for number, step in enumerate(steps):
        if step == 0 or (step < 3 and not connections):
            connections.append(groups.join(0))
        elif step < 3:
            known = connections[number % len(connections)]
            assert known is not None
            connections.append(groups.join(known.id))
            assert connections[-1] is known
        elif connections:
            leaving = connections.pop(number % len(connections))
            assert leaving is not None
            groups.leave(leaving)
        assert groups._groups == {group.id: group for group in connections if group is not None}
        assert all(group is not None and connections.count(group) == group.connections for group in connections)


def test_a_context_handle_is_twenty_octets() -> None:
    message = Message([U32, CONTEXT_HANDLE, U32])
    stub = message.encode((1, HANDLE, 2))
    assert bytes(stub) == b"\1\0\0\0" + bytes(4) + HANDLE.bytes_le + b"\2\0\0\0"
    assert message.decode(stub) == [1, HANDLE, 2]
    text = idl(COUNTERS)
    assert "typedef [context_handle] void *CONTEXT_HANDLE;" in text
    assert "[in] CONTEXT_HANDLE counter," in text and "[out] CONTEXT_HANDLE *counter" in text
