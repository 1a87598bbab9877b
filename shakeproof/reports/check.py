"""What came of `shakeproof check`: its verdict, and all of it as JSON (`shakeproof.check/1`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from shakeproof.exits import Exit, worst
from shakeproof.properties.explore import Broken, Exploration
from shakeproof.properties.realised import Realised, Replay

SCHEMA = "shakeproof.check/1"


@dataclass(frozen=True)
class Counterexample:
    """The shortest way to a state in which a property does not hold.

    replay: what became of it in our implementation; files: where it is saved, and then where what was executed is.
    """

    found: Exploration
    broken: Broken
    replay: Replay
    files: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The property."""
        return self.broken.safety.name


@dataclass(frozen=True)
class Conclusion:
    """One line of the verdict. title: in capitals; code: how the command would end with it alone."""

    title: str
    text: str
    code: Exit


@dataclass
class Checked:
    """What was explored, and what was found. bound: messages in the network at once; engine: who explored."""

    bound: int
    engine: str
    removed: tuple[str, ...] = ()
    models: list[Exploration] = field(default_factory=list)
    counterexamples: list[Counterexample] = field(default_factory=list)

    @property
    def states(self) -> int:
        """Of all models together."""
        return sum(each.states for each in self.models)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What is presumed, each once."""
        presumed = dict.fromkeys(sentence for each in self.models for sentence in each.model.assumptions)
        return (*presumed, f"at most {self.bound} message{'s' * (self.bound > 1)} in the network at once")

    @property
    def conclusions(self) -> tuple[Conclusion, ...]:
        """The verdict: what the models say, and after it what is wrong with the replay of a counterexample."""
        return (self._of_the_models(), *self._of_the_replays())

    @property
    def exit_code(self) -> Exit:
        """How the command ends."""
        return worst(one.code for one in self.conclusions)

    def _of_the_models(self) -> Conclusion:
        if self.counterexamples or any(each.stuck or each.unfinishable for each in self.models):
            names = _each_once(self.counterexamples) or "completion"
            return Conclusion("DOES NOT HOLD", f"{names} · {self.states:,} states", Exit.FINDINGS)
        stopped = [each for each in self.models if each.stopped]
        if stopped:
            said = f"{len(stopped)} of {len(self.models)} models were not explored to their end"
            return Conclusion("NOT DECIDED", said, Exit.NOT_TESTED)
        said = f"every property in every one of {self.states:,} states of {len(self.models)} models"
        idle: dict[str, list[str]] = {}
        for each in self.models:
            for name in each.untested or []:
                idle.setdefault(name, []).append(each.model.name)
        if idle:
            said += f"; never put to the test: {'; '.join(f'{name} in {_listed(of)}' for name, of in idle.items())}"
        return Conclusion("HOLDS", said, Exit.OK)

    def _of_the_replays(self) -> Iterator[Conclusion]:
        """A counterexample must happen with the protection gone, and not with the implementation as it is.

        Else there is a fault of ours: a wrong rogue or a wrong model, or an implementation that lacks the protection.
        """
        missing = [one for one in self.counterexamples if one.replay.is_missing]
        if missing:
            said = f"{_each_once(missing)}: it does not happen with the matching rogue"
            yield Conclusion(
                "NOT REPLAYED", f"{said} · the rogue or the model is not what it should be; please report it", Exit.OURS
            )
        ours = [one for one in self.counterexamples if one.replay.is_ours_too]
        if ours:
            said = f"{_each_once(ours)}: it happens with the clean implementation as well"
            yield Conclusion("THE IMPLEMENTATION TOO", f"{said} · a finding in impl; please report it", Exit.OURS)


def _each_once(counterexamples: Sequence[Counterexample]) -> str:
    """Their properties: one may be broken in several families, without other protections each."""
    return ", ".join(dict.fromkeys(one.name for one in counterexamples))


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


# ------------------------------------------------------------------------------------------------------------ as JSON


def check_to_json(checked: Checked, *, version: str) -> str:
    """The whole result as JSON text."""
    document = {
        "schema": SCHEMA,
        "shakeproof": version,
        "verdict": checked.conclusions[-1].title,
        "conclusions": [{"title": one.title, "text": one.text, "code": int(one.code)} for one in checked.conclusions],
        "exit_code": int(checked.exit_code),
        "engine": checked.engine,
        "bound": checked.bound,
        "without": list(checked.removed),
        "states": checked.states,
        "assumptions": list(checked.assumptions),
        "models": [_model(each, rows=checked.engine == "numpy") for each in checked.models],
        "counterexamples": [_counterexample(one) for one in checked.counterexamples],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _model(each: Exploration, *, rows: bool) -> dict[str, Any]:
    """rows: who explored says which rows were taken."""
    model = each.model
    return {
        "name": model.name,
        "title": model.title,
        "without": list(model.removed),
        "attacked": each.attacked,
        "states": each.states,
        "transitions": each.transitions,
        "depth": each.depth,
        "seconds": round(each.seconds, 3),
        "stopped": each.stopped or None,
        "stuck": each.stuck,
        "unfinishable": each.unfinishable,
        "properties": [
            {
                "name": safety.name,
                "sentence": safety.sentence,
                "clause": safety.clause,
                "premise": safety.premise.text() if safety.premise is not None else None,
                "holds": _holds(each, safety.name),
                "put_to_the_test": _tested(each, safety.name),
            }
            for safety in model.safety
        ],
        "rows": {"reached": list(each.rows_reached), "not_reached": list(each.rows_missed)} if rows else None,
        "assumptions": list(model.assumptions),
    }


def _holds(each: Exploration, name: str) -> bool | None:
    """None where that is not decided."""
    if any(one.safety.name == name for one in each.broken):
        return False
    return None if each.stopped else True


def _tested(each: Exploration, name: str) -> bool | None:
    """None where that is not known."""
    if each.untested is None or (each.stopped and name in each.untested):
        return None
    return name not in each.untested


def _counterexample(one: Counterexample) -> dict[str, Any]:
    return {
        "property": one.name,
        "model": one.found.model.name,
        "without": list(one.found.model.removed),
        "depth": one.broken.depth,
        "trace": one.files[0] if one.files else None,
        "executed": one.files[1] if len(one.files) > 1 else None,
        "replay": {
            "text": one.replay.text,
            "with_rogue": _performed(one.replay.with_fault),
            "clean": _performed(one.replay.clean),
        },
    }


def _performed(one: Realised | None) -> dict[str, Any] | None:
    return (
        None if one is None else {"happens": one.done, "step": one.step, "why": one.why, "clause": one.clause or None}
    )
