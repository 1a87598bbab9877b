"""The steps of a run as a table, and the states that a party took: for the HTML report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shakeproof.console import visible
from shakeproof.diagrams.citations import citation
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Fate, Kind, Step, Trace

BYTES_MOST = 64
"""Bytes of a message that stand in the table; the Wireshark file has all of them."""


@dataclass(frozen=True)
class StepView:
    """One line of the table of steps. state: of the party under test, after the step; edge: its arrow's class."""

    number: int
    route: str
    what: str
    detail: str
    state: str
    clause: str
    url: str
    data: str
    more: int
    size: int
    mark: str
    note: str
    sentence: str
    edge: str
    time: str
    row: str


def plain(text: str) -> str:
    """Text of a peer as it can be shown: characters that steer are escaped, so that they can be seen."""
    return visible(text)


def steps_of(trace: Trace, role: str, edges: Mapping[str, str], party: str, layer: str = "") -> tuple[StepView, ...]:
    """The table of steps. party: the lane whose states are shown; layer: of one that has several, "" for all."""
    lanes = {lane.name: lane for lane in trace.lanes}
    rows = ROLES[role].by_id if role in ROLES else {}
    state = _first(trace, party, layer) if layer else ""
    out = []
    for step in trace.steps:
        state = step.after.get(party, state) if layer in ("", step.layer) else state
        shown, url = citation(step.clause) if step.clause else ("", "")
        row = rows.get(step.row)
        out.append(
            StepView(
                number=step.number,
                route=_route(step, {name: lane.title for name, lane in lanes.items()}),
                what=plain(f"{step.label}[{', '.join(step.facts)}]" if step.facts else step.label),
                detail=plain("; ".join([*([step.detail] if step.detail else []), *(line.text for line in step.lines)])),
                state=plain(state),
                clause=plain(shown),
                url=url,
                data=" ".join(f"{byte:02x}" for byte in step.data[:BYTES_MOST]),
                more=max(0, len(step.data) - BYTES_MOST),
                size=len(step.data),
                mark=plain(step.verdict or ("" if step.fate is Fate.DELIVERED else step.fate.value)),
                note=plain(step.note),
                sentence=plain(step.sentence(lanes)),
                edge=edges.get(row.code.lower(), "") if row else "",
                time="" if step.time_s is None else f"{step.time_s:.3f}",
                row=row.title if row else "",
            )
        )
    return tuple(out)


def _first(trace: Trace, party: str, layer: str) -> str:
    """The state in which the party began."""
    own = (step for step in trace.steps if party in step.before and layer in ("", step.layer))
    return next((step.before[party] for step in own), "")


def _route(step: Step, titles: Mapping[str, str]) -> str:
    sender, receiver = titles.get(step.sender, step.sender), titles.get(step.receiver, step.receiver)
    if step.kind is Kind.MESSAGE:
        return plain(f"{sender} → {receiver}")
    return plain(sender)


def states_of(
    trace: Trace, steps: Sequence[StepView], party: str, wrong: str, layer: str = "", at: int = 0
) -> tuple[tuple[str, bool], ...]:
    """The states of a party in the order in which it took them, with whether it is the one where it went wrong.

    wrong: that one's name; at: the number of the step that it was told there, 0 for the last time it was in it; layer:
    as in `steps_of`.
    """
    states: list[str] = []
    marked = -1
    for number, state in [(0, plain(_first(trace, party, layer))), *((step.number, step.state) for step in steps)]:
        if at and number == at and states and states[-1] == wrong:
            marked = len(states) - 1
        if state and (not states or states[-1] != state):
            states.append(state)
    if marked < 0:
        marked = max((index for index, state in enumerate(states) if state == wrong), default=-1)
    return tuple((state, index == marked) for index, state in enumerate(states))
