"""Labels of arrows in few words: what most transitions of a message say is left unsaid, alternatives share a line.

A trigger reads `recv Hello[acceptable, by_id], first`: a head, facts in brackets, conditions. Facts that most
transitions of a head have are its usual ones; they stand once, in the legend. Conditions of which it does not
matter whether they hold fall away. The whole text stays in the sentence of each transition, which hovering shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shakeproof.diagrams.text_width import clean

NEGATED_MOST = 2  # alternatives of a negation that are told; longer ones only say what the other rows say


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger, taken apart."""

    head: str
    facts: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()

    def text(self, usual: Iterable[str] = ()) -> str:
        """In words; facts that are `usual` are left out."""
        facts = [fact for fact in self.facts if fact not in usual and not is_long_negation(fact)]
        inner = f"[{', '.join(facts)}]" if facts else ""
        return ", ".join([self.head + inner, *self.conditions])


def is_long_negation(fact: str) -> bool:
    """Whether a fact only says that it is none of many others."""
    return fact.startswith("~(") and fact.count("|") >= NEGATED_MOST


def parse(trigger: str) -> Trigger:
    """A trigger's parts; one without brackets or commas is all head."""
    trigger = clean(trigger)
    start = trigger.find("[")
    if start < 0:
        head, *rest = trigger.split(", ")
        return Trigger(head, (), tuple(rest))
    end = trigger.find("]", start)
    if end < 0:
        return Trigger(trigger)
    facts = tuple(part.strip() for part in _split(trigger[start + 1 : end]) if part.strip())
    tail = trigger[end + 1 :].lstrip(", ")
    return Trigger(trigger[:start], facts, tuple(part.strip() for part in _split(tail) if part.strip()))


def _split(text: str) -> list[str]:
    """At commas outside of parentheses."""
    parts, depth, part = [], 0, ""
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += character
    return [*parts, part]


@dataclass(frozen=True, slots=True)
class Usual:
    """The usual facts of each head."""

    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, head: str) -> tuple[str, ...]:
        return self.facts.get(head, ())

    @property
    def legend(self) -> str:
        """What is left unsaid, in a sentence; "" where nothing is."""
        said = [f"{head.split(' ', 1)[-1]}[{', '.join(facts)}]" for head, facts in self.facts.items() if facts]
        return f"Unless said otherwise: {', '.join(dict.fromkeys(said))}." if said else ""


def usual_of(triggers: Iterable[str]) -> Usual:
    """What most of the triggers of a head say, where there are others of that head to tell apart.

    A fact that all of them say tells nothing; one that most say is told where it does not hold, by what holds instead.
    """
    heads: dict[str, list[Trigger]] = {}
    for text in triggers:
        trigger = parse(text)
        heads.setdefault(trigger.head, []).append(trigger)
    out: dict[str, tuple[str, ...]] = {}
    for head, found in heads.items():
        counts = Counter(fact for trigger in found for fact in trigger.facts)
        usual = tuple(fact for fact, count in counts.items() if 2 * count > len(found) and len(found) > 1)
        # Left out only where something else is said instead, or nothing else could be meant.
        if usual and any(set(trigger.facts) - set(usual) or trigger.conditions for trigger in found):
            out[head] = usual
    return Usual(out)


def joined(triggers: Sequence[str], usual: Usual) -> list[str]:
    """The triggers in as few texts as possible: those of one head and the same conditions are alternatives."""
    found = without_either([parse(text) for text in triggers])
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for trigger in found:
        facts = [f for f in trigger.facts if f not in usual.of(trigger.head) and not is_long_negation(f)]
        groups.setdefault((trigger.head, trigger.conditions), []).append(" ".join(facts))
    out: list[tuple[str, tuple[str, ...]]] = []
    for (head, conditions), alternatives in groups.items():
        told = list(dict.fromkeys(each for each in alternatives if each))
        inner = f"[{' | '.join(told)}]" if told and len(told) == len(set(alternatives)) else ""
        if told and not inner:
            inner = f"[usual | {' | '.join(told)}]"
        out.append((head + inner, conditions))
    # What differs in one condition alone are alternatives, too.
    texts: dict[str, list[tuple[str, ...]]] = {}
    for text, conditions in out:
        texts.setdefault(text, []).append(conditions)
    said = []
    for text, found_conditions in texts.items():
        if len(found_conditions) > 1 and all(len(conditions) == 1 for conditions in found_conditions):
            said.append(f"{text}, {' | '.join(dict.fromkeys(c for (c,) in found_conditions))}")
        else:
            said += [", ".join([text, *conditions]) for conditions in found_conditions]
    return list(dict.fromkeys(said))


def without_either(triggers: list[Trigger]) -> list[Trigger]:
    """Two that differ only in a condition and its negation are one without it."""
    found = list(dict.fromkeys(triggers))
    changed = True
    while changed:
        changed = False
        for one in found:
            for condition in one.conditions:
                other = Trigger(one.head, one.facts, tuple(f"~{c}" if c == condition else c for c in one.conditions))
                if other in found:
                    rest = Trigger(one.head, one.facts, tuple(c for c in one.conditions if c != condition))
                    at = min(found.index(one), found.index(other))
                    found = [each for each in found if each not in (one, other)]
                    found.insert(at, rest)
                    changed = True
                    break
            if changed:
                break
    return found
