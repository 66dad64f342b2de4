"""Clients that nobody here wrote, against our RPC server on the true port 135 inside a network namespace of its own:
impacket, Samba's strict C client (NTLM and Kerberos, raw and inside SPNEGO), and tshark reading along."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS
from tests.services import rpc_foreign

ROOT = Path(__file__).parents[2]
NEEDED = [
    name
    for name in ("unshare", "ip", "tshark", "krb5kdc")
    if shutil.which(name, path=os.defpath + ":/usr/sbin:/sbin") is None
]
SAMBA = Path("/usr/lib/python3/dist-packages/samba/dcerpc")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(bool(NEEDED) or not SAMBA.exists(), reason=f"missing: {NEEDED or 'python3-samba'}"),
]


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    inside = f"ip link set lo up && exec {sys.executable} -m tests.services.rpc_foreign serve"
    process = subprocess.run(
        ["unshare", "--net", "--kill-child", "--fork", "sh", "-c", inside],
        cwd=ROOT,
        env={**os.environ, "PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"},
        stdout=subprocess.PIPE,
        timeout=170,
    )
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return found


def test_the_hand_made_stub_is_for_append() -> None:
    assert MAILBOX_ACCESS.numbers["append"] == rpc_foreign.APPEND_OPNUM
    append = MAILBOX_ACCESS.operations[rpc_foreign.APPEND_OPNUM]
    assert append.request.decode(rpc_foreign.append_stub())[-1] == [rpc_foreign.CONTENT]


def test_impacket_maps_binds_and_calls(seen: dict[str, Any]) -> None:
    found = seen["impacket"]
    assert found["binding"].startswith("ncacn_ip_tcp:127.0.0.1[")
    assert found["annotations"] == ["Postern mailbox"] * 3
    assert found["listening"] is True
    assert found["logon"] == 48
    assert found["append"] == 48
    assert found["tiny fragments"] == 48


def test_impackets_connections_share_a_group_and_its_handles(seen: dict[str, Any]) -> None:
    joined, other, total, stranger, unknown = seen["impacket"]["counted"]
    assert (joined, other, total) == (True, False, 42)
    assert "nca_s_fault_context_mismatch" in stranger
    assert "DCERPCException" in unknown, "there is no such group"
    assert seen["about"][0] == str(rpc_foreign.ABOUT) and set(seen["about"][1:]) == {"None"}
    assert seen["run down"] == [42], "nobody closed it before the last connection of its group ended"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("wrong password", "access_denied"),
        ("no authentication", "access_denied"),
        ("integrity", "access_denied"),
        ("connect", "access_denied"),
        ("unlisted", "abstract_syntax_not_supported"),
        ("operation", "nca_s_op_rng_error"),
    ],
)
def test_impacket_is_refused(seen: dict[str, Any], what: str, words: str) -> None:
    assert words in str(seen["impacket"][what])


@pytest.mark.parametrize("client", ["samba", "samba-kerberos"])
@pytest.mark.parametrize("how", ["raw", "spnego"])
def test_samba_seals_and_sends_many_fragments(seen: dict[str, Any], client: str, how: str) -> None:
    """Samba's client verifies our signatures and adds a verification trailer to its calls."""
    assert seen[client][how] == [48, 0]


@pytest.mark.parametrize("client", ["samba", "samba-kerberos"])
def test_samba_is_refused_without_sealing(seen: dict[str, Any], client: str) -> None:
    assert "Access Denied" in seen[client]["sign"]


def test_samba_is_refused_with_a_wrong_password(seen: dict[str, Any]) -> None:
    assert "logon is invalid" in seen["samba"]["wrong password"]


def test_samba_asks_the_endpoint_mapper(seen: dict[str, Any]) -> None:
    assert seen["samba"]["paged"] == [1, 1, 1]
    assert "Access Denied" in seen["samba"]["mapped"]
    assert seen["samba"]["interfaces"] == 4


def test_our_own_client_by_kerberos(seen: dict[str, Any]) -> None:
    """Through the endpoint mapper on 135, with a ticket got by the machine account's keytab."""
    assert seen["own-kerberos"] == "Seal(protocol='RPC privacy', cipher='Kerberos AES256-SHA1')"


def test_tshark_understands_all_of_it(seen: dict[str, Any]) -> None:
    found = seen["tshark"]
    # request, response, bind, bind_ack, auth3
    assert {0, 2, 11, 12, 16} <= set(found["types"])
    assert found["malformed"] == [] and found["undissected"] == 0 < found["seen"]


def test_tshark_unseals_ntlm_with_the_password(seen: dict[str, Any]) -> None:
    assert seen["tshark"]["unsealed"] >= 4


def test_what_was_seen_is_what_was_used(seen: dict[str, Any]) -> None:
    assert seen["observed"] == [
        "cas-to-mailbox/Kerberos/Kerberos AES256-SHA1",
        "cas-to-mailbox/NTLM/NTLM RC4-128",
    ]
