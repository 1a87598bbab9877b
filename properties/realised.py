"""A counterexample of the model, performed: whether it happens with our implementation.

The way is followed by our client and server (`performance`). At the end the broken property is looked for in the two
connection objects themselves. With the rogue planted that lacks the same protection, this comes to the end; the clean
implementation refuses at the step that the protection guards. Where neither is so, the model says of the implementation
what is not true, or the fault that was planted is another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from shakeproof.impl.tls import ClientConnection, ServerConnection
from shakeproof.impl.tls.protection import NullProtection
from shakeproof.impl.x509 import Validator
from shakeproof.model.composition import Composition
from shakeproof.model.notation import Symbol
from shakeproof.model.tls12_fallback import ATTEMPT
from shakeproof.model.trace import Step, Trace
from shakeproof.properties.adversary import SIDES, Side, other
from shakeproof.properties.explore import Broken, Exploration
from shakeproof.properties.explored import trace_of
from shakeproof.properties.performance import EndedError, Performance, states_of
from shakeproof.properties.rogues import ROGUES, Rogue
from shakeproof.properties.tls12_sessions_models import OF_TRIPLE

MATCHING: Mapping[str, str] = {
    "certificate-validation": "certificate-unchecked",
    "name-check": "wrong-name",
    "key-exchange-signature": "goto-fail",
    "finished-check": "finished-unchecked",
    "ccs-after-keys": "early-ccs",
    "message-order": "skip-to-finished",
    "certificate-verify": "certificate-verify-unchecked",
    "record-mac": "mac-unchecked",
    "renegotiation-binding": "renegotiation-info-unread",
}
"""For each protection of the model, the rogue that lacks it."""

APART: Mapping[str, str] = {
    "client-certificate-validation": "client-use-ignored lacks a part of it; no rogue takes every chain of a client's",
    "no-export-keys": "our server has no suite of export, and signs no short key",
    "downgrade-signal": "our client and our server speak TLS 1.2 alone",
    "extended-master-secret": "two more guards would have to be gone, those of RFC 7627 sections 5.4 and 6.1",
    "challenge-ack": "in-window-reset and syn-resets lack a part of it each, but segments are not performed",
    "unpredictable-isn": "predictable-isn lacks it, but segments are not performed",
}
"""The protections whose counterexamples are not performed, and why."""


@dataclass(frozen=True)
class Realised:
    """How far it came.

    done: the way was followed to its end, and the property is broken there; step: the last step, by its number in the
    trace; why: what was seen there; answer: the fatal alert that ended it, None where none did; clause: what the table
    rests that on; trace: what was executed.
    """

    done: bool
    step: int
    why: str
    trace: Trace
    answer: Symbol | None = None
    clause: str = ""


def _server_authenticated(run: Performance) -> str:
    if run.is_connected("client") and not run.master("client"):
        return "the client has finished, and no secret was agreed upon"
    if run.is_connected("client") and run.shares("client"):
        return "the client has finished, and the attacker has its keys"
    apart = run.is_connected("client") and run.master("client") != run.master("server")
    return "the client has finished, and has not the server's keys" if apart else ""


def _client_authenticated(run: Performance) -> str:
    server = run.ends["server"].tls
    named = bool(server.negotiated.peer_certificates)
    apart = not run.master("server") or run.master("server") != run.master("client")
    taken = run.is_connected("server") and named and apart
    return "the server takes the attacker for the owner of the client's certificate" if taken else ""


def _key_agreed(run: Performance) -> str:
    empty = run.is_connected("server") and not run.master("server")
    return "the server has finished, with keys of an empty secret" if empty else ""


def _agrees(side: Side) -> Callable[[Performance], str]:
    """How it is seen that the side has finished, and its peer has not what it has, as far as both have come."""

    def seen(run: Performance) -> str:
        peer = other(side)
        own, its = run.ends[side].ledger.transcript, run.ends[peer].observer.transcript
        both = min(len(own), len(its))
        if not run.is_connected(side) or run.shares(side):
            return ""
        if run.master(side) != run.master(peer):
            return f"the {side} has finished, and the {peer} has other keys"
        apart = own[:both] != its[:both]
        return f"the {side} has finished, and the {peer} has seen another handshake" if apart else ""

    return seen


def _records_protected(run: Performance) -> str:
    for side in SIDES:
        if run.is_connected(side) and isinstance(run.ends[side].tls.reader.protection, NullProtection):
            return f"the {side} has finished, and reads records that nothing protects"
    return ""


def _session_secret(run: Performance) -> str:
    wrote = bytes(run.ends["client"].ledger.written)
    read = bool(wrote) and run.forger.read["client"] == wrote
    return f"the attacker has read what the client's application sent, {len(wrote)} bytes" if read else ""


def _data_authentic(run: Performance) -> str:
    for side in SIDES:
        got, wrote = bytes(run.ends[side].ledger.accepted), bytes(run.ends[other(side)].ledger.written)
        if not wrote.startswith(got):
            return f"the {side}'s application has got {len(got)} bytes that the {other(side)}'s never sent"
    return ""


def _one_peer(run: Performance) -> str:
    got, wrote = _taken(run)
    mine = len(got) - len(wrote)
    spliced = bool(wrote) and got.endswith(wrote) and mine > 0
    both = f"{mine} bytes of the attacker's and {len(wrote)} of the client's"
    return f"the server's application has got {both} as the words of one" if spliced else ""


def _data_of_the_client(run: Performance) -> str:
    got, wrote = _taken(run)
    mine = bool(got) and not wrote.startswith(got)
    known = run.is_connected("server") and bool(run.ends["server"].tls.negotiated.peer_certificates)
    owners = f"the server has got {len(got)} bytes on the connection of the owner of a certificate, who never sent them"
    return owners if mine and known else ""


def _taken(run: Performance) -> tuple[bytes, bytes]:
    """What the server's application has got, and what the client's has written."""
    return bytes(run.ends["server"].ledger.accepted), bytes(run.ends["client"].ledger.written)


BROKEN: dict[str, Callable[[Performance], str]] = {
    "server-authenticated": _server_authenticated,
    "client-authenticated": _client_authenticated,
    "key-agreed": _key_agreed,
    "client-agrees": _agrees("client"),
    "server-agrees": _agrees("server"),
    "records-protected": _records_protected,
    "session-secret": _session_secret,
    "data-authentic": _data_authentic,
    "one-peer": _one_peer,
    "data-of-the-client": _data_of_the_client,
}
"""By property of the model: how it is seen in the two connections that it is broken."""


def realise(found: Exploration, broken: Broken, rogue: Rogue | None = None) -> Realised:
    """Perform the counterexample with this fault planted, or with the clean implementation."""
    told = trace_of(found, broken)
    run = Performance(found.model, [transition for transition, _ in broken.path], rogue)
    steps: list[Step] = []

    def happened(title: str) -> Trace:
        meta = {**told.meta, "rogue": rogue.name if rogue is not None else ""}
        with_what = f"the rogue {rogue.name}" if rogue is not None else "the clean implementation"
        phases = tuple(replace(phase, aside=f"performed with {with_what}") for phase in told.phases)
        return replace(told, title=title, steps=tuple(steps), phases=phases, origin="executed", meta=meta)

    try:
        for transition, state in broken.path:
            try:
                run.perform(transition, states_of(found, state))
            finally:
                if transition.kind != "loses":
                    data, detail = run.seen
                    steps.append(replace(told.steps[len(steps)], data=data, detail=detail))
        shown = BROKEN[broken.safety.name](run)
        if not shown:
            raise EndedError(f"all of it happens, and yet {broken.safety.name} holds")
        return Realised(True, len(steps), shown, happened(told.title))
    except EndedError as error:
        reached = len(steps)
        if error.answer is not None and steps:
            steps.append(_answered(steps[-1], error.answer))
        return Realised(
            False,
            reached,
            error.why,
            happened(f"{broken.safety.name}: ended at step {reached}"),
            error.answer,
            error.clause,
        )
    finally:
        run.dispose()


def _answered(last: Step, alert: Symbol) -> Step:
    """The alert that ended it, as a step after the one that it answers."""
    side = last.receiver
    return Step(
        last.number + 1, sender=side, receiver=last.sender, layer=last.layer, message=alert.message.name,
        facts=tuple(alert.shown), phase=last.phase, before=last.before, after={side: "CLOSED"},
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------ what is asked


def is_realisable(model: Composition) -> bool:
    """Whether the model is one of what can be performed: our client and our server, a connection each."""
    return dict(model.machines) == {side: f"tls12.{side}" for side in SIDES}


def planted(removed: Sequence[str]) -> Rogue | None:
    """The rogue that lacks these protections: all their faults in one. None where one of them has no rogue."""
    if not removed or any(name not in MATCHING for name in removed):
        return None
    rogues = [ROGUES[MATCHING[name]] for name in removed]
    if len(rogues) == 1:
        return rogues[0]

    def connection(one: ClientConnection | ServerConnection) -> None:
        for rogue in rogues:
            side = "tls12.client" if isinstance(one, ClientConnection) else "tls12.server"
            if rogue.connection is not None and side in rogue.roles:
                rogue.connection(one)

    def validator(one: Validator) -> None:
        for rogue in rogues:
            if rogue.validator is not None:
                rogue.validator(one)

    names = " and ".join(rogue.name for rogue in rogues)
    roles = tuple(dict.fromkeys(role for rogue in rogues for role in rogue.roles))
    return Rogue(names, names, roles, rogues[0].clause, connection=connection, validator=validator)


@dataclass(frozen=True)
class Replay:
    """What became of a counterexample in our implementation.

    text: in a line; with_fault: with the rogue planted that lacks the protections, clean: with nothing planted, None
    each where it was not performed.
    """

    text: str
    with_fault: Realised | None = None
    clean: Realised | None = None

    @property
    def is_missing(self) -> bool:
        """It does not happen where it must, with the protections gone: the rogue, or the model, is another one."""
        return self.with_fault is not None and not self.with_fault.done

    @property
    def is_ours_too(self) -> bool:
        """It happens where it must not: the clean implementation has the fault."""
        return self.clean is not None and self.clean.done


def replayed(found: Exploration, broken: Broken, removed: Sequence[str]) -> Replay:
    """The counterexample, performed with the rogue and with the clean implementation, if it can be."""
    why_not = _unrealisable(found.model, broken, removed)
    rogue = planted(removed)
    if why_not or rogue is None:
        return Replay(f"not replayed against the implementation: {why_not}")
    with_fault, clean = realise(found, broken, rogue), realise(found, broken)
    if with_fault.done:
        said = f"with the rogue {rogue.name} it happens: {with_fault.why}"
    else:
        said = f"with the rogue {rogue.name} it does not happen: at step {with_fault.step} {with_fault.why}"
    if clean.done:
        said += f"; with the clean implementation too: {clean.why}"
    else:
        clause = f" ({clean.clause})" if clean.clause else ""
        said += f"; the clean implementation ends it at step {clean.step}: {clean.why}{clause}"
    return Replay(f"replayed against the implementation: {said}", with_fault, clean)


def _unrealisable(model: Composition, broken: Broken, removed: Sequence[str]) -> str:
    """Why a counterexample can't be performed at all; "" where it can."""
    lacking = [f"{name} ({APART[name]})" if name in APART else name for name in removed if name not in MATCHING]
    if not removed:
        return "no protection is taken out"
    if lacking:
        return f"nothing to perform it with for {', '.join(lacking)}"
    if not is_realisable(model):
        return f"{model.name} is not a model of our TLS client and our TLS server"
    if any(column.fact is ATTEMPT for column in model.columns):
        return APART["downgrade-signal"]
    if OF_TRIPLE[0] in model.assumptions:
        return f"in {model.name} the client is at the attacker's own server"
    if broken.safety.name not in BROKEN:
        return f"nothing says how {broken.safety.name} is seen in two real connections"
    return ""
