"""Findings and runs made by hand, for tests of what is done with them."""

from __future__ import annotations

from collections import Counter

from shakeproof.model.trace import Lane, Step, Trace, number_steps
from shakeproof.properties.findings import OUT_OF_TIME, Finding, Grade, NotTested, RoleRun, Run

LANES = (Lane("target", "openssl", "TLS 1.2 client"), Lane("tester", "tester", "plays the peer", "attacker"))


def made_trace(*names: str) -> Trace:
    """One message for each name: `>x` from the target, `<x` to it; `=x` is an encrypted one to it."""
    steps = [
        Step(
            0,
            sender="target" if name[0] == ">" else "tester",
            receiver="tester" if name[0] == ">" else "target",
            message=name[1:],
            protection="the session keys" if name[0] == "=" else "",
        )
        for name in names
    ]
    return Trace("made by hand", LANES, number_steps(steps))


def made_finding(
    grade: Grade = Grade.WENT_ON, *, check: str = "CHECK-ONE", target: str = "openssl", title: str = "it went on"
) -> Finding:
    """A finding."""
    return Finding(
        id="abc123",
        check=check,
        grade=grade,
        title=title,
        role="tls12.client",
        target=target,
        setup="rsa, rsa certificate, AES-128-CBC",
        state="WAIT_FINISHED",
        input="Finished[MISMATCH]",
        expected="abort(decrypt_error)",
        got="ApplicationData",
        clause="RFC 5246 section 7.4.9",
        sentence="Recipients of Finished messages MUST verify that the contents are correct.",
        word=("ServerHello", "Finished[MISMATCH]"),
        shrunk_from=6,
        seen=(3, 3),
        trace=made_trace(">ClientHello", "<ServerHello", "=Finished"),
    )


def made_run(*findings: Finding, cells: int = 10, cells_run: int = 10, error: str = "", left: int = 0) -> Run:
    """A run of one role."""
    role = RoleRun(
        "openssl",
        "OpenSSL",
        "tls12.client",
        cells=cells,
        cells_run=cells_run,
        words=cells_run,
        seconds=0.5,
        setups=("rsa",),
        exercised=Counter({"tls12.client:a": 3}),
        rows=2,
        findings=list(findings),
        not_tested=[NotTested(OUT_OF_TIME, left)] if left else [],
        error=error,
    )
    return Run("shakeproof audit openssl", 7, 60.0, [role], seconds=1.25)
