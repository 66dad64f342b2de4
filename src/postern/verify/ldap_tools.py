"""OpenLDAP's own tools as the verifier's LDAP clients: nobody here wrote them. Passwords reach them by a file that is only ours.

Reads nothing of the machine's LDAP configuration. What is asked is `ad_checks`' and `edge_directory_checks`'.
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
"""What the tools end with for LDAP_SERVER_DOWN (-1)."""
_FOLDERS = ("/usr/bin", "/usr/local/bin")


@dataclass(frozen=True, slots=True)
class Said:
    """`status` is the result code (RFC 4511 appendix A.2; 250 and 254 are libldap's own, where this side could not even try);
    `words` the tool's last, `output` what it printed."""

    status: int
    words: str
    output: str = ""


def ask(
    tool: str,
    uri: str,
    *options: str,
    password: str | None = None,
    given: str = "",
    environment: Mapping[str, str] | None = None,
) -> Said:
    """Runs ldapwhoami, ldapsearch or ldapadd; `password` goes by a file, `given` to its standard input. TLS believes every
    certificate: which one was shown is for the caller to compare. Never raises."""
    folder = next((one for one in _FOLDERS if FilePath(one, tool).exists()), _FOLDERS[0])
    command = [f"{folder}/{tool}", "-o", "TLS_REQCERT=never", "-o", "nettimeout=5", "-H", uri]
    # Neither /etc/ldap/ldap.conf nor ~/.ldaprc nor LDAP* variables have a word here.
    told = {"LDAPNOINIT": "1", **(environment or {})}
    known = {name: value for name, value in os.environ.items() if not name.startswith(("LDAP", "SASL"))}
    with tempfile.TemporaryDirectory() as secret:
        if password is not None:
            file = FilePath(secret, "password")
            file.touch(0o600)
            file.write_text(password, encoding="utf-8")
            command += ["-y", str(file)]
        try:
            done = subprocess.run(  # noqa: S603 (a program of the system, no shell, words of our own)
                [*command, *options],
                env=known | told,
                input=given,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Said(UNREACHED, f"{tool}: {type(error).__name__}")
    words = [line.strip() for line in done.stderr.splitlines() if not line.startswith("Warning:")]
    status = UNREACHED if done.returncode == _SERVER_DOWN else done.returncode
    return Said(status, " ".join(words) or f"result {done.returncode}", done.stdout)
