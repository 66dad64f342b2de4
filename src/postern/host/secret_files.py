"""Secrets that this host's processes share. Each is a random value in a file of its own, mode 0600, in the state folder's
`secrets`.

Makes, writes and reads those files; `roles.secrets` has their names. A start makes secrets (`obtain`); a command reads
them (`known`), and so leaves no trace in a folder where nothing was started.
"""

from __future__ import annotations

import secrets

from postern.host.state import StateError
from postern.model.organization import StateFolder
from postern.roles.secrets import Secret, Secrets
from postern.trust.private_files import replace_file


class NotStarted(StateError):
    """The organization has not been started in this state folder, so that it has no secrets."""

    def __init__(self, state: StateFolder) -> None:
        super().__init__(
            f"the organization at {state.root} has not been started here: start it with `postern run`, or name another with "
            "--state"
        )


def known(state: StateFolder, name: Secret) -> str:
    """Returns the secret with this name, for a command: it makes none. Raises NotStarted, OSError."""
    try:
        return Secrets(state.secrets).read(name)
    except FileNotFoundError:
        raise NotStarted(state) from None


def obtain(state: StateFolder, name: Secret) -> str:
    """Returns the secret with this name. The first call makes it, with 256 random bits. Raises OSError."""
    try:
        return Secrets(state.secrets).read(name)
    except FileNotFoundError:
        # Digits and letters only: programs would take a secret that begins with "-" for an option.
        return keep(state, name, secrets.token_hex(32))


def keep(state: StateFolder, name: Secret, value: str) -> str:
    """Writes a secret and replaces a former one at once. Returns it."""
    replace_file(state.secrets / name, f"{value}\n".encode())
    return value
