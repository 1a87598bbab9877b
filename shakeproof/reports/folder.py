"""The report folder: each finding's files as soon as it is confirmed, what concerns the whole run at the end."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TextIO

from shakeproof.console import console
from shakeproof.diagrams.figure import Figure
from shakeproof.exits import UsageError
from shakeproof.properties.findings import Event, Finding, FindingConfirmed, RoleRun
from shakeproof.reports.again import STARTED
from shakeproof.reports.formats import DEFAULT_FORMATS
from shakeproof.reports.json import FORMAT, run_to_json
from shakeproof.reports.junit import NAME as JUNIT
from shakeproof.reports.junit import junit_xml
from shakeproof.reports.names import named, target_stem
from shakeproof.reports.sarif import NAME as SARIF
from shakeproof.reports.sarif import Where, sarif_text
from shakeproof.reports.summary import Judgement
from shakeproof.reports.timeline import Timeline
from shakeproof.store import SavedFinding, finding_to_json

RUN = "run.json"
SUMMARY = "summary.txt"
TEST = '''"""shakeproof finding {id}: fails as long as the finding is there.

Run it with pytest, in the folder in which the audit ran. SHAKEPROOF_ON names another target than ON.
"""

import os
from pathlib import Path

import shakeproof as sp

{said}
ON = {on}


def test_finding_{id}_is_fixed() -> None:
    target = os.environ.get("SHAKEPROOF_ON") or ON
    result = sp.replay(Path(__file__).with_suffix(".json"), target=target)
    assert result.status == "FIXED", f"{{result.status}}: {{result.text}}"
'''
OF_CODE = """\
# What the audit ran, and this test runs again. It stands here because this file is code, which you choose to run: the
# finding's own file is data, and no command that stands in it is run."""
OF_FILE = '# "": the target that the finding\'s file names.'


def machine_stem(result: RoleRun) -> str:
    """The name of the file that shows which rows of a role ran, without its suffix."""
    return f"machine-{result.role}-{target_stem(result.target)}"


def _test(finding: Finding) -> str:
    """The test of a finding, as Python. Of what an audit ran it has a constant, which the user can see and change."""
    is_code = finding.target.startswith(STARTED)
    on = ascii(finding.target if is_code else "")
    return TEST.format(id=finding.id, on=on, said=OF_CODE if is_code else OF_FILE)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[TextIO]:
    """A file to write: it has its name only once all of it is there, whatever ends us."""
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("w", encoding="utf-8") as file:
            yield file
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


class FolderReport:
    """Listens to a run and writes into a folder.

    formats: of `formats.FORMATS`; seed, rogue: what makes a finding repeatable; settings: the configuration
    file. Raises UsageError for a folder that can't be.
    """

    def __init__(
        self,
        folder: Path,
        *,
        formats: Iterable[str] = DEFAULT_FORMATS,
        seed: int = 0,
        rogue: str = "",
        settings: Path | None = None,
    ) -> None:
        self.folder, self.formats, self.seed, self.rogue = folder, tuple(formats), seed, rogue
        self.settings = settings
        self.files: list[str] = []
        self.notes: list[str] = []
        self.errors: list[Exception] = []
        self.timeline = Timeline()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._clear()
        except OSError as error:
            raise UsageError(f"{folder}: can't be written to ({error.strerror}); name another with --report") from error

    def _clear(self) -> None:
        """Remove what an earlier run of ours wrote, as its run.json lists it, and nothing else."""
        before = self.folder / RUN
        try:
            data = json.loads(before.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            return
        names = data.get("files")
        for name in [*(names if isinstance(names, list) else []), RUN]:
            if isinstance(name, str) and name == Path(name).name and (self.folder / name).is_file():
                (self.folder / name).unlink()

    def __call__(self, event: Event) -> None:
        self.timeline(event)
        if isinstance(event, FindingConfirmed):
            from shakeproof.diagrams.sequence import draw_trace
            from shakeproof.reports.pcapng import save_capture

            finding = event.finding
            saved = SavedFinding(finding, self.seed, self.rogue)
            self._write(f"{finding.id}.json", finding_to_json(saved))
            if "pytest" in self.formats:
                self._write(f"{finding.id}.py", _test(finding))
            self.draw(finding.id, lambda: draw_trace(finding.trace))
            if "pcapng" in self.formats and save_capture(finding.trace, self.folder / f"{finding.id}.pcapng"):
                self._wrote(f"{finding.id}.pcapng")

    def _write(self, name: str, text: str) -> None:
        with _whole(self.folder / name) as file:
            file.write(text)
        self._wrote(name)

    def _wrote(self, name: str) -> None:
        if name not in self.files:
            self.files.append(name)

    def draw(self, stem: str, make: Callable[[], Figure], suffix: str = "svg") -> None:
        """Write a picture; as DOT text, with a note how to get a renderer, where there is none.

        A picture that can't be made is an error of ours, kept in `errors`: it must not cost the user the verdict.
        """
        try:
            saved = make().save(self.folder / f"{stem}.{suffix}")
        except Exception as error:  # noqa: BLE001  see above; the command reports it and ends with exit code 4
            error.add_note(f"while drawing {stem}")
            self.errors.append(error)
            return
        self._wrote(saved.path.name)
        if saved.note:
            self.notes.append(saved.note)

    def matrix(self, judgement: Judgement) -> None:
        """Write the rules by targets, as SVG and as PNG."""
        from shakeproof.diagrams.matrix import draw_matrix
        from shakeproof.reports.matrix import NAME, matrix_of

        figure = draw_matrix(matrix_of(judgement))
        for suffix in ("svg", "png"):
            self.draw(NAME, lambda: figure, suffix)

    def finish(self, judgement: Judgement, *, version: str) -> None:
        """Write the pictures of the whole run and the reports in the formats asked for."""
        # Always written, since it lists what a later run may remove; and first, should we be ended now.
        self._run(judgement, version)
        try:
            self._finish(judgement, version)
        finally:
            self._run(judgement, version)
            self._wrote(RUN)

    def _finish(self, judgement: Judgement, version: str) -> None:
        from shakeproof.figures import draw_full, draw_role
        from shakeproof.model.roles import ROLES

        for result in judgement.run.roles:
            if result.role in ROLES and result.exercised:
                self.draw(machine_stem(result), partial(draw_role, result.role, coverage=result.exercised))
        self.draw("full", draw_full)
        if "text" in self.formats:
            self._summary(judgement)
        if "junit" in self.formats:
            self._write(JUNIT, junit_xml(judgement))
        if "sarif" in self.formats:
            where = Where(self.settings, Path.cwd(), self.folder / RUN)
            self._write(
                SARIF,
                sarif_text(judgement, version=version, where=where),
            )
        if "html" in self.formats:
            self._page(judgement, version)

    def _run(self, judgement: Judgement, version: str) -> None:
        with _whole(self.folder / RUN) as file:
            file.write(run_to_json(judgement, version=version, files=self.files))

    def _page(self, judgement: Judgement, version: str) -> None:
        from shakeproof.reports.html import NAME, audit_html

        pictures = {Path(name).stem: name for name in self.files if name.endswith(".svg")}
        texts = {stem: (self.folder / name).read_text(encoding="utf-8") for stem, name in pictures.items()}
        try:
            page = audit_html(judgement, version=version, pictures=texts, files=self.files, timeline=self.timeline)
        except Exception as error:  # noqa: BLE001  as for a picture: an error of ours, which must not cost the verdict
            error.add_note(f"while writing {NAME}")
            self.errors.append(error)
            return
        self._write(NAME, page)

    def _summary(self, judgement: Judgement) -> None:
        from shakeproof.reports.terminal import print_findings, role_line, verdict_lines

        names, known = judgement.names, {id(finding) for finding in judgement.known}
        failures = Counter((f.target, f.role) for f in judgement.known if f.grade.is_failure)

        with _whole(self.folder / SUMMARY) as file:
            out = console(file)
            out.print(judgement.command)
            for result in judgement.run.roles:
                came = role_line(result, names, known=failures[result.target, result.role])
                out.print(f"  {named(names, result.target)} {result.role}  {came}")
            new = [finding for finding in judgement.run.findings if id(finding) not in known]
            print_findings(out, new, self.folder, names)
            print_findings(out, judgement.known, self.folder, names, lambda _: True)
            for line in verdict_lines(judgement):
                out.print(line)
        self._wrote(SUMMARY)
