"""Our SPF beside Mail::SPF's spfquery, both asking the same name server: the same answers.

covers: net.dns
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shutil

import pytest

from postern.net.dns import Resolver
from postern.paths.table import TABLE
from postern.protocols.authentication.spf import SpfResult, spf
from postern.services.agents.look_ups import LookUps
from tests.services.name_server import serving

RECORDS = {
    "a": "v=spf1 a:m.x.test -all",
    "mx": "v=spf1 mx:x.test -all",
    "net": "v=spf1 ip4:192.0.2.0/28 ip6:2001:db8::/32 ~all",
    "include": "v=spf1 include:net.x.test ?all",
    "redirect": "v=spf1 redirect=net.x.test",
    "exists": "v=spf1 exists:%{ir}.%{l1r+}.list.x.test -all",
    "ptr": "v=spf1 ptr:x.test -all",
    "broken": "v=spf1 a:/33 -all",
    "loop": "v=spf1 include:loop.x.test -all",
    "void": "v=spf1 a:n1.x.test a:n2.x.test a:n3.x.test -all",
    "long": "v=spf1 " + " ".join(f"ip4:198.51.100.{n}" for n in range(100)) + " ip4:192.0.2.7 -all",
    "nothing": "something else",
}
ZONE = {(f"{name}.x.test", "TXT"): [text] for name, text in RECORDS.items()} | {
    ("x.test", "MX"): ["20 other.x.test.", "10 m.x.test."],
    ("m.x.test", "A"): ["192.0.2.7"],
    ("m.x.test", "AAAA"): ["2001:db8::7"],
    ("other.x.test", "A"): ["192.0.2.8"],
    ("7.2.0.192.bob.list.x.test", "A"): ["127.0.0.2"],
    ("7.2.0.192.in-addr.arpa", "PTR"): ["m.x.test."],
}
RESULTS = frozenset(result.value for result in SpfResult)
CASES = [
    (address, f"bob+more@{name}.x.test")
    for address in ("192.0.2.7", "192.0.2.8", "203.0.113.9", "2001:db8::7")
    for name in (*RECORDS, "missing")
]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("spfquery.mail-spf-perl") is None, reason="spf-tools-perl is not installed")
def test_we_say_what_mail_spf_says() -> None:
    async def test() -> None:
        async with serving(ZONE) as names:
            environment = {**os.environ, "RES_NAMESERVERS": "127.0.0.1", "RES_OPTIONS": f"port:{names.port}"}
            process = await asyncio.create_subprocess_exec(
                *("spfquery.mail-spf-perl", "--scope", "mfrom", "--file", "-"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=environment,
            )
            asked = "".join(f"{address} {sender} helo.x.test\n" for address, sender in CASES)
            said, _ = await process.communicate(asked.encode())
            theirs = [line for line in said.decode().splitlines() if line in RESULTS]
            look_ups = LookUps(Resolver(TABLE["any-server-to-dns"], [f"127.0.0.1:{names.port}"]).look_up)
            for (address, sender), their in zip(CASES, theirs, strict=True):
                verdict = await look_ups.run(spf(ipaddress.ip_address(address), "helo.x.test", sender))
                assert verdict.result.value == their, (address, sender, verdict)

    asyncio.run(test())
