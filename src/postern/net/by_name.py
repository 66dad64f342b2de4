"""The TLS contexts of a door that asks clients for a certificate under some of its host names, and under no other.

A browser asks its user for a certificate wherever a server asks for one. So the name decides, before TLS begins
(`net.client_hello`).
"""

from __future__ import annotations

from functools import partial

from postern.net.mutual import ClientAuthorities, MutualContext
from postern.net.tls import Certificate, FromFiles, ServerContext, server_context


class ContextsByName(FromFiles):
    """Under `names`, in small letters, clients are asked for a certificate of `authorities`. All names show the same certificate
    of this server. Raises OSError (ssl.SSLError), ValueError if a file cannot be used."""

    def __init__(self, certificate: Certificate, names: frozenset[str], authorities: ClientAuthorities) -> None:
        again = partial(ContextsByName, certificate, names, authorities)
        self.follow(certificate, again, authorities.files)
        self.asking_names = names
        self.usual: ServerContext = server_context(certificate)
        self._asking = MutualContext(certificate, True, authorities)

    @property
    def names(self) -> frozenset[str]:
        """The names in the server's certificate."""
        return self.usual.names

    def under(self, name: str) -> ServerContext | MutualContext:
        """The context for a client that asks for this host name, in small letters; "" for none."""
        return self._asking if name in self.asking_names else self.usual
