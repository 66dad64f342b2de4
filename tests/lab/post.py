"""Mail through the lab, counted: what was sent, what arrived, and nothing twice."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from postern.lab.plan import PASSWORD
from tests.lab.live import POSTERN, Lab, eventually

_PROGRAM = Path(__file__).with_name("marked.py")
_markers = itertools.count(1)


@dataclass
class Post:
    """Marked messages on one way, from the moment that somebody on it is disturbed until all of them have arrived.

    `inward`: from erin's Postfix to alice, through edge1, hub1 and mbx1; `via` another host of ours, from bob, a client.
    """

    lab: Lab
    via: str = ""
    to: str = "alice@corp.test"
    marker: str = field(default_factory=lambda: f"marker{next(_markers)}x{os.getpid()}")
    sent: int = 0

    def send(self, count: int = 3, seconds: float = 30) -> None:
        """Returns when all are taken."""
        said = self.start(count, seconds).communicate()
        assert said[0].split() == [str(one) for one in range(self.sent - count, self.sent)], said

    def start(self, count: int, seconds: float = 60) -> subprocess.Popen[str]:
        """Returns at once; what it prints are the numbers of what was taken."""
        first, self.sent = self.sent, self.sent + count
        numbers = [self.marker, str(first), str(self.sent), str(seconds)]
        if self.via:
            words = [f"{self.via}.corp.test", "587", "bob@corp.test", self.to, *numbers, PASSWORD]
        else:
            words = ["127.0.0.1", "25", "erin@other.test", self.to, *numbers]
        host = "client1" if self.via else "internet1"
        return subprocess.Popen(
            [
                POSTERN,
                "lab",
                "shell",
                "--name",
                self.lab.name,
                host,
                sys.executable,
                "-I",
                "-S",
                str(_PROGRAM),
                "send",
                *words,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def arrived(self) -> Counter[int]:
        """How often each of them is in the recipient's mailbox."""
        return Counter(self._in_maildir() if self.to.endswith("@other.test") else self._by_imap())

    def all_arrive(self, seconds: float = 60, retry: tuple[str, ...] = (), at_most: int = 1) -> None:
        """Each of them, and none oftener than `at_most`. `retry`: whose queues are told to try again now; by themselves they
        would within a minute or five."""
        wanted = set(range(self.sent))

        def look() -> bool:
            found = self.arrived()
            assert max(found.values(), default=0) <= at_most, found
            if found.keys() == wanted:
                return True
            for host in retry:
                if host == "internet1":
                    self.lab.shell(host, "postqueue", "-f")
                else:
                    self.lab.shell(host, "postern", "queue", "retry", "--all", check=False)
            return False

        try:
            eventually(f"{self.sent} messages {self.marker} once each at {self.to}", look, seconds)
        except AssertionError as error:
            error.add_note(f"arrived: {sorted(self.arrived())}")
            for host in retry:
                error.add_note(f"{host}: {self.lab.shell(host, 'postern', 'queue', 'list', '--json', check=False)}")
            raise

    def _by_imap(self) -> list[int]:
        words = (sys.executable, "-I", "-S", str(_PROGRAM), "read", "cas1.corp.test", self.to, self.marker, PASSWORD)
        return [int(one) for one in self.lab.shell("client1", *words, check=False).split()]

    def _in_maildir(self) -> list[int]:
        folder = self.lab.folder / "hosts/internet1/mail" / self.to.partition("@")[0] / "new"
        # The head alone: what is quoted in a note of non-delivery did not arrive.
        heads = [one.read_text(errors="replace").partition("\n\n")[0] for one in folder.glob("*")]
        name = re.compile(rf"<{self.marker}\.(\d+)@marked\.test>")
        return [int(found[1]) for one in heads if (found := name.search(one))]
