"""Runs inside a network namespace for test_firewall: listens, connects, or reads the firewall's log.

probe.py listen PORT...            says "ready", answers every connection with a line
probe.py connect ADDRESS PORT [SOURCE]   prints "answered" or "silent"
probe.py log GROUP                 says "ready", prints the prefix of every packet that nftables logs to the group
"""

from __future__ import annotations

import select
import socket
import struct
import sys

NETLINK_NETFILTER = 12
ULOG_PACKET, ULOG_CONFIG = 0x0400, 0x0401  # NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET, NFULNL_MSG_CONFIG
CFG_CMD, CFG_MODE, PREFIX = 1, 2, 10
SILENCE = 1.5
"""Seconds without an answer after which a firewall is taken to have dropped the packet; loopback-fast otherwise."""


def listen(*ports: str) -> None:
    doors = [socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True) for port in ports]
    print("ready", flush=True)
    while True:
        for door in select.select(doors, [], [])[0]:
            connection, _ = door.accept()
            connection.sendall(b"here\n")
            connection.close()


def connect(address: str, port: str, source: str = "") -> None:
    try:
        with socket.create_connection((address, int(port)), SILENCE, (source, 0) if source else None) as link:
            print("answered" if link.recv(16) == b"here\n" else "silent")
    except TimeoutError:
        print("silent")


def log(group: str) -> None:
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    link.bind((0, 0))
    for kind, value in ((CFG_CMD, b"\x01"), (CFG_MODE, struct.pack(">IBx", 64, 2))):
        attribute = struct.pack("=HH", 4 + len(value), kind) + value
        attribute += bytes(-len(attribute) % 4)
        body = struct.pack(">BBH", 0, 0, int(group)) + attribute
        link.send(struct.pack("=IHHII", 16 + len(body), ULOG_CONFIG, 5, 0, 0) + body)  # NLM_F_REQUEST | NLM_F_ACK
        answer = link.recv(4096)
        if struct.unpack_from("=i", answer, 16)[0] != 0:
            raise SystemExit("nfnetlink_log refuses")
    print("ready", flush=True)
    while True:
        for prefix in prefixes(link.recv(65536)):
            print(prefix, flush=True)


def prefixes(data: bytes) -> list[str]:
    found = []
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        body, at = data[:length], 20
        while kind == ULOG_PACKET and at + 4 <= len(body):
            size, attribute = struct.unpack_from("=HH", body, at)
            if attribute == PREFIX:
                found.append(body[at + 4 : at + size].rstrip(b"\0").decode())
            at += max(4, size + -size % 4)
        data = data[length + -length % 4 :]
    return found


if __name__ == "__main__":
    {"listen": listen, "connect": connect, "log": log}[sys.argv[1]](*sys.argv[2:])
