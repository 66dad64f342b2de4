"""Fuzz target for directories' answers, tickets and subscription files: `python tests/fuzz/fuzz_directory.py
-max_total_time=300`, with atheris.

The first octet says which reader gets the rest. Each gives a value or its own error; what comes in pieces is read as if it were
whole.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext, suppress

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(include=["postern.protocols"])
else:
    instrumented = nullcontext()

with instrumented:
    from postern.protocols import ber
    from postern.protocols.dcerpc.interfaces import netlogon
    from postern.protocols.dcerpc.ndr import NdrError
    from postern.protocols.edge import subscription as edge_subscription
    from postern.protocols.kerberos import pac
    from postern.protocols.ldap import bind as ldap_bind
    from postern.protocols.ldap import cldap


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where a reader does what it must not."""
    if not data:
        return
    seed, rest = data[0], data[1:]
    match seed % 4:
        case 0:
            pong = cldap.pong(rest, 77)
            assert pong is None or len(pong.fqdn) <= 255
            with suppress(ber.BerError):
                content, at = ber.take(rest, 0, ber.SEQUENCE)
                assert content in rest and at <= len(rest)
            with suppress(ber.BerError):
                assert sum(len(inner) + 2 for _, inner in ber.elements(rest)) <= len(rest)
        case 1:
            _ldap(rest, 1 + seed // 4)
        case 2:
            with suppress(pac.PacError):
                pac.logon_information(rest)
            for read in (netlogon.read_challenge, netlogon.read_authenticate, netlogon.read_logon):
                with suppress(NdrError):
                    read(rest)
        case _:
            with suppress(edge_subscription.SubscriptionFileError):
                file = edge_subscription.read(rest)
                assert edge_subscription.read(edge_subscription.write(file)) == file


def _ldap(rest: bytes, step: int) -> None:
    def packets(size: int) -> list[bytes]:
        found, one = [], ldap_bind.Packets()
        for start in range(0, len(rest), size):
            one.feed(rest[start : start + size])
            while (packet := one.next_packet()) is not None:
                found.append(packet)
        return found

    assert packets(len(rest) or 1) == packets(step)
    answers = ldap_bind.BindAnswers()
    for start in range(0, len(rest), step):
        answers.feed(rest[start : start + step])
        answers.next_answer(1)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
