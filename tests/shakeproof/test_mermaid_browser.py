"""What figures say in Mermaid is read by Mermaid itself."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shakeproof.diagrams.sequence import draw_trace
from shakeproof.figures import Options, draw, everything
from shakeproof.model.trace import Lane, Step, Trace
from tests.shakeproof.chromium import Chromium, find_program

pytestmark = pytest.mark.slow

MERMAID = "mermaid@11.17.2"
PLAIN = Options()
OPTIONS = (Options("dhe", client_auth=True), Options("ecdhe"), Options(resume=True))
COMPARED = ("diff", ("tls12.client", "tls12.server"))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser with Mermaid in it."""
    program, folder = find_program(), tmp_path_factory.mktemp("mermaid")
    if not program:
        pytest.skip("missing tool: chromium")
    try:
        subprocess.run(["npm", "pack", "--silent", MERMAID], cwd=folder, check=True, capture_output=True, timeout=120)
    except (OSError, subprocess.SubprocessError):
        pytest.skip(f"missing tool: {MERMAID}, which npm fetches")
    (packed,) = folder.glob("*.tgz")
    subprocess.run(["tar", "xzf", packed.name, "package/dist/mermaid.min.js"], cwd=folder, check=True)
    page = folder / "page.html"
    page.write_text('<meta charset="utf-8"><script src="package/dist/mermaid.min.js"></script>', encoding="utf-8")
    with Chromium(program, tmp_path_factory.mktemp("profile")) as chromium:
        chromium.open(Path(page))
        chromium.evaluate("mermaid.initialize({ startOnLoad: false, maxTextSize: 1e6 })")
        yield chromium


def kind_of(reader: Chromium, text: str) -> str:
    """The kind of diagram that Mermaid reads. Raises RuntimeError with its own words where it reads none."""
    kind = reader.evaluate(f"mermaid.parse({json.dumps(text)}).then((read) => read.diagramType)")
    assert isinstance(kind, str)
    return kind


@pytest.mark.parametrize(
    ("name", "arguments", "options"),
    [
        *((name, arguments, PLAIN) for name, arguments in [*everything(), COMPARED] if name != "stack"),
        *(("full", (), options) for options in OPTIONS),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else str(getattr(value, "key_exchange", value)),
)
def test_mermaid_reads_each_figure(reader: Chromium, name: str, arguments: tuple[str, ...], options: Options) -> None:
    expected = {"certificate-validation": "flowchart-v2", "machine": "stateDiagram", "diff": "stateDiagram"}
    assert kind_of(reader, draw(name, arguments, options).mermaid) == expected.get(name, "sequence")


def test_mermaid_shows_what_a_peer_sent_as_text(reader: Chromium) -> None:
    said = 'end; <script>x</script> #quot; --> "a" : b\nloop %% {}'
    step = Step(1, sender="a", receiver="b", message=said, detail=said, note=said)
    trace = Trace(said, (Lane("a", said), Lane("b", "end", side="server")), (step,))
    assert kind_of(reader, draw_trace(trace).mermaid) == "sequence"


def test_what_mermaid_cannot_read_is_an_error(reader: Chromium) -> None:
    with pytest.raises(RuntimeError, match="Parse error"):
        kind_of(reader, "sequenceDiagram\n    a ->> : no receiver\n")
