"""Our validator beside `cryptography.x509.verification`: median time per case, and both verdicts, in one run.

    python benchmarks/x509.py CORPUS        (limbo_dev.json.xz, or SHAKEPROOF_LIMBO)

Each case is judged by both, in turns; the median of the rounds counts. Certificates are parsed anew each time by both,
trust stores included. The verdicts stand beside what the corpus expects: cryptography answers accept or reject with one
text, ours with all defects. What it cannot be asked (clients without a name, CRLs) is counted apart.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import statistics
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from cryptography.x509 import verification

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from shakeproof.impl.x509 import certificate
from tests import limbo_adapter

ROUNDS = 5
MISSING = 2
"""Exit code where there is no corpus."""
LISTED = 20
"""Cases of which the two verdicts differ that are printed."""

SAID = {True: "accept", False: "reject"}

Verdict = bool | None
Judge = Callable[[Any], Verdict]


@dataclass(frozen=True)
class Row:
    """One case: what was expected, what both said, and the seconds that they took."""

    id: str
    expected: bool
    ours: Verdict
    theirs: Verdict
    ours_s: float
    theirs_s: float


def load(path: Path) -> list[SimpleNamespace]:
    """The cases, as the adapter of the tests reads them."""
    raw = path.read_bytes()
    document = json.loads(lzma.decompress(raw) if path.suffix == ".xz" else raw)
    return [_case(item) for item in document["testcases"]]


def _case(item: dict[str, Any]) -> SimpleNamespace:
    peer, when = item.get("expected_peer_name"), item.get("validation_time")
    return SimpleNamespace(
        id=item["id"],
        expected=item["expected_result"] == "SUCCESS",
        features=frozenset(item.get("features") or ()),
        server=item["validation_kind"] == "SERVER",
        roots=item["trusted_certs"],
        intermediates=item["untrusted_intermediates"],
        leaf=item["peer_certificate"],
        crls=item.get("crls") or [],
        eku=item.get("extended_key_usage") or [],
        key_usage=item.get("key_usage") or [],
        max_depth=item.get("max_chain_depth"),
        time=datetime.fromisoformat(when) if when else datetime.now(UTC),
        peer=(peer["kind"], peer["value"]) if peer else None,
        peer_names=[(name["kind"], name["value"]) for name in item.get("expected_peer_names") or ()],
    )


def ours(case: Any) -> Verdict:
    """Our verdict, with nothing remembered from the case before."""
    certificate._parse_cached.cache_clear()
    result = limbo_adapter.judge(case)
    return None if result is None else result.accepted


def theirs(case: Any) -> Verdict:
    """The verdict of cryptography; None where it cannot be asked."""
    if not case.server or case.peer is None or case.peer[0] not in ("DNS", "IP") or case.crls:
        return None
    kind, name = case.peer
    subject = x509.DNSName(name) if kind == "DNS" else x509.IPAddress(ip_address(name))
    try:
        roots = [x509.load_pem_x509_certificate(pem.encode()) for pem in case.roots]
        builder = verification.PolicyBuilder().store(verification.Store(roots)).time(case.time)
        if case.max_depth is not None:
            builder = builder.max_chain_depth(case.max_depth)
        leaf = x509.load_pem_x509_certificate(case.leaf.encode())
        others = [x509.load_pem_x509_certificate(pem.encode()) for pem in case.intermediates]
        builder.build_server_verifier(subject).verify(leaf, others)
    except (verification.VerificationError, ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension):
        return False
    return True


def measured(case: Any, judges: Sequence[Judge]) -> Row:
    """Both verdicts and the median time of each."""
    seconds: list[list[float]] = [[] for _ in judges]
    verdicts: list[Verdict] = [None for _ in judges]
    for _ in range(ROUNDS):
        for place, judge in enumerate(judges):
            start = time.perf_counter()
            verdicts[place] = judge(case)
            seconds[place].append(time.perf_counter() - start)
    return Row(case.id, case.expected, *verdicts, *map(statistics.median, seconds))


def percentile(values: Sequence[float], part: float) -> float:
    """The value that this part of all values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def told(rows: Sequence[Row]) -> Iterator[str]:
    """The report, line by line."""
    yield f"{len(rows)} cases, median of {ROUNDS} rounds each, certificates parsed anew each time"
    for name, verdict, seconds in (
        ("shakeproof", lambda row: row.ours, lambda row: row.ours_s),
        ("cryptography", lambda row: row.theirs, lambda row: row.theirs_s),
    ):
        asked = [row for row in rows if verdict(row) is not None]
        agreed = sum(verdict(row) == row.expected for row in asked)
        wrong = Counter("accept" if verdict(row) else "reject" for row in asked if verdict(row) != row.expected)
        times = [1000 * seconds(row) for row in asked]
        yield (
            f"  {name:<13}{agreed}/{len(asked)} as the corpus, {wrong['accept']} false accepts, "
            f"{wrong['reject']} false rejects   median {statistics.median(times):.3f} ms   "
            f"p99 {percentile(times, 0.99):.1f} ms   most {max(times):.1f} ms"
        )
    both = [row for row in rows if row.ours is not None and row.theirs is not None]
    differ = [row for row in both if row.ours != row.theirs]
    yield f"  the two differ in {len(differ)} of {len(both)} cases that both judge"
    for row in differ[:LISTED]:
        ours_said, theirs_said, wanted = (SAID[bool(one)] for one in (row.ours, row.theirs, row.expected))
        yield f"    {row.id}: ours {ours_said}, cryptography {theirs_said}, {wanted} expected"
    if len(differ) > LISTED:
        yield f"    and {len(differ) - LISTED} more"


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="?", default=os.environ.get("SHAKEPROOF_LIMBO", ""))
    arguments = parser.parse_args()
    if not arguments.corpus or not Path(arguments.corpus).is_file():
        print("name the corpus, limbo_dev.json.xz, or set SHAKEPROOF_LIMBO", file=sys.stderr)
        return MISSING
    warnings.simplefilter("ignore")  # what cryptography will refuse one day is in the corpus on purpose
    rows = [measured(case, (ours, theirs)) for case in load(Path(arguments.corpus))]
    print("\n".join(told(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
