"""The registry of events: every line that a log can hold has its name, level and sentence here. There is no free-text logging.

`log` writes one JSON object a line to the process's log file (or standard error). It refuses fields that are named like secrets.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import Mapping, MutableMapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import Processor

from postern.telemetry.metrics import Metric, count
from postern.telemetry.rotation import RotatingFile

_FORBIDDEN = frozenset({"password", "secret", "token", "verifier", "key", "authorization"})


class Event(StrEnum):
    """The events as name = (level, sentence). docs/events.md is generated from them."""

    level: str
    sentence: str

    def __new__(cls, value: str, level: str, sentence: str) -> Event:
        event = str.__new__(cls, value)
        event._value_ = value
        event.level = level
        event.sentence = sentence
        return event

    STARTED = "started", "info", "A role process is ready; its doors are open."
    STOPPED = "stopped", "info", "A role process ended as it was told."
    DIED = "died", "error", "A child process ended unasked and is started again."
    UNRESPONSIVE = (
        "unresponsive",
        "error",
        "A worker did not answer for too long: it is killed and started again; where it stood is in its stack file.",
    )
    ENGINE_UNRESPONSIVE = (
        "engine-unresponsive",
        "error",
        "PostgreSQL or a directory server did not answer for too long: it is killed and started again.",
    )
    LOG_UNWRITABLE = (
        "log-unwritable",
        "error",
        "A process cannot open its log file: it works on, and its lines go to standard error, which is its file NAME.err.",
    )
    CERTIFICATE_RENEWED = (
        "certificate-renewed",
        "info",
        "This host signed itself a new certificate.",
    )
    CERTIFICATE_EXPIRES = (
        "certificate-expires",
        "warning",
        "A certificate of this host expires within 30 days, or was to be renewed by now; said once a day.",
    )
    AVAILABILITY_FAILED = (
        "availability-failed",
        "warning",
        "Another organization did not tell when its people are busy; `error` says why.",
    )
    NOTIFICATIONS_ENDED = (
        "notifications-ended",
        "info",
        "A subscriber of Exchange Web Services is sent no more notifications, as `why` says.",
    )
    NOTIFICATIONS_OFF = (
        "notifications-off",
        "error",
        "This process sends no notifications of Exchange Web Services, though they are configured; `error` says why.",
    )
    ACME_ISSUED = "acme-issued", "info", "An authority issued a certificate for this host by ACME."
    ACME_FAILED = (
        "acme-failed",
        "error",
        "No certificate could be had by ACME, as `error` says; it is tried again after `again_in` seconds.",
    )
    CERTIFICATE_TAKEN_UP = (
        "certificate-taken-up",
        "info",
        "A door shows a new certificate from now on; connections that are open stay.",
    )
    CERTIFICATE_FAILED = "certificate-failed", "error", "The server's certificate cannot be read or renewed."
    CERTIFICATE_UNREADABLE = (
        "certificate-unreadable",
        "error",
        "The directory has something for a server that is no certificate; it is passed over.",
    )
    CERTIFICATE_UNKNOWN = (
        "certificate-unknown",
        "info",
        "A peer showed a certificate that proves nothing here; it is a stranger.",
    )
    DOOR_OPENED = "door-opened", "info", "A listening socket exists for these rows."
    ROUND_FAILED = (
        "round-failed",
        "error",
        "Work that is done every few seconds failed, as `work` names it; it is tried again at its next turn.",
    )
    FOLLOWER_FAILED = (
        "follower-failed",
        "error",
        "A part of a process could not take over a changed organization: it goes on with the one before.",
    )
    CONVERSATION_FAILED = "conversation-failed", "error", "A handler raised; the peer got a temporary failure."
    REFUSED = "refused", "warning", "The guard refused what a peer asked."
    AUTHENTICATED = "authenticated", "info", "A peer proved who it is."
    IMPERSONATED = (
        "impersonated",
        "info",
        "An account that was granted it acts in the place of a user, for one request of Exchange Web Services.",
    )
    IMPERSONATION_REFUSED = (
        "impersonation-refused",
        "warning",
        "An account asked to act in the place of a user, and was not granted it.",
    )
    SESSION_ENDED = (
        "session-ended",
        "warning",
        "A session ended: its account is gone, disabled, expired or has a new password.",
    )
    REAUTHORIZATION_FAILED = "reauthorization-failed", "error", "Accounts of open sessions could not be asked about."
    AUTHENTICATION_FAILED = (
        "authentication-failed",
        "warning",
        "A peer failed to prove who it is. The account is named if there is one of that name; any other name is left out, "
        "for people type passwords where names belong. `reason` says what was wrong, which the peer is not told.",
    )
    MAIL_REFUSED = (
        "mail-refused",
        "info",
        "A sender, a recipient or a message was refused, by a transport agent where one is named.",
    )
    REFUSALS_OMITTED = (
        "refusals-omitted",
        "warning",
        "More was refused than is written down: so many refusals stand neither in the log nor in the tracking log.",
    )
    ROGUE_SOCKET = "rogue-socket", "critical", "The kernel shows a listener or connection that fits no row."
    WATCH_FAILED = "watch-failed", "error", "The look at the kernel's sockets failed; it is tried again."
    DEFERRED = "deferred", "warning", "A delivery failed for now and is tried again."
    BOUNCED = "bounced", "warning", "A delivery failed for good; the sender is told."
    QUEUE_ADOPTED = "queue-adopted", "warning", "A worker took over the queue of a dead one."
    QUEUE_DAMAGED = (
        "queue-damaged",
        "error",
        "A queue's file cannot be read; the queue was set aside, and its worker goes on with what could be rescued of it.",
    )
    SEGMENT_DAMAGED = (
        "segment-damaged",
        "error",
        "Bodies in a segment of a queue cannot be read or are not what was written; their messages are held, the others go on.",
    )
    ATTEMPT_BROKE = (
        "attempt-broke",
        "warning",
        "Handling a message raised, hung, or ended its process; after the second time the message is set aside.",
    )
    SET_ASIDE = (
        "set-aside",
        "error",
        "A message is in the poison queue: it is tried no more until an administrator says so, or its sender is told.",
    )
    TURNED_AWAY = "turned-away", "warning", "A door has as many connections as it takes, in all or from one address."
    DOOR_PAUSED = (
        "door-paused",
        "error",
        "A door takes no connection for a second, for the system has no descriptors or no memory for another one.",
    )
    DATAGRAMS_DROPPED = (
        "datagrams-dropped",
        "warning",
        "A UDP door drops datagrams: more come than are handled, they are too large, or the network takes no answer.",
    )
    AGENT_FAILED = (
        "agent-failed",
        "error",
        "A transport agent failed; it did what its line in `postern agent list` says.",
    )
    AGENTS_CHANGED = "agents-changed", "info", "A worker took up new settings of the transport agents."
    DIRECTORY_UNAVAILABLE = "directory-unavailable", "error", "No directory server answers."
    RECIPIENTS_UPDATED = (
        "recipients-updated",
        "info",
        "Recipient update gave recipients their addresses and address lists.",
    )
    RECIPIENT_UPDATE_FAILED = (
        "recipient-update-failed",
        "warning",
        "A recipient could not be given its addresses, or a policy's filter means nothing; the rest is done.",
    )
    ATTENDANT_WORKS = "attendant-works", "info", "This server's attendant keeps the recipients now, or rests again."
    MEETING_APPLIED = (
        "meeting-applied",
        "info",
        "The calendar attendant applied a meeting that a mail brought to the calendar of the mailbox's owner.",
    )
    REMINDER_DUE = (
        "reminder-due",
        "info",
        "An alarm of an item is due. `mailed` says whether the alarm asked for a mail, which the owner got.",
    )
    OUT_OF_OFFICE_SENT = (
        "out-of-office-sent",
        "info",
        "A message to somebody who is away was answered. `audience` says whether with the internal or the external text.",
    )
    OUT_OF_OFFICE_LEFT = (
        "out-of-office-left",
        "info",
        "A message to somebody who is away was not answered; the line says why.",
    )
    MEETING_LEFT = (
        "meeting-left",
        "info",
        "The calendar attendant left a message with a calendar part as mail; the line says why.",
    )
    TOPOLOGY_CHANGED = "topology-changed", "info", "Other domain controllers answer now, or in another order."
    DNS_UNAVAILABLE = "dns-unavailable", "warning", "The name servers do not say which domain controllers there are."
    SECURE_CHANNEL = "secure-channel", "info", "The machine account's secure channel to a domain controller is there."
    SECURE_CHANNEL_FAILED = (
        "secure-channel-failed",
        "warning",
        "A domain controller could not be used to judge logons; the next is asked.",
    )
    KERBEROS_FAILED = (
        "kerberos-failed",
        "error",
        "A ticket could not be judged or got: a clock, a keytab or the key distribution centre.",
    )
    EDGE_SUBSCRIBED = "edge-subscribed", "info", "An edge was subscribed: its certificate is in the directory."
    EDGE_UNSUBSCRIBED = "edge-unsubscribed", "info", "An edge is no longer trusted, and replicated to no more."
    EDGE_SYNCHRONIZED = "edge-synchronized", "info", "EdgeSync brought an edge up to date."
    EDGE_UNREACHABLE = "edge-unreachable", "error", "EdgeSync got no answer, or one with another certificate."
    EDGE_CREDENTIAL = "edge-credential", "info", "A replication account of a hub on an edge was asked for, or made."
    EDGE_CREDENTIAL_EXPIRED = (
        "edge-credential-expired",
        "error",
        "A hub has no account on an edge that is good now: subscribe the edge anew.",
    )
    EDGE_ACCOUNT_ENDED = "edge-account-ended", "info", "A replication account on this edge is gone."
    EDGE_REQUEST_REFUSED = (
        "edge-request-refused",
        "warning",
        "This edge made no account, for the request was not right.",
    )
    EDGE_LEASE_TAKEN = "edge-lease-taken", "warning", "A hub took over the replication to an edge from another."
    EDGE_LEASE_STALE = "edge-lease-stale", "error", "No hub has replicated to an edge for longer than its lease."
    INDEX_BEGUN = (
        "index-begun",
        "info",
        "An index that an older version did not have is built while the server serves; until then what needs it is slower.",
    )
    INDEX_BUILT = "index-built", "info", "The index is built."
    RENDERING_BEGUN = (
        "rendering-begun",
        "info",
        "What an older version stored is rendered anew while the server serves; `behind` is where it begins.",
    )
    RENDERING_GOES_ON = "rendering-goes-on", "info", "So many contents have been rendered anew up to now."
    RENDERING_DONE = "rendering-done", "info", "All that an older version stored has been rendered anew."
    OWNERS_UNKNOWN = (
        "owners-unknown",
        "warning",
        "The directory did not answer for every mailbox's owner: none is taken for gone, and nothing is purged.",
    )
    STORE_UNAVAILABLE = "store-unavailable", "error", "The mailbox database does not answer."
    HTTP_REQUEST = (
        "http-request",
        "info",
        "A request was answered; `target` is its path without the query, and `status` is 0 where the client left before.",
    )
    HTTP_FAILED = (
        "http-failed",
        "error",
        "An application of the web raised; the client got 500 without a word more, or its connection was cut.",
    )


class _Line:
    """Makes the JSON of a line, in one step: each step of structlog costs a tenth of it."""

    def __init__(self, process: str) -> None:
        self._process = process
        # A log is read on terminals too, so that it has ASCII alone. What JSON does not know is shown as Python shows it.
        self._encode = json.JSONEncoder(default=repr, ensure_ascii=True).encode
        self._second, self._moment = -1, ""

    def __call__(self, logger: Any, level: str, fields: MutableMapping[str, Any]) -> str:
        fields.setdefault("process", self._process)
        fields["level"] = level
        fields["timestamp"] = self._now()
        if "exc_info" in fields:
            fields = structlog.processors.format_exc_info(logger, level, fields)
        return self._encode(fields)

    def _now(self) -> str:
        """The time in ISO 8601 and UTC, to the microsecond."""
        nanoseconds = time.time_ns()
        second = nanoseconds // 1_000_000_000
        if second != self._second:
            self._second, self._moment = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._moment}.{nanoseconds // 1000 % 1_000_000:06d}Z"


class _Configured:
    """The logger of this process, and the processors that it was made with: tests put others in their place."""

    processors: list[Processor] | None = None
    logger: Any = None


_configured = _Configured()


def configure(process: str, file: Path | None, level: str = "info") -> None:
    """Sends this process's log lines to `file` (appended, mode 0600, bounded by `rotation`). Without a file, or where it cannot
    be opened, they go to standard error: a log never stops mail."""
    stream: Any = sys.stderr
    trouble: OSError | None = None
    if file is not None:
        try:
            stream = RotatingFile(file)
        except OSError as error:
            trouble = error
    wrapper = structlog.make_filtering_bound_logger(getattr(logging, level.upper()))
    factory = structlog.WriteLoggerFactory(file=stream)
    processors: list[Processor] = [_Line(process)]
    structlog.configure(processors, wrapper, logger_factory=factory, cache_logger_on_first_use=False)
    # A logger that is made for each line would cost as much as the line.
    _configured.processors, _configured.logger = processors, structlog.get_logger().bind()
    if trouble is not None:
        log(Event.LOG_UNWRITABLE, file=str(file), error=str(trouble))


_LOGONS = {Event.AUTHENTICATED: "granted", Event.AUTHENTICATION_FAILED: "denied"}


def log(event: Event, **fields: Any) -> None:
    """Writes one event. Raises ValueError for a field that is named like a secret, which is a programming error."""
    if not _FORBIDDEN.isdisjoint(fields):
        raise ValueError(f"secrets never reach logs: {sorted(_FORBIDDEN & fields.keys())}")
    _count(event, fields)
    # A full disk must stop neither mail nor the supervisor: only the line is lost.
    with contextlib.suppress(OSError):
        is_ours = structlog.get_config()["processors"] is _configured.processors
        getattr(_configured.logger if is_ours else structlog.get_logger(), event.level)(event.value, **fields)


def _count(event: Event, fields: Mapping[str, Any]) -> None:
    """Counts the line, and the authentication that it reports, if it does."""
    path = str(fields.get("path", ""))
    count(Metric.EVENTS, event.value, path, event.level)
    if event in _LOGONS:
        count(Metric.LOGONS, path, str(fields.get("mechanism", "")), _LOGONS[event])
