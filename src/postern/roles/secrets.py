"""The secrets that processes of this host share: their names, and how they are read. `host.secret_files` makes them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path


class Secret(StrEnum):
    """A file of this name in the state folder's `secrets`, mode 0600, holds one secret and a line end."""

    DIRECTORY = "directory"
    """The password of the private slapd's service account."""
    MACHINE_ACCOUNT = "machine-account"
    """This server's password in the directory."""
    SCRAM_SALTS = "scram-salts"
    """The key from which the salts of accounts that do not exist are made."""
    DIGEST_NONCES = "digest-nonces"
    """The key of the nonces of HTTP Digest, which all processes of a door take from each other."""
    ADAM = "adam"
    """The password of the administrator of an edge's directory."""
    ADAM_SERVICE = "adam-service"
    """The password by which an edge's own processes prove themselves to its directory. NTLM needs it as it is."""
    EDGESYNC_KEY = "edgesync-key"
    """A hub's private key for the passwords of its replication accounts (PEM)."""
    PROBE_ACCOUNT = "probe-account"
    """The password of the mailbox that `postern verify` logs on to."""
    DEMO_PASSWORD = "demo-password"  # noqa: S105 (a file's name)
    """The password of the demo's mailboxes."""


class Secrets:
    """Reads the file of a secret on each call, so that a changed secret counts at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, secret: Secret) -> str:
        """The secret without the line end. Raises OSError where there is none."""
        return (self._folder / secret).read_text(encoding="utf-8").strip()
