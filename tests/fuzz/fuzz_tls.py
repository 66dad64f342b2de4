"""Fuzz target for what a client shows before it is known: `python tests/fuzz/fuzz_tls.py -max_total_time=300`, with atheris.

The octets are a ClientHello, whole and from their beginning on, and a certificate; and a certificate's name of an owner.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(include=["postern.net", "postern.trust", "postern.directory.ad"])
else:
    instrumented = nullcontext()

with instrumented:
    from postern.directory.ad.security_descriptor import sid_octets, sid_text
    from postern.net.client_hello import MAX_HELLO, server_name
    from postern.trust.acceptor import Denied
    from postern.trust.certificates.client_certificates import ClientCertificateOwners

from tests.bounds.growth import finished
from tests.net.client_hellos import extension, hello, records


async def _nobody(names: object) -> None: ...


DIRECTORY: Any = SimpleNamespace(account_of_certificate=_nobody)
MEMBERSHIP: Any = None
"""Nobody has the certificate, so nobody is asked whose kind an account is."""


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where a reader does what it must not."""
    for octets in (data, records(hello(data[:4000]), 1000), records(hello(extension(0, data[:4000])), 4096)):
        answer = server_name(octets)
        assert isinstance(answer, str) or len(octets) < answer <= MAX_HELLO
        if isinstance(answer, str) and answer:
            assert answer.isascii() and answer == answer.lower()
    assert isinstance(finished(ClientCertificateOwners(DIRECTORY, MEMBERSHIP).identify(data)), Denied)
    text = data.decode("latin-1")
    sid = sid_octets(text)
    assert not sid or sid_octets(sid_text(sid)) == sid


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
