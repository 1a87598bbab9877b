"""The scenes that figures show: parts of runs that were executed, our client and server over our TCP.

A run has every segment and every record. A picture of the whole leaves out the segments that only carry records, whose
rows say more, and bare acknowledgments of them; how many those were is counted and said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, TypeAlias

from shakeproof.diagrams.flow import Flow, with_outcomes
from shakeproof.diagrams.flow_groups import grouped_flow
from shakeproof.diagrams.stack import Layer, Stack
from shakeproof.impl.tls.alerts import AlertDescription
from shakeproof.impl.tls.records import HEADER_LENGTH
from shakeproof.impl.tls.suites import SUITES_BY_NAME, CipherSuite
from shakeproof.impl.x509 import Result, Validator
from shakeproof.model.certificate_checks import CHECK_OF, CHECKS, GROUPS
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Check, Kind, Line, Phase, Step, Trace, number_steps
from shakeproof.properties.chain_table import beyond, told
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


def data_exchange_trace(key_exchange: KeyExchangeName = "rsa") -> Trace:
    """A request and its response, each with the record that it travelled in: one side sealed it, the other opened it.

    The run has no step for either: both are told from the record, whose lengths it has, and which its reader opened.
    """
    whole = part(https_trace(key_exchange), "Encrypted data exchange", ["data"])
    suite, asks = whole.meta["suite"], whole.steps[0].sender
    steps: list[Step] = []
    for step in whole.steps:
        if step.layer != "http":
            steps.append(step)
            continue
        what = "request" if step.sender == asks else "response"
        plain = step.detail.rpartition(", ")[2]
        record = f"a record of {len(step.data)} bytes"
        clause = "5246 \u00a76.2.3"
        doing = replace(step, kind=Kind.ACTION, message="", data=b"", protection="", receiver="", detail="", row="")
        doing = replace(doing, before={}, after={}, received_s=None, carrier=None, clause=clause)
        sealed = (Line(f"{plain} of HTTP into {record}"), Line(suite))
        opened = (Line(f"the integrity check holds, {plain} of HTTP", Check.PASSED),)
        steps.append(replace(doing, title=f"Encrypt the {what}", lines=sealed))
        steps.append(step)
        steps.append(
            replace(doing, sender=step.receiver, title=f"Decrypt the {what}", lines=opened, time_s=step.received_s)
        )
    return replace(whole, steps=number_steps(steps))


def mitm_trace(rogue: str, key_exchange: KeyExchangeName = "rsa") -> Trace:
    """The man in the middle against the client with this fault, or against the clean one: without states.

    What happens is found by exploring the model; the model has no DHE, for which an attack is executed that we wrote.
    """
    # An attacker's machinery is much to load for the pictures that have none.
    if key_exchange != "dhe":
        from shakeproof.properties.found_in_the_middle import found_in_the_middle_run

        return found_in_the_middle_run(SUITES[key_exchange], rogue)
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


def certificate_flow() -> Flow:
    """Path and name validation, as the table has it: its checks in a few boxes."""
    flow = grouped_flow(
        ROLES["certificate"], GROUPS, {state: check.number for state, check in CHECK_OF.items()},
        title="Certificate validation", start="Certificate message", end="Continue the handshake",
        subtitle=f"{len(CHECKS)} checks in the order of RFC 5280; each certificate of the path, issuers first. "
        "The first check that fails ends it.",
    )  # fmt: skip
    numbered = f"1 to {len(flow.checks)} count the boxes; each names its checks by their numbers, 1 to {len(CHECKS)}."
    checks = tuple(replace(check, code=_code(check.alert)) for check in flow.checks)
    return replace(flow, checks=checks, subtitle=(*flow.subtitle, numbered))


def _code(alert: str) -> str:
    """The number of an alert (RFC 5246 section 7.2)."""
    known = AlertDescription.__members__.get(alert.upper())
    return "" if known is None else str(int(known))


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
    answers = list(told(result))
    failed = next((answer for answer in answers if answer.value is not None), None)
    others = beyond(result)
    remark, alerts = (failed.text, failed.alerts) if failed else (others[0][1] if others else "", (result.alert,))
    if failed is None and others:  # what the table has no question for fails where it would belong
        failed = next((answer for answer in answers if answer.state.phase == others[0][0].phase), answers[-1])
    elif failed is not None:
        remark = f"check {CHECK_OF[failed.state].number}: {remark}"
    # What stopped is the path of one certificate through the boxes; those that passed before it are told in words.
    at = failed.index if failed else None
    passed = {answer.index for answer in answers if answer.index is not None} - {at} if at is not None else set()
    if passed:
        answers = [answer for answer in answers if answer.index in (None, at)]
    outcomes: dict[str, Check] = {}
    taken: dict[tuple[str, str], bool] = {}
    before = ""
    for answer in answers:
        key = answer.state.phase
        if before and before != key:
            taken[before, key] = True
        outcomes[key], before = Check.PASSED, key
        if answer is failed:
            outcomes[key] = Check.FAILED
            break
    taken[before, ""] = failed is None
    shown = with_outcomes(flow, outcomes, {check.key: check.remark for check in flow.checks}, taken)
    who = "" if at is None else "the leaf" if at == 0 else "this certificate"
    idle = f"not run for {who}" if who else "not run"
    boxes = []
    for box in shown.checks:
        if box.outcome is Check.FAILED:
            box = replace(box, alert=alerts[0], code=_code(alerts[0]), others=len(alerts) - 1, remark=remark)
        elif box.outcome is Check.NONE:
            box = replace(box, remark=f"{box.remark}: {idle}")
        boxes.append(box)
    ended = "every check passed" if result.accepted else "the first that fails ends it; our validator reports all"
    said = [f"Executed on a path of {_counted(len(result.path), 'certificate')}: {ended}.", *flow.subtitle[1:]]
    if passed:
        said.append(
            f"Shown: what {who} went through. {_counted(len(passed), 'issuer')} had passed every check before it."
        )
    return replace(
        shown,
        title="Certificate validation: passed" if result.accepted else f"Certificate validation failed, {remark}",
        subtitle=tuple(said),
        checks=tuple(boxes),
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
