"""What must hold in every state of TLS 1.2 with an attacker, and how a way to a state that breaks it is told.

Each property is an expression over the columns of `model.tls12_composed`, and each has a protection of
`model.protections` without which it does not hold: a property that nothing can break proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from shakeproof.model.attributes import How, voucher
from shakeproof.model.composition import Composition, Of, Safety, Transition
from shakeproof.model.facts import Guard
from shakeproof.model.notation import Symbol
from shakeproof.model.roles import ROLES
from shakeproof.model.tls12 import CONNECTED
from shakeproof.model.tls12_composed import compose
from shakeproof.model.tls12_setting import (
    CLIENT,
    PEER,
    SERVER,
    Setting,
    altered,
    common,
    earlier,
    exposed,
    forged,
    lost,
    no_keys,
    peer,
    reads,
)
from shakeproof.model.trace import Fate, Kind, Lane, Phase, Step, Trace
from shakeproof.properties.explore import DEFAULT_MEMORY, Broken, Exploration, check_completion, explore

ATTACKER = "attacker"

ASSUMPTIONS = (
    "cryptography is perfect: nobody signs, decrypts or computes a MAC without the key",
    "the attacker holds no key of the server's, of the client's or of a trusted authority's",
    "one connection, one handshake: no renegotiation, no tickets, TLS 1.2 only, no close_notify of one's own accord",
    "an attacker that tampers with a hello keeps its random, so that the keys still agree",
    "the session that is resumed is the client's and the server's alone",
)


def _connected(composition: Composition, side: str) -> Guard:
    return Of(side, composition.column(f"{side}.state").fact[CONNECTED.name])


def safety(composition: Composition) -> tuple[Safety, ...]:
    """The properties, for a composition of TLS 1.2."""
    client, server = _connected(composition, CLIENT), _connected(composition, SERVER)
    shared = (Of(CLIENT, common) & Of(SERVER, common)) | (Of(CLIENT, earlier) & Of(SERVER, earlier))
    return (
        Safety(
            "server-authenticated",
            "a client that has finished shares its keys with the server that it wanted, and with nobody else",
            "RFC 5246 F.1.1",
            ~(client & (Of(CLIENT, no_keys) | Of(CLIENT, exposed) | Of(CLIENT, lost))),
        ),
        Safety(
            "client-authenticated",
            "where the server takes a client for the owner of a certificate, it shares its keys with that client",
            "RFC 5246 7.4.8",
            ~(server & Of(SERVER, peer) & ~Of(SERVER, common)),
        ),
        Safety(
            "key-agreed",
            "a server that has finished has keys that were made of a secret that somebody sent it",
            "RFC 5246 7.1",
            ~(server & (Of(SERVER, no_keys) | Of(SERVER, lost))),
        ),
        Safety(
            "handshake-agreed",
            "a client and a server that have finished with the same keys have seen the same handshake",
            "RFC 5246 7.4.9",
            ~(client & server & shared & Of("network", altered)),
        ),
        Safety(
            "session-secret",
            "nobody but the server reads what the client's application sends",
            "RFC 5246 F.1.1",
            ~Of(ATTACKER, reads),
        ),
        Safety(
            "data-authentic",
            "data is accepted only from the peer with which the keys are shared",
            "RFC 5246 6.2.3",
            ~(Of(CLIENT, forged) | (Of(SERVER, forged) & (Of(SERVER, common) | Of(SERVER, earlier)))),
        ),
    )  # fmt: skip


def composed(setting: Setting) -> Composition:
    """The model of the setting with its properties and what it presumes."""
    bare = compose(setting)
    return replace(bare, safety=safety(bare), assumptions=ASSUMPTIONS)


def checked(
    setting: Setting, *, memory: int = DEFAULT_MEMORY, progress: Callable[[Exploration, int], None] | None = None
) -> Exploration:
    """The setting explored; on an honest network also whether completion stays reachable from everywhere."""
    found = explore(composed(setting), memory=memory, progress=progress)
    if not setting.attacked and not found.stopped:
        check_completion(found)
    return found


# ---------------------------------------------------------------------------------------------------- counterexamples

LANES = (
    Lane(CLIENT, "Client", side="client"),
    Lane(ATTACKER, "Attacker", "on the network", side="attacker"),
    Lane(SERVER, "Server", side="server"),
)
PHASE = Phase("explored", "Counterexample", "attack", "shortest, from the tables")


def trace_of(found: Exploration, broken: Broken) -> Trace:
    """The counterexample as a trace: what each side sent the attacker, and what the attacker gave it."""
    title = f"{broken.safety.name} does not hold"
    return Trace(
        title, LANES, tuple(_steps(found, broken)), (PHASE,), f"Not so: {broken.safety.sentence}.", "counterexample",
        meta={"model": found.model.name, "property": broken.safety.name, "depth": broken.depth},
    )  # fmt: skip


def _steps(found: Exploration, broken: Broken) -> Iterator[Step]:
    packing = found.expander.packing
    model = found.model
    before = packing.unpack(broken.start)
    number = 0
    held: set[tuple[str, str]] = set()
    for transition, state in broken.path:
        after = packing.unpack(state)
        if transition.kind == "loses":  # what the attacker holds back is what it does not hand on
            held.add((PEER[transition.machine], transition.symbol.message.name))
        else:
            number += 1
            step = _step(model, number, _sent(model, transition), _states(model, before), _states(model, after))
            changed = step.fate is Fate.FORGED and (step.receiver, step.message) in held
            yield replace(step, fate=Fate.TAMPERED) if changed else step
        before = after


def _sent(model: Composition, transition: Transition) -> Transition:
    """A call that sends at once, as what it sends."""
    if transition.kind != "calls" or not transition.puts:
        return transition
    return replace(transition, kind="sends", symbol=model.packets[transition.puts - 1].symbol)


def _states(model: Composition, values: dict[str, int]) -> dict[str, str]:
    return {side: model.column(f"{side}.state").text(values[f"{side}.state"]).upper() for side in model.machines}


def _step(
    model: Composition, number: int, transition: Transition, before: dict[str, str], after: dict[str, str]
) -> Step:
    symbol: Symbol = transition.symbol
    side = transition.machine
    own = {"before": {side: before[side]}, "after": {side: after[side]}}
    clause = ""
    if transition.row:
        row = ROLES[model.machines[side]].by_id.get(transition.row)
        clause = row.citation if row is not None else "a row that the protection taken out would forbid"
    facts = tuple(symbol.shown)
    defects = tuple(value.name.upper() for value in symbol.defects)
    base = Step(
        number, layer="tls", message=symbol.message.name, facts=facts, defect=defects, protection=transition.note,
        phase=PHASE.key, row=transition.row, clause=clause, before=own["before"], after=own["after"],
    )  # fmt: skip
    if transition.kind == "calls":
        return replace(base, kind=Kind.ACTION, sender=side, title=f"calls {symbol.message.name}", protection="")
    if transition.kind == "sends":
        return replace(base, sender=side, receiver=ATTACKER)
    fate = Fate.DELIVERED
    if transition.kind == "forges":
        attribute = voucher(symbol.named)
        fate = Fate.REPLAYED if attribute is not None and attribute.how is How.CERTIFIED else Fate.FORGED
    return replace(base, sender=ATTACKER, receiver=side, fate=fate)
