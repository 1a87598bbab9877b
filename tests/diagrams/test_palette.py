"""Colours: one value a role, and enough contrast to read."""

from __future__ import annotations

import pytest

from shakeproof.diagrams import palette
from shakeproof.diagrams.palette import COLOURS, TINTS, contrast, dark_style, side, tint

TEXT = 4.5  # WCAG 2.2, 1.4.3: contrast of text
GRAPHIC = 3.0  # WCAG 2.2, 1.4.11: contrast of what is not text
THEMES = ["light", "dark"]


@pytest.mark.parametrize("theme", THEMES)
def test_every_role_has_a_value_of_its_own(theme: str) -> None:
    values = [colour.value(theme) for colour in COLOURS]
    assert len(set(values)) == len(values)


def test_every_colour_of_the_module_is_listed() -> None:
    named = {value for value in vars(palette).values() if isinstance(value, palette.Colour)}
    assert named <= set(COLOURS)
    assert {colour for pair in TINTS.values() for colour in pair} <= set(COLOURS)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("key", TINTS)
def test_text_on_a_tint_is_readable(key: str, theme: str) -> None:
    fill, title = tint(key)
    texts = [palette.INK, palette.MUTED, palette.OK, palette.BAD, palette.LATE, palette.REPLAY, title]
    for colour in texts:
        assert contrast(colour.value(theme), fill.value(theme)) >= TEXT
    assert contrast(palette.LINE.value(theme), fill.value(theme)) >= GRAPHIC


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("text", "fill"),
    [
        (palette.INK, palette.BG), (palette.MUTED, palette.BG), (palette.INK, palette.CARD),
        (palette.MUTED, palette.CARD), (palette.OK, palette.CARD), (palette.BAD, palette.CARD),
        (palette.OK, palette.TUNNEL), (palette.MUTED, palette.TUNNEL), (palette.BAD, palette.BROKEN),
        (palette.MUTED, palette.BROKEN), (palette.INK, palette.NOTE), (palette.INK, palette.RED),
        (palette.BAD, palette.RED), (palette.CLIENT, palette.BG), (palette.SERVER, palette.BG),
        (palette.CLIENT, palette.CARD), (palette.SERVER, palette.CARD), (palette.ATTACKER, palette.CARD),
        (palette.CA, palette.CARD), (palette.ON_FILL, palette.BAD), (palette.ON_FILL, palette.LATE),
        (palette.ON_FILL, palette.REPLAY),
    ],
)  # fmt: skip
def test_text_on_other_fills_is_readable(text: palette.Colour, fill: palette.Colour, theme: str) -> None:
    assert contrast(text.value(theme), fill.value(theme)) >= TEXT


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("key", ["client", "server", "attacker", "ca"])
def test_name_on_a_lane_head_is_readable(key: str, theme: str) -> None:
    assert contrast(palette.ON_FILL.value(theme), side(key).value(theme)) >= TEXT


def test_contrast_of_black_and_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#123456", "#123456") == pytest.approx(1.0)


def test_dark_style_maps_used_values_only() -> None:
    style = dark_style("#x", f'<a fill="{palette.INK.light}" stroke="{palette.OK.light}"/>')
    assert f'#x [fill="{palette.INK.light}"]{{fill:{palette.INK.dark}}}' in style
    assert f'#x [stroke="{palette.OK.light}"]{{stroke:{palette.OK.dark}}}' in style
    assert palette.LATE.light not in style
