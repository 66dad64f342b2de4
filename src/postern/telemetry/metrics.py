"""The registry of metrics: each has its name, kind, labels and sentence here.

To count is to update a dictionary, without disk or lock. Labels are bounded: a value that its label does not know, and any value
beyond MAX_SERIES, is counted as "other". No label holds an address, an account or a word of a message. docs/metrics.md is
generated from this module. `snapshots` writes the values down, and the metrics service shows them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from postern.model.security import Mechanism
from postern.paths.table import TABLE

MAX_SERIES = 500
"""Combinations of labels that one process keeps for one metric."""
MAX_REMEMBERED = 4_096
"""Labels as they came whose bounded ones a process remembers: finding those anew looks at every series."""
NONE, OTHER = "none", "other"

LABELS: Mapping[str, tuple[str, frozenset[str] | None]] = MappingProxyType(
    {
        "process": ("the process that counted, as `hub.0`", None),
        "path": ("the row's id, or `none`", frozenset(TABLE)),
        "mechanism": ("how the caller proved itself, in the table's words", frozenset(Mechanism)),
        "seal": ("what encrypts: `TLSv1.3`, `RPC privacy`, `Kerberos`, `local` or `none`", None),
        "step": ("a step of message tracking, as `receive`", None),
        "event": ("an event of docs/events.md", None),
        "level": ("the level of the line", frozenset({"debug", "info", "warning", "error"})),
        "outcome": ("how it ended", None),
        "reason": (
            "the transport agent that refused, the guard's reason, the reply's enhanced status code, how a log-in failed: "
            "`authentication-failed`, `unavailable`; or `requests-in-flight`, `another-site`",
            None,
        ),
        "agent": ("a transport agent, as `postern agent list` names it", None),
        "port": ("the row's port number, or its name in the row, as `epm`", None),
        "part": ("a process or engine of the host", None),
        "queue": ("the queue's folder, which is the number of its worker", None),
        "state": ("`up` or `down`", frozenset({"up", "down"})),
        "status": ("the HTTP status code", None),
        "certificate": ("`server` or `authority`, the organization's own", frozenset({"server", "authority"})),
        "route": ("the beginning of the path that the web's application answers for, or `none`", None),
        "class": (
            "the class of the HTTP status code, as `2xx`; `none` where the client left before its answer",
            frozenset({"2xx", "3xx", "4xx", "5xx"}),
        ),
        "version": ("the version of Postern", None),
    }
)
"""The meaning of each label, and its values where they are a closed set. All other values are names that the program itself
gives."""

_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
_OCTETS = (1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0, 67_108_864.0)


class Kind(StrEnum):
    """The kinds of Prometheus. A counter only grows while its process lives; a gauge is the value now."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(StrEnum):
    """The metrics as name = (kind, labels, sentence, upper bounds of a histogram's buckets). All have the label `process` too."""

    kind: Kind
    labels: tuple[str, ...]
    sentence: str
    buckets: tuple[float, ...]

    def __new__(
        cls, value: str, kind: Kind, labels: tuple[str, ...], sentence: str, buckets: tuple[float, ...] = ()
    ) -> Metric:
        metric = str.__new__(cls, value)
        metric._value_ = value
        metric.kind, metric.labels, metric.sentence, metric.buckets = kind, labels, sentence, buckets
        return metric

    UP = "postern_up", Kind.GAUGE, ("part",), "1 for each part of the host that is up, 0 for one that is not."
    BUILD = "postern_build_info", Kind.GAUGE, ("version",), "1, with the version that runs."
    CPU = "postern_cpu_seconds_total", Kind.COUNTER, (), "Processor time that the process has used."
    MEMORY = "postern_resident_octets", Kind.GAUGE, (), "Memory of the process that is resident now."
    CONNECTIONS = "postern_connections", Kind.GAUGE, ("port",), "Connections (sessions) that a port has open now."
    MESSAGES = (
        "postern_messages_total",
        Kind.COUNTER,
        ("path", "step"),
        "Steps of messages, one for each record of message tracking: receive, submit, expand, deliver, send, defer, fail, "
        "dsn, refuse.",
    )
    MESSAGE_OCTETS = (
        "postern_message_octets",
        Kind.HISTOGRAM,
        ("path",),
        "Sizes of the messages that the queue took, by the path that they came on.",
        _OCTETS,
    )
    QUEUE_MESSAGES = "postern_queue_messages", Kind.GAUGE, ("queue",), "Messages that wait in a queue."
    QUEUE_OLDEST = (
        "postern_queue_oldest_seconds",
        Kind.GAUGE,
        ("queue",),
        "Age of the message that waits longest in a queue; 0 where none waits.",
    )
    REFUSALS = (
        "postern_refusals_total",
        Kind.COUNTER,
        ("path", "reason"),
        "What was refused to a peer on a path, and why.",
    )
    AGENT_DECISIONS = (
        "postern_agent_decisions_total",
        Kind.COUNTER,
        ("agent", "outcome"),
        "Decisions of transport agents: accept, reject, defer, error.",
    )
    LOGONS = (
        "postern_logons_total",
        Kind.COUNTER,
        ("path", "mechanism", "outcome"),
        "Authentications by users and servers, granted or denied.",
    )
    PATH_USES = (
        "postern_path_uses_total",
        Kind.COUNTER,
        ("path", "mechanism", "seal"),
        "Uses of a path as `postern paths observed` has them: connections dialled, logons, and messages taken.",
    )
    RPC_SECONDS = (
        "postern_rpc_seconds",
        Kind.HISTOGRAM,
        ("path", "outcome"),
        "How long this server took to answer remote procedure calls, by row and whether it answered or faulted.",
        _SECONDS,
    )
    DATABASE_OCTETS = (
        "postern_database_octets",
        Kind.GAUGE,
        (),
        "Size of the mailbox database, measured every five minutes.",
    )
    MEETINGS = (
        "postern_meetings_total",
        Kind.COUNTER,
        ("outcome",),
        "Looks of the assistants at delivered messages that may hold a meeting.",
    )
    MEETINGS_WAITING = (
        "postern_meetings_waiting",
        Kind.GAUGE,
        (),
        "Messages that wait for the assistants after their last look; of many, the first 1,000.",
    )
    REMINDERS = (
        "postern_reminders_total",
        Kind.COUNTER,
        ("outcome",),
        "Reminders of items that came about.",
    )
    OUT_OF_OFFICE = (
        "postern_out_of_office_total",
        Kind.COUNTER,
        ("outcome",),
        "Looks of the assistants at messages to people who are away.",
    )
    EDGESYNC_RUNS = (
        "postern_edgesync_runs_total",
        Kind.COUNTER,
        ("outcome",),
        "Synchronizations of an edge by this hub.",
    )
    EDGESYNC_SECONDS = (
        "postern_edgesync_seconds",
        Kind.HISTOGRAM,
        (),
        "How long a synchronization of an edge took.",
        _SECONDS,
    )
    CERTIFICATE_SECONDS = (
        "postern_certificate_expires_seconds",
        Kind.GAUGE,
        ("certificate",),
        "Seconds until a certificate of this host expires; negative after that.",
    )
    DOMAIN_CONTROLLERS = (
        "postern_domain_controllers",
        Kind.GAUGE,
        ("state",),
        "Domain controllers that the topology service knows.",
    )
    EVENTS = (
        "postern_events_total",
        Kind.COUNTER,
        ("event", "path", "level"),
        "Lines of the log, by event, path and level.",
    )
    HTTP_SECONDS = (
        "postern_http_seconds",
        Kind.HISTOGRAM,
        ("route", "class"),
        "How long requests of the web took from their head to the end of their answer, by route and class of status.",
        _SECONDS,
    )
    SCRAPES = "postern_metrics_requests_total", Kind.COUNTER, ("status",), "Requests to the metrics service."


Key = tuple[Metric, tuple[str, ...]]


@dataclass(slots=True)
class Distribution:
    """Counts by bucket. Each count leaves out those of smaller buckets; the last bucket has no upper bound."""

    counts: list[int]
    sum: float = 0.0


class Metrics:
    """The values that one process has counted. The event loop writes them; what a thread writes meanwhile may be lost."""

    def __init__(self) -> None:
        self.values: dict[Key, float] = {}
        """Counters and gauges."""
        self.distributions: dict[Key, Distribution] = {}
        self._readers: dict[Key, list[Callable[[], float]]] = {}
        self._bounded: dict[Key, Key] = {}
        """The key that each key with other labels is counted under: one of an unknown path, for example."""

    def count(self, metric: Metric, *labels: str, by: float = 1.0) -> None:
        """Adds to a counter."""
        key = (metric, labels)
        try:
            self.values[key] += by
        except KeyError:
            key = self._bounded_key(key)
            self.values[key] = self.values.get(key, 0.0) + by

    def put(self, metric: Metric, value: float, *labels: str) -> None:
        """Sets a gauge."""
        self.values[self._bounded_key((metric, labels))] = value

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Adds to a histogram."""
        key = (metric, labels)
        distribution = self.distributions.get(key)
        if distribution is None:
            fresh = Distribution([0] * (len(metric.buckets) + 1))
            distribution = self.distributions.setdefault(self._bounded_key(key), fresh)
        distribution.counts[bisect_left(metric.buckets, value)] += 1
        distribution.sum += value

    def measure(self, metric: Metric, read: Callable[[], float], *labels: str) -> None:
        """Has a gauge read whenever the values are written down. The values of readers with the same labels are added up."""
        self._readers.setdefault(self._bounded_key((metric, labels)), []).append(read)

    def read_gauges(self) -> None:
        """Sets each gauge to the value of its readers (`measure`)."""
        for key, readers in self._readers.items():
            self.values[key] = sum(read() for read in readers)

    def clear(self) -> None:
        """Forgets everything, so that a forked process begins at zero."""
        self.values.clear()
        self.distributions.clear()
        self._readers.clear()
        self._bounded.clear()

    def _bounded_key(self, key: Key) -> Key:
        """Returns the key with bounded labels. Raises ValueError for a wrong number of labels, which is a programming error."""
        if key in self.values or key in self.distributions or key in self._readers:
            return key
        bounded = self._bounded.get(key)
        if bounded is None:
            bounded = self._find_bounded(key)
            if bounded != key:
                if len(self._bounded) >= MAX_REMEMBERED:
                    self._bounded.clear()
                self._bounded[key] = bounded
        return bounded

    def _find_bounded(self, key: Key) -> Key:
        metric, labels = key
        if len(labels) != len(metric.labels):
            raise ValueError(f"{metric} has the labels {metric.labels}, not {labels}")
        bounded = (metric, tuple(map(_bounded, metric.labels, labels)))
        # A gauge that is read is among the values, too.
        every = self.values.keys() | self.distributions.keys() | self._readers.keys()
        if bounded not in every and sum(other is metric for other, _ in every) >= MAX_SERIES:
            return metric, (OTHER,) * len(labels)
        return bounded


def _bounded(label: str, value: str) -> str:
    values = LABELS[label][1]
    if not value:
        return NONE
    return value if values is None or value in values else OTHER


METRICS = Metrics()
"""The values of this process. All modules share them, as they share its log."""
count, put, observe, measure = METRICS.count, METRICS.put, METRICS.observe, METRICS.measure
