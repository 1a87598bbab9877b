"""A state machine along its usual path: one vertical line of states, skips and returns on tracks at the left, failures
in one line at the right that ends in the state of failures. A state off the path stands at the far left, beside the
state that leads to it; where there is no room for that, on the line too.

A label never meets a line: those of the path stand right of it between two states, those of tracks left of their track
in the same space, where no horizontal line runs; the tracks keep clear of each other's labels.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from shakeproof.diagrams.briefly import brief
from shakeproof.diagrams.canvas import Canvas, Drawing
from shakeproof.diagrams.machine_parts import (
    HEAD_SIZE,
    MARGIN,
    NODE_HEIGHT,
    Elsewhere,
    Head,
    draw_label,
    draw_spot,
    draw_words,
    node_name,
    spot_width,
)
from shakeproof.diagrams.palette import BAD, LINE, OK, tint
from shakeproof.diagrams.picture import Arrow, Difference, Label, MachinePicture, Spot, Words, arrows
from shakeproof.diagrams.text_width import clean, text_width

WIDTH = 176.0  # of a state
GAP = 36.0  # least space between two states
BAND_PAD = 9.0
PORT = 6.0  # between two lines that end at one side of a state
TRACK = 22.0  # between two tracks
TRACK_FIRST = 42.0  # from the states to the first track
AWAY = 8.0  # from a line to its label
STUB_LABEL = 240.0
TRACK_LABEL = 120.0
PATH_LABEL = 230.0
LOOP_LABEL = 200.0
SIDE_LABEL = 190.0
LOOP_REACH = 26.0


@dataclass(slots=True)
class _Row:
    """A state on the line. stubs, loops: what leaves it to the right; ports: lines at its left."""

    spot: Spot
    stub: Arrow | None = None
    loop: Arrow | None = None
    ports: list[tuple[tuple[float, ...], int, bool]] = field(default_factory=list)
    beside: float = 0.0
    y: float = 0.0
    height: float = NODE_HEIGHT

    @property
    def loop_label(self) -> Label:
        assert self.loop is not None, "only a loop has a label here"
        return brief(self.loop, LOOP_LABEL)

    @property
    def stub_at(self) -> float:
        """Where failures leave, counted from the middle of the state."""
        return -9.0 if self.loop else 0.0

    @property
    def loop_at(self) -> tuple[float, float]:
        """Where a loop leaves and enters, counted from the middle of the state."""
        return (3.0, 12.0) if self.stub else (-7.0, 7.0)

    @property
    def label_at(self) -> float:
        """Top of a loop's label, counted from the middle of the state."""
        return 5.5 if self.stub else -self.loop_label.height / 2

    @property
    def above(self) -> float:
        """Height above the middle that the state and what stands right of it take."""
        stub = 15.0 - self.stub_at if self.stub else 0.0
        return max(self.height / 2, self.beside, stub, -self.label_at if self.loop else 0.0)

    @property
    def below(self) -> float:
        """The same below the middle."""
        stub = self.stub_at + 15.0 if self.stub else 0.0
        return max(
            self.height / 2, self.beside, stub, self.label_at + self.loop_label.height + 2.0 if self.loop else 0.0
        )


@dataclass(slots=True)
class _Side:
    """A state off the path, beside row `row`. arrows: to and from states of the path."""

    spot: Spot
    row: int
    arrows: list[Arrow] = field(default_factory=list)
    loop: Arrow | None = None

    @property
    def reach(self) -> float:
        """Height above and below the middle that a loop's label takes."""
        return brief(self.loop, TRACK_LABEL).height / 2 if self.loop else 0.0


@dataclass(slots=True)
class _Track:
    arrow: Arrow
    start: int
    end: int
    label: Label
    x: float = 0.0
    y0: float = 0.0
    y1: float = 0.0
    label_top: float = 0.0
    inside: bool = False

    @property
    def label_reach(self) -> tuple[float, float]:
        """From top to bottom, with a little room."""
        return self.label_top - 2.0, self.label_top + self.label.height + 2.0

    @property
    def left(self) -> float:
        """x left of the track and its label."""
        return self.x if self.inside else self.x - AWAY - self.label.width

    @property
    def rows(self) -> tuple[int, int]:
        return min(self.start, self.end), max(self.start, self.end)

    @property
    def gap(self) -> int:
        """The space between rows in which the label stands: beside the source, on the way."""
        return self.start if self.end > self.start else self.start - 1


def order_of(picture: MachinePicture) -> list[str]:
    """Keys of the states on the line: the path, and each other state below the last state that leads to it."""
    order = [key for key in picture.path if key != picture.sink]
    others = [spot.key for spot in picture.spots if spot.key not in order and spot.key != picture.sink]
    for key in others:
        before = [order.index(move.source) for move in picture.moves if move.target == key and move.source in order]
        # The last state of the path stays last: it is where everything ends.
        order.insert(min(max(before, default=len(order) - 1) + 1, max(len(order) - 1, 0)), key)
    return order


def sides_of(picture: MachinePicture) -> dict[str, str]:
    """States off the path that can stand beside a state of the path: key -> the state of the path.

    One beside each, joined with states of the path only, and with no other between it and those.
    """
    path = [key for key in picture.path if key != picture.sink]
    index = {key: number for number, key in enumerate(path)}
    found: dict[str, str] = {}
    taken: list[tuple[int, int]] = []
    for spot in picture.spots:
        if spot.key in index or spot.key == picture.sink:
            continue
        moves = [m for m in picture.moves if spot.key in (m.source, m.target) and m.source != m.target]
        moves = [move for move in moves if move.target != picture.sink]
        others = {move.target if move.source == spot.key else move.source for move in moves}
        before = [index[move.source] for move in moves if move.target == spot.key and move.source in index]
        if not before or not others <= set(index):
            continue
        row = max(before)
        joined = [index[other] for other in others]
        both_ways = sum(move.target == path[row] for move in moves) > 0
        low, high = min(joined), max(joined)
        if both_ways or any(low <= last and first <= high for first, last in taken):
            continue
        found[spot.key] = path[row]
        taken.append((low, high))
    return found


def draw_spine(picture: MachinePicture, canvas: Canvas) -> Drawing:
    """Draw `picture` along its `path`."""
    return _Spine(picture, canvas).draw()


class _Spine:
    def __init__(self, picture: MachinePicture, canvas: Canvas) -> None:
        beside = sides_of(picture)
        # What leads from a state at the side to the state of failures would cross everything: it is listed.
        listed = [move for move in picture.moves if move.source in beside and move.target == picture.sink]
        picture = replace(
            picture,
            moves=tuple(move for move in picture.moves if move not in listed),
            elsewhere=(
                *(
                    replace(move, source=picture.spot(move.source).title)
                    for move in listed
                    if move.difference is not Difference.SAME
                ),
                *picture.elsewhere,
            ),
        )
        self.picture, self.canvas = picture, canvas
        self.order = [key for key in order_of(picture) if key not in beside]
        self.rows = [_Row(picture.spot(key)) for key in self.order]
        self.index = {key: index for index, key in enumerate(self.order)}
        self.node_width = max(spot_width(row.spot, WIDTH) for row in self.rows)
        self.sides = {key: _Side(picture.spot(key), self.index[row]) for key, row in beside.items()}
        self.straight: dict[int, Arrow] = {}
        self.tracks: list[_Track] = []
        self._sort_arrows()
        self._assign_ports()
        self._tell_counts()

    def _tell_counts(self) -> None:
        """Say what a label that counts stands for, where there is one."""
        beside = [arrow for _, arrow in self._side_arrows()]
        stubs = [row.stub for row in self.rows if row.stub]
        loops = [row.loop for row in self.rows if row.loop] + [side.loop for side in self.sides.values() if side.loop]
        told = [*self.straight.values(), *(track.arrow for track in self.tracks), *loops]
        if any(brief(arrow, TRACK_LABEL).counts for arrow in told) or any(len(arrow.moves) > 1 for arrow in stubs):
            drawn = [*told, *stubs, *beside]
            moves = sum(len(arrow.moves) for arrow in drawn)
            sentence = f"{moves} transitions are drawn as {len(drawn)} arrows; hovering tells all that one stands for."
            self.picture = replace(self.picture, subtitle=(*self.picture.subtitle, sentence))

    def _sort_arrows(self) -> None:
        for arrow in arrows(self.picture.moves, self.picture.usual):
            side = self.sides.get(arrow.source) or self.sides.get(arrow.target)
            if side is not None:
                if arrow.source == arrow.target:
                    side.loop = arrow
                else:
                    side.arrows.append(arrow)
                continue
            source, target = self.index.get(arrow.source), self.index.get(arrow.target)
            if source is None:
                continue  # nothing leaves the state of failures
            if arrow.target == self.picture.sink:
                known = self.rows[source].stub
                moves = (*known.moves, *arrow.moves) if known else arrow.moves
                self.rows[source].stub = replace(arrow, moves=moves)
            elif target == source:
                self.rows[source].loop = arrow
            elif target == source + 1:
                self.straight[source] = arrow
            elif target is not None:
                self.tracks.append(_Track(arrow, source, target, brief(arrow, TRACK_LABEL)))
        self.tracks.sort(key=lambda track: (track.rows[1] - track.rows[0], track.rows[0]))

    def _assign_ports(self) -> None:
        """Order the lines at the left of each state so that none of them cross there."""
        for rank, track in enumerate(self.tracks):
            for here, other, leaves in ((track.start, track.end, True), (track.end, track.start, False)):
                # From the top: those that go up, inner tracks first; then those that go down, outer ones first.
                key = (0.0, float(rank)) if other < here else (1.0, float(-rank))
                self.rows[here].ports.append((key, rank, leaves))
        far = 1000  # states at the side lie beyond every track
        for number, (side, arrow) in enumerate(self._side_arrows(), far):
            here = self._path_row(arrow)
            key = (0.5, 0.0) if here == side.row else (0.0, number) if side.row < here else (1.0, -number)
            self.rows[here].ports.append((key, number, True))
            self.rows[side.row].beside = side.reach
        for row in self.rows:
            row.ports.sort()
            row.height = max(NODE_HEIGHT, PORT * (len(row.ports) - 1) + 18.0)

    def _side_arrows(self) -> list[tuple[_Side, Arrow]]:
        return [(side, arrow) for side in self.sides.values() for arrow in side.arrows]

    def _path_row(self, arrow: Arrow) -> int:
        """The row at the path's end of an arrow to or from a state at the side."""
        return self.index[arrow.source if arrow.source in self.index else arrow.target]

    # -- places --------------------------------------------------------------------------------------------------------

    def _gaps(self) -> list[float]:
        gaps = []
        for index in range(len(self.rows) - 1):
            heights = [track.label.height for track in self.tracks if track.gap == index]
            if index in self.straight:
                heights.append(brief(self.straight[index], PATH_LABEL).height + 4)
            needed = max(heights, default=0.0) + 10.0
            gaps.append(max(GAP, needed))
        return gaps

    def _place_rows(self, top: float) -> None:
        y = top + BAND_PAD
        for index, (row, gap) in enumerate(zip(self.rows, [*self._gaps(), 0.0], strict=True)):
            row.y = y + row.above
            y += row.above + row.below + gap
            if index + 1 == len(self.rows):
                self.bottom = y + BAND_PAD

    def _place_tracks(self) -> float:
        """Give every track its x, counted from the left side of the states; gives the leftmost x used."""
        for rank, track in enumerate(self.tracks):
            track.y0 = self._port_y(track.start, rank, leaves=True)
            track.y1 = self._port_y(track.end, rank, leaves=False)
            forward = track.end > track.start
            row = self.rows[track.start]
            side = row.y + row.height / 2 if forward else row.y - row.height / 2
            track.label_top = side + 5.0 if forward else side - 5.0 - track.label.height
            x = -TRACK_FIRST
            room = 0.0  # right of it, as high as the label: where that is free, the label stands there
            for other in self.tracks[:rank]:
                if _overlap(self._reach(track), self._reach(other)):
                    x = min(x, other.x - TRACK)
                if _overlap(self._reach(track), other.label_reach):
                    x = min(x, other.left - 12.0)
                if _overlap(track.label_reach, self._reach(other)):
                    room = min(room, other.x)
                if _overlap(track.label_reach, other.label_reach):
                    room = min(room, other.left)
            track.inside = self._is_free(track, rank) and x <= room - track.label.width - AWAY - 8.0
            if not track.inside and room < 0:
                x = min(x, room - 12.0)
            track.x = x
        return min((track.left for track in self.tracks), default=-TRACK_FIRST)

    def _clear_of_tracks(self) -> float:
        """x left of every track and label that stands as high as a state at the side or one of its arrows."""
        clear = -8.0
        for side in self.sides.values():
            rows = [self.rows[side.row], *(self.rows[self._path_row(arrow)] for arrow in side.arrows)]
            reach = min(row.y - row.above for row in rows), max(row.y + row.below for row in rows)
            for track in self.tracks:
                if _overlap(reach, self._reach(track)):
                    clear = min(clear, track.x)
                if _overlap(reach, track.label_reach):
                    clear = min(clear, track.left)
        return clear

    def _is_free(self, track: _Track, rank: int) -> bool:
        """Whether no line ends at a state as high as the label of the track."""
        ends = [y for other in self.tracks[:rank] for y in self._reach(other)]
        return not any(track.label_reach[0] < y < track.label_reach[1] for y in ends)

    @staticmethod
    def _reach(track: _Track) -> tuple[float, float]:
        return min(track.y0, track.y1), max(track.y0, track.y1)

    def _port_y(self, row: int, rank: int, *, leaves: bool) -> float:
        ports = self.rows[row].ports
        place = next(i for i, (_, r, out) in enumerate(ports) if r == rank and out is leaves)
        return self.rows[row].y + (place - (len(ports) - 1) / 2) * PORT

    # -- drawing -------------------------------------------------------------------------------------------------------

    def draw(self) -> Drawing:
        picture, canvas = self.picture, self.canvas
        self._place_rows(0.0)
        leftmost = self._place_tracks()
        titles = [text_width(clean(region.title).upper(), 8.5, bold=True) for region in picture.regions]
        self.side_width = max((spot_width(side.spot, 120.0) for side in self.sides.values()), default=0.0)
        self.side_labels = {id(arrow): arrow.summary(SIDE_LABEL) for _, arrow in self._side_arrows()}
        self.side_right = leftmost
        if self.sides:
            widest = max(words.width for pair in self.side_labels.values() for words in pair)
            self.side_right = self._clear_of_tracks() - widest - 26.0
            loops = [brief(side.loop, TRACK_LABEL).width for side in self.sides.values() if side.loop]
            beyond = self.side_right - self.side_width - (LOOP_REACH + 6.0 + max(loops) if loops else 0.0)
            leftmost = min(leftmost, beyond)
        left = MARGIN + 12.0 + max(titles, default=0.0) + 14.0 - leftmost
        self.x = left + self.node_width / 2
        right = left + self.node_width
        self._summaries: dict[int, tuple[Words, Words]] = {}
        ends = [right + 40.0]
        last = right
        for index, row in enumerate(self.rows):
            last = right
            if row.stub:
                self._summaries[index] = row.stub.summary(STUB_LABEL)
                last += self._stub_label(row) + max(words.width for words in self._summaries[index]) + 14.0
            if row.loop:
                last = max(last, right + LOOP_REACH + 6.0 + row.loop_label.width + 14.0)
            ends.append(last)
        ends += [self.x + AWAY + brief(arrow, PATH_LABEL).width + 14.0 for arrow in self.straight.values()]
        self.bus = max(ends)
        width = self.bus + MARGIN + 14.0
        if picture.sink:
            sink = picture.spot(picture.sink)
            self.sink_width = spot_width(sink, 80.0)
            # It stands in the last row, clear of what that says.
            self.bus = max(self.bus, max(last, right + 30.0) + self.sink_width / 2)
            width = self.bus + max(self.sink_width / 2, 40.0) + 14.0 + MARGIN
        width = max(width, 420.0)
        head = Head(picture, width)
        elsewhere = Elsewhere(picture, width)
        head.draw(canvas)
        self.left, self.right = left, right
        top = head.height
        for row in self.rows:
            row.y += top
        for track in self.tracks:
            track.y0, track.y1, track.label_top = track.y0 + top, track.y1 + top, track.label_top + top
        self.bottom += top
        self._draw_bands(width)
        self._draw_lines()
        self._draw_sides()
        for row in self.rows:
            draw_spot(canvas, row.spot, picture.sink, self.x, row.y, self.node_width, row.height)
        elsewhere.draw(canvas, self.bottom + 14.0)
        height = self.bottom + (14.0 + elsewhere.height if elsewhere.items else 0.0) + MARGIN
        return canvas.finish(round(width, 1), round(height, 1), "machine")

    def _draw_bands(self, width: float) -> None:
        regions = {region.key: region for region in self.picture.regions}
        start = 0
        for index in range(1, len(self.rows) + 1):
            if index < len(self.rows) and self.rows[index].spot.region == self.rows[start].spot.region:
                continue
            first, last = self.rows[start], self.rows[index - 1]
            region = regions.get(first.spot.region)
            if region is not None:
                fill, strong = tint(region.tint)
                top = first.y - first.above - BAND_PAD
                height = last.y + last.below + BAND_PAD - top
                self.canvas.panel(MARGIN, top, width - 2 * MARGIN, height, fill, css="band")
                self.canvas.box(MARGIN, top, 4, height, strong, css="band")
                title = clean(region.title).upper()
                self.canvas.text(MARGIN + 12, top + 10, title, 8.5, strong, bold=True, anchor="start", css="band")
            start = index

    def _draw_lines(self) -> None:
        canvas = self.canvas
        for index, arrow in self.straight.items():
            above, below = self.rows[index], self.rows[index + 1]
            y0, y1 = above.y + above.height / 2, below.y - below.height / 2
            look, label = arrow.look, brief(arrow, PATH_LABEL)
            canvas.line([(self.x, y0), (self.x, y1)], look.line, look.pen, style=look.style, head="normal",
                        size=HEAD_SIZE, css=arrow.css, tooltip=arrow.sentence, ends=self._ends(arrow))  # fmt: skip
            # Beside the line, clear of what leaves the states above and below to the right.
            low, high = above.y + above.below, below.y - below.above
            draw_label(canvas, label, self.x + AWAY, (low + high - label.height) / 2 - 1.0, "start", arrow.css)
        for track in self.tracks:
            look, x = track.arrow.look, self.left + track.x
            canvas.line([(self.left, track.y0), (x, track.y0), (x, track.y1), (self.left, track.y1)], look.line,
                        look.pen, style=look.style, head="normal", size=HEAD_SIZE, css=track.arrow.css,
                        tooltip=track.arrow.sentence, ends=self._ends(track.arrow))  # fmt: skip
            at, anchor = (x + AWAY, "start") if track.inside else (x - AWAY, "end")
            draw_label(canvas, track.label, at, track.label_top, anchor, track.arrow.css)
        for index, row in enumerate(self.rows):
            self._draw_right(index, row)
        self._draw_sink()

    def _draw_sides(self) -> None:
        canvas, width = self.canvas, self.side_width
        right = self.left + self.side_right
        middle = right - width / 2
        turns: dict[int, int] = {}
        for number, (side, arrow) in enumerate(self._side_arrows(), 1000):
            here, row = self._path_row(arrow), self.rows[side.row]
            y = self._port_y(here, number, leaves=True)
            if here == side.row:
                points = [(right, y), (self.left, y)]
                label_x = right + 10.0
            else:
                turn = turns.get(id(side), 0)
                turns[id(side)] = turn + 1
                x = middle + 16.0 * ((turn + 1) // 2) * (-1 if turn % 2 else 1)
                edge = row.y + row.height / 2 * (1 if here > side.row else -1)
                points = [(x, edge), (x, y), (self.left, y)]
                label_x = max(x + 18.0, right + 10.0)
            if arrow.source in self.index:
                points.reverse()
            look, (above, below) = arrow.look, self.side_labels[id(arrow)]
            canvas.line(points, look.line, look.pen, style=look.style, head="normal", size=HEAD_SIZE, css=arrow.css,
                        tooltip=arrow.sentence, ends=self._ends(arrow))  # fmt: skip
            draw_words(canvas, above, label_x, y - 8.5, "start", arrow.css)
            draw_words(canvas, below, label_x, y + 8.0, "start", arrow.css)
        for side in self.sides.values():
            row = self.rows[side.row]
            if side.loop:
                label, look, x = brief(side.loop, TRACK_LABEL), side.loop.look, right - width
                loop = [(x, row.y - 7), (x - LOOP_REACH, row.y - 7), (x - LOOP_REACH, row.y + 7), (x, row.y + 7)]
                canvas.line(loop, look.line, look.pen, style=look.style, head="normal", size=HEAD_SIZE, radius=4.5,
                            css=side.loop.css, tooltip=side.loop.sentence, ends=self._ends(side.loop))  # fmt: skip
                top = row.y - label.height / 2
                draw_label(canvas, label, x - LOOP_REACH - 6.0, top, "end", side.loop.css)
            draw_spot(canvas, side.spot, self.picture.sink, middle, row.y, width, row.height)

    def _draw_right(self, index: int, row: _Row) -> None:
        canvas = self.canvas
        if row.stub:
            at = row.y + row.stub_at
            look = row.stub.look
            canvas.line([(self.right, at), (self.bus, at)], look.line, look.pen, style=look.style, css=row.stub.css,
                        tooltip=row.stub.sentence, ends=self._ends(row.stub))  # fmt: skip
            above, below = self._summaries[index]
            x = self.right + self._stub_label(row)
            draw_words(canvas, above, x, at - 8.5, "start", row.stub.css)
            draw_words(canvas, below, x, at + 8.0, "start", row.stub.css)
        if row.loop:
            label, look = row.loop_label, row.loop.look
            y0, y1 = (row.y + offset for offset in row.loop_at)
            x = self.right + LOOP_REACH
            canvas.line([(self.right, y0), (x, y0), (x, y1), (self.right, y1)], look.line, look.pen, style=look.style,
                        head="normal", size=HEAD_SIZE, radius=4.5, css=row.loop.css, tooltip=row.loop.sentence,
                        ends=self._ends(row.loop))  # fmt: skip
            draw_label(canvas, label, x + 6.0, row.y + row.label_at, "start", row.loop.css)

    def _draw_sink(self) -> None:
        stubs = [row for row in self.rows if row.stub]
        if not self.picture.sink:
            return
        y = self.rows[-1].y
        draw_spot(self.canvas, self.picture.spot(self.picture.sink), self.picture.sink, self.bus, y,
                  self.sink_width, NODE_HEIGHT)  # fmt: skip
        if stubs:
            measured = [row.stub for row in stubs if row.stub and row.stub.measured]
            compared = any(move.difference for row in stubs if row.stub for move in row.stub.moves)
            colour = LINE if compared else BAD
            if measured:
                colour = OK if all(stub.count for stub in measured) else LINE
            first = stubs[0]
            start = first.y + first.stub_at
            self.canvas.line([(self.bus, start), (self.bus, y - NODE_HEIGHT / 2)], colour, 1.4, head="normal",
                             size=HEAD_SIZE, css="bus")  # fmt: skip

    @staticmethod
    def _stub_label(row: _Row) -> float:
        """How far from the state the label of its failures stands: clear of a loop below."""
        return LOOP_REACH + 6.0 if row.loop else 12.0

    @staticmethod
    def _ends(arrow: Arrow) -> tuple[str, str]:
        return node_name(arrow.source), node_name(arrow.target)


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1]
