"""On a host of the lab: `stripping.py ADDRESS PORT TARGET` hides STARTTLS from whoever dials PORT, until its input ends."""

from __future__ import annotations

import sys

sys.path.insert(0, __file__.rsplit("/tests/", 1)[0])

from tests.verify.stripping_proxy import proxy

if __name__ == "__main__":
    with proxy(int(sys.argv[2]), int(sys.argv[3]), hide=b"STARTTLS", address=sys.argv[1]):
        print("ready", flush=True)
        sys.stdin.read()
