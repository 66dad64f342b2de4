"""A disk that forgets, for whole processes: `faulty_disk.c` compiled and preloaded.

    disk = FaultyDisk.build(folder, root)      # None where there is no C compiler; root may be a mount point
    subprocess.Popen(..., env=os.environ | disk.environment)
    ... kill the process ...
    disk.power_cut()                           # root is now what was synced, and nothing else

Only files synced while preloaded are known to it: what was below `root` before must not matter, so `root` begins empty.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FaultyDisk:
    """`root` is the folder that forgets, `shadow` what is safe of it."""

    library: Path
    root: Path
    shadow: Path

    @staticmethod
    def build(folder: Path, root: Path) -> FaultyDisk | None:
        """Compiles into `folder`; the shadow lies there too."""
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            return None
        library = folder / "faulty_disk.so"
        source = Path(__file__).with_suffix(".c")
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
        return FaultyDisk(library, root.resolve(), (folder / "shadow").resolve())

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.library), "FAULTY_ROOT": str(self.root), "FAULTY_SHADOW": str(self.shadow)}

    def power_cut(self) -> None:
        """With the processes dead: every unsynced write below `root` is gone. Files never synced are gone whole. What is left
        belongs to whom `root` belongs to."""
        self.root.mkdir(exist_ok=True)
        for entry in self.root.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self.shadow.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self.shadow, self.root, ignore=shutil.ignore_patterns("*.tmp"), dirs_exist_ok=True)
        owner = self.root.stat()
        for path in self.root.rglob("*"):
            os.chown(path, owner.st_uid, owner.st_gid)
