"""The table of TCP, held against RFC 9293 sections 3.5, 3.6 and 3.10, and its layout against the table."""

from __future__ import annotations

import pytest

from shakeproof.model import tcp_segments as t
from shakeproof.model.condensed import condensed, differences
from shakeproof.model.facts import Value
from shakeproof.model.layout import Layout, changes
from shakeproof.model.lint import lint, uncovered
from shakeproof.model.machine import Role
from shakeproof.model.notation import Message, Pattern, State, Symbol
from shakeproof.model.tcp import tcp
from shakeproof.model.tcp_layout import RESET
from shakeproof.model.tcp_names import SEGMENT_NAMES, label
from shakeproof.model.tcp_segments import Segment
from tests.model.goldens import same_as_golden
from tests.model.tcp_steps import READINGS, UNPROTECTED, at, step

CLOSED: list[tuple[str, list[str]]] = [("CLOSED", [])]
ELEVEN = {
    "CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",
    "LAST-ACK", "TIME-WAIT",
}  # fmt: skip


def test_states_are_the_eleven_of_rfc_9293() -> None:
    assert {state.name for state in tcp.states} == ELEVEN


@pytest.mark.parametrize("role", READINGS.values(), ids=list(READINGS))
def test_lint_is_silent_under_every_reading(role: Role) -> None:
    assert lint(role) == []


@pytest.mark.parametrize("role", READINGS.values(), ids=list(READINGS))
def test_every_segment_has_a_row_in_every_state_that_can_be_reached(role: Role) -> None:
    assert list(uncovered(role)) == []


def test_matrix_is_the_reviewed_one() -> None:
    assert same_as_golden("tcp.txt", condensed(tcp))


def test_what_differs_without_protections_is_the_reviewed_matrix() -> None:
    assert same_as_golden("tcp.unprotected.txt", differences(tcp, UNPROTECTED))


# --------------------------------------------------------------------------------------------- opening, section 3.5


@pytest.mark.parametrize(
    ("state", "passive", "event", "then"),
    [
        (t.CLOSED, False, t.active_open, ("SYN-SENT", ["SYN"])),
        (t.CLOSED, False, t.passive_open, ("LISTEN", [])),
        (t.LISTEN, True, t.SEND, ("SYN-SENT", ["SYN"])),
        (t.LISTEN, True, Segment.symbol(t.syn, t.no_ack), ("SYN-RECEIVED", ["SYN-ACK"])),
        (t.LISTEN, True, Segment.symbol(t.bare, t.current), ("LISTEN", ["RST"])),
        (t.LISTEN, True, Segment.symbol(t.rst, t.current), ("LISTEN", [])),
        (t.SYN_SENT, False, Segment.symbol(t.syn, t.current), ("ESTABLISHED", ["ACK"])),
        (t.SYN_SENT, False, Segment.symbol(t.syn, t.no_ack), ("SYN-RECEIVED", ["SYN-ACK"])),
        (t.SYN_SENT, False, Segment.symbol(t.syn, t.beyond), ("SYN-SENT", ["RST"])),
        (t.SYN_SENT, False, Segment.symbol(t.rst, t.current), ("CLOSED", [])),
        (t.SYN_SENT, False, Segment.symbol(t.rst, t.duplicate), ("SYN-SENT", [])),
        (t.SYN_SENT, False, Segment.symbol(t.rst, t.no_ack), ("SYN-SENT", [])),
        (t.SYN_RECEIVED, True, Segment.symbol(t.bare, t.current), ("ESTABLISHED", [])),
        (t.SYN_RECEIVED, True, Segment.symbol(t.bare, t.duplicate), ("SYN-RECEIVED", ["RST"])),
        (t.SYN_RECEIVED, True, Segment.symbol(t.fin, t.current), ("CLOSE-WAIT", ["ACK"])),
        (t.CLOSED, False, Segment.symbol(t.syn, t.no_ack), ("CLOSED", ["RST"])),
        (t.CLOSED, False, Segment.symbol(t.rst, t.current), ("CLOSED", [])),
    ],
)
def test_opening(state: State, passive: bool, event: Message | Symbol, then: tuple[str, list[str]]) -> None:
    opened = [t.passively if passive else t.actively] if state is t.SYN_RECEIVED else []
    assert step(at(state, *opened), event) == [then]


def test_syn_received_remembers_how_it_was_reached() -> None:
    reset, again = Segment.symbol(t.rst, t.current), Segment.symbol(t.syn, t.no_ack)
    assert step(at(t.SYN_RECEIVED, t.passively), reset) == [("LISTEN", [])]
    assert step(at(t.SYN_RECEIVED, t.actively), reset) == CLOSED
    assert step(at(t.SYN_RECEIVED, t.passively), again) == [("LISTEN", [])]
    assert step(at(t.SYN_RECEIVED, t.actively), again) == [("SYN-RECEIVED", ["ACK"])]


def test_a_reset_of_another_sequence_number_in_syn_sent_closes_or_is_dropped() -> None:
    other = Segment.symbol(t.rst, t.ahead, t.current)
    assert sorted(step(at(t.SYN_SENT), other)) == [("CLOSED", []), ("SYN-SENT", [])]
    assert step(at(t.SYN_SENT, role=UNPROTECTED), other, UNPROTECTED) == [("CLOSED", [])]


@pytest.mark.parametrize("control", [t.bare, t.data, t.fin], ids=repr)
def test_an_acknowledgment_of_the_unsent_in_syn_received_is_reset_or_challenged(control: Value) -> None:
    early = Segment.symbol(control, t.beyond)
    stays = t.SYN_RECEIVED.name
    assert sorted(step(at(t.SYN_RECEIVED), early)) == [(stays, ["ACK"]), (stays, ["RST"])]
    assert step(at(t.SYN_RECEIVED, role=UNPROTECTED), early, UNPROTECTED) == [(stays, ["RST"])]


@pytest.mark.parametrize("opened", [t.passively, t.reopened], ids=repr)
def test_a_repeated_syn_may_be_answered_with_the_syn_ack_again(opened: Value) -> None:
    again = Segment.symbol(t.syn, t.repeated, t.no_ack)
    stays = t.SYN_RECEIVED.name
    assert sorted(step(at(t.SYN_RECEIVED, opened), again)) == [(stays, ["ACK"]), (stays, ["SYN-ACK"])]


@pytest.mark.parametrize("acknowledgment", [t.no_ack, t.current, t.duplicate], ids=repr)
@pytest.mark.parametrize("opened", t.OPENED.values, ids=repr)
def test_an_old_syn_with_another_number_than_irs_is_answered_with_an_ack_and_dropped(
    opened: Value, acknowledgment: Value
) -> None:
    """Section 3.10.7.4, first: it is not acceptable. Only of the SYN that was accepted does figure 7 say more."""
    here = at(t.SYN_RECEIVED, opened)
    other, again = (Segment.symbol(t.syn, sequence, acknowledgment) for sequence in (t.old, t.repeated))
    assert step(here, other) == [("SYN-RECEIVED", ["ACK"])]
    assert not set(tcp.enabled(here, other)) & set(tcp.enabled(here, again))


@pytest.mark.parametrize("acknowledgment", [t.no_ack, t.current], ids=repr)
@pytest.mark.parametrize("state", [*t.UP.members, t.SYN_RECEIVED], ids=repr)
def test_the_reset_of_abort_may_carry_an_acknowledgment(state: State, acknowledgment: Value) -> None:
    here = at(state)
    (row,) = tcp.enabled(here, t.ABORT.symbol())
    (output,) = tcp.flight(row, tcp.apply(row, here, t.ABORT.symbol())[0])
    assert tcp.allows(output, here, Segment.symbol(t.rst, acknowledgment))


@pytest.mark.parametrize("state", [t.CLOSE_WAIT, t.LAST_ACK], ids=repr)
def test_text_after_a_fin_is_ignored_with_or_without_an_ack(state: State) -> None:
    (row,) = tcp.enabled(at(state), Segment.symbol(t.data, t.expected, t.partial))
    assert [output.optional for output in row.outputs] == [True]


def test_simultaneous_open_may_be_completed_by_the_syn_ack_of_figure_7() -> None:
    outcomes = step(at(t.SYN_RECEIVED, t.actively), Segment.symbol(t.syn, t.repeated, t.current))
    assert sorted(outcomes) == [("ESTABLISHED", ["ACK"]), ("SYN-RECEIVED", ["ACK"])]


# ------------------------------------------------------------------------------------- closing, section 3.6 and 3.10.4


@pytest.mark.parametrize(
    ("state", "event", "then"),
    [
        (t.ESTABLISHED, t.CLOSE, ("FIN-WAIT-1", ["FIN"])),
        (t.ESTABLISHED, Segment.symbol(t.fin, t.current), ("CLOSE-WAIT", ["ACK"])),
        (t.FIN_WAIT_1, Segment.symbol(t.bare, t.current), ("FIN-WAIT-2", [])),
        (t.FIN_WAIT_1, Segment.symbol(t.bare, t.partial), ("FIN-WAIT-1", [])),
        (t.FIN_WAIT_1, Segment.symbol(t.fin, t.partial), ("CLOSING", ["ACK"])),
        (t.FIN_WAIT_1, Segment.symbol(t.fin, t.current), ("TIME-WAIT", ["ACK"])),
        (t.FIN_WAIT_1, t.CLOSE, ("FIN-WAIT-1", [])),
        (t.FIN_WAIT_2, Segment.symbol(t.fin, t.current), ("TIME-WAIT", ["ACK"])),
        (t.CLOSING, Segment.symbol(t.bare, t.current), ("TIME-WAIT", [])),
        (t.CLOSING, Segment.symbol(t.bare, t.partial), ("CLOSING", [])),
        (t.CLOSE_WAIT, t.SEND, ("CLOSE-WAIT", ["data"])),
        (t.CLOSE_WAIT, t.CLOSE, ("LAST-ACK", ["FIN"])),
        (t.LAST_ACK, Segment.symbol(t.bare, t.current), ("CLOSED", [])),
        (t.LAST_ACK, Segment.symbol(t.bare, t.partial), ("LAST-ACK", [])),
        (t.TIME_WAIT, Segment.symbol(t.fin, t.old, t.current), ("TIME-WAIT", ["ACK"])),
        (t.TIME_WAIT, t.TIME_WAIT_TIMER, ("CLOSED", [])),
    ],
)
def test_closing(state: State, event: Message | Symbol, then: tuple[str, list[str]]) -> None:
    assert step(at(state), event) == [then]


def test_time_wait_timer_runs_in_time_wait_and_nowhere_else() -> None:
    runs = {c: t.TIME_WAIT_TIMER.running.holds(tcp.remembered(c)) for c in tcp.reachable}
    assert all(running is (c.state is t.TIME_WAIT) for c, running in runs.items())


# --------------------------------------------------------------------------------- every synchronized state, 3.10.7.4


@pytest.mark.parametrize("state", t.SYNCHRONIZED.members, ids=repr)
def test_synchronized_states_answer_what_is_unacceptable_with_an_ack(state: State) -> None:
    stays = (state.name, ["ACK"])
    for symbol in (
        Segment.symbol(t.bare, t.old, t.current),
        Segment.symbol(t.data, t.outside, t.current),
        Segment.symbol(t.bare, t.beyond),
    ):
        assert step(at(state), symbol) == [stays], symbol
    for sequence in (t.outside, t.old, t.repeated):
        assert stays in step(at(state), Segment.symbol(t.syn, sequence, t.no_ack))
    assert step(at(state), Segment.symbol(t.rst, t.old)) == [(state.name, [])]
    assert step(at(state), Segment.symbol(t.bare, t.no_ack)) == [(state.name, [])]


@pytest.mark.parametrize("state", t.SYNCHRONIZED.members, ids=repr)
def test_reset_closes_exactly_with_rfc_5961_and_anywhere_in_the_window_without(state: State) -> None:
    exact, near = Segment.symbol(t.rst, t.expected), Segment.symbol(t.rst, t.ahead)
    assert step(at(state), exact) == CLOSED
    assert step(at(state), near) == [(state.name, ["ACK"])]
    assert step(at(state, role=UNPROTECTED), exact, UNPROTECTED) == CLOSED
    assert step(at(state, role=UNPROTECTED), near, UNPROTECTED) == CLOSED


@pytest.mark.parametrize("state", t.BUSY.members, ids=repr)
def test_syn_in_window_is_challenged_with_rfc_5961_and_resets_without(state: State) -> None:
    again = Segment.symbol(t.syn, t.no_ack)
    assert step(at(state), again) == [(state.name, ["ACK"])]
    assert step(at(state, role=UNPROTECTED), again, UNPROTECTED) == [("CLOSED", ["RST"])]


@pytest.mark.parametrize("state", [state for state in tcp.states if state not in (t.CLOSED, t.LAST_ACK)], ids=repr)
def test_abort_closes_from_every_state_and_resets_a_peer_that_may_still_send(state: State) -> None:
    resets = state in (*t.UP.members, t.SYN_RECEIVED)
    assert step(at(state), t.ABORT) == [("CLOSED", ["RST"] if resets else [])]


# ----------------------------------------------------------------------------------------------------- the picture


def test_every_change_of_state_has_a_route_or_is_excused_and_no_more() -> None:
    layout = tcp.hints["layout"]
    assert isinstance(layout, Layout)
    known = set(changes(tcp))
    drawn = {layout.ends(route) for route in layout.routes}
    assert drawn | set(layout.undrawn) == known
    assert not drawn & set(layout.undrawn)
    assert len(drawn) == len(layout.routes)


def test_routes_begin_and_end_at_the_border_of_their_places_and_turn_at_right_angles() -> None:
    layout = tcp.hints["layout"]
    assert isinstance(layout, Layout)
    for route in layout.routes:
        for key, (x, y) in ((route.source, route.points[0]), (route.target, route.points[-1])):
            place = layout.place(key)
            across, down = abs(x - place.x), abs(y - place.y)
            at_side = across == layout.node_width / 2 and down <= layout.node_height / 2
            at_top = down == layout.node_height / 2 and across <= layout.node_width / 2
            assert at_side or at_top, route
        for (x0, y0), (x1, y1) in zip(route.points, route.points[1:], strict=False):
            assert (x0 == x1) != (y0 == y1), route


def test_undrawn_resets_are_resets() -> None:
    layout = tcp.hints["layout"]
    assert isinstance(layout, Layout)
    for pair, rows in changes(tcp).items():
        if layout.undrawn.get(pair) == RESET:
            events = {label(row)[0] for row in rows}
            assert events <= {"ABORT", "recv RST", "user timeout", "recv data", "CLOSE"}, pair


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (("CLOSED", "SYN-SENT"), ("active OPEN", "send SYN")),
        (("CLOSED", "LISTEN"), ("passive OPEN", "create TCB")),
        (("LISTEN", "SYN-RECEIVED"), ("recv SYN", "send SYN-ACK")),
        (("LISTEN", "SYN-SENT"), ("SEND", "send SYN")),
        (("SYN-SENT", "ESTABLISHED"), ("recv SYN-ACK", "send ACK")),
        (("SYN-RECEIVED", "ESTABLISHED"), ("recv ACK of SYN", "")),
        (("FIN-WAIT-1", "FIN-WAIT-2"), ("recv ACK of FIN", "")),
        (("FIN-WAIT-1", "TIME-WAIT"), ("recv FIN-ACK", "send ACK")),
        (("TIME-WAIT", "CLOSED"), ("2 MSL timeout", "delete TCB")),
        (("LAST-ACK", "CLOSED"), ("recv ACK of FIN", "delete TCB")),
        (("SYN-RECEIVED", "LISTEN"), ("recv RST", "")),
        (("ESTABLISHED", "CLOSE-WAIT"), ("recv FIN", "send ACK")),
        (("FIN-WAIT-1", "CLOSING"), ("recv FIN", "send ACK")),
    ],
)
def test_labels_are_those_of_figure_5(pair: tuple[str, str], words: tuple[str, str]) -> None:
    assert label(changes(tcp)[pair][0]) == words


def test_every_reply_has_a_name_for_pictures() -> None:
    replies = {output.pattern for row in tcp.rows for output in row.outputs}
    assert all(isinstance(pattern, Pattern) and pattern in SEGMENT_NAMES for pattern in replies)
