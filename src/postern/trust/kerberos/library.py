"""python-gssapi, where the extra postern[kerberos] and libkrb5 are installed, and None in its place elsewhere.

`AVAILABLE` says whether it is there. Where it is False, nothing else of this package may be used.
"""

from __future__ import annotations

import importlib
from typing import Any

gssapi: Any = None
raw: Any = None
iov: Any = None
"""Seals by buffers, as DCE/RPC needs it."""
try:
    gssapi = importlib.import_module("gssapi")
    raw = importlib.import_module("gssapi.raw")
    iov = importlib.import_module("gssapi.raw.ext_dce")
    gssapi.SecurityContext.__DEFER_STEP_ERRORS__ = False  # else the real error comes a step too late
except (ImportError, OSError):
    gssapi = raw = iov = None

AVAILABLE = gssapi is not None
