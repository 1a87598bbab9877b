"""Reports for tests: of findings made by hand, and one as large as reports get."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shakeproof.model.roles import ROLES
from shakeproof.properties.audit import audit
from shakeproof.properties.findings import Finding, FindingConfirmed, Grade, RoleDone, RoleRun, RoleStarted, Run
from shakeproof.reports.html import audit_html, pictures_of
from shakeproof.reports.summary import judge_run
from shakeproof.reports.timeline import Timeline

SIZE_MOST = 2_000_000
"""Bytes of a report of 50 findings: what goes through as an attachment."""
FINDINGS = 50
ROGUE = "expired-certificate"


def page_of(run: Run, *, pictures: bool = False) -> str:
    """The report of a run, with pictures or without."""
    timeline = Timeline()
    for role in run.roles:
        timeline(RoleStarted(role.target, role.description, role.role, role.cells))
        for finding in role.findings:
            timeline(FindingConfirmed(finding))
        timeline(RoleDone(role))
    judged = judge_run(run, (), "must", today=dt.date(2026, 6, 1))
    return audit_html(judged, version="0", pictures=pictures_of(run) if pictures else {}, timeline=timeline)


def executed(rogue: str = ROGUE) -> Finding:
    """The first finding of an audit that was really run: it ends as soon as there is one."""
    found: list[Finding] = []

    def listen(event: object) -> None:
        if isinstance(event, FindingConfirmed):
            found.append(event.finding)
            raise KeyboardInterrupt

    audit(["shakeproof"], roles=["tls12.client"], rogue=rogue, jobs=1, seed=1, listener=listen)
    return found[0]


def large_run(count: int = FINDINGS) -> Run:
    """Two roles, and as many findings as `count`, each a whole handshake."""
    one = executed()
    client, server = ROLES["tls12.client"], ROLES["tls12.server"]
    grades = (Grade.WENT_ON, Grade.DEVIATION, Grade.WARNING)
    findings = [
        replace(one, id=f"{number:06x}", grade=grades[number % 3], title=f"{one.title}, number {number}")
        for number in range(1, count + 1)
    ]
    roles = [_role(client.name, findings), _role(server.name, [])]
    return Run("shakeproof audit shakeproof", 1, 60.0, roles, seconds=12.0, facts={"python": "3"})


def _role(name: str, findings: Iterable[Finding]) -> RoleRun:
    rows = ROLES[name].rows
    run = RoleRun("shakeproof", "our own implementation", name, cells=2500, cells_run=2500, words=2600, seconds=6.0)
    run.rows, run.findings = len(rows), list(findings)
    run.exercised = Counter({row.id: number + 1 for number, row in enumerate(rows) if number % 4})
    return run


def large_page() -> str:
    """The report of `large_run`; its findings share one chart, which is drawn once."""
    run = large_run()
    first = pictures_of(replace(run, roles=[replace(run.roles[0], findings=run.findings[:1]), run.roles[1]]))
    chart = first.get(run.findings[0].id, "")
    pictures = {**first, **{finding.id: chart for finding in run.findings}}
    judged = judge_run(run, (), "must", today=dt.date(2026, 6, 1))
    return audit_html(judged, version="0", pictures={k: v for k, v in pictures.items() if v})


def chain_of_names(name: str) -> bytes:
    """A certificate whose subject and name are this text."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(7).not_valid_before(start).not_valid_after(start + dt.timedelta(days=90))
    )  # fmt: skip
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
