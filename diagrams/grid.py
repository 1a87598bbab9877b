"""A state machine whose states have places on a grid: rounded orthogonal arrows, phases as tints behind the states."""

from __future__ import annotations

from shakeproof.diagrams.canvas import Canvas, Drawing, Point
from shakeproof.diagrams.machine_parts import (
    HEAD_SIZE,
    MARGIN,
    NODE_HEIGHT,
    Elsewhere,
    Head,
    draw_label,
    draw_spot,
    node_name,
    spot_width,
)
from shakeproof.diagrams.palette import tint
from shakeproof.diagrams.picture import Arrow, Label, MachinePicture, Way, arrows
from shakeproof.diagrams.routes import Box, Labeller, Leg, Router, leg_box, legs
from shakeproof.diagrams.text_width import clean, text_width

WIDTH = 112.0  # of a state
COLUMN = 246.0
ROW = 88.0
REGION_PAD = 22.0
REGION_TITLE = 14.0
EDGE = 26.0  # free space around the drawing
LABEL = 150.0


def draw_grid(picture: MachinePicture, canvas: Canvas) -> Drawing:
    """Draw `picture` with every state at its column and row."""
    return _Grid(picture, canvas).draw()


class _Grid:
    def __init__(self, picture: MachinePicture, canvas: Canvas) -> None:
        self.picture, self.canvas = picture, canvas
        width, node_height = picture.size or (max(spot_width(spot, WIDTH) for spot in picture.spots), NODE_HEIGHT)
        column = max(COLUMN, width + 134.0)
        rows = [spot.row for spot in picture.spots if spot.row is not None]
        # A state without a place goes into a row of its own below the others, so that nothing is left out.
        spare = max(rows, default=-1.0) + 1.0
        self.boxes: dict[str, Box] = {}
        for spot in picture.spots:
            if spot.place is not None:
                x, y = spot.place
            elif spot.column is None or spot.row is None:
                x, y = column * len([b for b in self.boxes.values() if b.y == spare * ROW]), spare * ROW
            else:
                x, y = column * spot.column, ROW * spot.row
            self.boxes[spot.key] = Box(x, y, width, node_height)
        self.arrows = [
            arrow for arrow in arrows(picture.moves) if arrow.source in self.boxes and arrow.target in self.boxes
        ]
        self.routes: list[tuple[Arrow, list[Point]]] = []
        self._lay()
        self.regions = self._regions()
        self.titles = [self._title(box, title) for box, _, title in self.regions]
        self.labels: list[tuple[Arrow, Label, float, float, str]] = []
        self._label()

    def _lay(self) -> None:
        router = Router(self.boxes)
        order = list(Way)

        def rank(item: tuple[int, Arrow]) -> tuple[bool, bool, int, float, int]:
            number, arrow = item
            one, other = self.boxes[arrow.source], self.boxes[arrow.target]
            far = abs(one.x - other.x) + abs(one.y - other.y)
            # Given routes first; loops last, since they fit wherever there is room left.
            given = bool(arrow.route or arrow.moves[0].points)
            return arrow.source == arrow.target, not given, order.index(arrow.way), far, number

        for _, arrow in sorted(enumerate(self.arrows), key=rank):
            label = arrow.label(LABEL)
            given = next((move.points for move in arrow.moves if move.points), ())
            if given:
                router.laid.append((arrow.source, arrow.target, list(given)))
                self.routes.append((arrow, list(given)))
                continue
            points = router.lay(arrow.source, arrow.target, arrow.route, (label.width, label.height))
            self.routes.append((arrow, points))

    def _label(self) -> None:
        lines: list[Leg] = [leg for _, points in self.routes for leg in legs(points)]
        labeller = Labeller([*self.boxes.values(), *self.titles], lines)
        # Where there is least room, the choice comes first.
        for arrow, points in sorted(self.routes, key=lambda item: sum(_reach(leg) for leg in legs(item[1]))):
            label = arrow.label(LABEL)
            given = next((move.label_at for move in arrow.moves if move.label_at), None)
            if given:
                anchor = {"left": "start", "right": "end"}.get(given[2], "middle")
                self.labels.append((arrow, label, given[0], given[1] - label.height / 2, anchor))
            elif label.lines:
                x, top, anchor = labeller.place(points, label.width, label.height)
                self.labels.append((arrow, label, x, top, anchor))

    def _title(self, region: Box, title: str) -> Box:
        """Where a region's title stands: at its top, where fewest lines cross it."""
        wide = text_width(title, 8.5, bold=True)
        lines = [leg_box(leg) for _, points in self.routes for leg in legs(points)]
        places = [
            Box(x, region.top + 11, wide, 10)
            for x in (region.left + 12 + wide / 2, region.right - 12 - wide / 2, region.x)
        ]
        return min(places, key=lambda box: sum(box.meets(line, 3.0) for line in lines))

    def _regions(self) -> list[tuple[Box, str, str]]:
        """Boxes around the states of a phase, where no state of another phase stands between them."""
        out = []
        for region in self.picture.regions:
            if region.box is not None:
                left, top, right, bottom = region.box
                box = Box((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
                out.append((box, region.tint, clean(region.title).upper()))
                continue
            inside = [self.boxes[spot.key] for spot in self.picture.spots if spot.region == region.key]
            others = [self.boxes[spot.key] for spot in self.picture.spots if spot.region not in ("", region.key)]
            groups = [inside]
            if any(_around(inside).meets(box) for box in others) if inside else False:
                columns = sorted({box.x for box in inside})
                groups = [[box for box in inside if box.x == column] for column in columns]
            for number, group in enumerate(group for group in groups if group):
                box = _around(group)
                if not any(box.meets(other) for other in others):
                    out.append((box, region.tint, clean(region.title).upper() if number == 0 else ""))
        return out

    def draw(self) -> Drawing:
        canvas = self.canvas
        points = [point for _, route in self.routes for point in route]
        lefts = [box.left for box in self.boxes.values()] + [x for x, _ in points]
        lefts += [box.left for box, _, _ in self.regions]
        rights = [box.right for box in self.boxes.values()] + [x for x, _ in points]
        rights += [box.right for box, _, _ in self.regions]
        tops = [box.top for box in self.boxes.values()] + [y for _, y in points]
        tops += [box.top for box, _, _ in self.regions]
        bottoms = [box.bottom for box in self.boxes.values()] + [y for _, y in points]
        bottoms += [box.bottom for box, _, _ in self.regions]
        for _, label, x, top, anchor in self.labels:
            left = x if anchor == "start" else x - label.width if anchor == "end" else x - label.width / 2
            lefts.append(left)
            rights.append(left + label.width)
            tops.append(top)
            bottoms.append(top + label.height)
        width = max(rights) - min(lefts) + 2 * EDGE
        width = max(width, 420.0)
        head = Head(self.picture, width)
        elsewhere = Elsewhere(self.picture, width)
        dx, dy = EDGE - min(lefts), head.height - min(tops) + 4.0
        bottom = max(bottoms) + dy
        head.draw(canvas)
        for (box, key, title), place in zip(self.regions, self.titles, strict=True):
            fill, strong = tint(key)
            canvas.panel(box.left + dx, box.top + dy, box.width, box.height, fill, css="region")
            canvas.text(place.x + dx, place.y + dy, title, 8.5, strong, bold=True, css="region")
        for arrow, route in sorted(self.routes, key=lambda item: -list(Way).index(item[0].way)):
            look = arrow.look
            canvas.line(
                [(x + dx, y + dy) for x, y in route], look.line, look.pen, style=look.style, head="normal",
                size=HEAD_SIZE, css=arrow.css, tooltip=arrow.sentence,
                ends=(node_name(arrow.source), node_name(arrow.target)),
            )  # fmt: skip
        for spot in self.picture.spots:
            box = self.boxes[spot.key]
            draw_spot(canvas, spot, self.picture.sink, box.x + dx, box.y + dy, box.width, box.height)
        for arrow, label, x, top, anchor in self.labels:
            draw_label(canvas, label, x + dx, top + dy, anchor, arrow.css)
        elsewhere.draw(canvas, bottom + 16.0)
        height = bottom + (16.0 + elsewhere.height if elsewhere.items else 0.0) + MARGIN
        return canvas.finish(round(width, 1), round(height, 1), "machine")


def _around(boxes: list[Box]) -> Box:
    left, right = min(b.left for b in boxes) - REGION_PAD, max(b.right for b in boxes) + REGION_PAD
    top, bottom = min(b.top for b in boxes) - REGION_PAD, max(b.bottom for b in boxes) + REGION_PAD - 6
    return Box((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)


def _reach(leg: Leg) -> float:
    return abs(leg[0][0] - leg[1][0]) + abs(leg[0][1] - leg[1][1])
