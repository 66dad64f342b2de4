"""`postern run`, from the first look at the state folder until the last process has ended.

Puts the pieces of `host` in their order; every step that can fail says in one sentence what is wrong. The command line prints
the messages.
"""

from __future__ import annotations

import datetime
import gc
import importlib
import os
import resource
import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from postern.host import (
    account,
    certificates,
    client_authorities,
    configuration,
    named_files,
    own_certificate,
    ports,
    seed,
    state,
)
from postern.host.certificates import CertificateError, Certificates
from postern.host.engines import adam
from postern.host.engines import start as engines
from postern.host.supervision import processes, sockets, watch
from postern.host.supervision.certificate_renewal import Renewal
from postern.host.supervision.child_work import ChildFailed, run_in_child
from postern.host.supervision.supervisor import Engine, Plan, Supervisor
from postern.host.supervision.worker import Start
from postern.model.organization import Organization, Role, Server, StateFolder
from postern.net.tls import version
from postern.paths.fit import listeners
from postern.paths.table import settle
from postern.roles.runtime import Part
from postern.telemetry.log import Event, configure, log

SEEDING = 30.0
DEMO = 120.0
_MAX_FILES = 65536
TELL_EVERY = datetime.timedelta(hours=23)
"""The time between two warnings that a certificate ends; a little less than a day, for they come when the supervisor looks."""


class LaunchError(Exception):
    """The organization cannot be started; the text says why."""


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """The options of `postern run`. `offset` None means the configured one, `server` None the server that this host is."""

    state_dir: str | None = None
    offset: int | None = None
    server: str | None = None
    demo: bool = False
    demo_password: str | None = None
    shift: str = "--offset {}"
    """The option that the user can type for another offset."""


@dataclass(frozen=True, slots=True)
class OpenDoor:
    """A listener as the kernel shows it, with the ids of its rows."""

    address: str
    port: int
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ready:
    """A started organization, as the user is told. `notes` are sentences; `demo` is None if none was asked for."""

    state: StateFolder
    organization: Organization
    server: Server
    certificates: Certificates
    roles: tuple[Role, ...]
    doors: tuple[OpenDoor, ...]
    notes: tuple[str, ...]
    demo: seed.Demo | None


def run(request: LaunchRequest, step: Callable[[str], None], ready: Callable[[Ready], None]) -> None:
    """Starts the organization, calls `ready`, serves until a signal, and stops. `step` is called with the name of each step.

    Raises StateError, Held, ConfigurationError, PortError, CertificateError, ClusterError, SlapdError, ChildFailed,
    StartError or LaunchError, each with its sentence; everything that was started is stopped by then.
    """
    os.umask(0o077)
    folder = state.create(request.state_dir)
    lock = processes.Lock(folder)
    try:
        interruption = Interruption(step)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, interruption.told)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup(1)
            # The supervisor uses SIGHUP itself; until it listens, a closed terminal is no reason to stop.
            signal.signal(signal.SIGHUP, lambda number, frame: None)
        _Launch(folder, lock, request, interruption.step).run(ready)
    finally:
        lock.release()


class Interruption:
    """A signal to stop that comes before the supervisor listens: it ends the launch by KeyboardInterrupt. Python drops an
    exception in a hook of a fork or in a finalizer, so each step asks whether there was one."""

    def __init__(self, step: Callable[[str], None]) -> None:
        self._step = step
        self._is_told = False

    def told(self, number: int, frame: object) -> None:
        """Handles the signal."""
        self._is_told = True
        raise KeyboardInterrupt

    def step(self, name: str) -> None:
        """Begins a step of the launch. Raises KeyboardInterrupt after a signal."""
        if self._is_told:
            raise KeyboardInterrupt
        self._step(name)


class _Launch:
    def __init__(
        self, folder: StateFolder, lock: processes.Lock, request: LaunchRequest, step: Callable[[str], None]
    ) -> None:
        self.state = folder
        self.lock = lock
        self.request = request
        self.step = step
        self.notes: list[str] = []
        self.started: list[Engine] = []
        self.tell_again: dict[str, datetime.datetime] = {}

    def run(self, ready: Callable[[Ready], None]) -> None:
        organization = self._organization()
        server = configuration.this_server(organization, self.request.server)
        self._prepare_host(organization, server)
        configuration.record(self.state, server)
        client_authorities.prepare(self.state, organization, server, datetime.datetime.now(datetime.UTC))
        self.notes.extend(named_files.unreadable(organization, server))
        papers = self._certificates(organization, server)
        starts = self._load_parts(organization, server)
        wanted = engines.needed(organization, server, self.state)
        configured = organization
        organization = engines.resolved(configured, self.state, server)
        try:
            self._start_engines(wanted)
            self.step("preparing the directory and the mailbox database")
            warnings = run_in_child(lambda: seed.seed(self.state, organization, server), SEEDING)
            self.notes.extend(warnings.splitlines())
        except BaseException:
            for engine in reversed(self.started):
                engine.stop()
            raise
        renewal = Renewal(configured, server, self.state)
        supervisor = Supervisor(
            Plan(
                organization=organization,
                server=server,
                state=self.state,
                starts=starts,
                workers=server.workers or len(os.sched_getaffinity(0)),
                engines=wanted,
                watch=self._watch(renewal, watch.Watch(configured, server, self.state)),
                refresh=lambda: self._refresh(configured, server, renewal),
            ),
            self.lock,
        )
        try:
            self.step("opening the doors")
            supervisor.start()
            self._refresh(configured, server, renewal)
            demo = self._demo(organization, server, lambda: supervisor.stopping)
            if not supervisor.stopping:
                ready(
                    Ready(
                        state=self.state,
                        organization=organization,
                        server=server,
                        certificates=papers,
                        roles=tuple(part for part in starts if isinstance(part, Role)),
                        doors=_doors(configured, server, supervisor.processes()),
                        notes=tuple(self.notes),
                        demo=demo,
                    )
                )
            supervisor.serve()
            self.step("stopping")
        finally:
            supervisor.stop()

    def _organization(self) -> Organization:
        if not configuration.path(self.state).exists():
            return configuration.default(self.state, self.request.offset or 0)
        organization = configuration.load(self.state)
        if self.request.offset is not None and self.request.offset != organization.offset:
            organization = configuration.move(self.state, self.request.offset)
        return organization

    def _certificates(self, organization: Organization, server: Server) -> Certificates:
        return certificates.ensure(self.state, organization, server, datetime.datetime.now(datetime.UTC))

    def _refresh(self, organization: Organization, server: Server, renewal: Renewal) -> None:
        """Renews the certificate that this host signed itself, if it is time. The doors see by themselves that it is another.
        Tells once a day which certificates end soon."""
        renewal.soon()
        now = datetime.datetime.now(datetime.UTC)
        try:
            if self._certificates(organization, server).renewed:
                log(Event.CERTIFICATE_RENEWED)
            for name, certificate in own_certificate.expiring(self.state, now):
                if now >= self.tell_again.get(name, now):
                    self.tell_again[name] = now + TELL_EVERY
                    until = certificate.not_valid_after_utc
                    log(Event.CERTIFICATE_EXPIRES, certificate=name, days=(until - now).days, until=until.isoformat())
        except (CertificateError, OSError) as error:
            log(Event.CERTIFICATE_FAILED, words=str(error))

    def _watch(
        self, renewal: Renewal, look: Callable[[Mapping[int, str]], None]
    ) -> Callable[[Mapping[int, str]], None]:
        """Returns what the supervisor does every few seconds: `look`, and it has the edge's directory server, which reads its
        certificate at its start only, started again with another one, whoever brought it."""
        files = certificates.place(self.state)
        known = version(files)

        def looks(children: Mapping[int, str]) -> None:
            nonlocal known
            renewal.turn()
            if (now := version(files)) != known and now:
                known = now
                for engine in self.started:
                    if isinstance(engine, adam.AdamEngine):
                        engine.stop()
            look({**children, **renewal.processes()})

        return looks

    def _prepare_host(self, organization: Organization, server: Server) -> None:
        """Does first what needs root; then becomes the serving account, for good."""
        for orphan in processes.end_orphans(self.state):
            self.notes.append(f"{orphan.name} (process {orphan.pid}) had outlived a crash and was stopped.")
        if (address := ports.foreign(server)) is not None:
            raise configuration.objection(
                self.state,
                ("server", [configured.name for configured in organization.servers].index(server.name), "addresses"),
                f"this host does not have {address}; write its own, or start another server here with --server",
            )
        ports.check(organization, server, self.request.shift)
        sentences, reserved = ports.reserve(organization, server, ports.noted(self.state.root))
        self.notes.extend(sentences)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = _MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, _MAX_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        owner = account.owner(self.state.root)
        if os.geteuid() == 0 and (hidden := account.program_hidden_from(owner)) is not None:
            self.notes.append(
                f"The account {owner.name} may not read this program in {hidden}, so its processes keep the right "
                "to read every file of this machine. Install Postern where all may read, and they will not."
            )
        account.become(owner, keep_low_ports=True)
        account.stay_inspectable()
        ports.note(self.state.root, reserved)
        configure("supervisor", self.state.logs / "supervisor.jsonl")

    def _load_parts(self, organization: Organization, server: Server) -> dict[Part, Start]:
        """Imports the modules that the processes of this host need, once, so that all of them share the memory."""
        gc.disable()
        starts: dict[Part, Start] = {}
        parts: list[Part] = [*organization.services(server), *(role for role in Role if role in server.roles)]
        for part in parts:
            name = f"postern.roles.{part.value.replace('-', '_')}"
            try:
                starts[part] = importlib.import_module(name).start
            except ModuleNotFoundError as error:
                if error.name != name:
                    raise
                self.notes.append(f"The role {part.value} is not built yet; it is left out.")
        if not any(isinstance(part, Role) for part in starts):
            raise LaunchError(
                f"{server.name} has no role that is built: see its roles in {configuration.path(self.state)}"
            )
        return starts

    def _start_engines(self, wanted: list[Engine]) -> None:
        for engine in wanted:
            self.step(f"starting {engine.name}")
            self.started.append(engine)
            engine.start()
            if engine.pid is not None:
                processes.remember_child(self.state, engine.name, engine.pid)

    def _demo(self, organization: Organization, server: Server, given_up: Callable[[], bool]) -> seed.Demo | None:
        if not self.request.demo or given_up():
            return None
        if Role.MAILBOX in server.roles and not seed.delivered(self.state):
            self.step("filling the mailboxes of alice, bob and carol")
        new_password = self.request.demo_password
        try:
            return seed.demo_of(
                run_in_child(lambda: seed.demo(self.state, organization, server, new_password), DEMO, given_up)
            )
        except ChildFailed:
            if given_up():
                return None
            raise


def _doors(organization: Organization, server: Server, children: Iterable[int]) -> tuple[OpenDoor, ...]:
    """The ports that the processes really listen on, sorted. Workers that share a port count once."""
    rows = {number: ids for wire, number, ids in listeners(organization, server, settle(organization.profile).values())}
    held = sockets.of_processes(children).values()
    doors = {(s.local_port, s.local) for of_process in held for s in of_process if s.listening and s.wire == "TCP"}
    return tuple(OpenDoor(address, port, tuple(rows.get(port, ()))) for port, address in sorted(doors))
