"""Why something was not tested, as a sentence for who maintains the target: what was tried, what came, what follows."""

from __future__ import annotations

from collections.abc import Sequence

from shakeproof.model.machine import Configuration, Role
from shakeproof.model.messages import Alert
from shakeproof.properties.conversation import Exchange
from shakeproof.properties.demands import joined
from shakeproof.properties.findings import Grade
from shakeproof.properties.verdicts import Problem

TRIED = "an honest handshake was tried, and"
"""How the reasons of setups begin."""
NOT_TESTED = "so this setup is not tested"
"""How they end."""
ANONYMOUS = f"the client was asked for a certificate, and answered with an empty list: it has none, {NOT_TESTED}"
SILENT = "it was not tried: the target answered nothing in the setups before it"


def answer_text(exchange: Exchange) -> str:
    """What the target did at a step: "answered the ClientHello with Alert[FATAL, HANDSHAKE_FAILURE]"."""
    at = f"the {exchange.symbol.message.name}" if exchange.symbol is not None else ""
    symbols = dict.fromkeys(item.symbol for item in exchange.seen)
    sent = joined([one.text if one.message is Alert else one.message.name for one in symbols]) if symbols else ""
    if sent:
        did = f"answered {at} with {sent}" if at else f"began with {sent}"
    elif exchange.reaction.crashed or exchange.reaction.closed:
        did = ""
    else:
        late = "" if exchange.reaction.exact else " in time"
        did = f"gave no answer to {at}{late}" if at else f"began with nothing{late}"
    if how := exchange.reaction.crashed:
        return f"{did} and died ({how})" if did else f"died at {at or 'the beginning'} ({how})"
    if exchange.reaction.closed:
        bare = f"closed the connection without an alert at {at or 'its beginning'}"
        return f"{did} and closed the connection" if did else bare
    return did


def refused_text(exchange: Exchange, hint: str = "") -> str:
    """Why a setup is not tested that the target refuses. hint: what the refusal says."""
    return f"{TRIED} the target {answer_text(exchange)}{_noted(exchange)}{hint}, {NOT_TESTED}"


def broken_text(problem: Problem) -> str:
    """What went wrong in a setup's honest handshake."""
    return f"{TRIED} the target {answer_text(problem.exchange)}{_because(problem)}{_noted(problem.exchange)}"


def _because(problem: Problem) -> str:
    """What was wrong with an answer; how the target died is told where it did."""
    return "" if problem.exchange.reaction.crashed else f" ({problem.why})"


def _noted(exchange: Exchange) -> str:
    """What the target said of it elsewhere, in its own words."""
    return f" ({exchange.reaction.note})" if exchange.reaction.note else ""


def way_text(problem: Problem) -> str:
    """Why a cell was not reached. What is no fault has its own words."""
    if problem.grade is Grade.NOTE:
        return problem.why
    return f"on the honest way there the target {answer_text(problem.exchange)}{_because(problem)}"


def choice_text(role: Role, exchange: Exchange, wanted: Configuration, found: Sequence[Configuration]) -> str:
    """That the target is somewhere else than expected, though it is where it may be. exchange: the last step."""
    where = _place(role, wanted, found)
    return f"the target {answer_text(exchange)}, as it may; this is tested only where it then is in {where}"


def _place(role: Role, here: Configuration, others: Sequence[Configuration]) -> str:
    """A configuration in words, with what is remembered there and not in all the others."""
    first = role.start.memory
    different = [
        " or ".join(value.sentence for value in fact.named(bits))
        for at, (fact, bits) in enumerate(zip(role.memory_facts, here.memory, strict=True))
        if bits not in (first[at], fact.mask) and any(other.memory[at] != bits for other in others)
    ]
    return f"{here.state.name} ({'; '.join(different)})" if different else here.state.name
