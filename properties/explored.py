"""A model checked: explored, and a way to a state that breaks a property told as a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache

from shakeproof.model.attributes import How, voucher
from shakeproof.model.composition import ATTACKER, KNOWN, PRIVATE, Composition, Transition
from shakeproof.model.machine import Role
from shakeproof.model.notation import Abort, Row, Symbol
from shakeproof.model.roles import ROLES
from shakeproof.model.tls12_fallback import LEGACY
from shakeproof.model.tls12_setting import KEYS, attacker, common, earlier
from shakeproof.model.trace import Fate, Kind, Lane, Phase, Step, Trace
from shakeproof.properties.explore import DEFAULT_MEMORY, Broken, Exploration, check_completion, explore
from shakeproof.properties.explored_segments import beside, segments


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
    if found.model.layer == "tcp":  # its attacker is not in the middle
        own = [lane for lane in lanes(found.model) if lane.name != ATTACKER]
        parties, steps = beside(own, broken), tuple(segments(found, broken, PHASE.key))
    else:
        parties, steps = lanes(found.model), tuple(_steps(found, broken))
    return Trace(
        title, parties, steps, (PHASE,), f"Not so: {broken.safety.sentence}.", "counterexample",
        meta={"model": found.model.name, "property": broken.safety.name, "depth": broken.depth,
              "without": list(found.model.removed), "kept": [PRIVATE]},
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
            held.add((transition.machine, transition.symbol.message.name))
        else:
            number += 1
            told = replace(_sent(model, transition), note=_protection(model, transition, before))
            step = _step(model, number, told, _states(model, before), _states(model, after))
            others = {message for side, message in held if side != step.receiver}
            changed = step.fate is Fate.FORGED and step.message in others
            yield replace(step, fate=Fate.TAMPERED) if changed else step
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
    kept = keys in before and model.column(keys).fact is KEYS and before[keys] in (common.bit, earlier.bit)
    return PRIVATE if kept else transition.note


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
