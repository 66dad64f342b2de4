"""The rows of a lab dialled in full: `postern verify` on each server, and the log-ons and letters of those who are no server of
ours, each with a foreign client on its own host.

Starts processes on the hosts and reads what they print; `joining` turns that into cells of the matrix.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from postern.lab import entrance
from postern.lab.folder import Folder
from postern.lab.plan import (
    CAS1,
    CLIENT1,
    DOMAIN,
    EDGE1,
    HUB1,
    HUB2,
    INTERNET1,
    OTHER_DOMAIN,
    PASSWORD,
    PEOPLE,
    SERVERS,
    STRANGERS,
    LabError,
)

AT_ONCE = 2
"""Hosts that dial at the same time: the lab's machine has two cores."""
_PATIENCE = 180
"""Seconds for all rows of a host."""

Progress = Callable[[str, int, int], None]
"""A host, how many of its rows are done, how many there are."""


@dataclass(frozen=True, slots=True)
class Call:
    """A caller that is no server: `script` succeeds only if the other side let it do what the row is for."""

    host: str
    row: str
    what: str
    script: str


@dataclass(frozen=True, slots=True)
class Dialled:
    """What one host says of one row. `verdict` is of `verify.report.Verdict`; `words` say why, if it is no pass; `refusals`
    counts the checks that held; `closed` are doors that were knocked at because they must not answer."""

    host: str
    row: str
    verdict: str
    words: str = ""
    refusals: int = 0
    closed: tuple[str, ...] = ()
    what: str = ""


@dataclass(frozen=True, slots=True)
class Dialling:
    """`troubles`: by host, why it could not verify at all. `reports`: `postern verify --json`, by host."""

    rows: tuple[Dialled, ...]
    reports: dict[str, list[dict[str, Any]]]
    troubles: dict[str, str]


_TICKET = f"echo {PASSWORD} | kinit {PEOPLE[0].name} >/dev/null"
_BY_TICKET = (
    "curl -sS --ssl-reqd --negotiate --login-options AUTH=GSSAPI --max-time 15 --user "
    f"{PEOPLE[0].name}@{DOMAIN}: -o /dev/null"
)
_ENVELOPE = "timeout 15 swaks --silent 2 -tls --quit-after RCPT"
_INSIDE, _OUTSIDE = f"{PEOPLE[0].name}@{DOMAIN}", f"{STRANGERS[0]}@{OTHER_DOMAIN}"


def _log_on(row: str, *urls: str) -> Call:
    words = " && ".join(f"{_BY_TICKET} {url}" for url in urls)
    return Call(CLIENT1.name, row, "a log-on with Kerberos over TLS", f"{_TICKET} && {words}")


CALLS = (
    Call(CLIENT1.name, "client-to-kdc", "a ticket", _TICKET),
    _log_on("imap4", f"imaps://{CAS1.fqdn}/", f"imap://{CAS1.fqdn}/"),
    _log_on("pop3", f"pop3s://{CAS1.fqdn}/", f"pop3://{CAS1.fqdn}/"),
    _log_on("client-to-hub-smtp", *(f"smtp://{hub.fqdn}:587 -X NOOP" for hub in (HUB1, HUB2))),
    Call(
        INTERNET1.name,
        "edge-to-edge",
        "a recipient is taken over TLS",
        f"{_ENVELOPE} --server {EDGE1.fqdn} --from {_OUTSIDE} --to {_INSIDE}",
    ),
    Call(
        EDGE1.name,
        "edge-to-edge",
        "a recipient is taken over TLS",
        f"{_ENVELOPE} --server {INTERNET1.fqdn} --from {_INSIDE} --to {_OUTSIDE}",
    ),
)


def dial(folder: Folder, rows: Sequence[str], tell: Progress) -> Dialling:
    """`rows`: only these; all by default. `tell` is called from several threads. Never raises: a host that cannot verify has
    its trouble told."""
    reports: dict[str, list[dict[str, Any]]] = {}
    troubles: dict[str, str] = {}

    def ask(host: str) -> None:
        try:
            reports[host] = _verify(folder, host, rows, tell)
        except LabError as error:
            troubles[host] = str(error)

    wanted = [call for call in CALLS if not rows or call.row in rows]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(ask, server.name) for server in SERVERS]
        called = [pool.submit(_call, folder, call) for call in wanted]
        for one in asked:
            one.result()
        found = [one.result() for one in called]
    return Dialling((*(row for host in reports for row in read(host, reports[host])), *found), reports, troubles)


def read(host: str, reports: Sequence[dict[str, Any]]) -> Iterator[Dialled]:
    """What `postern verify --json` says, row by row."""
    for one in reports:
        held = sum(check["passed"] for check in one["checks"])
        yield Dialled(
            host, one["path"], one["verdict"], one["detail"], held, tuple(one["observed"]["closed"]), "postern verify"
        )


def _call(folder: Folder, call: Call) -> Dialled:
    # A ticket of its own, so that nobody's at the same host is replaced.
    script = (
        f'KRB5CCNAME=FILE:$(mktemp); export KRB5CCNAME; ({call.script}); s=$?; rm -f "${{KRB5CCNAME#FILE:}}"; exit $s'
    )
    try:
        entrance.run(folder, call.host, ["sh", "-c", script])
    except LabError as error:
        said = [line.strip() for line in str(error).splitlines() if line.strip()]
        return Dialled(call.host, call.row, "fail", f"{call.what}: {said[-1]}", what=call.what)
    return Dialled(call.host, call.row, "pass", what=call.what)


def _verify(folder: Folder, host: str, rows: Sequence[str], tell: Progress) -> list[dict[str, Any]]:
    """Raises LabError."""
    options = [word for row in rows for word in ("--path", row)]
    # Ended on the host itself: to end nsenter would leave it there.
    command = ["timeout", str(_PATIENCE), "postern", "verify", "--json", "--tell", *options]
    words, environment = entrance.words(folder, host, command, os.environ)
    begin = time.monotonic()
    with subprocess.Popen(  # noqa: S603 (our own program, no shell)
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        said: list[str] = []
        reader = threading.Thread(target=_listen, args=(process, host, said, tell))
        reader.start()
        assert process.stdout is not None
        printed = process.stdout.read()
        reader.join()
    if process.returncode not in (0, 1) or not printed.startswith("["):
        late = f"it did not end within {time.monotonic() - begin:.0f} s" if process.returncode == 124 else ""
        raise LabError(late or " ".join(said[-3:]) or f"postern verify ended with {process.returncode}")
    found: list[dict[str, Any]] = json.loads(printed)
    return found


def _listen(process: subprocess.Popen[str], host: str, said: list[str], tell: Progress) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        words = line.split()
        if len(words) == 4 and words[0] == "row":
            tell(host, int(words[1]), int(words[2]))
        else:
            said.append(line.strip())
