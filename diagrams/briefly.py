"""The label of an arrow along a line of states: each message once, its guards in words, what is left out counted.

A table has many rows between the same two states. One arrow stands for them: where their guards fit on a line they are
told, else those that all of them have, and how many rows there are. Hovering tells each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from shakeproof.diagrams.labels import Trigger, Usual, is_long_negation, joined, parse, without_either
from shakeproof.diagrams.palette import MUTED
from shakeproof.diagrams.picture import (
    ACTION,
    SHOWN,
    TRIGGER,
    Arrow,
    Difference,
    Label,
    Move,
    Words,
    actions_in,
    executed,
)
from shakeproof.diagrams.text_width import clean, text_width, wrap

ACTION_LINES = 2  # of what a machine sends; a longer flight is cut short, and the rest counted


def brief(arrow: Arrow, most: float) -> Label:
    """What stands beside the arrow, at most `most` points wide. Arrows that differ from another machine's tell all."""
    if any(move.difference not in (None, Difference.SAME) for move in arrow.moves):
        return arrow.label(most)
    groups: dict[tuple[str, str], list[Move]] = {}
    for move in arrow.moves:
        key = (parse(move.trigger).head, "") if arrow.measured else ("", clean(move.action))
        groups.setdefault(key, []).append(move)
    found = list(groups.values())
    shown = found if len(found) <= SHOWN else found[: SHOWN - 1]
    lines: list[Words] = []
    for group in shown:
        lines += _group(arrow, group, most)
    rest = [move for group in found[len(shown) :] for move in group]
    if rest:
        text = f"and {len(rest)} more" + (f": {executed(rest)}" if arrow.measured else "")
        lines.append(Words(text, False, MUTED, counts=True))
    return Label(tuple(lines))


def _group(arrow: Arrow, group: Sequence[Move], most: float) -> list[Words]:
    """The lines for moves that do the same."""
    heads: dict[str, list[str]] = {}
    for move in group:
        heads.setdefault(parse(move.trigger).head, []).append(move.trigger)
    by_guard: dict[Guard, list[str]] = {}
    for head, triggers in heads.items():
        by_guard.setdefault(guard_of(triggers, arrow.usual, most), []).append(head)
    bold = Words("", True, arrow.look.text)
    lines: list[Words] = []
    for guard, names in by_guard.items():
        lines += [replace(bold, text=line) for line in wrap(_said_once(names), TRIGGER, most, bold=True)]
        if guard.text:
            lines += [Words(line, False, MUTED, counts=guard.counts) for line in wrap(guard.text, ACTION, most)]
    done = executed(group) if arrow.measured else clean(group[0].action)
    if done:
        broken = wrap(done, ACTION, most)
        if len(broken) > ACTION_LINES:
            broken = wrap(actions_in([done], ACTION_LINES * most * 0.9), ACTION, most)
        lines += [Words(line, False, MUTED) for line in broken]
    return lines


class Guard(NamedTuple):
    """What must hold for one of several triggers, in brackets; "" where nothing has to be said.

    counts: whether the triggers are counted, and only what all of them have is said.
    """

    text: str
    counts: bool = False


def guard_of(triggers: Sequence[str], usual: Usual, most: float) -> Guard:
    """What must hold for one of the triggers, all of one head."""
    texts = joined(triggers, usual)
    if len(texts) == 1:
        guard = _bracketed(parse(texts[0]))
        if text_width(guard, ACTION) <= most:
            return Guard(guard)
    if len(triggers) == 1:
        one = parse(triggers[0])
        facts = [fact for fact in one.facts if fact not in usual.of(one.head) and not is_long_negation(fact)]
        return Guard(_bracketed(Trigger(one.head, tuple(map(_fewer, facts)), tuple(map(_fewer, one.conditions)))))
    ways = f"{len(triggers)} ways"
    found = without_either([parse(text) for text in triggers])
    first = found[0]
    facts = [
        fact for fact in first.facts
        if fact not in usual.of(first.head) and not is_long_negation(fact) and all(fact in one.facts for one in found)
    ]  # fmt: skip
    conditions = [each for each in first.conditions if all(each in one.conditions for one in found)]
    for kept in range(len(conditions), -1, -1):
        said = "; ".join([", ".join(facts)] * bool(facts) + conditions[:kept])
        text = f"[{in_words(said)}] {ways}".strip() if said else ways
        if text_width(text, ACTION) <= most:
            return Guard(text, counts=True)
    return Guard(ways, counts=True)


def _fewer(alternatives: str) -> str:
    """The first of more than two alternatives, and how many others there are."""
    first, *others = alternatives.split(" | ")
    return f"{first} or {len(others)} more" if len(others) > 1 else alternatives


def _bracketed(trigger: Trigger) -> str:
    said = "; ".join([", ".join(trigger.facts)] * bool(trigger.facts) + list(trigger.conditions))
    return f"[{in_words(said)}]" if said else ""


def in_words(guard: str) -> str:
    """The notation of a guard in words."""
    return guard.replace("~", "not ").replace(" | ", " or ").replace("_", " ")


def _said_once(heads: Sequence[str]) -> str:
    """Heads in a row; a verb that they share is said once."""
    out, verb = [], ""
    for head in heads:
        first, _, rest = head.partition(" ")
        out.append(rest if rest and first == verb else head)
        verb = first
    return ", ".join(out)
