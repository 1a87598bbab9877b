"""Every colour of a picture: one role, one light and one dark value.

Each role has a value of its own, even where two look alike: in an SVG the dark theme is chosen by matching the light
value, so two roles that share one would change together.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Colour:
    """A role in a picture and its two values, written `#rrggbb`."""

    light: str
    dark: str

    def value(self, theme: str) -> str:
        """The value in `theme`, "light" or "dark"."""
        return self.dark if theme == "dark" else self.light


BG = Colour("#ffffff", "#10151b")
CARD = Colour("#fefefe", "#18202a")
ON_FILL = Colour("#fdfdfd", "#0c1116")
INK = Colour("#17202a", "#e7ecf1")
MUTED = Colour("#55606e", "#a5b0bc")
LINE = Colour("#7d8a98", "#71808f")
OK = Colour("#0e6a46", "#74d3a8")
BAD = Colour("#b42318", "#ff8f84")
LATE = Colour("#a84300", "#f5a865")
REPLAY = Colour("#6d28d9", "#c4a3ff")
CLIENT = Colour("#1f5596", "#8abaf4")
SERVER = Colour("#33424f", "#b0bcc8")
ATTACKER = Colour("#a41c1c", "#f7a1a1")
CA = Colour("#8b5b01", "#edbd63")
TUNNEL = Colour("#d3ecdf", "#17402f")
TUNNEL_EDGE = Colour("#2f8f67", "#4fb488")
BROKEN = Colour("#f9d9d9", "#4d2224")
BROKEN_EDGE = Colour("#c04a4a", "#d97a7a")
NOTE = Colour("#fffbe0", "#2f2a12")
NOTE_EDGE = Colour("#927a1c", "#a8923a")
RED = Colour("#fde4e1", "#44191a")
GREEN = Colour("#dff3e8", "#123326")
GREY = Colour("#eceff2", "#222a33")

TINTS: dict[str, tuple[Colour, Colour]] = {
    "tcp": (Colour("#edf3fb", "#13233a"), Colour("#2058a0", "#8bbaf5")),
    "tls": (Colour("#f3effb", "#211a36"), Colour("#6135a6", "#c0a7f5")),
    "cert": (Colour("#fdf4e3", "#2d2311"), Colour("#8a5a00", "#ecbc62")),
    "key": (Colour("#fceff5", "#321726"), Colour("#a3255f", "#f3a0c5")),
    "data": (Colour("#eaf6f0", "#0f281e"), Colour("#0f6b47", "#74d3a7")),
    "close": (Colour("#f1f3f5", "#1b222b"), Colour("#4d5966", "#b1bbc6")),
    "attack": (Colour("#fdeeee", "#351718"), Colour("#a51d1d", "#f6a0a0")),
}
"""Phase tint -> fill of the band, colour of its strip and title."""

SIDES: dict[str, Colour] = {"client": CLIENT, "server": SERVER, "attacker": ATTACKER, "tester": ATTACKER, "ca": CA}
"""Side of a lane -> its colour."""

COLOURS: tuple[Colour, ...] = (
    BG, CARD, ON_FILL, INK, MUTED, LINE, OK, BAD, LATE, REPLAY, CLIENT, SERVER, ATTACKER, CA, TUNNEL, TUNNEL_EDGE,
    BROKEN, BROKEN_EDGE, NOTE, NOTE_EDGE, RED, GREEN, GREY, *(colour for pair in TINTS.values() for colour in pair),
)  # fmt: skip


def tint(key: str) -> tuple[Colour, Colour]:
    """Fill and title colour of a phase tint; an unknown or empty tint is grey."""
    return TINTS.get(key, TINTS["close"])


def side(key: str) -> Colour:
    """Colour of a lane's side; an unknown one is drawn as a server."""
    return SIDES.get(key, SERVER)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two `#rrggbb` values, 1..21.

    Source: WCAG 2.2, relative luminance.
    """

    def luminance(value: str) -> float:
        parts = [int(value[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def dark_style(scope: str, svg: str) -> str:
    """CSS that turns the light values used in `svg` into the dark ones where the reader prefers dark."""
    rules = [
        f'{scope} [{attribute}="{colour.light}"]{{{attribute}:{colour.dark}}}'
        for colour in COLOURS
        for attribute in ("fill", "stroke")
        if f'{attribute}="{colour.light}"' in svg
    ]
    return "@media (prefers-color-scheme:dark){" + "".join(rules) + "}"
