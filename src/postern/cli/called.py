"""Tells how `postern` was called, so that the commands which we print can be typed as they stand."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys

NAME = "postern"


def called() -> str:
    """Returns `postern` where the shell finds this program by that name, else the way in which it was called, such as
    `.venv/bin/postern`."""
    program = sys.argv[0]
    folder, name = os.path.split(program)
    if not folder or name != NAME:  # as a module
        return NAME
    installed = shutil.which(NAME)
    return (
        NAME
        if installed is not None and os.path.realpath(installed) == os.path.realpath(program)
        else shlex.quote(program)
    )


def as_called(sentence: str) -> str:
    """Returns a sentence of ours whose commands begin as the user can type them."""
    program = called()
    return sentence if program == NAME else re.sub(r"(?<=`)postern (?=[a-z-])", lambda _: program + " ", sentence)
