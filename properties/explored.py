"""A model checked: explored, and a way to a state that breaks a property told as a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache

from shakeproof.model.attributes import HASHED, How, voucher
from shakeproof.model.composition import ATTACKER, KNOWN, PRIVATE, Composition, Transition
from shakeproof.model.machine import Role
from shakeproof.model.messages import (
    KEY_EXCHANGE,
    OFFER,
    Certificate,
    ClientKeyExchange,
    Finished,
    ServerKeyExchange,
)
from shakeproof.model.notation import Abort, Row, Symbol
from shakeproof.model.roles import ROLES
from shakeproof.model.tls12_fallback import LEGACY
from shakeproof.model.tls12_sessions_setting import mirrored
from shakeproof.model.tls12_setting import KEYS, NOTES, attacker, common, earlier, lost, sealing
from shakeproof.model.trace import Fate, Kind, Lane, Phase, Step, Trace
from shakeproof.properties.explore import DEFAULT_MEMORY, Broken, Exploration, check_completion, explore
from shakeproof.properties.explored_segments import beside, segments
from shakeproof.properties.stages import staged


def checked(
    model: Composition, *, memory: int = DEFAULT_MEMORY, progress: Callable[[Exploration, int], None] | None = None
) -> Exploration:
    """The model explored; on an honest network also whether completion stays reachable from everywhere."""
    found = explore(model, memory=memory, progress=progress)
    if not found.attacked and not found.stopped and model.done is not None:
        check_completion(found)
    return found


# ---------------------------------------------------------------------------------------------------- counterexamples

PHASE = Phase("explored", "Counterexample", "attack", "shortest, from the tables")


def lanes(model: Composition) -> tuple[Lane, ...]:
    """A lane for each machine, in order, and the attacker's in the middle."""
    own = [Lane(name, model.titles.get(name, name.capitalize()), side=name) for name in model.machines]
    middle = (len(own) + 1) // 2
    return (*own[:middle], Lane(ATTACKER, "Attacker", "on the network", side="attacker"), *own[middle:])


def trace_of(found: Exploration, broken: Broken) -> Trace:
    """The counterexample as a trace: what each side sent the attacker, and what the attacker gave it."""
    removed = f" without {' and '.join(found.model.removed)}" if found.model.removed else ""
    title = f"{broken.safety.name} does not hold{removed}"
    phases: tuple[Phase, ...] = (PHASE,)
    if found.model.layer == "tcp":  # its attacker is not in the middle
        own = [lane for lane in lanes(found.model) if lane.name != ATTACKER]
        parties, steps = beside(own, broken), tuple(segments(found, broken, PHASE.key))
    else:
        parties = lanes(found.model)
        steps, phases = staged(tuple(_steps(found, broken)), parties, PHASE)
    return Trace(
        title, parties, steps, phases, f"Not so: {broken.safety.sentence}.", "counterexample",
        meta={"model": found.model.name, "property": broken.safety.name, "depth": broken.depth,
              "without": list(found.model.removed), "kept": [PRIVATE, NOTES[sealing]]},
    )  # fmt: skip


def _steps(found: Exploration, broken: Broken) -> Iterator[Step]:
    packing = found.expander.packing
    model = found.model
    before = packing.unpack(broken.start)
    number = 0
    held: dict[tuple[str, str], Symbol] = {}
    for transition, state in broken.path:
        after = packing.unpack(state)
        if transition.kind == "loses":  # what the attacker holds back is what it does not hand on
            held[transition.machine, transition.symbol.message.name] = transition.symbol
        else:
            number += 1
            told = replace(_sent(model, transition), note=_protection(model, transition, before))
            step = _step(model, number, told, _states(model, before), _states(model, after))
            others = {message: symbol for (side, message), symbol in held.items() if side != step.receiver}
            was = others.get(step.message) if step.fate is Fate.FORGED else None
            step = replace(step, fate=Fate.TAMPERED) if was is not None else step
            yield replace(step, remarks=_remarks(transition, told.symbol, was))
        before = after


def _sent(model: Composition, transition: Transition) -> Transition:
    """A call that sends at once, as what it sends."""
    if transition.kind != "calls" or not transition.puts:
        return transition
    return replace(transition, kind="sends", symbol=model.packets[transition.puts - 1].symbol)


def _protection(model: Composition, transition: Transition, before: Mapping[str, int]) -> str:
    """What protects a packet: the attacker knows the keys or does not, as its sender's are made."""
    code = transition.puts or transition.takes
    if not code or transition.note in ("", KNOWN):
        return transition.note
    keys = f"{model.packets[code - 1].sender}.keys"
    if keys not in before or model.column(keys).fact is not KEYS or before[keys] == lost.bit:
        return transition.note
    return PRIVATE if before[keys] in (common.bit, earlier.bit) else KNOWN


USUAL = (KEY_EXCHANGE, OFFER)
"""What is not remarked on, whatever it is: it is the model's, and in its name."""


def _remarks(transition: Transition, symbol: Symbol, was: Symbol | None) -> tuple[str, ...]:
    """What a picture says of a message beside its name. was: what the attacker had been sent, and has changed."""
    out = []
    for fact in symbol.message.facts:
        bits = symbol.assignment[fact.name]
        if fact not in USUAL and bits != fact.mask and not bits & fact.default.bit:
            out += [value.name.upper() for value in fact.named(bits) if value not in symbol.defects]
    made = dict(transition.assign)
    values = len(out)
    if transition.kind != "forges":
        return tuple(out)
    mine = made.get(f"{transition.machine}.owner") == attacker.bit
    if symbol.message is Certificate and mine:
        out.append("the attacker's certificate")
    elif symbol.message is ServerKeyExchange and mine:
        out.append("with the attacker's key")
    elif symbol.message is ClientKeyExchange and made.get("network.master") == mirrored.bit:
        out.append("the secret that the client sent, encrypted again")
    if was is None:
        return tuple(out)
    old, new = ([v for v in one.shown if v not in other.shown] for one, other in ((was, symbol), (symbol, was)))
    if old or new:
        new = [value for value in new if value not in out and value not in {v.name.upper() for v in symbol.defects}]
        out.append(" ".join([", ".join(new)] * bool(new) + [f"instead of {', '.join(old)}"] * bool(old)))
    elif len(out) == values and symbol.message is Finished:
        out.append("made anew, of what this side has seen")
    elif len(out) == values and symbol.message in HASHED:
        out.append("changed in what the tables do not read")
    return tuple(out)


def _states(model: Composition, values: dict[str, int]) -> dict[str, str]:
    return {side: model.column(f"{side}.state").text(values[f"{side}.state"]).upper() for side in model.machines}


@cache
def _rows(role: Role) -> dict[str, Row]:
    """The rows of the role by id, those with older versions enabled among them: a model may be made of these."""
    older = role.under({*role.default_readings, LEGACY}).by_id if LEGACY in role.readings else {}
    return {**older, **role.by_id}


def _step(
    model: Composition, number: int, transition: Transition, before: dict[str, str], after: dict[str, str]
) -> Step:
    symbol: Symbol = transition.symbol
    side = transition.machine
    own = {"before": {side: before[side]}, "after": {side: after[side]}}
    clause = ""
    if transition.row:
        role = ROLES[model.machines[side]]
        row = _rows(role).get(transition.row)
        if row is not None and isinstance(row.next, Abort) and role.aborted and after[side] != role.aborted.name:
            row = None  # the row of that id refuses
        clause = row.citation if row is not None else "not refused"
    facts = tuple(symbol.shown)
    defects = tuple(value.name.upper() for value in symbol.defects)
    base = Step(
        number, layer=model.layer, message=symbol.message.name, facts=facts, defect=defects, protection=transition.note,
        phase=PHASE.key, row=transition.row, clause=clause, before=own["before"], after=own["after"],
    )  # fmt: skip
    if transition.kind == "calls":
        return replace(base, kind=Kind.ACTION, sender=side, title=f"calls {symbol.message.name}", protection="")
    if transition.kind == "sends":
        return replace(base, sender=side, receiver=ATTACKER)
    fate = Fate.DELIVERED
    if transition.kind == "forges":
        attribute = voucher(symbol.named)
        mine = dict(transition.assign).get(f"{side}.owner") == attacker.bit  # a certificate for its own name
        public = attribute is not None and attribute.how is How.CERTIFIED and not mine
        fate = Fate.REPLAYED if public else Fate.FORGED
    return replace(base, sender=ATTACKER, receiver=side, fate=fate)
