"""The scenes that figures show: parts of runs that were executed, our client and server over our TCP.

A run has every segment and every record. A picture of the whole leaves out the segments that only carry records, whose
rows say more, and bare acknowledgments of them; how many those were is counted and said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, TypeAlias

from shakeproof.diagrams.flow import Flow, FlowCheck, flow_of, with_outcomes
from shakeproof.diagrams.stack import Layer, Stack
from shakeproof.impl.tls.records import HEADER_LENGTH
from shakeproof.impl.tls.suites import SUITES_BY_NAME, CipherSuite
from shakeproof.impl.x509 import Result, Validator
from shakeproof.impl.x509.checks import Outcome
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Check, Kind, Phase, Step, Trace, number_steps
from shakeproof.properties.executed import CLOSING, LATENCY_S, OPENING, https_run
from shakeproof.properties.hostile import OPEN, hostile_run
from shakeproof.properties.mapper import certificates
from shakeproof.properties.mapper.certificates import CertificateDefect
from shakeproof.properties.tap import TCP
from shakeproof.properties.targets.base import Setup
from shakeproof.properties.targets.ours import NOW, PLAIN

KeyExchangeName: TypeAlias = Literal["rsa", "dhe", "ecdhe"]

SUITES: dict[KeyExchangeName, CipherSuite] = {
    "rsa": SUITES_BY_NAME["TLS_RSA_WITH_AES_128_CBC_SHA"],
    "dhe": SUITES_BY_NAME["TLS_DHE_RSA_WITH_AES_128_CBC_SHA"],
    "ecdhe": SUITES_BY_NAME["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"],
}
"""What each key exchange is shown with: the suite that RFC 5246 makes mandatory, and today's usual one."""

TITLES = {
    "hello": "TLS 1.2 handshake",
    "certificate": "Certificate validation",
    "keys": "Session key exchange",
    "data": "Encrypted data exchange",
}
"""What the phases of the TLS tables are called where they stand beside those of TCP."""


def phases() -> tuple[Phase, ...]:
    """The bands of the whole interaction."""
    tls = [replace(phase, title=TITLES[phase.key]) for phase in ROLES["tls12.client"].phases if phase.key in TITLES]
    opening = replace(OPENING, aside=f"{OPENING.aside}, sequence numbers relative")
    return (opening, *tls, replace(CLOSING, aside=f"close_notify, then {CLOSING.aside}"))


def https_capture(key_exchange: KeyExchangeName = "rsa", setup: Setup = PLAIN) -> Trace:
    """TCP handshake, TLS 1.2 handshake, a request and its response, closure, teardown: every segment of it.

    setup: whether the client is authenticated, and whether a session is resumed.
    """
    run = https_run(SUITES[key_exchange], setup=setup)
    return replace(run, title="HTTPS: the full interaction", steps=tuple(map(_placed, run.steps)), phases=phases())


def https_trace(key_exchange: KeyExchangeName = "rsa", setup: Setup = PLAIN) -> Trace:
    """The whole interaction without the segments that only carry it."""
    whole = https_capture(key_exchange, setup)
    kept = [step for step in whole.steps if not _only_carries(step)]
    left_out = [step for step in whole.steps if _only_carries(step)]
    return replace(
        whole,
        steps=number_steps(map(_shown, kept)),
        subtitle=f"TCP + TLS 1.2 + HTTP/1.1. {whole.subtitle} {LATENCY_S * 1000:g} ms each way. {_said(left_out)}",
    )


def client_server_trace(key_exchange: KeyExchangeName = "rsa", setup: Setup = PLAIN) -> Trace:
    """A request and its response, as the user of HTTPS sees them: what protects them is one thing."""
    whole = part(https_trace(key_exchange, setup), "Client-server communication over HTTPS", ["data"])
    sides = {whole.steps[0].sender: "HTTP request"}
    steps = [
        replace(step, title=sides.get(step.sender, "HTTP response"), detail=step.title, protection="TLS, over TCP")
        for step in whole.steps
        if step.layer == "http"
    ]
    phases = [replace(phase, title="Request and response", aside="") for phase in whole.phases]
    return replace(whole, steps=number_steps(steps), phases=tuple(phases))


def mitm_trace(rogue: str, key_exchange: KeyExchangeName = "rsa") -> Trace:
    """The man in the middle against the client with this fault, or against the clean one: without states."""
    # An attacker's machinery is much to load for the pictures that have none.
    from shakeproof.properties.in_the_middle import in_the_middle_run

    run = in_the_middle_run(SUITES[key_exchange], rogue)
    return replace(run, steps=tuple(replace(step, before={}, after={}) for step in run.steps))


IP_HEADER = 20
"""Bytes of an IPv4 header without options (RFC 791 section 3.1): the network in memory has none, captures do."""


def https_stack(key_exchange: KeyExchangeName = "rsa") -> Stack:
    """HTTP over TLS over TCP over IP, with the lengths of the request that was sent."""
    whole = https_capture(key_exchange)
    sent = next(step for step in whole.steps if step.layer == "http" and step.sender == whole.lanes[0].name)
    carrier = next(step for step in whole.steps if step.number == sent.carrier)
    tcp_header = (carrier.data[12] >> 4) * 4  # the data offset counts words of 32 bits (RFC 9293 section 3.1)
    record = len(sent.data)
    plain = int("".join(c for c in sent.detail.rpartition(", ")[2] if c.isdigit()))
    layers = (
        Layer("HTTP", "requests and responses", "messages", "data"),
        Layer("TLS", "authentication, encryption, integrity", "records", "key", "record", HEADER_LENGTH, seals=True),
        Layer("TCP", "reliable, ordered bytes", "segments", "tcp", "header", tcp_header),
        Layer("IP", "addressing, routing", "packets", "close", "header", IP_HEADER),
    )
    lengths = (plain, record, record + tcp_header, record + tcp_header + IP_HEADER)
    return Stack(
        "HTTPS protocol stack", (whole.lanes[0], whole.lanes[1]), layers, f"{sent.title}, {plain} bytes", lengths,
        f"encrypted, authenticated: {record - HEADER_LENGTH} bytes",
        ("Each layer talks to its peer (dashed) by handing its data to the layer below (solid). "
         f"Right: what one segment of an executed run carries, with {whole.meta['suite']}.",),
        "Plain HTTP hands its messages to TCP directly; HTTPS puts TLS between the two. "
        "An observer on the path sees the IP and TCP headers and the TLS record header only.",
    )  # fmt: skip


CHECKED_BY = {
    "CHECK_ANCHOR": "trust anchor",
    "CHECK_SIGNATURE": "signature",
    "CHECK_VALIDITY": "validity",
    "CHECK_BASIC_CONSTRAINTS": "basic constraints",
    "CHECK_KEY_CERT_SIGN": "issuer key usage",
    "CHECK_KEY_USAGE": "key usage",
    "CHECK_NAME": "name",
}
"""State of the table -> what our validator calls the same check."""

EVERY = frozenset({"CHECK_SIGNATURE", "CHECK_VALIDITY"})
ISSUING = frozenset({"CHECK_BASIC_CONSTRAINTS", "CHECK_KEY_CERT_SIGN"})
LEAF = frozenset({"CHECK_KEY_USAGE", "CHECK_NAME"})
"""Which checks a certificate has to pass: each, one that issued another, the last."""


def certificate_flow() -> Flow:
    """Path and name validation, as the table has it."""
    return flow_of(
        ROLES["certificate"], title="Certificate validation", start="Certificate message", end="Continue the handshake"
    )


def chain_defects() -> list[str]:
    """The names of the defects that a chain can be made with."""
    return [defect.name.lower().replace("_", "-") for defect in CertificateDefect]


def validated(defects: Iterable[str]) -> Result:
    """What our validator says of a chain that has these defects, at the time that our endpoints are told."""
    wanted = frozenset(CertificateDefect[name.upper().replace("-", "_")] for name in defects)
    chain = certificates.chain("rsa", wanted)
    return Validator(certificates.anchors()).validate(chain.der, NOW, certificates.SERVER_NAME)


def executed_flow(result: Result) -> Flow:
    """The same with what our validator found out about a chain: certificate by certificate until a check fails."""
    flow = certificate_flow()
    steps = [step for step in result.trace if step.certificate_index is not None]
    known = {(step.name, step.certificate_index): step for step in steps}
    top = max((step.certificate_index or 0 for step in steps), default=0)
    keys = [check.key for check in flow.checks]
    outcomes: dict[str, Check] = {}
    remarks: dict[str, str] = {}
    taken: dict[tuple[str, str], bool] = {}
    walk = [("CHECK_ANCHOR", top)]
    for index in range(top - 1, -1, -1):
        walk += [(key, index) for key in keys if key in EVERY | (ISSUING if index else LEAF)]
    seen: set[str] = set()
    before = ""
    for key, index in walk:
        step = known.get((CHECKED_BY[key], index))
        if step is None:
            continue
        if before:
            taken[before, key] = True
        seen.add(step.name)
        if step.outcome is Outcome.FAILED:
            outcomes[key], remarks[key] = Check.FAILED, step.text
            break
        outcomes[key] = Check.PASSED
        before = key
    failed = next((key for key in keys if outcomes.get(key) is Check.FAILED), "")
    others = [
        step for step in result.trace if step.name not in CHECKED_BY.values() and step.outcome is not Outcome.NOT_RUN
    ]
    wrong = [step for step in others if step.outcome is Outcome.FAILED]
    names = dict.fromkeys(step.name for step in others)
    if not failed and not result.accepted:
        # What no step tells of, such as a chain without certificates, is a fault beyond the table, too.
        remarks["others"] = wrong[0].text if wrong else result.explanation
    clause = wrong[0].clause if wrong else ""
    extra = FlowCheck(
        "others",
        f"Do the {len(names)} checks hold that the table leaves out?",
        result.alert if "others" in remarks else "",
        clause=clause,
        sentence=", ".join(names),
    )
    flow = replace(flow, checks=(*flow.checks, extra))
    if not failed:
        outcomes["others"] = Check.FAILED if "others" in remarks else Check.PASSED
        taken[before, "others"] = bool(before)
        taken["others", ""] = result.accepted
    ended = "every check passed" if result.accepted else "the first that fails ends it; our validator reports all"
    shown = with_outcomes(flow, outcomes, remarks, taken)
    named = next((check.question for check in shown.checks if check.outcome is Check.FAILED), "")
    return replace(
        shown,
        title=f"Certificate validation: {'passed' if result.accepted else 'failed'}",
        subtitle=(f"Executed on a path of {len(result.path)} certificates: {ended}. {named}".strip(),),
    )


def hostile_capture() -> Trace:
    """Every fate that a message can have, on one connection: all of it."""
    return hostile_run(SUITES["ecdhe"])


def hostile_trace() -> Trace:
    """The same without what opened the connection, and up to where nothing is sent any more."""
    whole = hostile_capture()
    opening = [step for step in whole.messages() if step.phase == OPEN and step.layer == TCP]
    steps = [step for step in whole.steps if step.phase != OPEN]
    while steps[-1].kind is Kind.TIME:
        steps.pop()
    return replace(
        whole,
        steps=number_steps(map(_shown, steps)),
        phases=tuple(phase for phase in whole.phases if phase.key != OPEN),
        subtitle=f"{whole.subtitle} Not shown: {_counted(len(opening), 'segment')} that opened the connection.",
    )


def _only_carries(step: Step) -> bool:
    """Whether the step is a segment that only carries records, or, between handshake and end, acknowledges them."""
    if step.layer != TCP or step.kind is not Kind.MESSAGE:
        return False
    return step.title == "Data" or (step.title == "ACK" and step.phase in TITLES)


def _said(left_out: Iterable[Step]) -> str:
    """What a picture does not show, in words."""
    titles = [step.title for step in left_out]
    words = {"Data": "that carried these records", "ACK": "that only acknowledged them"}
    said = [f"{_counted(titles.count(name), 'segment')} {text}" for name, text in words.items() if name in titles]
    return f"Not shown: {', '.join(said)}." if said else ""


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _placed(step: Step) -> Step:
    """TLS's closure stands with TCP's."""
    return step if step.phase in TITLES or step.phase == OPENING.key else replace(step, phase=CLOSING.key)


def _shown(step: Step) -> Step:
    """A step beside others: without TLS's states, which would hide TCP's."""
    return step if step.layer == TCP else replace(step, before={}, after={})


def part(trace: Trace, title: str, keys: Iterable[str], subtitle: str = "") -> Trace:
    """The steps of some phases of a trace, numbered anew."""
    wanted = set(keys)
    steps = number_steps(step for step in trace.steps if step.phase in wanted)
    kept = tuple(phase for phase in trace.phases if phase.key in wanted)
    return replace(trace, title=title, subtitle=subtitle, steps=steps, phases=kept)
