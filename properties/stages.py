"""The phases of a counterexample: which handshake is whose, as its own events say.

A handshake begins at a side with the ClientHello that it sends or takes. The two of the client and of the server are
one stage where they run at the same time; else each is one of its own. What happens after a handshake belongs to its
stage. A connection that has completed one before renegotiates, until the side begins another connection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from shakeproof.model.composition import ATTACKER
from shakeproof.model.messages import ClientHello, ServerHello, resumed
from shakeproof.model.tls12 import CONNECTED
from shakeproof.model.tls12_sessions_setting import accept, reconnect
from shakeproof.model.trace import Kind, Lane, Phase, Step

HANDSHAKE, RESUMPTION, RENEGOTIATION = "Handshake", "Resumption", "Renegotiation"
ANOTHER = {f"calls {message.name}" for message in (accept, reconnect)}
"""The titles of the calls with which a side begins another connection."""


@dataclass
class _Stage:
    """What happens in one stage: of which kind the handshake of each side is, and which sides have finished it."""

    kinds: dict[str, str] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)

    def takes(self, side: str) -> bool:
        """Whether a handshake that the side begins now is one of this stage."""
        return side not in self.kinds and set(self.kinds) - self.finished == set(self.kinds)


def staged(steps: Sequence[Step], lanes: Sequence[Lane], whole: Phase) -> tuple[tuple[Step, ...], tuple[Phase, ...]]:
    """The steps with their phases. whole: the only one where there is but one handshake; it gives the others' look."""
    stages, of_step = [_Stage()], list[int]()
    renews: set[str] = set()
    """The sides that have completed a handshake on their present connection."""
    for step in steps:
        side = step.sender if step.sender != ATTACKER else step.receiver
        if step.kind is Kind.ACTION and step.title in ANOTHER:
            renews.discard(side)
            if side in stages[-1].kinds:
                stages.append(_Stage())
        elif step.message == ClientHello.name:
            if not stages[-1].takes(side):
                stages.append(_Stage())
            stages[-1].kinds[side] = RENEGOTIATION if side in renews else HANDSHAKE
        elif step.message == ServerHello.name and resumed.name.upper() in step.facts and side in stages[-1].kinds:
            stages[-1].kinds[side] = RESUMPTION
        if step.after.get(side) == CONNECTED.name and step.before.get(side) != CONNECTED.name:
            renews.add(side)
            stages[-1].finished.add(side)
        of_step.append(len(stages) - 1)
    if len(stages) == 1:
        return tuple(replace(step, phase=whole.key) for step in steps), (whole,)
    titles = _titles(stages, lanes)
    phases = tuple(
        Phase(f"{whole.key}_{number}", title, whole.tint, whole.aside if number == 0 else "")
        for number, title in enumerate(titles)
    )
    return tuple(replace(step, phase=phases[at].key) for step, at in zip(steps, of_step, strict=True)), phases


def _titles(stages: Sequence[_Stage], lanes: Sequence[Lane]) -> list[str]:
    """Whose handshake each stage is; kinds of which there are several are numbered."""
    shown = {lane.name: lane.title for lane in lanes}
    order = [lane.name for lane in lanes]
    often = Counter(kind for stage in stages for kind in set(stage.kinds.values()))
    count: Counter[str] = Counter()
    out = []
    for stage in stages:
        parts = []
        for kind in dict.fromkeys(stage.kinds[side] for side in order if side in stage.kinds):
            count[kind] += 1
            pairs = [
                "\u2013".join(shown[name] for name in order if name in (side, ATTACKER))
                for side in order
                if stage.kinds.get(side) == kind
            ]
            number = f" {count[kind]}" if often[kind] > 1 else ""
            parts.append(f"{kind}{number}: {', '.join(pairs)}")
        out.append("; ".join(parts) or HANDSHAKE)
    return out
