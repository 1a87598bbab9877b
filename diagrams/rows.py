"""The rows of a sequence chart: what stands below what, and how high. Nothing here knows widths or lanes' places."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from shakeproof.diagrams.text_width import clean, elide, text_width, wrap
from shakeproof.model.trace import Check, Fate, Kind, Lane, Line, Phase, Step, Trace

COMPACT_FROM = 60  # steps; a chart this long is read for its order, not for its details
FOOT_FROM = 24  # rows; longer charts repeat the lane heads at the foot
HEADS_EVERY = 48  # rows; about a screen of a compact chart, so that the heads stay in sight
BAND_HEADER = 24.0
BAND_BOTTOM = 4.0
BAND_GAP = 8.0
TUNNEL_HEADER = 26.0
TUNNEL_HEADER_AGAIN = 6.0  # in a compact chart, where the band has told of these keys already
TUNNEL_BOTTOM = 9.0
PILL_AT = 10.0
GAP_TOP, GAP_LENGTH = 2.0, 24.0  # of the dotted stretch of the lifelines in a time row
CARD_TOP = 4.0
NAME, DETAIL = 11.0, 9.0
NOTE_TOP = 4.0
BYTES_SHOWN = 48  # of a message, on hovering: headers and the beginning; a report has the others
CARD_LINE = 330.0  # points; where a line of a card is broken
WIDEST = 480.0  # points between two lanes; a longer label is broken, or cut short with the whole text as tooltip
LABEL_ROOM = 44.0  # points of them that a label leaves
DETAIL_LINES_MOST = 3
DETAIL_PITCH = 11.5  # points from one line of a detail to the next
NOTE_WIDTH = 420.0  # points; where the text of a note is broken


class RowKind(enum.Enum):
    """What a row shows."""

    MESSAGE = "message"
    LATE = "late"
    OVERTAKEN = "overtaken"
    RECEIVE = "receive"
    ACTION = "action"
    TIME = "time"
    PILLS = "pills"
    NOTE = "note"
    HEADS = "heads"


@dataclass(slots=True)
class Row:
    """One row: its step, the top and height given to it, the states it shows (lane -> state), lines of its texts.

    details: of the text below the arrow, where it has that; bold, plain: of a note.
    """

    kind: RowKind
    step: Step
    height: float
    line_at: float = 0.0
    top: float = 0.0
    states: dict[str, str] = field(default_factory=dict)
    details: list[str] = field(default_factory=list)
    bold: list[str] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)

    @property
    def line_y(self) -> float:
        """Where the arrow of the row stands."""
        return self.top + self.line_at


@dataclass(slots=True)
class Tunnel:
    """Rows between two lanes that the same keys protect. told: a tunnel above, in the same band, says which."""

    lanes: tuple[str, str]
    protection: str
    step: Step
    top: float = 0.0
    height: float = 0.0
    told: bool = False


@dataclass(slots=True)
class Band:
    """The rows of one phase; no phase means plain background without a header."""

    phase: Phase | None
    rows: list[Row] = field(default_factory=list)
    tunnels: list[Tunnel] = field(default_factory=list)
    top: float = 0.0
    height: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """All rows of a chart from the top of the first band, which stands at 0, to `height`."""

    bands: list[Band]
    height: float
    compact: bool
    sent: Mapping[int, Row]
    received: Mapping[int, Row]

    @property
    def rows(self) -> list[Row]:
        return [row for band in self.bands for row in band.rows]

    @property
    def foot(self) -> bool:
        return len(self.rows) > FOOT_FROM


def counted(trace: Trace) -> str:
    """What the chart shows, in words: how many messages, and where they come from."""
    count = len(trace.messages())
    messages = f"{count} message{'' if count == 1 else 's'}"
    numbered = sum(step.number > 0 for step in trace.steps)
    if count < numbered:
        # Actions and stretches of time are steps with numbers, too: the rows count to that many.
        messages += f" in {numbered} steps"
    if trace.origin == "counterexample":
        return f"Counterexample of {messages}."
    if trace.origin == "table":
        return f"{messages}, from the table."
    # Rows that come from a table have no time: a picture made of both says how many were executed.
    timed = sum(step.time_s is not None for step in trace.messages())
    return f"{messages}, {timed} of them executed." if 0 < timed < count else f"{messages}, executed."


def step_class(step: Step, *more: str) -> str:
    """The class that every shape of a step carries, so that a page can show the steps one by one."""
    return " ".join((f"step_{step.number}", *more))


def hover(step: Step, lanes: Mapping[str, Lane]) -> str:
    """What a step says on hovering: its sentence, what judged it, and its bytes."""
    parts = [step.sentence(lanes)]
    parts += [f"Clause: {step.clause}."] if step.clause else []
    parts += [f"Row: {step.row}."] if step.row else []
    if step.data:
        count = f"{len(step.data):,}".replace(",", " ")
        more = " ..." if len(step.data) > BYTES_SHOWN else ""
        parts.append(f"{count} byte{'' if len(step.data) == 1 else 's'}: {step.data[:BYTES_SHOWN].hex(' ')}{more}")
    return " ".join(parts)


def detail_of(step: Step) -> str:
    """The line below an arrow: the detail and what differs from the usual."""
    return "  ".join(part for part in (clean(step.detail), differing(step)) if part)


def differing(step: Step) -> str:
    """What of a message differs from the usual: in brackets the values, defects first, and the rest in words."""
    values = [*step.defect, *(remark for remark in step.remarks if remark.isupper())]
    words = [clean(remark) for remark in step.remarks if not remark.isupper()]
    named = ", ".join(clean(value) for value in dict.fromkeys(values))
    return "  ".join([f"[{named}]"] * bool(named) + [", ".join(words)] * bool(words))


def shortened(step: Step, size: float, width: float) -> str:
    """The detail in one line: where it is too wide, what differs stays whole as long as it can."""
    whole, differs = detail_of(step), differing(step)
    if text_width(whole, size) <= width or not differs:
        return elide(whole, size, width)
    rest = width - text_width(f"  {differs}", size)
    beginning = elide(clean(step.detail), size, rest) if rest > 0 else ""
    return f"{beginning}  {differs}" if len(beginning) > 1 else elide(differs, size, width)


def detail_lines(step: Step, size: float, width: float) -> list[str]:
    """The detail in as few lines as it takes. Where there would be too many, what differs has the last ones whole."""
    whole, differs = detail_of(step), differing(step)
    if text_width(whole, size) <= width:
        return [whole] if whole else []
    lines = wrap(whole, size, width)
    if len(lines) <= DETAIL_LINES_MOST:
        return lines
    last = wrap(differs, size, width)[:DETAIL_LINES_MOST]
    first = wrap(clean(step.detail), size, width)
    kept = DETAIL_LINES_MOST - len(last)
    if kept and len(first) > kept:
        first[kept - 1] = elide(" ".join(first[kept - 1 :]), size, width)
    return [*first[:kept], *last]


def card_lines(step: Step) -> list[Line]:
    """What the card of an action lists; a long line is broken, and its mark stands at the first part."""
    listed = step.lines or ((Line(step.detail),) if step.detail else ())
    out: list[Line] = []
    for line in listed:
        parts = wrap(clean(line.text), 9, CARD_LINE) or [""]
        out += [Line(part, line.check if number == 0 else Check.NONE) for number, part in enumerate(parts)]
    return out


def card_check(step: Step) -> Check:
    """How the action as a whole ended: failed where one line failed."""
    checks = {line.check for line in step.lines}
    return Check.FAILED if Check.FAILED in checks else Check.PASSED if Check.PASSED in checks else Check.NONE


def card_height(step: Step) -> float:
    lines = len(card_lines(step))
    return 24.0 + 14.0 * lines if lines else 22.0


def is_self(step: Step) -> bool:
    """Whether the step concerns one lane only, and so is drawn as a card."""
    return step.kind is Kind.ACTION or (step.kind is Kind.MESSAGE and step.sender == step.receiver)


def plan_rows(trace: Trace, *, states: bool, compact: bool | None) -> Plan:
    """Lay the steps of `trace` out in rows. compact: None chooses by length."""
    small = len(trace.steps) > COMPACT_FROM if compact is None else compact
    planner = _Planner(trace, states, small)
    planner.fill()
    planner.overtake()
    height = planner.place()
    return Plan(planner.bands, height, small, planner.sent, planner.received)


class _Planner:
    def __init__(self, trace: Trace, states: bool, compact: bool) -> None:
        self.trace = trace
        self.states = states
        self.compact = compact
        self.bands: list[Band] = []
        self.sent: dict[int, Row] = {}
        self.received: dict[int, Row] = {}
        self._phases = {phase.key: phase for phase in trace.phases}
        self._shown: dict[tuple[str, str], str] = {}
        self._count = 0

    # -- which rows ----------------------------------------------------------------------------------------------------

    def fill(self) -> None:
        numbers = {step.number for step in self.trace.steps}
        last = self.trace.steps[-1].number if self.trace.steps else 0
        arriving: dict[int, list[Step]] = {}
        for step in self.trace.steps:
            if self._is_late(step):
                assert step.received_after is not None
                # A trace cut short may end before the arrival: then the message arrives at its end.
                after = step.received_after if step.received_after in numbers else last
                arriving.setdefault(after, []).append(step)
        for step in self.trace.steps:
            self._enter(step)
            self._pills(step, step.before)
            row = self._step_row(step)
            self._add(row)
            if step.kind is Kind.MESSAGE:
                self.sent[step.number] = row
            late = self._is_late(step)
            self._pills(step, {k: v for k, v in step.after.items() if not late or k != step.receiver})
            self._note(step)
            for message in arriving.get(step.number, []):
                receive = Row(RowKind.RECEIVE, message, 20.0, line_at=8.0)
                self.received[message.number] = receive
                self._add(receive)
                self._pills(message, {k: v for k, v in message.after.items() if k == message.receiver})

    @staticmethod
    def _is_late(step: Step) -> bool:
        return (
            step.kind is Kind.MESSAGE
            and not is_self(step)
            and step.received_after is not None
            and step.received_after > step.number
            and step.fate is not Fate.LOST
        )

    def _enter(self, step: Step) -> None:
        phase = self._phases.get(step.phase)
        if not self.bands or self.bands[-1].phase is not phase:
            self.bands.append(Band(phase))

    def _add(self, row: Row) -> None:
        self._count += 1
        if self._count % HEADS_EVERY == 0 and self.compact:
            self.bands[-1].rows.append(Row(RowKind.HEADS, row.step, 32.0))
        self.bands[-1].rows.append(row)

    def _step_row(self, step: Step) -> Row:
        if step.kind is Kind.TIME:
            return Row(RowKind.TIME, step, 30.0)
        if is_self(step):
            return Row(RowKind.ACTION, step, CARD_TOP + card_height(step) + 10.0)
        detail = detail_lines(step, DETAIL, self._room(step))
        if self._is_late(step):
            if self.compact or not detail:
                return Row(RowKind.LATE, step, 28.0, line_at=20.0)
            return Row(RowKind.LATE, step, 40.0, line_at=32.0)
        if self.compact:
            return Row(RowKind.MESSAGE, step, 26.0, line_at=18.0)
        more = DETAIL_PITCH * (len(detail) - 1)
        return Row(RowKind.MESSAGE, step, 46.0 + more if detail else 32.0, line_at=20.0, details=detail)

    def _room(self, step: Step) -> float:
        """The most that a label can have between the lanes of a message."""
        places = {lane.name: index for index, lane in enumerate(self.trace.lanes)}
        ends = [places.get(name) for name in (step.sender, step.receiver)]
        apart = abs(ends[0] - ends[1]) if ends[0] is not None and ends[1] is not None else 1
        return WIDEST * max(apart, 1) - LABEL_ROOM / 2

    def _pills(self, step: Step, states: Mapping[str, str]) -> None:
        if not self.states:
            return
        fresh = {
            lane: state for lane, state in states.items() if self._shown.get((lane, step.layer)) != state and state
        }
        for lane, state in fresh.items():
            self._shown[lane, step.layer] = state
        if not fresh:
            return
        rows = self.bands[-1].rows
        if rows and rows[-1].kind is RowKind.PILLS and not set(fresh) & set(rows[-1].states):
            rows[-1].states.update(fresh)
        else:
            self._add(Row(RowKind.PILLS, step, 24.0, states=fresh))

    def _note(self, step: Step) -> None:
        if not (step.verdict or step.note):
            return
        head = clean(step.verdict)
        if head and self.trace.origin == "counterexample":
            head = f"Counterexample: {head}"
        bold = wrap(head, 10, NOTE_WIDTH, bold=True)
        plain = wrap(clean(step.note), 9.5, NOTE_WIDTH)
        height = NOTE_TOP + 10.0 + 14.0 * (len(bold) + len(plain)) + 10.0
        self._add(Row(RowKind.NOTE, step, height, bold=bold, plain=plain))

    # -- rows that a late message crosses ------------------------------------------------------------------------------

    def overtake(self) -> None:
        flying: set[int] = set()
        for band in self.bands:
            for row in band.rows:
                if row.kind is RowKind.RECEIVE:
                    flying.discard(row.step.number)
                elif row.kind is RowKind.MESSAGE and flying:
                    row.kind = RowKind.OVERTAKEN
                    row.height = 34.0  # its label may stand below the line
                if row.kind is RowKind.LATE:
                    flying.add(row.step.number)

    # -- heights -------------------------------------------------------------------------------------------------------

    def place(self) -> float:
        y = 0.0
        for index, band in enumerate(self.bands):
            band.top = y
            if band.phase is not None:
                y += BAND_HEADER
            runs = _protected_runs(band)
            starts = {id(run[0]): run for run in runs}
            ends = {id(run[-1]): run for run in runs}
            for row in band.rows:
                run = starts.get(id(row))
                if run is not None:
                    begun = _tunnels(run)
                    known = {(tunnel.lanes, tunnel.protection) for tunnel in band.tunnels} if self.compact else set()
                    for tunnel in begun:
                        tunnel.top = y + 4.0
                        tunnel.told = all((each.lanes, each.protection) in known for each in begun)
                        band.tunnels.append(tunnel)
                    y += TUNNEL_HEADER_AGAIN if begun[0].told else TUNNEL_HEADER
                row.top = y
                y += row.height
                run = ends.get(id(row))
                if run is not None:
                    for tunnel in band.tunnels[-len(_tunnels(run)) :]:
                        tunnel.height = y + 1.0 - tunnel.top
                    y += TUNNEL_BOTTOM
            y += BAND_BOTTOM
            band.height = y - band.top
            if index + 1 < len(self.bands):
                y += BAND_GAP
        return y


def _pair(step: Step) -> tuple[str, str]:
    return (step.sender, step.receiver) if step.sender < step.receiver else (step.receiver, step.sender)


def _tunnels(run: list[Row]) -> list[Tunnel]:
    """One tunnel for each pair of lanes and keys in the run; they share its rows."""
    found: dict[tuple[tuple[str, str], str], Tunnel] = {}
    for row in run:
        if _protected(row):
            key = _pair(row.step), row.step.protection
            found.setdefault(key, Tunnel(*key, row.step))
    return list(found.values())


def _protected(row: Row) -> bool:
    kinds = (RowKind.MESSAGE, RowKind.LATE, RowKind.OVERTAKEN, RowKind.RECEIVE)
    ends = bool(row.step.sender and row.step.receiver)
    return row.kind in kinds and bool(row.step.protection) and ends and not is_self(row.step)


def _protected_runs(band: Band) -> list[list[Row]]:
    """Stretches of rows that tunnels cover, each from a protected message to a protected message."""
    runs: list[list[Row]] = []
    run: list[Row] = []
    keys: dict[tuple[str, str], str] = {}

    def close() -> None:
        while run and not _protected(run[-1]):
            run.pop()
        if run:
            runs.extend(_split_at_actions(run))
        run.clear()
        keys.clear()

    for row in band.rows:
        if _protected(row):
            pair = _pair(row.step)
            if keys.get(pair, row.step.protection) != row.step.protection:
                close()
            keys[pair] = row.step.protection
            run.append(row)
        elif run and row.kind in (RowKind.PILLS, RowKind.ACTION, RowKind.RECEIVE):
            run.append(row)
        else:
            close()
    close()
    return runs


def _split_at_actions(run: list[Row]) -> list[list[Row]]:
    """Parts of a run between its cards. Beside one tunnel a card stands free; of several, all stay equally high."""
    run = list(run)
    if len({_pair(row.step) for row in run if _protected(row)}) > 1:
        return [run]
    parts: list[list[Row]] = [[]]
    for row in run:
        if row.kind is RowKind.ACTION:
            parts.append([])
        else:
            parts[-1].append(row)
    out = []
    for part in parts:
        while part and not _protected(part[0]):
            part.pop(0)
        while part and not _protected(part[-1]):
            part.pop()
        if part:
            out.append(part)
    return out
