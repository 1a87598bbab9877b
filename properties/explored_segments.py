"""A counterexample of TCP told as a trace: segments go past an attacker that is beside their path.

A segment stands where it arrives, or is lost. What is still on its way at the end stands where it was sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from shakeproof.model.composition import ATTACKER, OnTheWay, Packet, Transition
from shakeproof.model.facts import And, Guard
from shakeproof.model.notation import Kind, Symbol
from shakeproof.model.tcp_composed import OLD_DUPLICATE
from shakeproof.model.tcp_ends import role_of
from shakeproof.model.tcp_names import symbol_name
from shakeproof.model.tcp_segments import ahead, current, partial
from shakeproof.model.trace import Fate, Lane, Step
from shakeproof.model.trace import Kind as StepKind
from shakeproof.properties.explore import Broken, Exploration


def beside(own: list[Lane], broken: Broken) -> tuple[Lane, ...]:
    """The lanes, with the attacker's next to whom it sends most."""
    lane = Lane(ATTACKER, "Attacker", "beside the path", side="attacker")
    hit = [transition.machine for transition, _ in broken.path if transition.kind == "forges"]
    return (lane, *own) if hit.count(own[0].name) > len(hit) / 2 else (*own, lane)


@dataclass
class _Sent:
    """A segment on its way: its packet, the step that stands for it if it never arrives."""

    code: int
    step: Step
    gone: bool = False
    copies: int = 0


def segments(found: Exploration, broken: Broken, phase: str) -> Iterator[Step]:
    """The steps of a counterexample."""
    teller = _Teller(found, phase)
    before = found.expander.packing.unpack(broken.start)
    for transition, state in broken.path:
        after = found.expander.packing.unpack(state)
        teller.tell(transition, before, after)
        before = after
    steps = [one for one in teller.told if not isinstance(one, _Sent) or not (one.gone or one.copies)]
    for number, one in enumerate(steps, 1):
        yield replace(one.step if isinstance(one, _Sent) else one, number=number)


class _Teller:
    """Puts the steps together."""

    def __init__(self, found: Exploration, phase: str) -> None:
        self.model = found.model
        self.phase = phase
        self.told: list[Step | _Sent] = []

    def tell(self, transition: Transition, before: dict[str, int], after: dict[str, int]) -> None:
        """What a transition is for people."""
        side = transition.machine
        base = Step(0, layer="tcp", message=transition.symbol.message.name, phase=self.phase, row=transition.row,
                    clause=_clause(transition.row))  # fmt: skip
        told = replace(base, before={side: self._state(side, before)}, after={side: self._state(side, after)})
        if transition.kind == "loses":
            packet = self._leaves(transition.takes)
            self.told.append(replace(_segment(base, packet), fate=Fate.LOST))
        elif transition.kind == "calls":
            timer = transition.symbol.message.kind is Kind.TICK
            title = f"{transition.symbol.message.name} timeout" if timer else f"calls {transition.symbol.message.name}"
            self.told.append(replace(told, kind=StepKind.ACTION, sender=side, title=title))
        elif transition.kind == "forges":
            forged = replace(told, sender=ATTACKER, fate=Fate.FORGED, detail=_luck(transition.symbol))
            self.told.append(_said(forged, side, transition.symbol))
        elif transition.note == OLD_DUPLICATE:
            peer = next(other for other in self.model.machines if other != side)
            late = replace(told, sender=peer, fate=Fate.LATE, detail=OLD_DUPLICATE)
            self.told.append(_said(late, side, transition.symbol))
        elif transition.kind == "receives":
            code = transition.takes or _staying(transition.guard)
            again = self._copies(code) > 0
            packet = self._leaves(code) if transition.takes else self._copied(code)
            step = _segment(told, packet)
            self.told.append(replace(step, fate=Fate.LATE, detail=f"{step.detail}, again") if again else step)
        if transition.puts:
            packet = self.model.packets[transition.puts - 1]
            waiting = replace(_segment(base, packet), row="", clause="", fate=Fate.LATE)
            self.told.append(_Sent(transition.puts, waiting))

        if self._accepts_wrongly(side, after) and not self._accepts_wrongly(side, before):
            self._remark("the user gets what the peer did not send")

    def _state(self, side: str, values: dict[str, int]) -> str:
        return self.model.column(f"{side}.state").text(values[f"{side}.state"]).upper().replace("_", "-")

    def _accepts_wrongly(self, side: str, values: dict[str, int]) -> bool:
        fact = self.model.column(f"{side}.got").fact
        return values[f"{side}.got"] == fact["got_wrong"].bit

    def _remark(self, words: str) -> None:
        """On the last segment that arrived."""
        at = max(number for number, one in enumerate(self.told) if isinstance(one, Step))
        step = self.told[at]
        if isinstance(step, Step):
            self.told[at] = replace(step, detail="; ".join(filter(None, (step.detail, words))))

    def _oldest(self, code: int) -> _Sent:
        return next(one for one in self.told if isinstance(one, _Sent) and one.code == code and not one.gone)

    def _copies(self, code: int) -> int:
        return self._oldest(code).copies

    def _leaves(self, code: int) -> Packet:
        self._oldest(code).gone = True
        return self.model.packets[code - 1]

    def _copied(self, code: int) -> Packet:
        self._oldest(code).copies += 1
        return self.model.packets[code - 1]


def _segment(step: Step, packet: Packet) -> Step:
    named = replace(step, message=packet.symbol.message.name, title=symbol_name(packet.symbol), detail=packet.about)
    return replace(named, sender=packet.sender, receiver=packet.receiver)


def _said(step: Step, receiver: str, symbol: Symbol) -> Step:
    """A segment that nobody has in the network: what its receiver takes it for."""
    defects = tuple(value.name.upper() for value in symbol.defects)
    return replace(step, receiver=receiver, title=symbol_name(symbol), facts=symbol.shown[1:], defect=defects)


def _luck(symbol: Symbol) -> str:
    """How the attacker came by its numbers."""
    if symbol.has(current) or symbol.has(partial):
        return "the acknowledgment is predicted"
    return "the number is guessed within the window" if symbol.has(ahead) else ""


def _staying(guard: Guard | None) -> int:
    """The packet that a transition reads and leaves in the network."""
    if isinstance(guard, And):
        return _staying(guard.left) or _staying(guard.right)
    return guard.codes[0] if isinstance(guard, OnTheWay) else 0


def _clause(row: str) -> str:
    for challenges in (True, False) if row else ():
        known = role_of(challenges).by_id.get(row)
        if known is not None:
            return known.citation
    return ""
