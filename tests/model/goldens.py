"""Comparing with files in the `golden` folder; `SHAKEPROOF_UPDATE_GOLDEN=1` writes them anew, to be reviewed."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def same_as_golden(name: str, text: str) -> bool:
    """Whether the text is what the file of that name holds."""
    path = FOLDER / name
    if os.environ.get("SHAKEPROOF_UPDATE_GOLDEN"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path.read_text(encoding="utf-8") == text
