"""The verifier's report on a row: the reference's columns declared and observed, and verdicts on the row and each mechanism.

Pure values and their JSON. The probes dial, `cli.verify` prints.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from postern.model.security import Mechanism, Seal
from postern.paths.row import Path


class Verdict(StrEnum):
    """Only PASS counts as passed; only FAIL makes the exit status a failure."""

    PASS = "pass"  # noqa: S105 a verdict, not a password
    FAIL = "fail"
    NOT_BUILT = "not built"
    NOT_DEPLOYED = "not deployed"
    ELSEWHERE = "elsewhere"
    """Deployed, but only other hosts of the organization can dial it."""


@dataclass(slots=True)
class Check:
    """The result of one probe. `name` is the sentence that must hold; `detail` says what was seen instead if it does not."""

    name: str
    passed: bool
    detail: str = ""


@dataclass(slots=True)
class MechanismReport:
    mechanism: Mechanism
    verdict: Verdict
    detail: str = ""
    seal: Seal | None = None


@dataclass(slots=True)
class RowReport:
    """`checks` are the refusals and the seal; `mechanisms` one entry for each that the row lists under the profile."""

    row: Path
    verdict: Verdict = Verdict.NOT_BUILT
    detail: str = ""
    mechanisms: list[MechanismReport] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    ports: list[str] = field(default_factory=list)
    """Ports that answered, as "25/TCP (TLS)"."""
    closed: list[str] = field(default_factory=list)
    """Ports that were dialled because they must not answer, as "192.0.2.1 TCP 50389": firewalls drop these packets, and count
    them."""

    def check(self, name: str, passed: bool, failure: str = "") -> None:
        """Adds a check. `failure` says what was seen instead; it is kept only if the check did not pass."""
        self.checks.append(Check(name, passed, "" if passed else failure))

    def mechanism(self, report: MechanismReport) -> None:
        """Keeps one entry a mechanism: of several servers, ports or sockets, the first that failed stands for all."""
        for index, entry in enumerate(self.mechanisms):
            if entry.mechanism is report.mechanism:
                if report.verdict is Verdict.FAIL and entry.verdict is not Verdict.FAIL:
                    self.mechanisms[index] = report
                return
        self.mechanisms.append(report)

    def settle(self) -> None:
        """Derives the row's verdict: FAIL if anything failed, else PASS if a mechanism passed, else that of the first mechanism.
        Without mechanisms the verdict stays."""
        if failures := self.failures():
            self.verdict, self.detail = Verdict.FAIL, "; ".join(failures)
        elif any(m.verdict is Verdict.PASS for m in self.mechanisms):
            self.verdict = Verdict.PASS
            waiting = [
                f"{m.mechanism} {m.verdict}: {m.detail}" for m in self.mechanisms if m.verdict is not Verdict.PASS
            ]
            self.detail = "; ".join(waiting)
        elif self.mechanisms:
            first = self.mechanisms[0]
            self.verdict, self.detail = first.verdict, first.detail

    def failures(self) -> list[str]:
        """A sentence for each probe that failed."""
        failures = [f"{m.mechanism}: {m.detail}" for m in self.mechanisms if m.verdict is Verdict.FAIL]
        return failures + [f"{check.name}: {check.detail}" for check in self.checks if not check.passed]

    def json(self) -> dict[str, Any]:
        seals = [m.seal for m in self.mechanisms if m.seal is not None]
        cells = self.row.words
        return {
            "path": self.row.id,
            "declared": {
                "ports": cells.ports,
                "default_auth": cells.default_auth,
                "supported_auth": cells.supported_auth,
                "encryption": cells.encryption,
                "encrypted_by_default": cells.encrypted_by_default,
                "profile_auth": [str(m) for m in self.row.supported_auth],
                "profile_encryption": str(self.row.encryption),
            },
            "observed": {
                "ports": list(dict.fromkeys(self.ports)),
                "closed": list(self.closed),
                "auth": [str(m.mechanism) for m in self.mechanisms if m.verdict is Verdict.PASS],
                "encryption": sorted({f"{seal.protocol} {seal.cipher}" for seal in seals}),
            },
            "verdict": str(self.verdict),
            "detail": self.detail,
            "mechanisms": [
                {
                    "mechanism": str(m.mechanism),
                    "verdict": str(m.verdict),
                    "detail": m.detail,
                    "encryption": f"{m.seal.protocol} {m.seal.cipher}" if m.seal else "none",
                }
                for m in self.mechanisms
            ],
            "checks": [{"name": c.name, "passed": c.passed, "detail": c.detail} for c in self.checks],
        }
