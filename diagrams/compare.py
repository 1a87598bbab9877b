"""Two state machines as one picture of what differs, and machines as files.

Transitions are the same where state and trigger are: then they lead elsewhere (one is missing, one is extra) or do
something else (changed). States that only the second machine has are marked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shakeproof.diagrams.picture import Difference, MachinePicture, Move, Region, Spot, Way
from shakeproof.diagrams.text_width import clean

FORMAT = "shakeproof.machine/1"
STATES_MOST, MOVES_MOST = 500, 20_000  # a file beyond these is no picture


def compare(one: MachinePicture, other: MachinePicture, *, title: str = "") -> MachinePicture:
    """What `other` does differently from `one`, in the places of `one`."""
    titles = {spot.title: spot for spot in one.spots}
    extra = [replace(spot, extra=True, column=None, row=None, place=None) for spot in other.spots
             if spot.title not in titles]  # fmt: skip
    keys = {spot.key: titles.get(spot.title, spot).key for spot in other.spots}
    theirs = [replace(move, source=keys.get(move.source, move.source), target=keys.get(move.target, move.target))
              for move in other.moves]  # fmt: skip
    moves = _compared(one.moves, theirs)
    elsewhere = _compared(one.elsewhere, other.elsewhere)
    counts = {kind: sum(move.difference is kind for move in (*moves, *elsewhere)) for kind in Difference}
    # Places that were laid out by hand have no way for a transition that is new.
    fits = not extra and not any(
        move.difference is Difference.EXTRA and (one.size is not None or one.spot(move.source).column is not None)
        for move in moves
    )
    # A state that no line of the path leads to has no room beside it.
    spined = fits or (bool(one.path) and len(extra) <= len(one.path))
    spots = one.spots if fits else tuple(replace(spot, column=None, row=None, place=None) for spot in one.spots)
    if not fits:
        moves = [replace(move, points=(), label_at=None, route="") for move in moves]
    unrun = sum(move.unrun for move in (*moves, *elsewhere))
    never = f", of them {unrun} never ran (dashed)" if unrun else ""
    alike = "not contradicted" if other.partial else "the same in both"
    said = (
        f"Grey: {alike} ({counts[Difference.SAME]}{never}). MISSING: only in {one.title} "
        f"({counts[Difference.MISSING]}). EXTRA: only in {other.title} ({counts[Difference.EXTRA]}). "
        f"CHANGED: other output, the first one's struck out ({counts[Difference.CHANGED]})."
    )
    nothing = "" if any(counts[kind] for kind in Difference if kind is not Difference.SAME) else "Nothing differs. "
    return replace(
        one,
        title=title or f"{one.title} against {other.title}",
        subtitle=(clean(nothing + said),),
        spots=(*spots, *extra),
        moves=tuple(_gathered(moves)),
        elsewhere=tuple(move for move in elsewhere if move.difference is not Difference.SAME),
        unseen=(),
        path=one.path if spined else (),
        size=one.size if fits else None,
    )


def _compared(ours: Sequence[Move], theirs: Sequence[Move]) -> list[Move]:
    known: dict[tuple[str, str], list[Move]] = {}
    for move in theirs:
        known.setdefault((move.source, move.trigger), []).append(move)
    out: list[Move] = []
    for move in ours:
        found = known.get((move.source, move.trigger), [])
        same = next((each for each in found if each.target == move.target), None)
        if same is None:
            out.append(replace(move, difference=Difference.MISSING, way=_plain(move)))
            continue
        found.remove(same)
        if same.action == move.action:
            out.append(replace(move, difference=Difference.SAME, way=_plain(move), unrun=same.count == 0))
        else:
            out.append(replace(move, difference=Difference.CHANGED, replaced=move.action or "nothing",
                               action=same.action or "nothing", way=_plain(move)))  # fmt: skip
    for rest in known.values():
        out += [replace(move, difference=Difference.EXTRA, way=_plain(move), points=(), label_at=None, route="")
                for move in rest]  # fmt: skip
    return out


def _plain(move: Move) -> Way:
    """A failure stays one, since it is drawn elsewhere; else the usual path is no longer what matters."""
    return Way.FAILURE if move.way is Way.FAILURE else Way.OTHER


def _gathered(moves: Sequence[Move]) -> list[Move]:
    """Differences first, so that they are the ones that a crowded arrow names."""
    return sorted(moves, key=lambda move: move.difference is Difference.SAME)


def to_json(picture: MachinePicture) -> str:
    """The machine as a file that `from_json` reads: states and transitions, no places."""
    data = {
        "format": FORMAT,
        "title": picture.title,
        "path": list(picture.path),
        "sink": picture.sink,
        "phases": [{"key": each.key, "title": each.title, "tint": each.tint} for each in picture.regions],
        "states": [{"name": spot.title, "phase": spot.region, "tint": spot.tint} for spot in picture.spots],
        "transitions": [
            {"source": picture.spot(move.source).title, "target": picture.spot(move.target).title,
             "trigger": move.trigger, "action": move.action}
            for move in picture.moves
        ],
    }  # fmt: skip
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def from_json(text: str) -> MachinePicture:
    """A saved machine. Raises ValueError that says what is wrong with the text."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not a saved machine: line {error.lineno} is not JSON ({error.msg})") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"not a saved machine: expected format {FORMAT!r}")
    states, listed = data.get("states"), data.get("transitions")
    if not isinstance(states, list) or not isinstance(listed, list):
        raise ValueError("not a saved machine: states and transitions are lists")
    if len(states) > STATES_MOST or len(listed) > MOVES_MOST:
        raise ValueError(f"too large to draw: at most {STATES_MOST} states and {MOVES_MOST} transitions")
    try:
        spots = tuple(
            Spot(_text(each, "name"), _text(each, "name"), _text(each, "phase", ""), _text(each, "tint", ""))
            for each in states
        )
        names = {spot.key for spot in spots}
        sink = _text(data, "sink", "")
        moves = tuple(
            Move(_text(each, "source"), _text(each, "target"), _text(each, "trigger"), _text(each, "action", ""),
                 Way.FAILURE if sink and each["target"] == sink else Way.OTHER)
            for each in listed
        )  # fmt: skip
        regions = tuple(Region(_text(p, "key"), _text(p, "title"), _text(p, "tint")) for p in data.get("phases", ()))
        path = tuple(str(name) for name in data.get("path", ()))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a saved machine: {type(error).__name__}: {error}") from error
    unknown = {end for move in moves for end in (move.source, move.target)} - names | (set(path) - names)
    if unknown:
        raise ValueError(f"not a saved machine: no state {', '.join(sorted(unknown)[:3])}")
    return MachinePicture(_text(data, "title", "machine"), spots, moves, regions, path=path, sink=sink)


def _text(data: Any, key: str, default: str | None = None) -> str:
    value = data[key] if default is None else data.get(key, default)
    if not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value
