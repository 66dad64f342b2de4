"""The program that test_rpc_foreign.py runs inside a network namespace: our RPC server on the true port 135, a KDC, and the
clients that nobody here wrote, each as a process of its own. Prints one JSON object: what each of them saw.

`python -m tests.services.rpc_foreign serve` is the whole of it; `impacket`, `samba` and `samba-kerberos` are the clients.
Samba's bindings belong to Debian's Python, so its client imports nothing from here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

INTERFACE = ("6b0f0a52-7c1d-4e0e-9a64-5d2f8c3b9e01", 1)
MAILBOX = uuid.UUID("11111111-2222-3333-4444-555555555555")
ABOUT = uuid.UUID("99999999-8888-7777-6666-555555555555")
COUNTERS = ("0d7a52a6-58a5-4c0b-9d53-6a1c4c3c7f10", "1.0")
LOGON = MAILBOX.bytes_le + struct.pack("<Q", 0)
APPEND_OPNUM = 12
CONTENT = bytes(range(256)) * 1000
HOST = "mbx1.example.test"


def append_stub() -> bytes:
    """`append` of one item of 256,000 bytes, marshalled by hand: many fragments."""
    head = MAILBOX.bytes_le + struct.pack("<q", 1)
    flags = struct.pack("<IIIxxxxQ", 1, 0x20000, 1, 0)
    dates = struct.pack("<IIIxxxxq", 1, 0x20004, 1, 5)
    sizes = struct.pack("<IIII", 1, 0x20008, 1, len(CONTENT))
    return head + flags + dates + sizes + struct.pack("<III", len(CONTENT), 0x2000C, len(CONTENT)) + CONTENT


def tried(call: Any) -> Any:
    """What a call gives, or the words of its refusal."""
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


# Clients


def impacket() -> dict[str, Any]:
    from impacket.dcerpc.v5 import epm, mgmt, transport
    from impacket.dcerpc.v5.rpcrt import (
        RPC_C_AUTHN_LEVEL_CONNECT,
        RPC_C_AUTHN_LEVEL_PKT_INTEGRITY,
        RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
    )
    from impacket.uuid import uuidtup_to_bin

    syntax = uuidtup_to_bin((INTERFACE[0], "1.0"))

    def connect(port: int, password: str = "", level: int = 0) -> Any:
        maker = transport.DCERPCTransportFactory(f"ncacn_ip_tcp:127.0.0.1[{port}]")
        if level:
            maker.set_credentials("CAS1$", password, "EXAMPLE", "", "", None)
        dce = maker.get_dce_rpc()
        if level:
            dce.set_auth_level(level)
        dce.connect()
        return dce

    binding = epm.hept_map("127.0.0.1", syntax, protocol="ncacn_ip_tcp")
    port = int(binding.partition("[")[2].rstrip("]"))

    def call(
        password: str, level: int, opnum: int = 0, stub: bytes = LOGON, fragment: int = 0, bound: Any = syntax
    ) -> Any:
        dce = connect(port, password, level)
        dce.bind(bound)
        if fragment:
            dce.set_max_fragment_size(fragment)
        dce.call(opnum, stub)
        answer = dce.recv()
        dce.disconnect()
        return len(answer)

    unlisted = uuidtup_to_bin(("6b0f0a52-7c1d-4e0e-9a64-5d2f8c3b9eff", "1.0"))
    privacy = RPC_C_AUTHN_LEVEL_PKT_PRIVACY

    def listening() -> bool:
        dce = connect(port)
        dce.bind(mgmt.MSRPC_UUID_MGMT)
        return bool(mgmt.his_server_listening(dce)["status"] == 0)

    def counted() -> list[Any]:
        """A context handle on two connections of one association group, and on one of another."""
        from impacket.dcerpc.v5 import rpcrt
        from impacket.dcerpc.v5.dtypes import ULONG
        from impacket.dcerpc.v5.ndr import NDRCALL
        from impacket.dcerpc.v5.samr import SAMPR_HANDLE

        class Open(NDRCALL):  # type: ignore[misc]  # impacket has no types
            opnum = 0
            structure = (("start", ULONG),)

        class OpenResponse(NDRCALL):  # type: ignore[misc]  # as above
            structure = (("counter", SAMPR_HANDLE), ("ErrorCode", ULONG))

        class Add(NDRCALL):  # type: ignore[misc]  # as above
            opnum = 1
            structure = (("counter", SAMPR_HANDLE), ("number", ULONG))

        class AddResponse(NDRCALL):  # type: ignore[misc]  # as above
            structure = (("sum", ULONG), ("ErrorCode", ULONG))

        plain = rpcrt.MSRPCBind

        def bound(group: int = 0) -> tuple[Any, int]:
            class Joining(plain):  # type: ignore[misc, valid-type]  # impacket always asks for a group of its own
                def __init__(self, *arguments: Any) -> None:
                    super().__init__(*arguments)
                    self["assoc_group"] = group

            rpcrt.MSRPCBind = Joining
            try:
                dce = connect(port, "cas-secret", privacy)
                answer = dce.bind(uuidtup_to_bin(COUNTERS))
            finally:
                rpcrt.MSRPCBind = plain
            return dce, rpcrt.MSRPCBindAck(answer.getData())["assoc_group"]

        def called(dce: Any, request: Any, response: Any, about: Any = None) -> Any:
            dce.call(request.opnum, request, about)
            return response(dce.recv())

        first, group = bound()
        second, joined = bound(group)
        stranger, other = bound()
        request = Open()
        request["start"] = 40
        counter = called(first, request, OpenResponse, ABOUT.bytes_le)["counter"]
        add = Add()
        add["counter"], add["number"] = counter, 2
        found = [joined == group, other == group, called(second, add, AddResponse)["sum"]]
        found += [tried(lambda: called(stranger, add, AddResponse)), tried(lambda: bound(0x7777))]
        for dce in (first, second, stranger):
            dce.disconnect()
        return found

    return {
        "binding": binding,
        "counted": counted(),
        "annotations": [entry["annotation"].decode().rstrip("\0") for entry in epm.hept_lookup("127.0.0.1")],
        "listening": tried(listening),
        "logon": tried(lambda: call("cas-secret", privacy)),
        "append": tried(lambda: call("cas-secret", privacy, APPEND_OPNUM, append_stub())),
        "tiny fragments": tried(lambda: call("cas-secret", privacy, fragment=8)),
        "wrong password": tried(lambda: call("wrong", privacy)),
        "no authentication": tried(lambda: call("", 0)),
        "integrity": tried(lambda: call("cas-secret", RPC_C_AUTHN_LEVEL_PKT_INTEGRITY)),
        "connect": tried(lambda: call("cas-secret", RPC_C_AUTHN_LEVEL_CONNECT)),
        "unlisted": tried(lambda: call("cas-secret", privacy, bound=unlisted)),
        "operation": tried(lambda: call("cas-secret", privacy, 99)),
    }


def samba(kerberos: bool) -> dict[str, Any]:
    from samba.credentials import DONT_USE_KERBEROS, MUST_USE_KERBEROS, Credentials
    from samba.dcerpc import base, epmapper, mgmt, misc
    from samba.param import LoadParm

    settings = LoadParm()
    settings.set("realm", "EXAMPLE.TEST")

    def call(port: int, options: str, password: str = "cas-secret") -> Any:
        who = Credentials()
        who.guess(settings)
        who.set_username("CAS1$")
        who.set_domain("EXAMPLE")
        who.set_realm("EXAMPLE.TEST")
        who.set_password(password)
        who.set_kerberos_state(MUST_USE_KERBEROS if kerberos else DONT_USE_KERBEROS)
        binding = f"ncacn_ip_tcp:127.0.0.1[{port},{options},target_hostname={HOST}]"
        # The bindings cannot log on with an interface that they have no table for: the first bind is mgmt's, ours is added.
        known = mgmt.mgmt(binding, settings, who)
        ours = base.ClientConnection(binding, INTERFACE, settings, who, basis_connection=known)
        ours.request(0, LOGON)
        answer = ours.request(APPEND_OPNUM, append_stub())
        return [len(answer), struct.unpack("<I", answer[-4:])[0]]

    def paged() -> list[int]:
        mapper = epmapper.epmapper("ncacn_ip_tcp:127.0.0.1", settings)
        handle, counts = misc.policy_handle(), []
        while True:
            handle, entries, *_ = mapper.epm_Lookup(0, None, None, 1, handle, 1)
            counts.append(len(entries))
            if handle.uuid == misc.policy_handle().uuid:
                return counts

    def mapped() -> str:
        """Without a port the bindings ask the endpoint mapper on 135, then bind and call, which is refused."""
        anonymous = base.ClientConnection("ncacn_ip_tcp:127.0.0.1", INTERFACE, settings)
        return str(tried(lambda: anonymous.request(0, LOGON)))

    port = int(sys.argv[2])
    mechanism = "krb5" if kerberos else "ntlm"
    found: dict[str, Any] = {
        "raw": tried(lambda: call(port, f"{mechanism},seal")),
        "spnego": tried(lambda: call(port, "spnego,seal")),
        "sign": tried(lambda: call(port, f"{mechanism},sign")),
    }
    if not kerberos:
        found["wrong password"] = tried(lambda: call(port, "spnego,seal", "wrong"))
        found["paged"] = tried(paged)
        found["mapped"] = mapped()
        known = mgmt.mgmt(f"ncacn_ip_tcp:127.0.0.1[{port}]", settings)
        found["interfaces"] = tried(lambda: known.inq_if_ids().count)
    return found


# The server


async def client(name: str, python: str, environment: dict[str, str], *arguments: str) -> Any:
    # -P: beside this file lies a package `http`, which must not stand before Python's own.
    process = await asyncio.create_subprocess_exec(
        python, "-P", __file__, name, *arguments, stdout=subprocess.PIPE, env=environment
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
    lines = out.splitlines()
    return json.loads(lines[-1]) if lines and process.returncode == 0 else f"ended with {process.returncode}"


async def serve_all() -> dict[str, Any]:
    from postern.services.rpc.client import RpcTarget
    from postern.trust.authenticator import Authenticator
    from postern.trust.host import HostCredentials
    from postern.trust.initiators import Initiators
    from tests.services.counters import CountersService
    from tests.services.fake_mailboxes import FakeMailboxes
    from tests.services.rpc_parts import DOMAIN, ROWS, MachineDirectory, serve
    from tests.trust.kdc import running_kdc

    own, debian = sys.executable, "/usr/bin/python3"
    found: dict[str, Any] = {}
    with running_kdc() as kdc:
        keytab = kdc.add_service(f"host/{HOST}")
        kdc.add_user("CAS1$", "cas-secret")
        os.environ.update(kdc.environment())
        # Heimdal, inside Samba, asks by UDP unless it is told otherwise.
        heimdal = kdc.folder / "heimdal.conf"
        heimdal.write_text(kdc.krb5_conf.read_text().replace("kdc = ", "kdc = tcp/"))
        environment = {**kdc.environment(), "KRB5_CONFIG": str(heimdal)}
        acceptors = Authenticator(MachineDirectory(), HostCredentials("mbx1", DOMAIN, "", kdc.realm, str(keytab)))
        counters = CountersService(ROWS["cas-to-mailbox"])
        async with serve(FakeMailboxes(), [counters], acceptors=acceptors, mapper=135) as served:
            plain = {**os.environ, "PYTHONPATH": os.getcwd()}
            with tempfile.TemporaryDirectory(dir="/tmp") as folder:
                os.chmod(folder, 0o777)  # tshark gives up its privileges before it writes
                capture = Path(folder) / "rpc.pcapng"
                async with capturing(capture):
                    await own_calls(served)
                found["tshark"] = await dissected(capture, served.port)
            clients = str(kdc.folder / "clients.keytab")
            kdc._admin(f"ktadd -norandkey -k {clients} CAS1$@{kdc.realm}")
            by_ticket = Initiators("CAS1$", HostCredentials(realm=kdc.realm, keytab=clients))
            row = ROWS["cas-to-mailbox"]
            found["own-kerberos"] = await own_calls(served, RpcTarget(row, "127.0.0.1", HOST, 135, by_ticket))
            found["impacket"] = await client("impacket", own, plain)
            found["run down"] = counters.run_down
            found["about"] = [str(known) for known in counters.objects]
            found["samba"] = await client("samba", debian, plain, str(served.port))
            found["samba-kerberos"] = await client("samba-kerberos", debian, environment, str(served.port))
            found["observed"] = sorted({"/".join((key[0], key[2], key[4])) for key in served.observed._counts})
    return found


async def own_calls(served: Any, target: Any = None) -> str:
    """Our client's, of many fragments in both directions and with a refusal: what tshark reads."""
    from postern.model.items import Column, NewItem
    from postern.model.mailbox import MailboxError
    from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS
    from postern.services.mailbox.client import mailbox_client
    from postern.services.rpc.client import RpcClient
    from tests.services.rpc_parts import ROWS

    row = ROWS["cas-to-mailbox"]
    rpc = RpcClient(MAILBOX_ACCESS, target or served.target(row.id, "CAS1$"), served.observed)
    mailboxes = mailbox_client(rpc, MAILBOX_ACCESS)
    await mailboxes.logon(MAILBOX)
    inbox = (await mailboxes.folders(MAILBOX))[0].id
    await mailboxes.append(MAILBOX, inbox, [NewItem(CONTENT)])
    fetched = await mailboxes.fetch(MAILBOX, inbox, [(1, 1)], Column.CONTENT | Column.FLAGS)
    assert list(fetched.contents) == [CONTENT]
    with contextlib.suppress(MailboxError):
        await mailboxes.folder(MAILBOX, 999)
    await mailboxes.close()
    return str(rpc.seal)


class capturing:
    """tshark on the loopback interface while the block runs. A connection to a port where nobody listens, seen in what tshark
    prints, tells that it captures, and at the end that it has all that came before."""

    MARK = 9

    def __init__(self, file: Path) -> None:
        self.file = file
        self.marked = asyncio.Event()

    async def __aenter__(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *("tshark", "-i", "lo", "-f", "tcp", "-n", "-l", "-P", "-w", str(self.file)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.reading = asyncio.create_task(self.read())
        await self.mark()

    async def __aexit__(self, *_: object) -> None:
        self.marked.clear()
        await self.mark()
        self.process.terminate()
        await self.process.wait()
        self.reading.cancel()

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if f" {self.MARK} [SYN]".encode() in line:
                self.marked.set()

    async def mark(self) -> None:
        async with asyncio.timeout(20):
            while not self.marked.is_set():
                with contextlib.suppress(OSError):
                    await asyncio.open_connection("127.0.0.1", self.MARK)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.marked.wait(), 0.2)


async def dissected(capture: Path, port: int) -> dict[str, Any]:
    """What tshark makes of our traffic: packet types, what is malformed, and the stubs that it could unseal."""
    options = ["-2", "-r", str(capture), "-d", f"tcp.port=={port},dcerpc", "-o", "ntlmssp.nt_password:cas-secret"]

    async def fields(shown: str, *names: str) -> list[str]:
        process = await asyncio.create_subprocess_exec(
            "tshark",
            *options,
            "-Y",
            shown,
            "-T",
            "fields",
            *(word for name in names for word in ("-e", name)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        out, _ = await process.communicate()
        return out.decode().splitlines()

    # On a busy machine TCP sends again what nobody lost: no new octets.
    again = ("retransmission", "spurious_retransmission", "fast_retransmission", "zero_window_probe", "keep_alive")
    data = " && ".join((f"tcp.port=={port} && tcp.len>0", *(f"!tcp.analysis.{name}" for name in again)))
    types = await fields("dcerpc", "dcerpc.pkt_type")
    return {
        "types": sorted({int(number) for line in types for number in line.split(",") if number}),
        "malformed": await fields("_ws.malformed", "frame.number", "_ws.col.Info"),
        "unsealed": len(await fields("dcerpc.decrypted_stub_data", "frame.number")),
        "seen": len(await fields(data, "frame.number")),
        "undissected": len(await fields(f"{data} && !dcerpc && !tcp.reassembled_in", "frame.number")),
    }


if __name__ == "__main__":
    what = sys.argv[1]
    if what == "serve":
        print(json.dumps(asyncio.run(serve_all())))
    else:
        print(json.dumps(impacket() if what == "impacket" else samba(what == "samba-kerberos")))
