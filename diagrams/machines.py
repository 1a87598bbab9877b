"""The picture of a role, from its table.

What a role may say about its picture, in `hints`, as plain data:

    "layout"   a `shakeproof.model.layout.Layout`: every place and route, for machines whose standard has a picture
    "remark"   a function: role -> what its picture does not draw, in sentences; computed, beside a layout
    "label"    a function: row -> event, action, as the standard's picture words them
    "path"     names of the states of the usual path, from the top, for a picture along one line; without it the longest
               way from the initial to the accepting state is taken, and the shortest from there to the final one
    a state's name -> `Hint(column, row)`: a place on a grid; lines and labels are then laid by themselves, unless
    "routes"   {(source state, target state): route}, in the words of `shakeproof.diagrams.routes`
    "again"    {state: Hint}: a second place of a state, for arrows that start nearer to it

Phases and their tints are the role's own. Rows for one or two states are drawn; those for more stand below the drawing;
`rest` rows are one sentence with the computed count.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from shakeproof.diagrams.labels import usual_of
from shakeproof.diagrams.picture import MachinePicture, Move, Region, Spot, Way
from shakeproof.model.layout import Layout
from shakeproof.model.machine import Hint, Role
from shakeproof.model.notation import Abort, Kind, Output, Row, State, Stay

DRAWN_STATES = 2  # a row for more states than this is listed once instead of drawn at each
_AGAIN = "again "


def picture_of(role: Role, coverage: Mapping[str, int] | None = None) -> MachinePicture:
    """The picture of `role`. coverage: row id -> how often it was executed; rows not in it were not."""
    layout = role.hints.get("layout")
    if isinstance(layout, Layout):
        return _laid_out(role, layout, coverage)
    path = usual_path(role)
    spots = [_spot(role, state) for state in role.states]
    sink = role.aborted.name if role.aborted else ""
    moves, elsewhere = _moves(role, coverage, path)
    spots, moves = _second_places(role, spots, moves)
    placed = any(spot.column is not None for spot in spots)
    failures = "Dashed: failures. " if any(move.way is Way.FAILURE for move in moves) else ""
    rests = _rests(role)
    legend = f"Thick: the usual path. {failures}" if path and coverage is None else ""
    unsaid = usual_of(move.trigger for move in moves if move.way is not Way.FAILURE).legend
    return MachinePicture(
        title=_title(role, coverage),
        spots=tuple(spots),
        moves=tuple(moves),
        regions=tuple(Region(phase.key, phase.title, phase.tint) for phase in role.phases),
        subtitle=tuple(
            line for line in (f"RFC {role.rfc}. {legend}".strip(), _covered(role, coverage), unsaid, *rests,
                         _partial(role))
            if line
        ),
        groups=tuple(_groups(role)),
        path=() if placed else tuple(path),
        sink=sink,
        elsewhere=tuple(elsewhere),
    )  # fmt: skip


def usual_path(role: Role) -> list[str]:
    """Names of the states from the initial to the accepting state by the longest way, and on to the final one."""
    given = role.hints.get("path")
    if isinstance(given, Sequence) and not isinstance(given, str):
        return [str(name) for name in given]
    following: dict[str, list[str]] = {}
    for row in role.rows:
        if isinstance(row.next, State) and row.next is not role.aborted:
            for state in row.states.members:
                if state is not row.next:
                    following.setdefault(state.name, []).append(row.next.name)
    following = {name: list(dict.fromkeys(targets)) for name, targets in following.items()}
    best = _longest(following, role.initial.name, role.accepting.name, avoid=role.final.name)
    if role.final.name not in best:
        best += _shortest(following, role.accepting.name, role.final.name)[1:]
    return best


def _longest(following: Mapping[str, Sequence[str]], start: str, end: str, *, avoid: str) -> list[str]:
    """The longest way without repetition; of equally long ones the first in the order of the table."""
    best: list[str] = []
    stack = [[start]]
    while stack:
        way = stack.pop()
        if way[-1] == end:
            if len(way) > len(best):
                best = way
            continue
        for name in reversed(following.get(way[-1], ())):
            if name not in way and (name == end or name != avoid):
                stack.append([*way, name])
    return best


def _shortest(following: Mapping[str, Sequence[str]], start: str, end: str) -> list[str]:
    ways = [[start]]
    seen = {start}
    for way in ways:  # grows while it is read
        if way[-1] == end:
            return way
        for name in following.get(way[-1], ()):
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return [start]


def _spot(role: Role, state: State) -> Spot:
    phase = role.phase_of(state)
    hint = role.hints.get(state.name)
    column, row = (float(hint.column), float(hint.row)) if isinstance(hint, Hint) else (None, None)
    return Spot(
        state.name, state.name, phase.key if phase else "", phase.tint if phase else "",
        f"{state.name}: {state.sentence}", column=column, row=row,
    )  # fmt: skip


def _title(role: Role, coverage: Mapping[str, int] | None) -> str:
    return f"{role.title} state machine" + ("" if coverage is None else ": transition coverage")


def _covered(role: Role, coverage: Mapping[str, int] | None) -> str:
    if coverage is None:
        return ""
    done = sum(1 for row in role.rows if coverage.get(row.id, 0) > 0)
    legend = "Line width grows with the logarithm of the count; dashed: never executed."
    return f"{done} of {len(role.rows)} rows executed. {legend}"


def _partial(role: Role) -> str:
    return f"Partial: {role.partial}." if role.partial else ""


def _rests(role: Role) -> list[str]:
    """One sentence for each `rest` row, with the number of combinations that it answers."""
    rests = [row for row in role.rows if row.is_rest]
    if not rests:
        return []
    answered: dict[str, set[tuple[State, object]]] = {row.id: set() for row in rests}
    for configuration, steps in role.reachable.items():
        for row, symbol, _ in steps:
            if row.id in answered:
                answered[row.id].add((configuration.state, symbol))
    out = []
    for row in rests:
        count = len(answered[row.id])
        where = "every state" if len(row.states.members) > 1 else row.states.text
        among = f" of {row.states.text}" if len(row.states.members) > 1 else ""
        out.append(
            f"Not drawn: in {where}{among}, any other message {_outcome(role, row)} "
            f"({count} combination{'' if count == 1 else 's'} of state and message)."
        )
    return out


def _outcome(role: Role, row: Row) -> str:
    if isinstance(row.next, Abort):
        alerts = " or ".join(alert.name for alert in row.next.alerts)
        target = role.aborted.name if role.aborted else "the end"
        return f"leads to {target} with a fatal {alerts} alert"
    if isinstance(row.next, Stay):
        return "changes nothing" if not row.outputs else f"is answered with {_flight(row.outputs)}"
    return f"leads to {row.next.name}"


def label_of(role: Role, row: Row) -> tuple[str, str]:
    """The event and the action of a row, for people."""
    own = role.hints.get("label")
    if callable(own):
        event, action = own(row)
        return str(event), str(action)
    event = f"{'timer' if row.kind is Kind.TICK else row.kind.value} {row.pattern.text}"
    if row.condition and row.kind is not Kind.TICK:
        event += f", {row.condition}"
    if isinstance(row.next, Abort):
        return event, f"alert {', '.join(alert.name for alert in row.next.alerts)}"
    return event, f"send {_flight(row.outputs)}" if row.outputs else ""


def _flight(outputs: Iterable[Output]) -> str:
    """A flight; what may be left out stands in parentheses."""
    parts: list[str] = []
    for output in outputs:
        name = output.pattern.message.name if output.guard else output.pattern.text
        part = f"({name})" if output.guard or output.optional else name
        if part not in parts:
            parts.append(part)
    return ", ".join(parts)


def _count(row: Row, coverage: Mapping[str, int] | None) -> int | None:
    return None if coverage is None else coverage.get(row.id, 0)


def _target(role: Role, row: Row, source: State) -> str:
    if isinstance(row.next, Abort):
        return role.aborted.name if role.aborted else source.name
    return source.name if isinstance(row.next, Stay) else row.next.name


def _move(role: Role, row: Row, source: State, coverage: Mapping[str, int] | None) -> Move:
    event, action = label_of(role, row)
    way = Way.FAILURE if isinstance(row.next, Abort) else Way.OTHER
    return Move(
        source.name, _target(role, row, source), event, action, way, _count(row, coverage),
        sentence=f"{row.title} ({row.level.value} {row.citation})", css=row.code.lower(),
    )  # fmt: skip


def _moves(role: Role, coverage: Mapping[str, int] | None, path: Sequence[str]) -> tuple[list[Move], list[Move]]:
    steps = set(itertools.pairwise(path))
    moves: list[Move] = []
    elsewhere: list[Move] = []
    for row in role.rows:
        if row.is_rest:
            continue
        if len(row.states.members) > DRAWN_STATES:
            move = _move(role, row, row.states.members[0], coverage)
            target = "" if isinstance(row.next, Stay) else move.target
            elsewhere.append(replace(move, source=row.states.text, target=target))
            continue
        for state in row.states.members:
            move = _move(role, row, state, coverage)
            if (move.source, move.target) in steps:
                move = replace(move, way=Way.HAPPY)
            moves.append(move)
    drawn = {(move.source, move.target) for move in moves}
    for source, target in steps - drawn:
        # A step of the path that only a row for many states makes is drawn all the same, or the path would break.
        made = [
            row for row in role.rows
            if not row.is_rest and isinstance(row.next, State) and row.next.name == target
            and any(state.name == source for state in row.states.members)
        ]  # fmt: skip
        if not made:
            continue  # a path that the role's hint gives may be more than its table
        row = made[0]
        state = next(state for state in row.states.members if state.name == source)
        moves.append(replace(_move(role, row, state, coverage), way=Way.HAPPY))
    return moves, elsewhere


def _groups(role: Role) -> list[tuple[str, str]]:
    """The words for several states that rows use, and the states: the shorter of which they are, and which not."""
    out: dict[str, str] = {}
    for row in role.rows:
        members = row.states.members
        if row.is_rest or len(members) <= DRAWN_STATES or row.states.text in out:
            continue
        left_out = [state.name for state in role.states if state not in members]
        names = ", ".join(state.name for state in members)
        without = f"every state but {', '.join(left_out)}" if left_out else "every state"
        out[row.states.text] = without if len(left_out) < len(members) else names
    return list(out.items())


def _second_places(role: Role, spots: list[Spot], moves: list[Move]) -> tuple[list[Spot], list[Move]]:
    """States that stand in two places, with each arrow ending at the nearer one; and routes."""
    routes = role.hints.get("routes")
    if isinstance(routes, Mapping):
        moves = [replace(move, route=str(routes.get((move.source, move.target), ""))) for move in moves]
    again = role.hints.get("again")
    if not isinstance(again, Mapping):
        return spots, moves
    places = {spot.key: spot for spot in spots}
    for name, hint in again.items():
        first = places[name]
        second = replace(first, key=_AGAIN + name, column=float(hint.column), row=float(hint.row), region="")
        spots = [*spots, second]
        nearer = []
        for move in moves:
            source = places[move.source]
            if move.target == name and move.source != name and _far(source, second) < _far(source, first):
                move = replace(move, target=second.key)
            nearer.append(move)
        moves = nearer
    return spots, moves


def _far(one: Spot, other: Spot) -> float:
    if one.column is None or one.row is None or other.column is None or other.row is None:
        return float("inf")
    return abs(one.column - other.column) + abs(one.row - other.row)


def _laid_out(role: Role, layout: Layout, coverage: Mapping[str, int] | None) -> MachinePicture:
    """The picture that the role's own layout describes."""
    states = {state.name: state for state in role.states}
    spots = [
        replace(_spot(role, states[place.state]), key=place.key, place=(place.x, place.y)) for place in layout.places
    ]
    ways = {"client": Way.HAPPY, "server": Way.SECOND}
    moves: list[Move] = []
    drawn: set[tuple[str, str]] = set()
    for route in layout.routes:
        source, target = layout.ends(route)
        drawn.add((source, target))
        rows = _rows_between(role, source, target)
        for number, row in enumerate(rows[:1]):
            move = _move(role, row, states[source], coverage)
            count = None if coverage is None else sum(coverage.get(each.id, 0) for each in rows)
            moves.append(
                replace(
                    move, source=route.source, target=route.target, way=ways.get(route.path, Way.OTHER), count=count,
                    points=route.points if number == 0 else (), label_at=(*route.label, route.align),
                    sentence="; ".join(f"{each.title} ({each.level.value} {each.citation})" for each in rows),
                )
            )  # fmt: skip
    unseen: list[Move] = []
    staying = 0
    for row in role.rows:
        for state in row.states.members:
            target = _target(role, row, state)
            if (state.name, target) not in drawn or row is not _rows_between(role, state.name, target)[0]:
                unseen.append(_move(role, row, state, coverage))
                staying += target == state.name
    phases = {phase.key: phase for phase in role.phases}
    regions = [
        Region(
            region.phase, phases[region.phase].title, phases[region.phase].tint,
            (region.left, region.top, region.right, region.bottom),
        )
        for region in layout.regions
    ]  # fmt: skip
    legend = (
        "Bold: event. Grey: action. Thick: usual client path; dashed: usual server path." if coverage is None else ""
    )
    said = role.hints.get("remark")
    remark = str(said(role)) if callable(said) else layout.remark
    idle = f"Not drawn: {times_word(staying, 'way')} to stay in a state." if staying else ""
    return MachinePicture(
        title=_title(role, coverage),
        spots=tuple(spots),
        moves=tuple(moves),
        regions=tuple(regions),
        subtitle=tuple(
            line for line in (
                " ".join(part for part in (f"RFC {role.rfc}.", legend, remark, idle) if part),
                _covered(role, coverage), *_rests(role), _partial(role),
            ) if line
        ),
        unseen=tuple(unseen),
        size=(layout.node_width, layout.node_height),
    )  # fmt: skip


def _rows_between(role: Role, source: str, target: str) -> list[Row]:
    return [
        row for row in role.rows
        if any(state.name == source and _target(role, row, state) == target for state in row.states.members)
    ]  # fmt: skip


def times_word(count: int, word: str) -> str:
    """A count with its noun."""
    return f"{count} {word}{'' if count == 1 else 's'}"
