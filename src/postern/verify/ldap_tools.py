"""OpenLDAP's tools as the verifier's LDAP clients, for they are independent of our code. Passwords reach them by a file that only
our account can read.

They read nothing of the machine's LDAP configuration. `ad_checks` and `edge_directory_checks` ask by them.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath

TIMEOUT = 15.0
"""Seconds for one question."""
UNREACHED = -1
"""The status where nobody answered, or the tool could not run."""
_SERVER_DOWN = 255
"""The exit status of the tools for LDAP_SERVER_DOWN (-1)."""
_FOLDERS = ("/usr/bin", "/usr/local/bin")


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """The result of a tool. `status` is the result code of RFC 4511 appendix A.2; libldap adds 250 and 254 for a question that
    could not even be sent. `message` is the text of standard error, `output` that of standard output."""

    status: int
    message: str
    output: str = ""


def ask(
    tool: str,
    uri: str,
    *options: str,
    password: str | None = None,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
) -> ToolAnswer:
    """Runs ldapwhoami, ldapsearch or ldapadd; `password` goes by a file, `stdin` to the standard input. TLS accepts every
    certificate: the caller compares the certificate itself. Never raises."""
    folder = next((path for path in _FOLDERS if FilePath(path, tool).exists()), _FOLDERS[0])
    command = [f"{folder}/{tool}", "-o", "TLS_REQCERT=never", "-o", "nettimeout=5", "-H", uri]
    # Neither /etc/ldap/ldap.conf nor ~/.ldaprc nor LDAP* variables count here.
    added = {"LDAPNOINIT": "1", **(environment or {})}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LDAP", "SASL"))}
    with tempfile.TemporaryDirectory() as secret:
        if password is not None:
            file = FilePath(secret, "password")
            file.touch(0o600)
            file.write_text(password, encoding="utf-8")
            command += ["-y", str(file)]
        try:
            done = subprocess.run(  # noqa: S603 (a program of the system, no shell, arguments of our own)
                [*command, *options],
                env=inherited | added,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return ToolAnswer(UNREACHED, f"{tool}: {type(error).__name__}")
    errors = [line.strip() for line in done.stderr.splitlines() if not line.startswith("Warning:")]
    status = UNREACHED if done.returncode == _SERVER_DOWN else done.returncode
    return ToolAnswer(status, " ".join(errors) or f"result {done.returncode}", done.stdout)
