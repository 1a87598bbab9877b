"""Labels of machines: what is too long is counted, never cut."""

from __future__ import annotations

from shakeproof.diagrams.picture import LINES_MOST, fewer

DEFECTS = [f"defect_{number}" for number in range(30)]


def test_alternatives_beyond_the_room_are_counted_and_none_is_cut() -> None:
    lines = fewer(f"recv Certificate[{' | '.join(DEFECTS)} ~(bare | broken)], unasked", 300)
    text = " ".join(lines)
    named = [defect for defect in DEFECTS if f"{defect} |" in text]
    assert len(lines) <= LINES_MOST
    assert text.startswith("recv Certificate[defect_0 | ")
    assert text.endswith(f" | {len(DEFECTS) - len(named)} more ~(bare | broken)], unasked")
    assert named == DEFECTS[: len(named)]


def test_label_without_alternatives_is_left_to_others() -> None:
    assert fewer("recv Certificate", 20) == []
    assert fewer("recv X[a | b]", 20) == []
