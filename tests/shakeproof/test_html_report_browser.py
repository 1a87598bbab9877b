"""The HTML report in a browser: no error, no request, the keyboard, themes, paper, and what axe-core says of it."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shakeproof.properties.findings import Grade
from tests.shakeproof.chromium import Chromium, find_program
from tests.shakeproof.made_findings import made_finding, made_run, made_trace
from tests.shakeproof.made_pages import FINDINGS, executed, large_page, large_run, page_of

pytestmark = pytest.mark.slow

AXE = "axe-core@4.14.1"
SERIOUS = ("serious", "critical")
WIDE, NARROW = (1280, 860), (390, 844)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    program = find_program()
    if not program:
        pytest.skip("missing tool: chromium")
    with Chromium(program, tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a finding that was really made, and one of another kind."""
    finding = executed()
    run = made_run(finding, made_finding(Grade.DEVIATION, check="OTHER", target="shakeproof"))
    run.roles[0].target = "shakeproof"
    path = tmp_path_factory.mktemp("report") / "index.html"
    path.write_text(page_of(run, pictures=True), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core's script."""
    folder = tmp_path_factory.mktemp("axe")
    try:
        subprocess.run(["npm", "pack", "--silent", AXE], cwd=folder, check=True, capture_output=True, timeout=120)
    except (OSError, subprocess.SubprocessError):
        pytest.skip(f"missing tool: {AXE}, which npm fetches")
    (packed,) = folder.glob("*.tgz")
    subprocess.run(["tar", "xzf", packed.name, "package/axe.min.js"], cwd=folder, check=True)
    return (folder / "package" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def quiet(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test does: the console stays empty, and nothing but the page itself is asked for."""
    chromium = request.getfixturevalue("browser")
    chromium.problems.clear()
    chromium.requests.clear()
    chromium.scripts(allowed=True)
    chromium.show(width=WIDE[0], height=WIDE[1])
    yield
    assert chromium.problems == []
    asked = [url for url in chromium.requests if not url.startswith(("file:", "about:blank"))]
    assert asked == []


def at(browser: Chromium) -> dict[str, str]:
    """Where the first chart stands: its place, what is said, the state that is lit in the machine and in the list."""
    value = browser.evaluate(
        """(() => { const walk = document.querySelector('.walk'); const text = (what) =>
        Array.from(walk.querySelectorAll(what)).map((item) => item.textContent).join('|');
        return { at: text('.at'), said: text('.said'), hash: location.hash,
          now: Array.from(walk.querySelectorAll('.picture .now')).map((item) => item.getAttribute('class')).join('|'),
          lit: Array.from(walk.querySelectorAll('.window .lit')).map((item) => item.dataset.state).join('|'),
          here: text('.path .here') }; })()"""
    )
    assert isinstance(value, dict)
    return value


def test_arrow_keys_step_through_the_chart_and_light_the_state(browser: Chromium, page: Path) -> None:
    browser.open(page)
    assert at(browser)["lit"] == "WAIT_CERTIFICATE", "before the first step: the state in which it went wrong"
    browser.evaluate("document.querySelector('.canvas').focus()")
    browser.press("ArrowRight")
    first = at(browser)
    assert first["at"].startswith("step 1 of ")
    assert "step_1" in first["now"]
    assert (first["lit"], first["here"]) == ("WAIT_SERVER_HELLO", "WAIT_SERVER_HELLO")
    assert "sends ClientHello" in first["said"]
    assert first["hash"].endswith("-step-1")
    browser.press("ArrowRight")
    assert at(browser)["lit"] == "WAIT_CERTIFICATE"
    browser.press("ArrowLeft")
    assert at(browser) == first
    browser.press("End")
    last = at(browser)
    assert re.fullmatch(r"step (\d+) of \1", last["at"])
    assert last["lit"] == "CONNECTED"
    browser.press("Home", "ArrowLeft")
    assert at(browser)["now"] == ""
    browser.press("ArrowRight", "Escape")
    assert at(browser)["at"].endswith(" steps")


def test_arrow_keys_without_focus_are_for_the_chart_in_view(browser: Chromium, page: Path) -> None:
    browser.open(page)
    browser.press("ArrowRight")
    assert at(browser)["now"] == "", "no chart is in view"
    browser.evaluate("document.querySelector('.walk').scrollIntoView()")
    browser.press("ArrowRight")
    assert at(browser)["at"].startswith("step 1 of ")
    browser.press("ArrowRight")
    assert at(browser)["at"].startswith("step 2 of ")


def test_step_and_its_sentence_stay_in_view_in_a_long_chart(browser: Chromium, tmp_path: Path) -> None:
    path = tmp_path / "long.html"
    trace = made_trace(*(f"{'<>'[number % 2]}Message{number}" for number in range(60)))
    path.write_text(page_of(made_run(replace(made_finding(), trace=trace)), pictures=True), encoding="utf-8")
    browser.open(path)
    browser.evaluate("document.querySelector('.walk').scrollIntoView()")
    script = """(() => { const walk = document.querySelector('.walk'); const box = (what) =>
      Array.from(walk.querySelectorAll(what)).map((item) => item.getBoundingClientRect());
      const heads = box('.stay')[0].bottom, said = box('.said')[0];
      const now = box('.picture svg.chart .now');
      return [said.top >= 0 && said.bottom <= innerHeight,
        now.length > 0 && now.every((one) => one.top >= heads - 1 && one.bottom <= innerHeight)]; })()"""
    for keys in (("ArrowRight",), ("ArrowRight",) * 25, ("ArrowRight",) * 34, ("ArrowLeft",) * 40):
        browser.press(*keys)
        assert browser.evaluate(script) == [True, True], keys


def test_no_label_of_the_machine_beside_a_chart_is_cut(browser: Chromium, page: Path) -> None:
    browser.open(page)
    browser.evaluate("document.querySelector('.walk').scrollIntoView()")
    script = """(() => { const place = document.querySelector('.walk .window');
      const all = place.getBoundingClientRect();
      const texts = Array.from(place.querySelectorAll('text')).filter((item) =>
        getComputedStyle(item).visibility !== 'hidden').map((item) => item.getBoundingClientRect())
        .filter((one) => one.right > all.left && one.left < all.right && one.bottom > all.top && one.top < all.bottom);
      return [texts.length, texts.filter((one) => one.left < all.left || one.right > all.right).length]; })()"""
    for _ in range(4):
        shown, cut = browser.evaluate(script)
        assert shown > 3
        assert cut == 0
        browser.press("ArrowRight")


def test_keyboard_alone_reaches_the_chart(browser: Chromium, page: Path) -> None:
    browser.open(page)
    for _ in range(80):
        browser.press("Tab")
        if browser.evaluate("document.activeElement.classList.contains('canvas')"):
            break
    browser.press("ArrowRight")
    assert at(browser)["at"].startswith("step 1 of ")


def test_link_to_a_step_opens_it(browser: Chromium, page: Path) -> None:
    key = re.findall(r'id="(f-[0-9a-f]+)-step-2"', page.read_text(encoding="utf-8"))[0]
    browser.open(page, f"#{key}-step-2")
    assert "step_2" in at(browser)["now"]
    assert at(browser)["lit"] == "WAIT_CERTIFICATE"
    browser.open(page, "#no-such-thing")
    assert at(browser)["now"] == ""


def test_filter_hides_on_screen_and_says_how_many_are_left(browser: Chromium, page: Path) -> None:
    browser.open(page)
    script = """(() => { const words = document.querySelector('input[name=words]'); words.value = %s;
      words.dispatchEvent(new Event('input', { bubbles: true }));
      return [document.getElementById('shown').textContent,
        Array.from(document.querySelectorAll('.finding')).filter((item) => item.offsetHeight).length]; })()"""
    assert browser.evaluate(script % '"certificate_expired"') == ["1 of 2 shown", 1]
    assert browser.evaluate(script % '"nothing has these words"') == ["0 of 2 shown", 0]
    browser.show(width=800, height=900, media="print")
    count = "Array.from(document.querySelectorAll('.finding')).filter((item) => item.offsetHeight).length"
    assert browser.evaluate(count) == 2
    browser.show(width=WIDE[0], height=WIDE[1])
    assert browser.evaluate(script % '""') == ["2 of 2 shown", 2]


def test_dark_turns_page_and_pictures(browser: Chromium, page: Path) -> None:
    script = """(() => { const of = (what, how) => getComputedStyle(document.querySelector(what))[how];
      return [of('body', 'backgroundColor'), of('body', 'color'), of('svg.heads rect', 'fill'),
        of('svg.chart text', 'fill'), of('svg.machine .state rect', 'fill')]; })()"""
    browser.open(page)
    light = browser.evaluate(script)
    browser.show(width=WIDE[0], height=WIDE[1], dark=True)
    dark = browser.evaluate(script)
    assert light[0] == "rgb(255, 255, 255)"
    assert dark[0] == "rgb(16, 21, 27)"
    assert all(one != other for one, other in zip(light, dark, strict=True))
    browser.show(width=WIDE[0], height=WIDE[1], dark=True, media="print")
    assert browser.evaluate(script) == light, "paper is white, whatever the screen"


def test_heads_of_lanes_stay_in_sight(browser: Chromium, page: Path) -> None:
    browser.open(page)
    shown = browser.evaluate(
        """(() => { const chart = document.querySelector('.walk svg.chart');
        window.scrollTo(0, chart.getBoundingClientRect().top + scrollY + chart.getBoundingClientRect().height / 2);
        const heads = document.querySelector('.walk .stay').getBoundingClientRect();
        return [heads.top >= 0 && heads.bottom <= innerHeight, chart.getBoundingClientRect().top < 0]; })()"""
    )
    assert shown == [True, True]


def test_narrow_window_needs_no_sideways_scrolling_of_the_page(browser: Chromium, page: Path) -> None:
    browser.show(width=NARROW[0], height=NARROW[1])
    browser.open(page)
    assert browser.evaluate("document.documentElement.scrollWidth") <= NARROW[0]


def test_without_scripts_everything_is_there_and_nothing_is_dead(browser: Chromium, page: Path) -> None:
    browser.scripts(allowed=False)
    browser.open(page)
    browser.scripts(allowed=True)
    seen = browser.evaluate(
        """(() => { const shown = (what) => Array.from(document.querySelectorAll(what))
        .filter((item) => item.offsetHeight || item.getBoundingClientRect().height).length;
        return [shown('.finding'), shown('svg.chart'), shown('svg.machine'), shown('table.steps'), shown('button'),
          shown('form')]; })()"""
    )
    assert seen[:4] == [2, 2, 1, 2]
    assert seen[4:] == [0, 0], "what needs a script is not shown without one"


def test_every_finding_is_on_paper(browser: Chromium, tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    reader = require_tool("pdftotext")
    path, paper = tmp_path / "large.html", tmp_path / "large.pdf"
    path.write_text(large_page(), encoding="utf-8")
    browser.open(path)
    browser.evaluate("document.querySelectorAll('.finding').forEach((item) => item.classList.add('out'))")
    paper.write_bytes(browser.pdf())
    read = subprocess.run([reader, "-raw", paper, "-"], check=True, capture_output=True, text=True).stdout
    text = " ".join(read.split())
    assert [f.id for f in large_run().findings if f"shakeproof replay {f.id}" not in text] == []
    assert text.count("FORGED") == FINDINGS, "each with its chart"
    assert text.count("Step by step") == FINDINGS
    assert text.count("16 03 03 00 35") == FINDINGS, "and its bytes"


def test_long_chart_is_whole_on_paper(browser: Chromium, tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    reader = require_tool("pdftotext")
    path, paper = tmp_path / "long.html", tmp_path / "long.pdf"
    names = [f"Message{number}" for number in range(200)]
    finding = replace(made_finding(), trace=made_trace(*(f"{'<>'[n % 2]}{name}" for n, name in enumerate(names))))
    path.write_text(page_of(made_run(finding), pictures=True), encoding="utf-8")
    browser.open(path)
    paper.write_bytes(browser.pdf())
    read = subprocess.run([reader, "-layout", paper, "-"], check=True, capture_output=True, text=True).stdout
    words = Counter(re.findall(r"Message\d+", read))
    assert [name for name in names if words[name] < 2] == [], "in the chart and in the table"
    sheets = read.split("\f")
    drawn = [sheet for sheet in sheets if "plays the peer" in sheet]
    assert len(drawn) > 2, "over several sheets, each with the heads of its lanes"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_axe_finds_nothing_serious(browser: Chromium, page: Path, axe: str, size: tuple[int, int], dark: bool) -> None:
    browser.show(width=size[0], height=size[1], dark=dark)
    browser.open(page)
    browser.evaluate("document.querySelector('.canvas').focus()")
    browser.press("ArrowRight")
    browser.evaluate(f"{axe}; 0")
    found = browser.evaluate(
        """axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
        .then((result) => JSON.stringify({ passes: result.passes.length, violations: result.violations.map((item) =>
          ({ id: item.id, impact: item.impact, nodes: item.nodes.slice(0, 3).map((node) =>
            node.html.slice(0, 200)) })) }))"""
    )
    result = json.loads(found)
    assert result["passes"] > 20
    assert [item for item in result["violations"] if item["impact"] in SERIOUS] == []


def test_what_a_page_may_not_do_shows_in_the_console(browser: Chromium, tmp_path: Path, page: Path) -> None:
    """The checks of this file can fail: a page that loads and runs what its policy forbids is reported."""
    text = page.read_text(encoding="utf-8").replace("</main>", '<img src="https://a.test/b"><script>1</script></main>')
    path = tmp_path / "bad.html"
    path.write_text(text, encoding="utf-8")
    browser.open(path)
    assert any("Content Security Policy" in problem for problem in browser.problems)
    browser.problems.clear()
    browser.requests.clear()
