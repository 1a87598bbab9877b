"""The scenes that figures show: what is left out of a run is counted, and the pictures are today's."""

from __future__ import annotations

import html
import re
from functools import cache
from pathlib import Path

import pytest

from shakeproof.diagrams.sequence import draw_trace
from shakeproof.exits import UsageError
from shakeproof.figures import FIGURES, Options, draw
from shakeproof.model.trace import Fate, Kind, Trace
from shakeproof.properties.targets.base import Setup
from shakeproof.scenes import (
    SUITES,
    KeyExchangeName,
    data_exchange_trace,
    hostile_capture,
    hostile_trace,
    https_capture,
    https_trace,
    part,
    phases,
)

README_PICTURE = Path(__file__).parents[2] / "docs" / "gallery" / "full.svg"
EXCHANGES: tuple[KeyExchangeName, ...] = ("rsa", "ecdhe")


@cache
def shown(key_exchange: KeyExchangeName) -> Trace:
    return https_trace(key_exchange)


@pytest.mark.parametrize("key_exchange", EXCHANGES)
def test_picture_says_how_many_segments_of_the_run_it_leaves_out(key_exchange: KeyExchangeName) -> None:
    missing = len(https_capture(key_exchange).messages()) - len(shown(key_exchange).messages())
    said = [int(count) for count in re.findall(r"(\d+) segments? that", shown(key_exchange).subtitle)]
    assert len(said) == 2
    assert sum(said) == missing > 0


@pytest.mark.parametrize("key_exchange", EXCHANGES)
def test_picture_shows_every_record_and_tcp_s_handshake_and_end(key_exchange: KeyExchangeName) -> None:
    records = [step.label for step in https_capture(key_exchange).messages() if step.layer != "tcp"]
    assert [step.label for step in shown(key_exchange).messages() if step.layer != "tcp"] == records
    tcp = [(step.phase, step.title) for step in shown(key_exchange).messages() if step.layer == "tcp"]
    assert tcp == [
        *(("tcp", title) for title in ("SYN", "SYN-ACK", "ACK")),
        *(("close", title) for title in ("FIN-ACK", "ACK", "FIN-ACK", "ACK")),
    ]


RESUMES = Setup(session="id")


@pytest.mark.parametrize("key_exchange", ["rsa", "dhe", "ecdhe"])
def test_resumption_has_tcp_s_handshake_first_and_says_whose_certificate_is_validated(
    key_exchange: KeyExchangeName,
) -> None:
    trace = https_trace(key_exchange, RESUMES)
    tcp = [(step.phase, step.title) for step in trace.messages() if step.layer == "tcp"]
    assert tcp[:3] == [("tcp", title) for title in ("SYN", "SYN-ACK", "ACK")]
    reached = [step for step in trace.steps if step.after.get("server") == "ESTABLISHED" != step.before.get("server")]
    assert [step.phase for step in reached] == ["tcp"]
    assert "Certificate" not in {step.message for step in trace.steps}
    (validated,) = [step for step in trace.steps if step.title.startswith("Validate")]
    assert "saved" in validated.title
    assert "first connection" in validated.lines[0].text
    assert "no key exchange" in trace.subtitle
    times = [step.time_s for step in trace.steps if step.time_s is not None]
    assert times == sorted(times)


def test_full_handshake_validates_the_certificate_that_came() -> None:
    (validated,) = [step for step in https_trace().steps if step.title.startswith("Validate")]
    assert "saved" not in validated.title
    assert "Certificate" in {step.message for step in https_trace().steps[: validated.number]}


@pytest.mark.parametrize("name", ["full", "key-exchange"])
def test_resumption_with_client_authentication_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="one of the two"):
        draw(name, (), Options(client_auth=True, resume=True))


@pytest.mark.parametrize("key_exchange", EXCHANGES)
def test_everything_in_the_picture_was_executed(key_exchange: KeyExchangeName) -> None:
    trace = shown(key_exchange)
    assert trace.origin == "executed"
    assert all(step.time_s is not None for step in trace.messages())
    assert {phase.key for phase in trace.phases} == {step.phase for step in trace.steps}
    text = draw_trace(trace).text()
    assert "from the table" not in text
    steps = sum(step.number > 0 for step in trace)
    assert f"{len(trace.messages())} messages in {steps} steps, executed." in text
    assert SUITES[key_exchange].name in text


def test_phases_are_those_of_the_run_in_their_order() -> None:
    order = list(dict.fromkeys(step.phase for step in shown("rsa").steps))
    assert order == [phase.key for phase in phases()]


def test_part_of_a_scene_is_its_phases_numbered_anew() -> None:
    trace = part(shown("rsa"), "TCP", ["tcp"])
    assert [step.title for step in trace.steps] == ["SYN", "SYN-ACK", "ACK"]
    assert [step.number for step in trace.steps] == [1, 2, 3]
    assert [phase.key for phase in trace.phases] == ["tcp"]


def test_hostile_picture_leaves_out_what_opened_the_connection_and_says_so() -> None:
    whole = [step for step in hostile_capture().messages() if step.layer == "tcp"]
    trace = hostile_trace()
    kept = [step for step in trace.messages() if step.layer == "tcp"]
    assert f"Not shown: {len(whole) - len(kept)} segments that opened the connection." in trace.subtitle
    assert {step.fate for step in trace.messages()} == set(Fate)
    assert trace.steps[-1].kind is Kind.MESSAGE


def test_hostile_figure_shows_the_tag_of_each_fate() -> None:
    text = draw("hostile").dot_source
    for tag in ("LOST", "LATE", "REPLAY", "FORGED", "MODIFIED", "REJECTED"):
        assert f"<B>{tag}</B>" in text


@pytest.mark.parametrize("name", [name for name, drawing in FIGURES.items() if not drawing.takes])
def test_figure_is_the_same_each_time(name: str) -> None:
    assert draw(name, (), Options()).dot_source == draw(name, (), Options()).dot_source


def test_picture_in_the_readme_is_today_s() -> None:
    """`shakeproof draw all -o docs/gallery -f dot,svg` makes it anew."""
    found = re.search(r"<desc[^>]*>(.*?)</desc>", README_PICTURE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    said = html.unescape(found.group(1))
    for sentence in draw("full").sentences:
        assert sentence in said


@pytest.mark.parametrize("key_exchange", EXCHANGES)
def test_data_exchange_shows_who_seals_and_opens_each_record(key_exchange: KeyExchangeName) -> None:
    trace = data_exchange_trace(key_exchange)
    records = [step for step in https_trace(key_exchange) if step.layer == "http"]
    assert [step.label for step in trace] == [
        "Encrypt the request", records[0].title, "Decrypt the request",
        "Encrypt the response", records[1].title, "Decrypt the response",
    ]  # fmt: skip
    for at, record in ((0, records[0]), (3, records[1])):
        sealed, opened = trace.steps[at], trace.steps[at + 2]
        assert (sealed.sender, opened.sender) == (record.sender, record.receiver)
        assert f"a record of {len(record.data)} bytes" in sealed.lines[0].text
        assert record.detail.rpartition(", ")[2] in opened.lines[0].text
        assert (sealed.time_s, opened.time_s) == (record.time_s, record.received_s)
