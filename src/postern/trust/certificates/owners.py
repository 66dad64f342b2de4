"""Identifies the owner of a certificate: a server of ours by direct trust, else another organization by X.509 where authorities
are given.

Composes `direct_trust` and `authorities` for a role's SMTP doors and dials.
"""

from __future__ import annotations

from collections.abc import Sequence

from postern.model.security import Identity
from postern.trust.certificates.authorities import Authorities
from postern.trust.certificates.direct_trust import DirectTrust


class PeerCertificates:
    """The certificates of peers, whose keys the TLS handshake has proven. Chains are DER, the peer's own certificate first."""

    def __init__(self, direct: DirectTrust | None = None, authorities: Authorities | None = None) -> None:
        self._direct = direct
        self._authorities = authorities

    def identify(self, chain: Sequence[bytes]) -> Identity | None:
        """Identifies the caller that shows this chain to a door of ours; None if the chain proves nobody."""
        ours = self._direct.identify(chain[0]) if self._direct is not None and chain else None
        if ours is not None or self._authorities is None:
            return ours
        return self._authorities.identify(chain)

    def is_of(self, chain: Sequence[bytes], server: str) -> bool:
        """Whether the peer that we dialled is this server of ours, by direct trust."""
        return self._direct is not None and bool(chain) and self._direct.is_of(chain[0], server)

    def vouch(self, chain: Sequence[bytes], host: str) -> bool:
        """Whether an authority vouches that the peer is `host`, the name by which we dialled it."""
        return self._authorities is not None and self._authorities.vouch(chain, host)
