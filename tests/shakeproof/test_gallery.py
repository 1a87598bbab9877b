"""The gallery: every picture is up to date, reads its options, and changes with what it shows."""

from __future__ import annotations

import copy
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from shakeproof.diagrams.compare import compare, from_json, to_json
from shakeproof.diagrams.flow_chart import draw_flow
from shakeproof.diagrams.machine import draw_machine
from shakeproof.diagrams.machines import picture_of
from shakeproof.diagrams.picture import Difference
from shakeproof.diagrams.sequence import draw_trace
from shakeproof.diagrams.stack import draw_stack
from shakeproof.exits import UsageError
from shakeproof.figures import FIGURES, Options, draw, everything
from shakeproof.gallery import Shown, index_page
from shakeproof.machines import Broken, changed, coverage_of, machine, read_run
from shakeproof.model.certificate_checks import CHECKS
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Check, Lane, Step, Trace
from shakeproof.properties.safety import SERVER_AUTHENTICATED
from shakeproof.scenes import (
    certificate_flow,
    chain_defects,
    executed_flow,
    https_stack,
    https_trace,
    mitm_trace,
    validated,
)

GALLERY = Path(__file__).parents[2] / "docs" / "gallery"
FINDING = GALLERY / "finished-unchecked.json"
ROGUE = "certificate-unchecked"


@pytest.mark.parametrize(
    ("name", "arguments"), everything(), ids=lambda value: "-".join([value] * isinstance(value, str))
)
def test_gallery_has_todays_picture(name: str, arguments: tuple[str, ...]) -> None:
    """`shakeproof draw all -o docs/gallery -f dot,svg` makes them anew."""
    path = GALLERY / f"{'-'.join([name, *arguments])}.gv"
    assert path.read_text(encoding="utf-8") == draw(name, arguments).dot_source


def test_gallery_has_todays_difference() -> None:
    path = GALLERY / "diff-tls12.server-finished-unchecked.gv"
    assert path.read_text(encoding="utf-8") == draw("diff", ("tls12.server", str(FINDING))).dot_source


def test_gallery_pictures_are_well_formed_and_load_nothing() -> None:
    files = list(GALLERY.glob("*.svg"))
    assert len(files) == len(everything()) + 1
    for path in files:
        root = ET.fromstring(path.read_text(encoding="utf-8"))
        for element in root.iter():
            assert not any(name.endswith("href") and not value.startswith("https://www.rfc-editor.org/")
                           for name, value in element.attrib.items()), path  # fmt: skip
            assert element.tag.rpartition("}")[2] not in ("image", "script", "foreignObject"), path


# ------------------------------------------------------------------------------------- pictures follow what they show


def test_chart_changes_with_any_message_of_its_trace() -> None:
    whole = https_trace()
    drawn = draw_trace(whole).dot_source
    for index, step in enumerate(whole.steps):
        other = replace(step, title="Something else")
        changed = replace(whole, steps=(*whole.steps[:index], other, *whole.steps[index + 1 :]))
        assert draw_trace(changed).dot_source != drawn, step.number


ROWS_TRIED = 8
"""As many rows of a table are left out to see its picture change: each costs a layout."""


@pytest.mark.parametrize("name", ROLES)
def test_machine_changes_with_a_row_of_its_table(name: str) -> None:
    role = ROLES[name]
    drawn = draw_machine(picture_of(role))
    for row in role.rows[:: -(-len(role.rows) // ROWS_TRIED)]:
        less = copy.copy(role)
        less.rows = tuple(each for each in role.rows if each is not row)
        other = draw_machine(picture_of(less))
        assert (other.dot_source, other.plain) != (drawn.dot_source, drawn.plain), row.id


@pytest.mark.parametrize("name", ROLES)
def test_machine_tells_of_every_row_of_its_table(name: str) -> None:
    role = ROLES[name]
    told = {css for move in picture_of(role).all_moves for css in move.css.split()}
    assert {row.code.lower() for row in role.rows if not row.is_rest} <= told


def test_flow_changes_with_any_question_and_alert_of_the_table() -> None:
    flow = certificate_flow()
    drawn = draw_flow(flow).dot_source
    for index, check in enumerate(flow.checks):
        for other in (replace(check, question="Really?"), replace(check, alert="close_notify")):
            changed = replace(flow, checks=(*flow.checks[:index], other, *flow.checks[index + 1 :]))
            assert draw_flow(changed).dot_source != drawn


def test_certificate_flow_has_every_check_in_at_most_nine_boxes() -> None:
    flow = certificate_flow()
    assert len(flow.checks) <= 9
    numbers = {int(number) for check in flow.checks for number in re.findall(r"\d+", check.remark)}
    assert numbers == {check.number for check in CHECKS} == set(range(1, 25))


def test_stack_changes_with_the_lengths_of_the_run() -> None:
    one, other = https_stack("rsa"), https_stack("ecdhe")
    assert one.lengths != other.lengths
    assert draw_stack(one).dot_source != draw_stack(other).dot_source


def test_drawing_code_knows_no_message_name() -> None:
    names = {message.name for role in ROLES.values() for message in role.alphabet} - {"Segment", "Name", "End"}
    for path in (Path(__file__).parents[2] / "diagrams").glob("*.py"):
        text = re.sub(r'""".*?"""|#[^\n]*', "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        strings = re.findall(r'"([^"\n]*)"', text)
        assert not [s for s in strings if set(re.findall(r"\w+", s)) & names], path


# ------------------------------------------------------------------------------------------------ the man in the middle


@pytest.fixture(scope="module")
def broken() -> Trace:
    return mitm_trace(ROGUE)


@pytest.fixture(scope="module")
def defeated() -> Trace:
    return mitm_trace("")


def test_mitm_reads_what_the_rogue_sends(broken: Trace) -> None:
    cards = [line.text for step in broken.steps for line in step.lines if step.sender == "attacker"]
    assert any("password=" in text for text in cards)
    (verdict,) = [step for step in broken.steps if step.verdict]
    assert verdict.verdict == SERVER_AUTHENTICATED
    assert verdict.sender == "client"


def test_mitm_is_between_two_connections_with_keys_of_their_own(broken: Trace) -> None:
    keys = {(frozenset((step.sender, step.receiver)), step.protection) for step in broken.messages() if step.protection}
    assert len(keys) == 2
    assert len({protection for _, protection in keys}) == 2


def test_mitm_gets_nothing_from_the_client_that_validates(defeated: Trace) -> None:
    assert not [step for step in defeated.steps if step.protection or step.verdict]
    assert defeated.messages()[-1].label == "unknown_ca"
    failed = [line for step in defeated.steps for line in step.lines if line.check is Check.FAILED]
    assert failed


def test_mitm_and_its_mirror_begin_alike(broken: Trace, defeated: Trace) -> None:
    def said(trace: Trace) -> list[tuple[str, str, str]]:
        return [(step.sender, step.receiver, step.label) for step in trace.messages()]

    length = len(said(defeated)) - 1
    assert said(broken)[:length] == said(defeated)[:length]


# ------------------------------------------------------------------------------------------------ executed validation


def test_sound_chain_passes_every_check_and_goes_on() -> None:
    flow = executed_flow(validated([]))
    assert {check.outcome for check in flow.checks} == {Check.PASSED}
    assert flow.ended


@pytest.mark.parametrize("defect", chain_defects())
def test_executed_flow_ends_in_the_alert_of_the_validator(defect: str) -> None:
    result = validated([defect])
    flow = executed_flow(result)
    (failed,) = [check for check in flow.checks if check.outcome is Check.FAILED]
    assert not flow.ended
    assert failed.alert == result.alert
    assert result.defects[0].explanation in failed.remark


def test_failed_flow_shows_the_failing_certificate_alone() -> None:
    flow = executed_flow(validated(["expired"]))
    at = next(index for index, check in enumerate(flow.checks) if check.outcome is Check.FAILED)
    assert {check.outcome for check in flow.checks[at + 1 :]} == {Check.NONE}
    assert not any(check.went for check in flow.checks[at:])
    assert not any(jump.taken for jump in flow.jumps)
    assert all("not run for the leaf" in check.remark for check in flow.checks[at + 1 :])
    assert "expired" in flow.title
    assert any("issuer had passed" in line for line in flow.subtitle)
    assert flow.checks[at].refusal == "certificate_expired (45)"


def test_tcp_picture_says_where_a_reset_leads_by_the_table() -> None:
    said = picture_of(ROLES["tcp"]).subtitle[0]
    assert "A RST may lead SYN-RECEIVED to LISTEN or TIME-WAIT." in said
    assert "changes nothing in LISTEN and CLOSED" in said
    assert "every state" not in said
    less = copy.copy(ROLES["tcp"])
    less.rows = tuple(row for row in less.rows if ":passively" not in row.id)
    assert "to LISTEN or" not in picture_of(less).subtitle[0]


def test_certificate_labels_tell_the_ways_of_a_state_apart() -> None:
    goals: dict[tuple[str, str], set[str]] = {}
    for move in picture_of(ROLES["certificate"]).moves:
        if move.trigger.startswith("yes"):
            goals.setdefault((move.source, move.trigger), set()).add(move.target)
    assert all(len(targets) == 1 for targets in goals.values()), goals


def test_records_under_keys_that_anybody_has_are_no_green_tunnel() -> None:
    lanes = (Lane("a", "A"), Lane("b", "B", side="server"))
    steps = tuple(Step(n, sender="a", receiver="b", message="x", protection="poor keys") for n in (1, 2))
    green = draw_trace(Trace("t", lanes, steps), theme="light").dot_source
    red = draw_trace(Trace("t", lanes, steps, meta={"weak": ["poor keys"]}), theme="light").dot_source
    assert "#0e6a46" in green
    assert "#0e6a46" not in red
    assert "poor keys, known to all" in red


@pytest.mark.parametrize("protection", ["", "the session keys"])
def test_judged_message_is_red(protection: str) -> None:
    lanes = (Lane("a", "A"), Lane("b", "B", side="server"))
    step = Step(1, sender="a", receiver="b", message="x", protection=protection)
    sound = draw_trace(Trace("t", lanes, (step,)), theme="light").dot_source
    judged = draw_trace(Trace("t", lanes, (replace(step, verdict="not allowed"),)), theme="light").dot_source
    assert "#b42318" not in sound
    assert "#b42318" in judged


# -------------------------------------------------------------------------------------------- coverage and differences


def test_difference_of_a_machine_with_itself_is_nothing() -> None:
    picture = picture_of(ROLES["tls12.client"])
    same = compare(picture, picture)
    assert {move.difference for move in same.moves} == {Difference.SAME}
    assert "Nothing differs" in same.subtitle[0]


def test_difference_to_a_rogue_is_the_row_that_its_finding_names() -> None:
    found = compare(machine("tls12.server"), machine(str(FINDING)))
    missing = [move for move in found.moves if move.difference is Difference.MISSING]
    extra = [move for move in found.moves if move.difference is Difference.EXTRA]
    assert [(move.source, move.target) for move in missing] == [("WAIT_FINISHED", "ABORTED")]
    assert [(move.source, move.target) for move in extra] == [("WAIT_FINISHED", "CONNECTED")]
    assert missing[0].trigger == extra[0].trigger


def _early_ccs(reached: str) -> Broken:
    check = next(row.code for row in ROLES["tls12.client"].rows if "OPEN - WAIT_CHANGE_CIPHER_SPEC" in row.id)
    return Broken("tls12.client", check, "nothing; afterwards: took it as valid", "WAIT_CERTIFICATE",
                  "ChangeCipherSpec[ONE]", reached)  # fmt: skip


def test_input_that_went_on_is_drawn_from_its_state_to_the_one_reached() -> None:
    role = ROLES["tls12.client"]
    found = compare(picture_of(role), changed(role, [_early_ccs("WAIT_SERVER_HELLO_DONE")], "rogue"))
    (extra,) = [move for move in found.moves if move.difference is Difference.EXTRA]
    assert (extra.source, extra.target) == ("WAIT_CERTIFICATE", "WAIT_SERVER_HELLO_DONE")
    assert "ChangeCipherSpec[one]" in extra.trigger
    assert "unexpected_message" in extra.action
    assert not [move for move in (*found.moves, *found.elsewhere) if move.difference is Difference.CHANGED]


def test_changed_row_names_the_input_and_the_old_output_uncut() -> None:
    role = ROLES["tls12.client"]
    row = next(row for row in role.rows if "expired | not_yet_valid" in row.id)
    got = "Alert[FATAL, BAD_CERTIFICATE], closed"
    broken = Broken(role.name, row.code, got, "WAIT_CERTIFICATE", "Certificate[NOT_YET_VALID]")
    closing = next(row for row in role.rows if row.id.endswith("OPEN:Alert[closure]"))
    listed = Broken(role.name, closing.code, "closed", "WAIT_SERVER_HELLO", "Alert[CLOSURE]")
    figure = draw_machine(compare(picture_of(role), changed(role, [broken, listed], "openssl")))
    assert f"Certificate[not_yet_valid]: {got}" in figure.plain
    assert "instead of alert certificate_expired" in figure.plain
    assert "instead of send Alert[closure]" in figure.plain
    assert "instead of send Alert[closure]" in figure.dot_source
    assert "others: no difference seen" in figure.dot_source
    assert "\u2026" not in figure.dot_source


def test_row_that_never_ran_is_not_said_to_be_the_same() -> None:
    role = ROLES["tls12.client"]
    ran = [row.id for row in role.rows if not row.is_rest][:5]
    found = compare(picture_of(role), changed(role, [], "a run", dict.fromkeys(ran, 3)))
    unrun = [move for move in (*picture_of(role).all_moves,) if move.css not in {
        row.code.lower() for row in role.rows if row.id in ran}]  # fmt: skip
    assert f"of them {len(unrun)} never ran" in found.subtitle[0]
    assert "the same in both" not in found.subtitle[0]
    assert sum(move.unrun for move in found.moves) > 0


@pytest.mark.parametrize(
    "pair", [("tls12.client", "tls12.server"), ("http.server", "http.client"), ("tcp", "http.client")]
)
def test_difference_of_any_two_roles_can_be_drawn(pair: tuple[str, str]) -> None:
    assert draw("diff", pair).dot_source


def test_saved_machine_is_read_again(tmp_path: Path) -> None:
    picture = picture_of(ROLES["http.client"])
    path = tmp_path / "machine.json"
    path.write_text(to_json(picture), encoding="utf-8")
    again = compare(picture, machine(str(path)))
    assert {move.difference for move in again.moves} == {Difference.SAME}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": "shakeproof.machine/1"}',
        '{"format": "shakeproof.machine/1", "states": [1], "transitions": []}',
        '{"format": "shakeproof.machine/1", "states": [], "transitions": [{"source": "A", "target": "B"}]}',
    ],
)  # fmt: skip
def test_saved_machine_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a saved machine"):
        from_json(text)


def test_coverage_is_read_from_a_run_and_summed_over_targets(tmp_path: Path) -> None:
    row = ROLES["http.client"].rows[0].id
    roles = [{"role": "http.client", "exercised": {row: count}} for count in (2, 3)]
    run = json.dumps({"format": "shakeproof.run/1", "roles": roles})
    (tmp_path / "run.json").write_text(run, encoding="utf-8")
    assert coverage_of(read_run(tmp_path), "http.client") == {row: 5}
    figure = draw("machine", ("http.client",), Options(coverage=str(tmp_path)))
    assert any(line.split()[-1:] == ["5"] for line in figure.plain.splitlines())
    assert "coverage" in figure.title
    with pytest.raises(UsageError, match="nothing of tcp"):
        coverage_of(read_run(tmp_path), "tcp")


# ------------------------------------------------------------------------------------------------- formats and the page


def test_mermaid_text_has_every_message_and_state() -> None:
    chart = draw("full").render("mermaid").decode()
    assert chart.startswith("sequenceDiagram\n")
    for step in https_trace().messages():
        assert f": {step.number}. " in chart or f"{step.number}. {step.label}"[:12] in chart
    states = draw("machine", ("tcp",)).render("mermaid").decode()
    assert states.startswith("stateDiagram-v2\n")
    assert all(state.name in states for state in ROLES["tcp"].states)


def test_mermaid_of_a_stack_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(ValueError, match="svg, png, dot or txt"):
        draw("stack").render("mermaid")


def test_every_figure_reads_only_options_that_there_are() -> None:
    known = set(Options.__dataclass_fields__)
    for drawing in FIGURES.values():
        assert drawing.reads <= known


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


def test_index_page_shows_names_as_text_and_runs_nothing() -> None:
    page = _Page()
    text = index_page([Shown("<b>x", "a <script>", ("x.svg", "x.gv"))])
    page.feed(text)
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert page.tags.count("img") == 1
    assert "default-src 'none'" in text
