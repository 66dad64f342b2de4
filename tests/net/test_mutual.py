"""The TLS layer that looks at any certificate: what it shares with the loop's own, what it lets in, and how it bears slow,
chopping and hostile peers. Foreign peers: Python's ssl and openssl s_client.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from postern.model.security import Seal
from postern.net import mutual
from postern.net.door import Door, dial
from postern.net.link import Link, TlsContext
from postern.net.mutual import MutualContext, _indication
from postern.net.tls import Certificate, outdated_context, server_context
from postern.paths.row import Port
from postern.paths.table import TABLE
from tests.certificates import Made, authority, make
from tests.support.ports import free_port

ROW = TABLE["edge-to-edge"]
PORT: Port = ROW.port(25)
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]
SERVER = make("edge1.example.test", authority("Its own"))
openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


class Echo:
    """Answers "go" to the first octets, upgrades, then sends back all that comes; `hold`: it pauses, and `release`s when told."""

    def __init__(self, hold: bool = False) -> None:
        self.hold = hold
        self.clear = b""
        self.heard = 0
        self.largest = 0
        self.upgrading = False
        self.sealed: asyncio.Future[Seal | Exception] = asyncio.get_running_loop().create_future()
        self.told = asyncio.Event()
        self.ended = asyncio.Event()
        self.error: Exception | None = None
        self.link: Link | None = None

    def opened(self, link: Link) -> None:
        self.link = link

    def received(self, data: bytes) -> None:
        assert self.link is not None
        if not self.upgrading:
            self.upgrading = True
            self.clear += data
            self.link.pause()
            self.link.write(b"go\r\n")
            self.task = asyncio.get_running_loop().create_task(self.upgrade(self.link))
            return
        self.heard += len(data)
        self.largest = max(self.largest, len(data))
        self.told.set()
        if self.hold:
            self.link.pause()
        else:
            self.link.write(data)

    async def upgrade(self, link: Link) -> None:
        try:
            self.sealed.set_result(await link.start_tls())
            link.resume()
        except OSError as error:
            self.sealed.set_result(error)

    def closed(self, error: Exception | None) -> None:
        assert not self.ended.is_set()
        self.error = error
        self.ended.set()


class Caller:
    """Our own dialling end: upgrades as soon as it hears "go"."""

    def __init__(self, name: str = "edge1.example.test") -> None:
        self.name = name
        self.heard = bytearray()
        self.sealed: asyncio.Future[Seal] = asyncio.get_running_loop().create_future()
        self.more = asyncio.Event()
        self.ended = asyncio.Event()
        self.link: Link | None = None

    def opened(self, link: Link) -> None:
        self.link = link
        link.write(b"upgrade")

    def received(self, data: bytes) -> None:
        if not self.sealed.done() and data == b"go\r\n":
            self.task = asyncio.get_running_loop().create_task(self.upgrade())
            return
        self.heard += data
        self.more.set()

    async def upgrade(self) -> None:
        assert self.link is not None
        try:
            self.sealed.set_result(await self.link.start_tls(self.name))
        except OSError as error:
            self.sealed.set_exception(error)

    def closed(self, error: Exception | None) -> None:
        self.ended.set()

    async def until(self, size: int) -> None:
        while len(self.heard) < size and not self.ended.is_set():
            self.more.clear()
            await self.more.wait()


@contextlib.asynccontextmanager
async def serving(folder: Path, hold: bool = False) -> AsyncIterator[tuple[int, list[Echo]]]:
    sessions: list[Echo] = []

    def session() -> Echo:
        sessions.append(Echo(hold))
        return sessions[-1]

    door = Door([ROW], PORT, session, MutualContext(SERVER.write(folder), server=True))
    number = free_port()
    await door.open("127.0.0.1", number)
    try:
        async with asyncio.timeout(60):
            yield number, sessions
    finally:
        await door.close(0.5)


def play(test: object, loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(test)


def client_context(folder: Path, made: Made | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if made is not None:
        files = made.write(folder)
        context.load_cert_chain(files.chain, files.key)
    return context


@contextlib.asynccontextmanager
async def foreign(
    number: int, context: ssl.SSLContext
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client nobody here wrote: Python's own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", number)
    writer.write(b"upgrade")
    assert await reader.readline() == b"go\r\n"
    await writer.start_tls(context, server_hostname="edge1.example.test")
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
ODD = {
    "none": None,
    "self-signed": make("mx.other.test"),
    "of an unknown authority, with its chain": make("mx.other.test", authority("Middle", authority("Root"))),
    "ended": make("mx.other.test", days=(-20, -10)),
    "not begun": make("mx.other.test", days=(10, 20)),
    "without a name": make("", extensions=()),
    "with a critical extension nobody knows": make("mx.other.test", extensions=((UNKNOWN, True),)),
    "with a short key": make("mx.other.test", key=rsa.generate_private_key(65537, 1024)),
    "an authority's": authority("mx.other.test"),
}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_any_certificate_is_let_in_and_handed_on(what: str, version: ssl.TLSVersion, tmp_path: Path) -> None:
    made = ODD[what]

    async def test() -> None:
        context = client_context(tmp_path, made)
        context.minimum_version = context.maximum_version = version
        async with serving(tmp_path) as (number, sessions), foreign(number, context) as (reader, writer):
            writer.write(b"hello\r\n")
            assert await reader.readline() == b"hello\r\n"
            link = sessions[0].link
            assert link is not None and link.seal is not None
            assert link.seal.protocol == version.name.replace("_", ".")
            assert link.peer_chain() == (made.chain if made else ())

    play(test())


@pytest.mark.parametrize("loop", LOOPS)
def test_both_ends_of_our_own_see_each_other(loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path) -> None:
    hub = make("hub1.example.test")

    async def test() -> None:
        async with serving(tmp_path) as (number, sessions):
            for _ in range(5):
                caller = Caller()
                tls = MutualContext(hub.write(tmp_path), server=False)
                link = await dial(ROW, caller, "127.0.0.1", number, PORT, tls)
                seal = await caller.sealed
                link.write(b"hello")
                await caller.until(5)
                there = sessions[-1].link
                assert there is not None
                assert link.peer_chain() == SERVER.chain and there.peer_chain() == hub.chain
                assert seal == there.seal == link.seal and seal.protocol == "TLSv1.3"
                link.close()
                await sessions[-1].ended.wait()
                assert sessions[-1].error is None and sessions[-1].clear == b"upgrade"

    play(test(), loop)


def test_old_versions_and_weak_ciphers_are_refused(tmp_path: Path) -> None:
    weak = client_context(tmp_path)
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("AES256-GCM-SHA384")

    async def test() -> None:
        async with serving(tmp_path) as (number, sessions):
            for context in (outdated_context(), weak):
                with pytest.raises(ssl.SSLError):
                    async with foreign(number, context):
                        pass
                await sessions[-1].ended.wait()
                assert isinstance(await sessions[-1].sealed, ssl.SSLError)
                assert sessions[-1].heard == 0

    play(test())


def test_old_servers_are_refused(tmp_path: Path) -> None:
    old = server_context(SERVER.write(tmp_path))
    with pytest.warns(DeprecationWarning):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("DEFAULT:@SECLEVEL=0")

    async def test() -> None:
        door = Door([ROW], PORT, Echo, old)
        number = free_port()
        await door.open("127.0.0.1", number)
        async with asyncio.timeout(20):
            caller = Caller()
            await dial(ROW, caller, "127.0.0.1", number, PORT, MutualContext(None, server=False))
            with pytest.raises(OSError):  # the old server hangs up; it may say why
                await caller.sealed
            await caller.ended.wait()
        await door.close(0.5)

    play(test())


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 70_000, b"EHLO x\r\n"]
)
def test_clear_text_after_the_upgrade_reaches_nobody(garbage: bytes, tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (number, sessions):
            reader, writer = await asyncio.open_connection("127.0.0.1", number)
            writer.write(b"upgrade")
            await reader.readline()
            writer.write(garbage)
            await sessions[0].ended.wait()
            assert sessions[0].heard == 0 and isinstance(await sessions[0].sealed, OSError)
            writer.close()

    play(test())


def test_who_says_nothing_after_the_upgrade_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutual, "HANDSHAKE_TIMEOUT", 0.2)

    async def test() -> None:
        async with serving(tmp_path) as (number, sessions):
            reader, writer = await asyncio.open_connection("127.0.0.1", number)
            writer.write(b"upgrade")
            await reader.readline()
            writer.write(b"\x16\x03\x01")  # half a record
            assert isinstance(await sessions[0].sealed, TimeoutError)
            await sessions[0].ended.wait()
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()

    play(test())


@pytest.mark.parametrize("size", [1, 3, 16_384, 1_000_000])
@pytest.mark.parametrize("loop", LOOPS)
def test_it_does_not_care_how_the_octets_are_cut(
    size: int, loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path
) -> None:
    """A client in memory whose TLS octets come `size` at a time, and whose clear text is 100,000 octets or 1,000."""
    data = bytes(range(250)) * (400 if size > 3 else 4)

    async def test() -> None:
        async with serving(tmp_path) as (number, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", number)
            writer.write(b"upgrade")
            await reader.readline()
            come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = client_context(tmp_path, ODD["self-signed"]).wrap_bio(come, go)

            async def step(act: Callable[[], object]) -> object:
                while True:
                    try:
                        done = act()
                    except ssl.SSLWantReadError:
                        done = None
                    out = go.read()
                    for start in range(0, len(out), size):
                        writer.write(out[start : start + size])
                        await writer.drain()
                        await asyncio.sleep(0)
                    if done is not None:
                        return done
                    come.write(await reader.read(size))

            await step(lambda: tls.do_handshake() or True)
            await step(lambda: tls.write(data))
            back = b""
            while len(back) < len(data):
                back += await step(lambda: tls.read(65_536))
            assert back == data
            writer.close()

    play(test(), loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_who_pauses_is_given_no_more_until_it_resumes(
    loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path
) -> None:
    async def test() -> None:
        async with (
            serving(tmp_path, hold=True) as (number, sessions),
            foreign(number, client_context(tmp_path)) as (_, writer),
        ):
            writer.transport.set_write_buffer_limits(65_536)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    while True:
                        writer.write(b"x" * 65_536)
                        await writer.drain()
            session = sessions[0]
            assert session.link is not None
            assert 0 < session.heard <= 65_536
            # What waits already comes without a further octet from the network; then the peer can go on.
            before = session.heard
            session.told.clear()
            session.link.resume()
            await session.told.wait()
            assert before < session.heard <= before + 65_536
            session.hold = False
            session.link.resume()
            await writer.drain()
            writer.transport.abort()

    play(test(), loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_who_does_not_read_makes_the_link_congested_not_large(
    loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path
) -> None:
    async def test() -> None:
        async with (
            serving(tmp_path, hold=True) as (number, sessions),
            foreign(number, client_context(tmp_path)) as (reader, writer),
        ):
            writer.write(b"x")
            await sessions[0].told.wait()
            link = sessions[0].link
            assert link is not None
            writer.transport.pause_reading()
            sent = 0
            while not link.congested:
                link.write(b"y" * 65_536)
                sent += 65_536
                await asyncio.sleep(0)
                assert sent < 50_000_000
            waiting = asyncio.create_task(link.drained())
            writer.transport.resume_reading()
            assert len(await reader.readexactly(sent)) == sent
            await waiting
            assert not link.congested
            link.close()
            assert await reader.read() == b""  # close_notify: an orderly end, else Python's ssl raises

    play(test(), loop)


def test_a_client_that_goes_ends_the_session_in_order(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (number, sessions):
            async with foreign(number, client_context(tmp_path)) as (_, writer):
                writer.write(b"last words")
                writer.close()
                await sessions[0].ended.wait()
            assert sessions[0].heard == 10 and sessions[0].error is None
            reader, writer = await asyncio.open_connection("127.0.0.1", number)
            writer.write(b"upgrade")
            await reader.readline()
            writer.close()
            await sessions[1].ended.wait()
            assert isinstance(await sessions[1].sealed, ConnectionError)

    play(test())


def test_garbage_inside_tls_ends_the_connection_with_an_alert(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (number, sessions):
            reader, writer = await asyncio.open_connection("127.0.0.1", number)
            writer.write(b"upgrade")
            await reader.readline()
            come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = client_context(tmp_path).wrap_bio(come, go)
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    writer.write(go.read())
                    come.write(await reader.read(65_536))
            writer.write(go.read() + b"\x17\x03\x03\x00\x20" + b"z" * 32)
            async with asyncio.timeout(20):
                come.write(await reader.read())
            with pytest.raises(ssl.SSLError, match=r"BAD_RECORD_MAC|bad record mac"):
                tls.read(10)
            await sessions[0].ended.wait()
            assert sessions[0].heard == 0
            writer.close()

    play(test())


def test_the_server_name_goes_out_as_a_labels() -> None:
    assert [_indication(host) for host in ("mail.회사.test", "mail.XN--VF4B131B.test", "192.0.2.1", "::1")] == [
        *[b"mail.xn--vf4b131b.test"] * 2,
        *[b""] * 2,
    ]


def test_contexts_are_of_one_side_and_need_a_key_that_fits(tmp_path: Path) -> None:
    one, other = make("a.test").write(tmp_path), make("b.test").write(tmp_path)
    with pytest.raises(ssl.SSLError):
        MutualContext(Certificate(one.chain, other.key), server=True)
    with pytest.raises(ssl.SSLError):
        MutualContext(Certificate(tmp_path / "missing", one.key), server=True)

    async def test() -> None:
        tls: TlsContext = MutualContext(one, server=False)
        door = Door([ROW], PORT, Echo, tls)
        number = free_port()
        await door.open("127.0.0.1", number)
        _, writer = await asyncio.open_connection("127.0.0.1", number)
        (link,) = door.links or {None}
        while link is None:
            await asyncio.sleep(0)
            (link,) = door.links or {None}
        with pytest.raises(RuntimeError):
            await link.start_tls()
        writer.close()
        await door.close(0.5)

    play(test())


@openssl
@pytest.mark.slow
def test_openssl_finds_nothing_to_resume_and_may_not_renegotiate(tmp_path: Path) -> None:
    made = make("mx.other.test").write(tmp_path)

    class Smtp(Echo):
        def opened(self, link: Link) -> None:
            super().opened(link)
            link.write(b"220 x\r\n")

        def received(self, data: bytes) -> None:
            if data.startswith(b"EHLO") and not self.upgrading:
                assert self.link is not None
                self.link.write(b"250-x\r\n250 STARTTLS\r\n")
            elif not self.upgrading:
                super().received(b"")
            else:
                super().received(data)

        async def upgrade(self, link: Link) -> None:
            await super().upgrade(link)

    def client(number: int, *arguments: str, say: str = "Q\n") -> str:
        command = ["openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{number}", *arguments]
        done = subprocess.run(command, input=say, capture_output=True, text=True, timeout=20)
        return done.stdout + done.stderr

    async def test() -> None:
        door = Door([ROW], PORT, Smtp, MutualContext(SERVER.write(tmp_path), server=True))
        number = free_port()
        await door.open("127.0.0.1", number)
        session = str(tmp_path / "session")
        try:
            for version in ("-tls1_2", "-tls1_3"):
                shown = ("-cert", str(made.chain), "-key", str(made.key))
                first = await asyncio.to_thread(client, number, version, "-sess_out", session, *shown)
                assert "New, TLSv1" in first, first
                if not await asyncio.to_thread(Path(session).exists):
                    continue  # it was given nothing at all to resume by
                again = await asyncio.to_thread(client, number, version, "-sess_in", session)
                assert "New, TLSv1" in again and "Reused" not in again, again
            said = await asyncio.to_thread(client, number, "-tls1_2", say="R\nQ\n")
            assert re.search("no renegotiation|RENEGOTIATING", said), said
            assert said.count("depth=0") <= 3  # one handshake's
        finally:
            await door.close(0.5)

    play(test())
