"""Pictures from traces and machines. Nothing here knows a protocol: every name and count comes from what is drawn."""

from shakeproof.diagrams.figure import FORMATS, Figure, Saved
from shakeproof.diagrams.ladder import ladder
from shakeproof.diagrams.machine import draw_machine
from shakeproof.diagrams.machines import picture_of
from shakeproof.diagrams.render import RendererMissingError
from shakeproof.diagrams.sequence import draw_trace

__all__ = ["FORMATS", "Figure", "RendererMissingError", "Saved", "draw_machine", "draw_trace", "ladder", "picture_of"]
