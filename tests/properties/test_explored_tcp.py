"""TCP with an attacker beside the path: what holds, what breaks once a protection is gone or a row is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from shakeproof.diagrams.sequence import draw_trace
from shakeproof.impl.tcp.segment import Endpoint, Flags, Segment
from shakeproof.impl.tcp.sequence import advance
from shakeproof.model import tcp_segments as t
from shakeproof.model.clauses import MUST
from shakeproof.model.composition import ATTACKER, Composition, Of, Safety, Transition
from shakeproof.model.machine import Role
from shakeproof.model.notation import CONTINUE, STAY, Kind, Row, forget, recv, sends, stop, tells
from shakeproof.model.tcp import tcp
from shakeproof.model.tcp_composed import Composer
from shakeproof.model.tcp_ends import Ends
from shakeproof.model.tcp_setting import (
    CLIENT,
    PEER,
    SERVER,
    End,
    Number,
    Setting,
    Wire,
    fin_held,
    reset_by_peer,
    unknown,
)
from shakeproof.model.trace import Fate, Trace
from shakeproof.properties.explore import Exploration, explore
from shakeproof.properties.explore_plainly import Counts, explore_plainly
from shakeproof.properties.explored import checked, trace_of
from shakeproof.properties.mapper.tcp import classify
from shakeproof.properties.mapper.tcp_view import View
from shakeproof.properties.tcp_models import composed
from tests.properties.halves import dead

HONEST = Setting(attacked=False)
SIMULTANEOUS = Setting(attacked=False, simultaneous=True, old_syns=False)

slow = pytest.mark.slow


def told(setting: Setting) -> str:
    return f"{setting.name}, {setting.texts} texts, bound {setting.bound}"


@cache
def found(setting: Setting) -> Exploration:
    return checked(composed(setting))


@pytest.mark.parametrize(
    ("setting", "states", "transitions", "depth"),
    [
        (HONEST, 1093, 4509, 21),
        pytest.param(SIMULTANEOUS, 1081, 4048, 20, marks=slow),
        pytest.param(Setting(), 2735, 18022, 23, marks=slow),
        pytest.param(replace(HONEST, texts=2), 5688, 26412, 29, marks=slow),
        pytest.param(replace(HONEST, bound=2), 22888, 148117, 25, marks=slow),
        pytest.param(replace(SIMULTANEOUS, bound=2), 20422, 124786, 21, marks=slow),
        pytest.param(Setting(bound=2), 65199, 591242, 28, marks=slow),
    ],
    ids=lambda value: told(value) if isinstance(value, Setting) else None,
)
def test_check_of_tcp_holds_in_this_many_states(setting: Setting, states: int, transitions: int, depth: int) -> None:
    seen = found(setting)
    assert (seen.states, seen.transitions, seen.depth) == (states, transitions, depth)
    assert seen.holds


@pytest.mark.parametrize(
    "setting",
    [
        HONEST,
        pytest.param(SIMULTANEOUS, marks=slow),
        pytest.param(Setting(), marks=slow),
        pytest.param(replace(HONEST, bound=2), marks=slow),
    ],
    ids=told,
)
def test_explore_tcp_counts_what_a_plain_search_counts(setting: Setting) -> None:
    seen = found(setting)
    assert Counts(seen.states, seen.transitions, seen.depth) == explore_plainly(seen.model)


def test_rows_two_segments_in_the_network_reach_what_one_does_not() -> None:
    assert found(HONEST).rows_missed
    assert "tcp:LISTEN:Segment[syn]" in found(HONEST).rows_reached


@slow
def test_rows_with_two_segments_in_the_network_every_one_is_reached() -> None:
    assert not found(replace(HONEST, bound=2)).rows_missed


# ---------------------------------------------------------------------------------------------------- the attacks

CHALLENGE, PREDICTED = "challenge-ack", "unpredictable-isn"


@slow
@pytest.mark.parametrize(
    ("removed", "broken", "depth", "last"),
    [
        (CHALLENGE, "no-off-path-reset", 5, "Attacker sends RST[AHEAD, NO_ACK] to Client"),
        (CHALLENGE, "stream-intact", 8, "the user gets what the peer did not send"),
        (PREDICTED, "stream-intact", 3, "Attacker sends data[CURRENT] to Server"),
        (PREDICTED, "no-off-path-reset", 4, "Attacker sends RST[NO_ACK] to Client"),
        (PREDICTED, "close-delivers", 16, "Attacker sends ACK[CURRENT] to Client"),
    ],
)
def test_check_without_a_protection_of_tcp_finds_its_attack(removed: str, broken: str, depth: int, last: str) -> None:
    seen = found(Setting(removed=(removed,)))
    one = next(each for each in seen.broken if each.safety.name == broken)
    assert one.depth == depth
    trace = trace_of(seen, one)
    assert last in trace.sentences()[-1]
    assert Trace.from_json(trace.to_json()) == trace
    assert "beside the path" in draw_trace(trace).text()


@slow
def test_check_without_challenge_acks_breaks_nothing_else() -> None:
    assert {one.safety.name for one in found(Setting(removed=(CHALLENGE,))).broken} == {
        "no-off-path-reset",
        "stream-intact",
    }


@slow
def test_properties_of_tcp_each_is_broken_without_some_protection() -> None:
    broken = {one.safety.name for name in (CHALLENGE, PREDICTED) for one in found(Setting(removed=(name,))).broken}
    assert broken == {safety.name for safety in found(HONEST).model.safety}


@slow
def test_trace_of_tcp_segments_stand_once_and_the_attacker_beside_its_victim() -> None:
    seen = found(Setting(removed=(CHALLENGE,)))
    traces = {one.safety.name: trace_of(seen, one) for one in seen.broken}
    assert [lane.name for lane in traces["no-off-path-reset"].lanes] == [ATTACKER, CLIENT, SERVER]
    assert [lane.name for lane in traces["stream-intact"].lanes] == [CLIENT, SERVER, ATTACKER]
    steps = [(step.label, step.fate) for step in traces["no-off-path-reset"].messages()]
    assert steps == [
        ("SYN", Fate.DELIVERED),
        ("SYN-ACK", Fate.DELIVERED),
        ("ACK", Fate.LATE),  # it is still on its way
        ("RST", Fate.FORGED),
    ]
    assert traces["no-off-path-reset"].steps[-1].clause == "RFC 9293 section 3.10.7.4, RFC 9293 section 3.5.3"


# ------------------------------------------------------------------------------------- what the standard leaves open


@slow
def test_half_open_connection_one_blind_syn_ends_it_and_with_it_the_peers_open_one() -> None:
    """RFC 5961 protects open connections: in SYN-RECEIVED a SYN in the window leads to LISTEN (RFC 9293 3.10.7.4)."""
    gone = Safety(
        "kept", "who is reset had a peer without the connection", "",
        ~(Of(CLIENT, reset_by_peer) & ~Of(SERVER, found(HONEST).model.column("server.state").fact["closed"])),
    )  # fmt: skip
    model = replace(composed(Setting()), safety=(gone,))
    seen = explore(model, stop_at_first=True)
    sentences = trace_of(seen, seen.broken[0]).sentences()
    assert any("Attacker sends SYN[AHEAD, NO_ACK] to Server" in one and "LISTEN" in one for one in sentences)
    assert "Server sends RST to Client" in sentences[-1]
    assert not explore(replace(found(HONEST).model, safety=(gone,))).broken


@slow
def test_syn_ack_of_any_old_number_that_opens_lets_the_attacker_in() -> None:
    """The rows of figure 7 (RFC 9293 3.5) take the SYN that was accepted, once more. Here they take any old one."""
    row = recv(t.SYN_RECEIVED, t.Segment[t.syn, t.old, t.current], t.actively, t.ESTABLISHED,
               stop(t.RETRANSMISSION, t.USER), forget(t.OPENED), tells(t.opened), MUST("3.5 figure-7"))  # fmt: skip
    seen = explore(composed(Setting(), planted("sequence number", row)), stop_at_first=True)
    assert {one.safety.name for one in seen.broken} == {"stream-intact", "no-off-path-reset"}
    sentences = trace_of(seen, seen.broken[0]).sentences()
    assert any("Attacker sends SYN[NO_ACK] to Client: forged; Client is now SYN-RECEIVED" in one for one in sentences)


@slow
def test_who_knows_all_numbers_can_complete_a_simultaneous_open_in_the_peers_name() -> None:
    """Figure 7 asks for IRS and ISS, and so for both to be known."""
    answer = t.Segment.symbol(t.syn, t.repeated, t.current)
    for removed in ((), (PREDICTED,)):
        forged = {one.symbol for one in found(Setting(removed=removed)).model.transitions if one.kind == "forges"}
        assert (answer in forged) is bool(removed)


def test_old_syn_that_reaches_an_open_end_is_answered_and_changes_nothing() -> None:
    """Section 3.10.7.4, first; from whom it is shows in its number alone."""
    edges = [edge for side in PEER for edge in Composer(HONEST).edges[side] if edge.duplicate]
    old_syns = [edge for edge in edges if edge.did.symbol.has(t.syn) and edge.before.state in t.SYNCHRONIZED.members]
    assert {edge.before.state for edge in old_syns} == set(t.SYNCHRONIZED.members)
    assert all(edge.did.symbol.has(t.old) and edge.did.sent for edge in old_syns)
    assert all(edge.did.after == edge.before for edge in old_syns)


@slow
def test_simultaneous_open_a_syn_of_an_earlier_incarnation_can_end_it() -> None:
    """The passive opener goes back to LISTEN; who opened actively is told "connection refused" (RFC 9293 3.5)."""
    assert found(replace(SIMULTANEOUS, old_syns=True)).unfinishable == 29


# ----------------------------------------------------------------------------------------------- planted wrong rows

TEXT = t.bare | t.data | t.fin


def planted(title: str, row: Row) -> Role:
    """The table with one more row in the check of that title, of section 3.10.7.4."""
    lines = list(tcp.lines)
    for at, line in enumerate(lines):
        place = line.place if isinstance(line, Row) else None
        if place is not None and (place.title, place.order) == (title, "other states, 3.10.7.4"):
            return replace(tcp, lines=[*lines[:at], replace(row, place=place), *lines[at:]])
    raise AssertionError(f"there is no check {title!r}")


PLANTED = {
    "old text is delivered again": (
        "stream-intact", "sequence number", r"\(seq 1, ack 1, again; the user gets what .*\): late",
        recv(t.ESTABLISHED, t.Segment[t.data, t.old, t.current | t.left], STAY, sends(t.ACK), tells(t.delivered),
             MUST("3.10.7.4 seq")),
    ),
    "a FIN is taken ahead of text": (
        "stream-intact", "text", "Client sends FIN-ACK to Server|Server sends FIN-ACK to Client",
        recv(t.ESTABLISHED, t.Segment[t.fin, t.ahead], t.CLOSE_WAIT, sends(t.ACK), tells(t.closing),
             MUST("3.10.7.4 fin")),
    ),
    "any acknowledgment opens the connection, of an earlier incarnation too": (
        "stream-intact", "ACK", "an old duplicate; the user gets what",
        recv(t.SYN_RECEIVED, t.Segment[TEXT, t.ancient], t.ESTABLISHED, CONTINUE, stop(t.RETRANSMISSION, t.USER),
             forget(t.OPENED), MUST("3.10.7.4 syn-acked")),
    ),
    "a reset with any number counts, of an earlier incarnation too": (
        "no-off-path-reset", "sequence number", r"RST\[OLD, NO_ACK\] to .* \(an old duplicate\): late",
        recv(t.UP, t.Segment[t.rst, t.old], t.CLOSED, tells(t.reset), MUST("3.10.7.4 rst-open")),
    ),
    "any acknowledgment ends LAST-ACK": (
        "close-delivers", "ACK", "is now CLOSED",
        recv(t.LAST_ACK, t.Segment[TEXT, t.duplicate], t.CLOSED, MUST("3.10.7.4 last-ack")),
    ),
}  # fmt: skip
"""Wrong rows: what they break although nobody attacks, in which check they stand, and a step of how."""


@slow
@pytest.mark.parametrize("fault", PLANTED)
def test_wrong_row_breaks_its_property_on_an_honest_network(fault: str) -> None:
    broken, title, step, row = PLANTED[fault]
    seen = explore(composed(replace(HONEST, bound=2), planted(title, row)), stop_at_first=True)
    one = next(each for each in seen.broken if each.safety.name == broken)
    assert any(re.search(step, sentence) for sentence in trace_of(seen, one).sentences())


def of_one_side(side: str, faulty: Composition, sound: Composition) -> Composition:
    """The faulty model, where the other side does nothing that it would not do in the sound one."""

    def key(model: Composition, one: Transition) -> object:
        packets = tuple(model.packets[code - 1].text if code else "" for code in (one.takes, one.puts))
        guards = tuple(part.text() if part is not None else "" for part in (one.own, one.guard))
        return one.kind, one.machine, one.symbol.text, frozenset(one.where), guards, frozenset(one.assign), packets

    known = {key(sound, one) for one in sound.transitions}
    kept = tuple(one for one in faulty.transitions if one.machine == side or key(faulty, one) in known)
    assert len(kept) < len(faulty.transitions)
    return replace(faulty, transitions=kept)


def text_that_nobody_wrote(side: str, *, ended: bool) -> Composition:
    """What the side is given its peer's application has not written; ended: and it is told that this is all."""
    model = composed(HONEST)
    wrote, got = f"{PEER[side]}.wrote", model.column(f"{side}.got").fact
    first, end = (f"{side}.got", got["got_1"].bit), (f"{side}.got", got["got_end"].bit)
    out = []
    for one in model.transitions:
        if not ended and end in one.assign:
            continue
        assign = tuple(end if ended and pair == first else pair for pair in one.assign if pair[0] != wrote)
        out.append(replace(one, assign=assign))
    return replace(model, transitions=tuple(out))


@cache
def of_each_side() -> list[Exploration]:
    """The faults of each side alone."""
    honest, out = replace(HONEST, bound=2), []
    for side in PEER:
        for name in (CHALLENGE, PREDICTED):
            out.append(explore(of_one_side(side, composed(Setting(removed=(name,))), composed(Setting()))))
        _, title, _, row = PLANTED["any acknowledgment ends LAST-ACK"]
        out.append(explore(of_one_side(side, composed(honest, planted(title, row)), composed(honest))))
        out += [explore(text_that_nobody_wrote(side, ended=ended)) for ended in (False, True)]
    return out


@slow
@pytest.mark.parametrize("name", ["stream-intact", "no-off-path-reset", "close-delivers"])
def test_properties_of_tcp_each_part_of_each_has_a_fault_that_only_it_finds(name: str) -> None:
    assert dead(name, of_each_side()) == []


@slow
def test_fin_that_is_not_sent_again_leaves_connections_that_never_end() -> None:
    lines = [
        line for line in tcp.lines
        if not (isinstance(line, Row) and line.kind is Kind.TICK and line.pattern.message is t.RETRANSMISSION
                and t.LAST_ACK in line.states.members)
    ]  # fmt: skip
    seen = checked(composed(HONEST, replace(tcp, lines=lines)))
    assert seen.unfinishable > 0
    assert not seen.broken


# ------------------------------------------------------------------------- what a segment is, computed in two ways

BASES = {CLIENT: 1_000_000, SERVER: 2**32 - 2, f"{SERVER} anew": 3_000_000, f"{SERVER} elsewhere": 2_000_000,
         "old client": 900_000, "old server": 2**32 - 900_000, "attackers": 500_000_000, "zero": 0}  # fmt: skip
"""Initial sequence numbers: those of an earlier incarnation are lower, and one wraps around."""

WINDOW = 1000


def octets(number: Number) -> int:
    return advance(BASES[number.space], number.at)


def seen_by(side: str, end: End) -> View:
    """The end as the mapper of the tests sees one."""
    view = View(Endpoint("192.0.2.1", 1), Endpoint("192.0.2.2", 2), max_snd_wnd=WINDOW, snd_wnd=WINDOW)
    if end.state not in (t.CLOSED, t.LISTEN):
        view.iss, view.snd_una, view.snd_nxt = (octets(end.own(side, at)) for at in (0, end.una, end.nxt))
        view.written = bytearray(end.wrote)
        view.is_closing = end.state in (*t.FINISHING.members, t.FIN_WAIT_2, t.TIME_WAIT)
        view.fin_seq = octets(end.own(side, 2)) if end.nxt > 2 else None
    if end.irs is not unknown:
        view.irs, view.rcv_nxt = octets(end.theirs(side, 0)), octets(end.theirs(side, end.rcv))
        view.edge = view.far_edge = advance(view.rcv_nxt, WINDOW)
        view.held_fin = octets(end.theirs(side, 2)) if end.held is fin_held else None
    return view


def on_the_wire(wire: Wire) -> Segment:
    flags = {t.bare: Flags(0), t.data: Flags(0), t.syn: Flags.SYN, t.fin: Flags.FIN, t.rst: Flags.RST}[wire.control]
    ack = 0 if wire.ack is None else octets(wire.ack)
    flags |= Flags(0) if wire.ack is None else Flags.ACK
    return Segment(1, 2, octets(wire.seq), ack, flags, WINDOW, data=b"x" if wire.control is t.data else b"")


def arrivals(setting: Setting) -> Iterator[tuple[str, End, Wire]]:
    made = Composer(setting)
    for side in PEER:
        yield from dict.fromkeys((side, edge.before, edge.took) for edge in made.edges[side] if edge.took is not None)


@pytest.mark.parametrize(
    "setting", [HONEST, pytest.param(SIMULTANEOUS, marks=slow), pytest.param(Setting(), marks=slow)], ids=told
)
def test_segment_is_to_the_end_what_the_mapper_says(setting: Setting) -> None:
    ends = Ends(setting)
    count = 0
    for side, end, wire in arrivals(setting):
        count += 1
        assert classify(on_the_wire(wire), seen_by(side, end)) in list(ends.said(side, end, wire)), f"{end} {wire}"
    assert count > 300
