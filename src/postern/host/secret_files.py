"""Secrets that this host's processes share: one random value a file in the state folder's `secrets`, mode 0600.

Reads and writes those files; `roles.secrets` has their names.
"""

from __future__ import annotations

import os
import secrets

from postern.model.organization import StateFolder
from postern.roles.secrets import Secret, Secrets


def obtain(state: StateFolder, name: Secret) -> str:
    """The secret of this name; made, with 256 random bits, when it is asked for the first time. Raises OSError."""
    try:
        return Secrets(state.secrets).read(name)
    except FileNotFoundError:
        # Digits and letters alone: with a - in front it would be an option of the programs that it is given to.
        return keep(state, name, secrets.token_hex(32))


def keep(state: StateFolder, name: Secret, value: str) -> str:
    """Writes a secret, replacing a former one at once."""
    temporary = state.secrets / (name + ".new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(value + "\n")
        out.flush()
        os.fsync(out.fileno())
    os.replace(temporary, state.secrets / name)
    return value
