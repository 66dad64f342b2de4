"""Fuzz target for DCE/RPC: `python tests/fuzz/fuzz_dcerpc.py -max_total_time=300`, with atheris.

The first octet says what the rest is. A stream for the server's machine (bare, bound, or with a complete security context)
gives the same events whole and cut, and neither machine raises. A stub, a tower or a token is decoded or refused by its own
error, nothing else.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext, suppress
from uuid import UUID

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(
        include=[
            "postern.protocols.dcerpc",
            "postern.store.search",
            "postern.trust.ntlm.handshake",
            "postern.trust.spnego",
        ]
    )
else:
    instrumented = nullcontext()

with instrumented:
    from postern.model.mailbox import MailboxError
    from postern.protocols.dcerpc import trailer
    from postern.protocols.dcerpc.interfaces import endpoint
    from postern.protocols.dcerpc.interfaces.availability import MAILBOX_AVAILABILITY
    from postern.protocols.dcerpc.interfaces.mail_submission import MAIL_SUBMISSION
    from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS, MAILBOX_DELIVERY
    from postern.protocols.dcerpc.interfaces.mailbox_items import MAILBOX_ITEMS
    from postern.protocols.dcerpc.ndr import NdrError, Reader
    from postern.protocols.dcerpc.pdu import WHOLE, Kind, cut, pdu
    from postern.protocols.dcerpc.protection import Level
    from postern.protocols.dcerpc.server_events import AuthStep, Request
    from postern.store import search
    from postern.trust.contexts import SecurityFailure
    from postern.trust.host import HostCredentials
    from postern.trust.ntlm.fields import NtlmError
    from postern.trust.ntlm.handshake import NtlmAcceptor
    from postern.trust.spnego import SpnegoAcceptor
    from tests.protocols.dcerpc.nspi_types import RESTRICTION, ROW_SET
    from tests.protocols.dcerpc.play import ECHO, Pair, unbound

INTERFACES = (MAILBOX_ACCESS, MAILBOX_DELIVERY, MAIL_SUBMISSION, MAILBOX_ITEMS, MAILBOX_AVAILABILITY)
OPERATIONS = [operation for interface in INTERFACES for operation in interface.operations]
KINDS = list(Kind)
READERS = (endpoint.read_map, endpoint.read_lookup, endpoint.read_map_reply, endpoint.read_tower)


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where the code does what it must not."""
    if len(data) < 2:
        return
    seed, rest = data[0], data[1:]
    match seed % 4:
        case 0:
            _stream(seed // 4, rest)
        case 1:
            _stub(rest)
        case 2:
            for read in READERS:
                with suppress(NdrError):
                    read(rest)
            for type_ in (ROW_SET, RESTRICTION):
                with suppress(NdrError):
                    type_.get(Reader(rest))
            trailer.strip(rest, ECHO, 1, 0, 0, True)
        case _:
            _tokens(rest)


def _pair(which: int) -> Pair:
    if which % 3 == 0:
        return unbound()
    return Pair(level=Level.PRIVACY if which % 3 == 1 else Level.NONE)


def _stream(which: int, rest: bytes) -> None:
    kind = KINDS[rest[0] % len(KINDS)]
    body = rest[1:]
    for wire in (
        rest,
        pdu(kind, WHOLE, 2, body, b"", min(len(body), 24)),
        cut(Kind.REQUEST, 2, 0, 1, body, 1432) + rest,
    ):
        whole, pieces = _events(_pair(which), [wire]), _events(_pair(which), _cuts(wire, 1 + which % 13))
        assert whole == pieces
        client = _pair(which).client
        for piece in _cuts(wire, 7):
            client.receive(piece)
            while client.next_event() is not None:
                pass


def _cuts(wire: bytes, size: int) -> list[bytes]:
    return [wire[start : start + size] for start in range(0, len(wire), size)]


def _events(pair: Pair, pieces: list[bytes]) -> list[str]:
    found = []
    for piece in pieces:
        pair.server.receive(piece)
        while (event := pair.server.next_event()) is not None:
            found.append(f"{event.opnum} {bytes(event.stub)!r}" if isinstance(event, Request) else str(event))
            if isinstance(event, AuthStep):
                pair.server.auth_refused()
    return found


def _stub(rest: bytes) -> None:
    operation = OPERATIONS[rest[0] % len(OPERATIONS)]
    with suppress(NdrError):
        values = operation.request.decode(rest[1:])
        assert operation.request.decode(bytes(operation.request.encode(values))) == values
        with suppress(ValueError):
            arguments = operation.read_arguments(values)
            if operation.name in ("search", "thread"):
                with suppress(MailboxError):
                    search._Program(UUID(int=1), 1).expression(arguments[2])
    with suppress(NdrError):
        reply = operation.reply.decode(rest[1:])
        with suppress(ValueError, MailboxError):
            operation.read_result(reply, [()] * operation.count)


async def _nobody(logon: object) -> None:
    return None


def _tokens(rest: bytes) -> None:
    acceptor = NtlmAcceptor(HostCredentials("hub1", "example.test"), _nobody)
    half = len(rest) // 2
    with suppress(NtlmError):
        acceptor.negotiate(b"NTLMSSP\0\1\0\0\0" + rest[:half])
        assert _run(acceptor.authenticate(b"NTLMSSP\0\3\0\0\0" + rest[half:])) is None
    spnego = SpnegoAcceptor(lambda kind: None)
    with suppress(SecurityFailure):
        _run(spnego.step(rest))
    assert not spnego.complete


def _run(coroutine):
    """Runs what never really waits, without a loop."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waited")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
