"""Dials the rows of a lab in full: `postern verify` on each server, and log-ons and letters from hosts that are no server of
ours, each with a foreign client on its own host.

Starts processes on the hosts and reads their output; `joining` turns that into cells of the matrix.
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
"""The number of hosts that dial at the same time; the lab's machine has two cores."""
_PATIENCE = 180
"""Seconds for all rows of a host."""

Progress = Callable[[str, int, int], None]
"""Called with a host, the number of its rows that are done, and the number of all its rows."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call by a host that is no server. `script` succeeds only if the callee lets it do what the row is for."""

    host: str
    row: str
    what: str
    script: str


@dataclass(frozen=True, slots=True)
class Dialled:
    """One host's verdict on one row. `verdict` is a value of `verify.report.Verdict`; `detail` says why, if it is no pass;
    `refusals` counts the checks that passed; `closed` are doors that were tried because they must not answer."""

    host: str
    row: str
    verdict: str
    detail: str = ""
    refusals: int = 0
    closed: tuple[str, ...] = ()
    what: str = ""


@dataclass(frozen=True, slots=True)
class Dialling:
    """The outcomes of all hosts. `troubles` has, by host, the reason why it could not verify at all; `reports` has the output of
    `postern verify --json`, by host."""

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
    log_ons = " && ".join(f"{_BY_TICKET} {url}" for url in urls)
    return Call(CLIENT1.name, row, "a log-on with Kerberos over TLS", f"{_TICKET} && {log_ons}")


def _page(row: str, name: str, target: str, options: str = "") -> Call:
    ask = f"curl -sSf --negotiate -u : --max-time 15 -o /dev/null {options}".rstrip()
    return Call(CLIENT1.name, row, name, f"{_TICKET} && {ask} https://{CAS1.fqdn}{target}")


CALLS = (
    Call(CLIENT1.name, "client-to-kdc", "a ticket", _TICKET),
    _log_on("imap4", f"imaps://{CAS1.fqdn}/", f"imap://{CAS1.fqdn}/"),
    _log_on("pop3", f"pop3s://{CAS1.fqdn}/", f"pop3://{CAS1.fqdn}/"),
    _page("availability", "one's services with Kerberos over TLS", "/EWS/Exchange.asmx"),
    _page("autodiscover", "a page with Kerberos over TLS", "/autodiscover/autodiscover.xml"),
    _page(
        "caldav", "one's calendars with Kerberos over TLS", f"/dav/calendars/{_INSIDE}/", "-X PROPFIND -H 'Depth: 1'"
    ),
    _page(
        "carddav",
        "one's address books with Kerberos over TLS",
        f"/dav/addressbooks/{_INSIDE}/",
        "-X PROPFIND -H 'Depth: 1'",
    ),
    Call(
        CLIENT1.name,
        "client-configuration",
        "the servers' names in clear text and over TLS",
        " && ".join(
            f"curl -sSf --max-time 15 -o /dev/null '{scheme}://{CAS1.fqdn}/mail/config-v1.1.xml?emailaddress=x@{DOMAIN}'"
            for scheme in ("http", "https")
        ),
    ),
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
    """Dials `rows`, or all of them if it is empty. `tell` is called from several threads. Never raises: the result names the
    hosts that could not verify."""
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
        for task in asked:
            task.result()
        outcomes = [task.result() for task in called]
    return Dialling((*(row for host in reports for row in read(host, reports[host])), *outcomes), reports, troubles)


def read(host: str, reports: Sequence[dict[str, Any]]) -> Iterator[Dialled]:
    """Reads the output of `postern verify --json`, row by row."""
    for report in reports:
        held = sum(check["passed"] for check in report["checks"])
        yield Dialled(
            host,
            report["path"],
            report["verdict"],
            report["detail"],
            held,
            tuple(report["observed"]["closed"]),
            "postern verify",
        )


def _call(folder: Folder, call: Call) -> Dialled:
    # A ticket cache of its own, so that no other user's ticket on the host is replaced.
    script = (
        f'KRB5CCNAME=FILE:$(mktemp); export KRB5CCNAME; ({call.script}); s=$?; rm -f "${{KRB5CCNAME#FILE:}}"; exit $s'
    )
    try:
        entrance.run(folder, call.host, ["sh", "-c", script])
    except LabError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return Dialled(call.host, call.row, "fail", f"{call.what}: {lines[-1]}", what=call.what)
    return Dialled(call.host, call.row, "pass", what=call.what)


def _verify(folder: Folder, host: str, rows: Sequence[str], tell: Progress) -> list[dict[str, Any]]:
    """Runs `postern verify` on a host and returns its reports. Raises LabError."""
    options = [word for row in rows for word in ("--path", row)]
    # `timeout` runs on the host itself: if only nsenter were ended, verify would go on there.
    command = ["timeout", str(_PATIENCE), "postern", "verify", "--json", "--tell", *options]
    arguments, environment = entrance.words(folder, host, command, os.environ)
    begin = time.monotonic()
    with subprocess.Popen(  # noqa: S603 (our own program, no shell)
        arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        errors: list[str] = []
        reader = threading.Thread(target=_listen, args=(process, host, errors, tell))
        reader.start()
        assert process.stdout is not None
        printed = process.stdout.read()
        reader.join()
    if process.returncode not in (0, 1) or not printed.startswith("["):
        late = f"it did not end within {time.monotonic() - begin:.0f} s" if process.returncode == 124 else ""
        raise LabError(late or " ".join(errors[-3:]) or f"postern verify ended with {process.returncode}")
    reports: list[dict[str, Any]] = json.loads(printed)
    return reports


def _listen(process: subprocess.Popen[str], host: str, errors: list[str], tell: Progress) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        fields = line.split()
        if len(fields) == 4 and fields[0] == "row":
            tell(host, int(fields[1]), int(fields[2]))
        else:
            errors.append(line.strip())
