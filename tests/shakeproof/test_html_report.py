"""The HTML report without a browser: what stands in it, that what a peer sent stays text, how large it is."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from shakeproof.config import Accepted
from shakeproof.diagrams import render
from shakeproof.diagrams.picture import describe
from shakeproof.diagrams.sequence import draw_trace
from shakeproof.figures import draw_role
from shakeproof.impl.tls.messages import Certificate
from shakeproof.impl.tls.records import encode_record
from shakeproof.machines import coverage_of, covered, read_run
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Step, Trace
from shakeproof.properties.failures import Failure
from shakeproof.properties.findings import FindingConfirmed, Grade, RoleDone, RoleStarted, Run
from shakeproof.properties.recorded import Tally
from shakeproof.properties.safety import CLIENT_FOLLOWS_TABLE
from shakeproof.properties.stateful import PropertyResult, TestRun, run_properties
from shakeproof.reports.folder import FolderReport
from shakeproof.reports.html import TEMPLATES, audit_html, pictures_of
from shakeproof.reports.html import render as render_page
from shakeproof.reports.html_clauses import SHADES, Broken, heat
from shakeproof.reports.html_steps import states_of, steps_of
from shakeproof.reports.html_svg import Mark, chart_svg, machine_svg
from shakeproof.reports.html_tests import coverage_json, properties_page
from shakeproof.reports.html_view import audit_page
from shakeproof.reports.json import SCHEMA
from shakeproof.reports.summary import judge_run
from shakeproof.reports.timeline import Timeline
from tests.shakeproof.made_findings import LANES, made_finding, made_run, made_trace
from tests.shakeproof.made_pages import SIZE_MOST, chain_of_names, large_page, page_of

HOSTILE = "<img src=x onerror=alert(1)>\"'&{{7*7}}</script><script>alert(2)</script>"
ROOT = Path(__file__).parent.parent.parent
TODAY = dt.date(2026, 6, 1)
VOID = {"meta", "rect", "br", "input", "path", "polygon", "ellipse"}


class Tree(HTMLParser):
    """Elements of a page with their attributes, and whether they nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def of(self, tag: str) -> Iterator[dict[str, str]]:
        return (attributes for name, attributes in self.elements if name == tag)


@pytest.fixture
def require_dot() -> None:
    if render.find_renderer() is None:
        pytest.skip("missing tool: dot")


# ----------------------------------------------------------------------------------------------------------- the whole


def test_page_says_verdict_rule_reason_and_how_to_see_it_again() -> None:
    tree = Tree(page_of(made_run(made_finding(), left=7)))
    text = " ".join(" ".join(tree.text).split())
    assert "NOT CONFORMING" in text
    for said in ("it went on", "abort(decrypt_error)", "the fatal alert decrypt_error", "RFC 5246 section 7.4.9",
                 "MUST verify that the contents are correct", "shakeproof replay abc123", "--seed 7",
                 "out of time", "verify_data"):  # fmt: skip
        assert said in text, said
    assert not tree.open
    links = {attributes.get("href", "") for attributes in tree.of("a")}
    assert "https://www.rfc-editor.org/rfc/rfc5246#section-7.4.9" in links


def test_page_every_anchor_leads_somewhere_and_no_id_comes_twice() -> None:
    run = made_run(made_finding(), made_finding(Grade.DEVIATION, check="CHECK-TWO"))
    tree = Tree(page_of(run, pictures=True))
    ids = [attributes["id"] for _, attributes in tree.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    inner = {attributes["href"][1:] for attributes in tree.of("a") if attributes.get("href", "").startswith("#")}
    assert inner <= set(ids)
    named = {item for _, attributes in tree.elements for item in attributes.get("aria-labelledby", "").split()}
    assert named <= set(ids)


@pytest.mark.parametrize(("grade", "mood"), [(None, "good"), (Grade.CRASH, "bad"), (Grade.DEVIATION, "good")])
def test_page_mood_is_that_of_the_verdict(grade: Grade | None, mood: str) -> None:
    tree = Tree(page_of(made_run(*([made_finding(grade)] if grade else []))))
    assert [attributes["class"] for attributes in tree.of("section") if "verdict" in attributes.get("class", "")] == [
        f"verdict {mood}"
    ]


def test_page_too_little_tested_says_so_and_is_not_good() -> None:
    page = page_of(made_run(cells=10, cells_run=4, left=6))
    assert 'class="verdict unsure"' in page
    assert "Too little of openssl as TLS 1.2 client was tested" in page


def test_page_too_little_tested_heads_with_how_much_ran() -> None:
    run = made_run(cells=1000, cells_run=375, left=700)
    tree = Tree(page_of(run))
    text = " ".join(" ".join(tree.text).split())
    assert "Not enough was tested: 38 % of the cells of openssl as TLS 1.2 client ran within its 60 s" in text
    assert "was tested in part" in text
    left = audit_page(judge_run(run, (), "must", today=TODAY), version="0", pictures={}, files=(), timeline=()).left_out
    assert sum(cells for _, cells, _ in left) == 1000 - 375, "the cells add up"


def test_page_of_an_answer_that_is_missing_says_so_in_sentences() -> None:
    finding = replace(
        made_finding(Grade.DEVIATION, title="Alert[CLOSURE] in WAIT_FINISHED: ended the connection, but with closed"),
        expected="CLOSED, sends(Alert[closure])", got="closed", sentence="A certificate has expired.",
    )  # fmt: skip
    text = " ".join(" ".join(Tree(page_of(made_run(finding))).text).split())
    assert "It had to answer with Alert[closure], then end the connection." in text
    assert "It closed the connection without an alert." in text
    assert "without the answer that is due" in text
    assert "rests on RFC 5246 section 7.4.9" in text
    assert text.count("shakeproof replay abc123") == 2, "on the first screen too"


def test_states_repeated_are_marked_once() -> None:
    steps = tuple(
        Step(number, sender="tester", receiver="target", message="x", before={"target": "A"}, after={"target": state})
        for number, state in enumerate(("A", "B", "A", "B", "A"), 1)
    )
    trace = Trace("t", LANES, steps)
    views = steps_of(trace, "tls12.client", {}, "target")
    assert [wrong for _, wrong in states_of(trace, views, "target", "A")] == [False, False, False, False, True]
    at = [wrong for _, wrong in states_of(trace, views, "target", "A", at=4)]
    assert at == [False, False, True, False, False], "where step 4 came"


@pytest.mark.usefixtures("require_dot")
def test_early_ccs_is_marked_where_it_came_everywhere_alike(tmp_path: Path) -> None:
    run = run_properties(profile="ci", rogue="early-ccs")
    tree = Tree(render_page(properties_page(run, {}, command="shakeproof test", facts={})))
    text = " ".join(" ".join(tree.text).split())
    assert "a fault planted on purpose (early-ccs: " in text
    assert "ChangeCipherSpec[ONE] in WAIT_SERVER_HELLO_DONE: took it as valid" in text
    assert "does not hold: whatever" not in text
    assert "short conversations of the suite" in text
    (wrong,) = [found["data-state"] for found in tree.of("li") if found.get("class") == "wrong"]
    (walk,) = [found for found in tree.of("div") if found.get("class") == "walk"]
    assert wrong == walk["data-state"] == "WAIT_SERVER_HELLO_DONE"
    (failure,) = run.failures
    (step,) = [step for step in failure.trace if step.verdict]
    assert (step.message, step.before["target"]) == ("ChangeCipherSpec", "WAIT_SERVER_HELLO_DONE")
    assert f"step {step.number} " in failure.trace.steps[-1].note
    (tmp_path / "coverage.json").write_text(coverage_json(run), encoding="utf-8")
    counts = coverage_of(read_run(tmp_path), "tls12.client")
    assert counts == {row: count for row, count in run.tally.rows.items() if row.startswith("tls12.client:")}
    assert counts[step.row] > 0, "what was judged was exercised"
    picture = covered(ROLES["tls12.client"], read_run(tmp_path))
    broken = [move for move in picture.all_moves if move.broken]
    assert broken
    assert all("with a finding" in describe(move) for move in broken)


def test_page_accepted_finding_is_shown_with_its_reason() -> None:
    run = made_run(made_finding())
    entry = (Accepted("CHECK-*", "ticket 7", TODAY, "openssl"),)
    judged = judge_run(run, entry, "must", today=TODAY)
    assert "accepted until 2026-06-01: ticket 7" in audit_html(judged, version="0")
    late = judge_run(run, entry, "must", today=TODAY + dt.timedelta(days=1))
    assert "no longer accepted, since 2026-06-01: ticket 7" in audit_html(late, version="0")


def test_page_nothing_found_has_no_empty_sections() -> None:
    page = page_of(made_run())
    assert "Nothing was found." in page
    assert 'id="findings"' not in page


# ------------------------------------------------------------------------------------------------- peers and the policy


def test_page_what_a_peer_sent_is_text() -> None:
    step = Step(
        1, sender="target", receiver="tester", message=HOSTILE, detail=HOSTILE, note=HOSTILE, facts=(HOSTILE,),
        clause=HOSTILE, protection=HOSTILE, after={"target": HOSTILE},
    )  # fmt: skip
    finding = replace(
        made_finding(title=HOSTILE, target=HOSTILE, check=HOSTILE),
        trace=Trace(HOSTILE, LANES, (step,)), got=HOSTILE, expected=HOSTILE, sentence=HOSTILE, clause=HOSTILE,
        setup=HOSTILE, state=HOSTILE, input=HOSTILE,
    )  # fmt: skip
    run = made_run(finding)
    run.roles[0].target = run.roles[0].description = run.roles[0].error = HOSTILE
    plain = Tree(page_of(made_run(made_finding())))
    tree = Tree(page_of(run))
    assert {name for name, _ in tree.elements} <= {name for name, _ in plain.elements}
    assert sum(name == "script" for name, _ in tree.elements) == 1
    assert not [name for _, attributes in tree.elements for name in attributes if name.startswith("on")]
    assert HOSTILE in "".join(tree.text)


def test_page_html_in_a_certificate_name_is_text() -> None:
    chain = (chain_of_names(HOSTILE[:60]), b"no certificate")
    record = encode_record(22, 0x0303, Certificate(chain).encode())
    step = Step(1, sender="tester", receiver="target", message="Certificate", data=record)
    page = page_of(made_run(replace(made_finding(), trace=Trace("t", LANES, (step,)))))
    tree = Tree(page)
    assert not list(tree.of("img"))
    assert any("onerror=alert(1)" in text and "CN=" in text for text in tree.text)
    assert "cannot be read" in page


def test_page_policy_lets_only_its_own_style_and_script_in() -> None:
    page = page_of(made_run(made_finding()), pictures=True)
    tree = Tree(page)
    policy = next(a["content"] for a in tree.of("meta") if a.get("http-equiv") == "Content-Security-Policy")
    for kind in ("style", "script"):
        bodies = re.findall(rf"<{kind}>(.*?)</{kind}>", page, re.S)
        hashes = [base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in bodies]
        assert len(hashes) == 1
        assert f"{kind}-src 'sha256-{hashes[0]}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not [name for _, attributes in tree.elements for name in attributes if name == "style"]


def test_page_refers_to_nothing_outside() -> None:
    page = page_of(made_run(made_finding()), pictures=True)
    tree = Tree(page)
    assert not {name for name, _ in tree.elements} & {
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "base",
        "use",
        "image",
    }
    assert not [1 for _, attributes in tree.elements for name in attributes if name in ("src", "srcset", "xlink:href")]
    assert not re.search(r"url\(|@import", page)
    outside = [a["href"] for a in tree.of("a") if not a["href"].startswith(("#", "data:application/octet-stream;"))]
    assert all(address.startswith("https://www.rfc-editor.org/") for address in outside)


# ---------------------------------------------------------------------------------------------------------- its parts


@pytest.mark.usefixtures("require_dot")
def test_page_of_fifty_findings_stays_small() -> None:
    page = large_page()
    assert page.count('<article class="finding') == 50
    assert page.count('<svg class="chart"') == 50
    assert len(page.encode()) < SIZE_MOST


@pytest.mark.usefixtures("require_dot")
def test_chart_keeps_every_step_and_takes_the_heads_apart() -> None:
    trace = made_trace(">ClientHello", "<ServerHello", "=Finished")
    text = draw_trace(trace).render("svg").decode()
    chart = chart_svg(text)
    assert chart.heads is not None
    assert {f"step_{number}" for number in (1, 2, 3)} <= set(re.findall(r"step_\d+", chart.body))
    assert "openssl" in chart.heads
    assert ">ClientHello</text>" in chart.body
    assert ">ClientHello</text>" not in chart.heads
    assert len(chart.body) + len(chart.heads) < 0.7 * len(text)
    sizes = [re.search(r'viewBox="\S+ \S+ (\S+) ', part) for part in (chart.heads, chart.body)]
    assert len({found[1] for found in sizes if found}) == 1, "heads and chart are scaled alike"


@pytest.mark.usefixtures("require_dot")
def test_machine_marks_the_broken_row_and_names_its_states() -> None:
    role = ROLES["tls12.client"]
    row = next(row for row in role.rows if row.is_violation and not row.is_rest and len(row.states.members) == 1)
    text = draw_role(role.name, coverage={row.id: 1}).render("svg").decode()
    drawn = machine_svg(
        text, {row.code.lower(): Mark("broken", "finding one")}, {"OPEN": Mark("broken", "two")}, "said"
    )
    assert re.search(rf'class="move [^"]*\b{drawn.edges[row.code.lower()]} broken"', drawn.svg)
    assert "finding one" in drawn.svg
    assert {state.name for state in role.states} <= set(re.findall(r'data-state="([^"]*)"', drawn.svg))
    clean = machine_svg(text, {}, {}, "said")
    assert "broken" not in re.findall(r'class="([^"]*)"', clean.svg)


def test_svg_takes_nothing_over_that_could_run_or_load() -> None:
    text = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9"><g>'
        '<g class="x" onclick="a()" style="b"><script>c</script><style>d</style><image href="e"/><foreignObject/>'
        '<a xlink:href="javascript:f"><text x="1" y="2" onload="g">kept &lt;h&gt;</text></a></g></g></svg>'
    )
    body = chart_svg(text).body
    assert "kept &lt;h&gt;" in body
    assert set(re.findall(r"<(\w+)", body)) == {"svg", "g", "text"}
    assert not re.search(r"on\w+=|style|href|javascript|script", body)


def test_heat_counts_rows_by_section_and_marks_what_is_broken() -> None:
    role = ROLES["tls12.client"]
    rows = [row for row in role.rows if any(clause.reference == "RFC 5246 section 7.4.9" for clause in row.clauses)]
    documents = heat(role.rows, {rows[0].id: 2}, [Broken("RFC 5246 section 7.4.9", "abc123", True)])
    cell = next(c for d in documents if d.rfc == 5246 for c in d.cells if c.section == "7.4.9")
    assert (cell.done, cell.rows, cell.broken, cell.is_failure) == (1, len(rows), ("abc123",), True)
    assert 0 < cell.shade < SHADES
    whole = heat(role.rows, {row.id: 1 for row in role.rows}, [])
    assert {c.shade for d in whole for c in d.cells} == {SHADES}
    assert {c.shade for d in heat(role.rows, {}, []) for c in d.cells} == {0}
    order = [c.section for d in whole if d.rfc == 5246 for c in d.cells]
    assert order.index("7.4.9") < order.index("10")


def test_timeline_has_a_bar_for_each_role_and_a_mark_for_each_finding() -> None:
    times = iter([10.0, 10.5, 11.0, 14.0])
    timeline = Timeline(clock=lambda: next(times))
    run = made_run(made_finding())
    for event in (
        RoleStarted("openssl", "", "tls12.client", 9),
        FindingConfirmed(run.findings[0]),
        RoleDone(run.roles[0]),
    ):
        timeline(event)
    (bar,) = timeline.bars()
    assert (bar.start, bar.length) == (250, 750)
    assert bar.marks == ((250, "f-abc123", "fail"),)
    assert "abc123 at 1.0 s" in bar.said


def test_capture_in_the_page_is_the_capture_of_the_trace() -> None:
    from shakeproof.reports.pcapng import capture

    step = Step(1, sender="target", receiver="tester", message="ClientHello", data=b"\x16\x03\x03\x00\x01\x00")
    trace = Trace("t", LANES, (step,))
    page = page_of(made_run(replace(made_finding(), trace=trace)))
    (data,) = re.findall(r'href="data:application/octet-stream;base64,([^"]*)"', page)
    assert base64.b64decode(data) == capture(trace)


def test_folder_writes_the_page_and_a_later_run_removes_it(tmp_path: Path) -> None:
    def written(run: Run, formats: tuple[str, ...]) -> list[str]:
        folder = FolderReport(tmp_path, formats=formats)
        for finding in run.findings:
            folder(FindingConfirmed(finding))
        folder.finish(judge_run(run, (), "must", today=TODAY), version="0")
        assert not folder.errors
        return folder.files

    assert "index.html" in written(made_run(made_finding()), ("html",))
    assert "it went on" in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "index.html" not in written(made_run(), ("json",))
    assert not (tmp_path / "index.html").exists()


def test_page_without_a_renderer_shows_the_run_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "find_renderer", lambda: None)
    run = made_run(made_finding())
    assert pictures_of(run) == {}
    page = page_of(run, pictures=True)
    assert '<svg class="chart"' not in page
    assert "ClientHello" in page


def test_page_of_failed_properties_has_the_run_as_code_and_as_steps() -> None:
    failure = replace(made_failure(), text=f"{HOSTILE}\nRFC", code=f"x = 1\n# {HOSTILE}")
    result = PropertyResult(failure.property, "the client does as its table says", ("client",), failures=[failure])
    run = TestRun("dev", "early-ccs", 5, [result], {"client": Tally(examples=3, steps=40)})
    tree = Tree(
        render_page(properties_page(run, {}, command="shakeproof test --rogue early-ccs", facts={"python": "3"}))
    )
    text = "".join(tree.text)
    assert "FAILED" in text
    assert "shakeproof test client-follows-table --profile dev --rogue early-ccs --seed 5" in text
    assert f"x = 1\n# {HOSTILE}" in text
    assert "sends ClientHello" in next(a["data-said"] for a in tree.of("tr") if "data-said" in a)
    assert sum(name == "script" for name, _ in tree.elements) == 1
    assert not tree.open


def made_failure() -> Failure:
    """A failure of a property."""
    trace = made_trace(">ClientHello", "<ServerHello")
    return Failure(
        property=CLIENT_FOLLOWS_TABLE, machine="client", text="it went on", clause="RFC 5246 section 7.1", sentence="",
        code="", run=(), trace=trace, kinds=Counter(), found_as="WentOn", calls=2,
    )  # fmt: skip


def test_templates_are_packaged() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        data = tomllib.load(file)["tool"]["setuptools"]["package-data"]["shakeproof.reports"]
    packaged = {path for pattern in data for path in (ROOT / "shakeproof" / "reports").glob(pattern)}
    assert packaged == {*TEMPLATES.iterdir(), SCHEMA}
    assert {path.name for path in TEMPLATES.iterdir()} == {"report.html", "report.css", "report.js"}


@pytest.mark.usefixtures("require_dot")
@pytest.mark.parametrize(
    ("rogue", "role", "state"),
    [("finished-unchecked", "tls12.client", "WAIT_FINISHED"), ("in-window-reset", "tcp", "ESTABLISHED")],
)
def test_page_of_failed_properties_has_the_machine_beside_the_chart(rogue: str, role: str, state: str) -> None:
    run = run_properties(profile="ci", rogue=rogue)
    page = render_page(properties_page(run, {}, command="shakeproof test", facts={}))
    tree = Tree(page)
    (walk,) = [found for found in tree.of("div") if found.get("class") == "walk"]
    assert walk["data-state"] == state
    assert any(found.get("id") == walk["data-machine"] for found in tree.of("section"))
    known = {found["data-state"] for found in tree.of("g") if "data-state" in found}
    assert {one.name for one in ROLES[role].states} <= known
    (wrong,) = [found["data-state"] for found in tree.of("li") if found.get("class") == "wrong"]
    assert wrong == state
    edges = {found["data-edge"] for found in tree.of("tr") if found.get("data-edge")}
    drawn = {name for found in tree.of("g") for name in found.get("class", "").split()}
    assert edges
    assert edges <= drawn
    assert "broken" in drawn
    assert not tree.open


@pytest.mark.usefixtures("require_dot")
def test_chart_longer_than_a_sheet_is_cut_between_rows_for_paper() -> None:
    names = [f"{'<>'[number % 2]}Message{number}" for number in range(60)]
    text = draw_trace(made_trace(*names), compact=False).render("svg").decode()
    chart = chart_svg(text, "f-1")
    assert 'id="chart-f-1"' in chart.body
    assert len(chart.parts) > 1
    views = [[float(part) for part in re.findall(r'viewBox="([^"]*)"', one)[0].split()] for one in chart.parts]
    assert all('href="#chart-f-1"' in one for one in chart.parts)
    whole = [float(part) for part in re.findall(r'viewBox="([^"]*)"', chart.body)[0].split()]
    assert views[0][1] == whole[1]
    assert sum(view[3] for view in views) == pytest.approx(whole[3], abs=1)
    assert max(view[3] for view in views) < 1.25 * min(view[3] for view in views), "of about the same height"
    assert all(view[3] <= 1.2 * view[2] + 1 for view in views)
    lines = [float(y) for y in re.findall(r'<text[^>]* y="([-\d.]+)"', chart.body)]
    cuts = [view[1] for view in views[1:]]
    assert not [(cut, y) for cut in cuts for y in lines if y - 9 < cut < y + 2]
    assert chart_svg(text).parts == ()
    short = draw_trace(made_trace(*names[:6])).render("svg").decode()
    assert chart_svg(short, "f-2").parts == ()
