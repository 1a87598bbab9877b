"""What happened, in the one form that every engine writes and every reporter and picture reads.

A trace is a list of steps between named lanes (the parties). A step is a message that crossed the network, something
that one party did by itself (a certificate was validated, a key was derived), or time that passed. Nothing here knows
a protocol: names of messages, states and phases are filled in by whoever ran the step.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

FORMAT = "shakeproof.trace/1"


class Kind(enum.Enum):
    """What a step is: a message between lanes, an action of one lane, or a stretch of time."""

    MESSAGE = "message"
    ACTION = "action"
    TIME = "time"


class Fate(enum.Enum):
    """What became of a message on its way."""

    DELIVERED = "delivered"
    LOST = "lost"
    LATE = "late"
    REPLAYED = "replayed"
    FORGED = "forged"
    TAMPERED = "tampered"
    REJECTED = "rejected"


class Check(enum.Enum):
    """How one line of an action ended."""

    NONE = "none"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Lane:
    """A party.

    name: keys it in steps; title, subtitle: as shown; side: client, server, attacker, tester or ca.
    """

    name: str
    title: str
    subtitle: str = ""
    side: str = "client"


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a protocol that pictures show as one band.

    key: stable name; title: as shown; tint: one of tcp, tls, cert, key, data, close, attack; aside: short remark at the
    band's right, for example the RFCs.
    """

    key: str
    title: str
    tint: str
    aside: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an action, such as one check of a certificate."""

    text: str
    check: Check = Check.NONE


@dataclass(frozen=True, slots=True)
class Step:
    """One step. Fields that a step does not have stay at their defaults.

    message: abstract name, as the RFC prints it; facts: the values that describe it (upper case); defect: the values
    among them that are defects; title: what to show where it differs from `message` ("GET / HTTP/1.1"); detail: one
    line for people; remarks: what is not usual about it, values upper case and the rest in words; data: bytes on the
    wire; protection: which keys protect it ("the session keys"), "" for plaintext. before, after: state of each lane
    that the step concerns. received_s, received_after: when a message arrived, and the number of the step after which a
    late one did; time_s is when it was sent. carrier: number of the step of the layer below that brought the last of
    it. row, clause: what judged it. verdict, note: where a finding points at this step.
    """

    number: int
    kind: Kind = Kind.MESSAGE
    sender: str = ""
    receiver: str = ""
    layer: str = ""
    message: str = ""
    title: str = ""
    facts: tuple[str, ...] = ()
    defect: tuple[str, ...] = ()
    fate: Fate = Fate.DELIVERED
    detail: str = ""
    remarks: tuple[str, ...] = ()
    data: bytes = b""
    time_s: float | None = None
    protection: str = ""
    phase: str = ""
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    received_after: int | None = None
    received_s: float | None = None
    carrier: int | None = None
    lines: tuple[Line, ...] = ()
    row: str = ""
    clause: str = ""
    verdict: str = ""
    note: str = ""

    @property
    def label(self) -> str:
        """The name to show."""
        return self.title or self.message

    def sentence(self, lanes: Mapping[str, Lane]) -> str:
        """The step in words, the same for the terminal, screen readers and reports."""

        def name(key: str) -> str:
            return lanes[key].title if key in lanes else key

        if self.kind is Kind.TIME:
            return f"{self.label}."
        if self.kind is Kind.ACTION:
            marks = {Check.NONE: "", Check.PASSED: " (passed)", Check.FAILED: " (failed)"}
            rest = "; ".join(line.text + marks[line.check] for line in self.lines)
            return f"{name(self.sender)}: {self.label}{': ' + rest if rest else ''}."
        what = f"{self.label}[{', '.join(self.facts)}]" if self.facts else self.label
        text = f"{name(self.sender)} sends {what} to {name(self.receiver)}"
        if self.protection:
            text += f", encrypted with {self.protection}"
        if self.detail:
            text += f" ({self.detail})"
        fate = [self.fate.value] if self.fate is not Fate.DELIVERED else []
        said = [*fate, *(remark for remark in self.remarks if remark not in self.facts)]
        if said:
            text += f": {', '.join(said)}"
        known = [lane for lane in lanes if lane in self.after]  # a saved trace keeps no other order
        for lane in (*known, *sorted(self.after.keys() - lanes.keys())):
            if self.before.get(lane) != self.after[lane]:
                text += f"; {name(lane)} is now {self.after[lane]}"
        return text + "."


@dataclass(frozen=True, slots=True)
class Trace:
    """Steps between lanes, with the phases they name.

    origin: "executed" or "table" (then steps have no time) or "counterexample"; subtitle and notes are for people;
    secrets: NSS key log lines, so that a capture made of the trace can be decrypted; meta: seed, versions, word and
    whatever else makes it repeatable, JSON values only.
    """

    title: str
    lanes: tuple[Lane, ...]
    steps: tuple[Step, ...]
    phases: tuple[Phase, ...] = ()
    subtitle: str = ""
    origin: str = "executed"
    secrets: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    @property
    def weak(self) -> tuple[str, ...]:
        """The protections that protect nothing: anybody has their keys. `meta` has them as "weak"."""
        listed = self.meta.get("weak")
        return tuple(str(name) for name in listed) if isinstance(listed, list | tuple) else ()

    @property
    def kept(self) -> tuple[str, ...]:
        """The protections whose keys no attacker has, though it hands on what has them. `meta` has them as "kept"."""
        listed = self.meta.get("kept")
        return tuple(str(name) for name in listed) if isinstance(listed, list | tuple) else ()

    def messages(self) -> list[Step]:
        """The steps that are messages."""
        return [step for step in self.steps if step.kind is Kind.MESSAGE]

    def sentences(self) -> list[str]:
        """Every step in words."""
        lanes = {lane.name: lane for lane in self.lanes}
        return [step.sentence(lanes) for step in self.steps]

    def to_json(self) -> str:
        """The trace as JSON text, readable by `from_json`."""
        return json.dumps(_plain(self), indent=1, sort_keys=True) + "\n"

    def save(self, path: Path) -> None:
        """Write the trace to `path`, making its folder."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.to_json(), encoding="utf-8")

    @staticmethod
    def from_json(text: str) -> Trace:
        """Read a saved trace. Raises ValueError that says what is wrong with the text."""
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"not a saved trace: line {error.lineno} is not JSON ({error.msg})") from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            found = data.get("format") if isinstance(data, dict) else type(data).__name__
            raise ValueError(f"not a saved trace: expected format {FORMAT!r}, found {found!r}")
        try:
            return Trace(
                title=_text(data["title"]),
                subtitle=_text(data["subtitle"]),
                origin=_text(data["origin"]),
                lanes=tuple(Lane(**_texts(lane)) for lane in data["lanes"]),
                phases=tuple(Phase(**_texts(phase)) for phase in data["phases"]),
                steps=tuple(_step(step) for step in data["steps"]),
                secrets=tuple(_text(line) for line in data["secrets"]),
                meta=dict(data["meta"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"not a saved trace: {type(error).__name__}: {error}") from error

    @staticmethod
    def load(path: Path) -> Trace:
        """Read a saved trace from a file. Raises OSError or ValueError."""
        try:
            return Trace.from_json(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise ValueError(f"not a saved trace: {path.name} is not UTF-8 text") from error


def number_steps(steps: Iterable[Step]) -> tuple[Step, ...]:
    """The steps, numbered from 1 in their order; `received_after` and `carrier` keep pointing at the same steps."""
    listed = list(steps)
    new = {step.number: number for number, step in enumerate(listed, 1)}
    return tuple(
        replace(
            step,
            number=number,
            received_after=None if step.received_after is None else new.get(step.received_after),
            carrier=None if step.carrier is None else new.get(step.carrier),
        )
        for number, step in enumerate(listed, 1)
    )


def _plain(trace: Trace) -> dict[str, Any]:
    def step(item: Step) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name in Step.__dataclass_fields__:
            value = getattr(item, name)
            if value == Step.__dataclass_fields__[name].default or value in ((), {}):
                continue
            if isinstance(value, enum.Enum):
                value = value.value
            elif isinstance(value, bytes):
                value = value.hex()
            elif name == "lines":
                value = [{"text": line.text, "check": line.check.value} for line in value]
            elif isinstance(value, Mapping):
                value = dict(value)
            out[name] = value
        return out

    def fields(item: Lane | Phase) -> dict[str, str]:
        return {name: getattr(item, name) for name in item.__dataclass_fields__}

    return {
        "format": FORMAT,
        "title": trace.title,
        "subtitle": trace.subtitle,
        "origin": trace.origin,
        "lanes": [fields(lane) for lane in trace.lanes],
        "phases": [fields(phase) for phase in trace.phases],
        "steps": [step(item) for item in trace.steps],
        "secrets": list(trace.secrets),
        "meta": dict(trace.meta),
    }


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, found {type(value).__name__}")
    return value


def _texts(value: Mapping[str, Any]) -> dict[str, str]:
    return {_text(name): _text(text) for name, text in value.items()}


def _step(data: Mapping[str, Any]) -> Step:
    values: dict[str, Any] = dict(data)
    unknown = set(values) - set(Step.__dataclass_fields__)
    if unknown:
        raise ValueError(f"step has unknown fields {sorted(unknown)}")
    if not isinstance(values["number"], int):
        raise ValueError("a step's number is a whole number")
    if "kind" in values:
        values["kind"] = Kind(values["kind"])
    if "fate" in values:
        values["fate"] = Fate(values["fate"])
    if "data" in values:
        values["data"] = bytes.fromhex(values["data"])
    if "lines" in values:
        values["lines"] = tuple(Line(_text(line["text"]), Check(line["check"])) for line in values["lines"])
    for name in ("facts", "defect", "remarks"):
        if name in values:
            values[name] = tuple(_text(value) for value in values[name])
    for name in ("before", "after"):
        if name in values:
            values[name] = _texts(values[name])
    return Step(**values)
