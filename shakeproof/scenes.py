"""The whole interaction as one trace: TLS and HTTP executed by our client and server, TCP around them from its table.

TCP's part says that it was not executed, until there is a TCP that can be.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, TypeAlias

from shakeproof.impl.tls.suites import SUITES_BY_NAME, CipherSuite
from shakeproof.model.https import CLOSE_PHASE, TCP_PHASE, tcp_steps
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Phase, Step, Trace, number_steps
from shakeproof.properties.executed import CLIENT, LATENCY_S, SERVER, https_run

KeyExchangeName: TypeAlias = Literal["rsa", "ecdhe"]

SUITES: dict[KeyExchangeName, CipherSuite] = {
    "rsa": SUITES_BY_NAME["TLS_RSA_WITH_AES_128_CBC_SHA"],
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
    """The bands of the whole interaction; those that were not executed say so."""
    tls = [replace(phase, title=TITLES[phase.key]) for phase in ROLES["tls12.client"].phases if phase.key in TITLES]
    closing = replace(CLOSE_PHASE, aside=f"close_notify, then {CLOSE_PHASE.aside}")
    return (TCP_PHASE, *tls, closing)


def https_trace(key_exchange: KeyExchangeName = "rsa") -> Trace:
    """TCP handshake, TLS 1.2 handshake, a request and its response, closure, teardown."""
    run = https_run(SUITES[key_exchange])
    around = tcp_steps(CLIENT, SERVER)
    opening = [step for step in around if step.phase == TCP_PHASE.key]
    closing = [step for step in around if step.phase != TCP_PHASE.key]
    return replace(
        run,
        title="HTTPS: the full interaction",
        steps=number_steps([*opening, *map(_shown, run.steps), *closing]),
        phases=phases(),
        subtitle=f"TCP + TLS 1.2 + HTTP/1.1. {run.subtitle} "
        f"TLS and HTTP executed, {LATENCY_S * 1000:g} ms each way; TCP from its table.",
    )


def _shown(step: Step) -> Step:
    """A step of the TLS run beside TCP: without TLS's states, which would hide TCP's, and closure with the teardown."""
    phase = step.phase if step.phase in TITLES else CLOSE_PHASE.key
    return replace(step, phase=phase, before={}, after={})


def part(trace: Trace, title: str, keys: Iterable[str], subtitle: str = "") -> Trace:
    """The steps of some phases of a trace, numbered anew."""
    wanted = set(keys)
    steps = number_steps(step for step in trace.steps if step.phase in wanted)
    executed = any(step.time_s is not None for step in steps)
    kept = tuple(phase for phase in trace.phases if phase.key in wanted)
    origin = trace.origin if executed else "table"
    return replace(trace, title=title, subtitle=subtitle, steps=steps, phases=kept, origin=origin)
