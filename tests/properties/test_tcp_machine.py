"""The machine of our TCP: it leaves the clean one in peace, objects to each fault, and repeats what it did."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from shakeproof.diagrams.ladder import ladder
from shakeproof.impl.tcp import Segment, TcpConnection
from shakeproof.impl.tcp.events import Closed, ResetReceived
from shakeproof.impl.tcp.segment import ACK, SYN, reset_for
from shakeproof.impl.tcp.sequence import distance
from shakeproof.impl.tcp.tcb import SYN_RECEIVED
from shakeproof.model import tcp_segments as t
from shakeproof.model.trace import Fate, Trace
from shakeproof.properties import safety
from shakeproof.properties.failures import repeat
from shakeproof.properties.machines import PROFILES
from shakeproof.properties.recorded import Tally
from shakeproof.properties.shards import settings_of
from shakeproof.properties.tcp_base import SETUPS, WORDS_AT_ONCE
from shakeproof.properties.tcp_machine import TcpMachine
from shakeproof.properties.tcp_words import HONEST, kind_of, untried
from tests.properties.tcp_plays import Plant, machine, replacing

OFTEN = 40
"""Of the cells of a table, every so manieth is tried here; all of them in the slow test."""


# ------------------------------------------------------------------------------------------------------ the clean one


@pytest.mark.parametrize("setup", [name for name, one in SETUPS.items() if one.protected and not one.stamps])
def test_clean_tcp_is_left_in_peace_in_a_share_of_all_cells(setup: str) -> None:
    made = machine(setup)
    made.words(words=tuple(made.known_words())[:: OFTEN if setup != "large windows" else 4 * OFTEN])
    assert made.violation is None
    assert made.tally.reached["probe"] > 15


@pytest.mark.slow
@pytest.mark.parametrize("setup", SETUPS)
def test_clean_tcp_is_left_in_peace_in_all_cells(setup: str) -> None:
    made = machine(setup)
    made.words(words=tuple(made.known_words()))
    tried = len([item for item in made.tally.tried if isinstance(item, tuple) and item[0] == made.setup.readings])
    assert tried > 3500


@pytest.mark.parametrize("number", [1, 2])
def test_clean_tcp_is_left_in_peace_by_random_runs(number: int) -> None:
    tally = Tally()

    def make() -> TcpMachine:
        made = TcpMachine(tally=tally)
        made.__dict__["configure"] = lambda **given: None  # the setup that there is: other readings take a second
        return made

    factory: Any = seed(number)(make)
    run_state_machine_as_test(factory, settings=settings_of(PROFILES["dev"], 25))
    assert tally.open_steps > 100


@pytest.mark.parametrize("setup", ["active", "passive", "listener", "simultaneous"])
def test_honest_events_open_the_connection_carry_text_and_close_it(setup: str) -> None:
    made = machine(setup)
    made.deliver(count=8)
    assert made.play is not None
    assert made.play.state == t.ESTABLISHED.name
    made.transfer(sizes=(100, 536), order=3, lost=2)
    states = set()
    made.close(by_peer=setup == "passive")
    for _ in range(3):
        states.add(made.play.state)
        made.deliver(count=1)
    assert states & {t.CLOSED.name, t.TIME_WAIT.name, t.LISTEN.name}


def test_a_connection_follows_after_one_that_is_over() -> None:
    made = machine()
    for _ in range(3):
        made.deliver(count=6)
        made.call(name="ABORT", size=1)
    made.replay(after=3, which=20, again=0)
    assert made.tally.reached["replayed"] == 1
    assert made.violation is None


def test_cells_are_picked_without_replacement() -> None:
    made = machine()
    listed = len(made.known_words())
    for number in range(4):
        made.pick_words(number)
    assert len(untried(made.role, False, made.tally.tried)) <= listed - 4 * WORDS_AT_ONCE


def test_what_no_run_has_tried_is_tried_in_the_end() -> None:
    tally = Tally(share=(0, 600))
    runs = list(TcpMachine.rest(tally))
    assert {calls[0][1]["setup"] for calls in runs} >= {"active", "listener", "timestamps", "unprotected"}
    for calls in runs:
        assert repeat(TcpMachine, "", calls).violation is None
    assert list(TcpMachine.rest(tally)) == []


# ---------------------------------------------------------------------------------------------------------- faults


def no_window(connection: TcpConnection, sound: Callable[..., bool], segment: Segment) -> bool:
    return bool(segment.data) or sound(segment)


def gone(connection: TcpConnection, sound: Callable[[], None]) -> None:
    connection.delete_tcb()
    connection.report(Closed())


def soon_over(connection: TcpConnection, sound: Callable[[], None]) -> None:
    sound()
    connection.time_wait_at_s = connection.now_s + 1


def never_over(connection: TcpConnection, sound: Callable[[], None]) -> None:
    sound()
    connection.time_wait_at_s = None


def reset_always(connection: TcpConnection, sound: Callable[..., None], segment: Segment) -> None:
    connection.reply(
        reset_for(segment) or Segment(connection.local.port, connection.peer.port, segment.ack, 0, segment.flags)
    )


def syn_kills(connection: TcpConnection, sound: Callable[..., bool], segment: Segment) -> bool:
    connection.reply_reset(segment)
    connection.delete_tcb()
    connection.report(ResetReceived())
    return False


def any_syn_ack(connection: TcpConnection, sound: Callable[..., bool], segment: Segment) -> bool:
    """In a simultaneous open any SYN-ACK that acknowledges our SYN completes it, one that repeats no SYN too."""
    answers = int(segment.flags) & ACK and connection.check_acknowledges_syn(segment)
    waits = connection.state == SYN_RECEIVED and not connection.opened_passively
    return bool(waits and answers) or sound(segment)


def syn_ack_again(connection: TcpConnection, sound: Callable[..., None], segment: Segment) -> None:
    if connection.state == SYN_RECEIVED and int(segment.flags) & SYN:
        connection.snd_next = connection.iss
    else:
        sound(segment)


def taken_twice(connection: TcpConnection, sound: Callable[..., Any], seq: int, data: bytes) -> tuple[int, bytes]:
    return (connection.rcv_nxt, data) if distance(seq, connection.rcv_nxt) > 0 else (seq, data)


def upside_down(connection: TcpConnection, sound: Callable[..., None], data: bytes) -> None:
    sound(data[::-1])


def crash(connection: TcpConnection, sound: Callable[..., None], segment: Segment) -> None:
    raise IndexError("list index out of range")


def yes(*_: Any, **__: Any) -> bool:
    return True


def nothing(*_: Any, **__: Any) -> None:
    return None


def found(made: TcpMachine, calls: list[tuple[str, dict[str, Any]]]) -> safety.PropertyViolation | None:
    """What comes of the calls."""
    with contextlib.suppress(safety.PropertyViolation):
        for name, arguments in calls:
            getattr(made, name)(**arguments)
    return made.violation


DELIVER = ("deliver", {"count": 5})
CLOSED = [DELIVER, ("close", {"by_peer": False})]


def odd(symbol: str, after: int = 3, pick: int = 0) -> list[tuple[str, dict[str, Any]]]:
    return [("deliver", {"count": after}), ("odd", {"symbol": f"Segment[{symbol}]", "pick": pick})]


@pytest.mark.parametrize(
    ("plant", "calls", "kind"),
    [
        pytest.param(replacing(check_reset_is_exact=yes), odd("RST, AHEAD, NO_ACK"), safety.WentOn, id="in-window RST"),
        pytest.param(replacing(accept_syn_again=syn_kills), odd("SYN, NO_ACK"), safety.WentOn, id="SYN resets"),
        pytest.param(replacing(check_acknowledgment_number=yes), odd("DATA, BEYOND"), safety.WentOn, id="unsent acked"),
        pytest.param(replacing(check_acknowledges_syn=yes), odd("SYN, BEYOND", 1), safety.WentOn, id="old SYN opens"),
        pytest.param(
            replacing(accept_syn_again=any_syn_ack), [*odd("SYN, NO_ACK", 1), *odd("SYN, OLD, CURRENT", 0)],
            safety.WentOn, id="any old SYN-ACK of figure 7",
        ),
        pytest.param(
            replacing(check_sequence_number=no_window, trim_to_window=lambda c, s, seq, data, *, fin: (data, fin)),
            odd("DATA, CURRENT", pick=3), safety.WentOn, id="beyond the window",
        ),
        pytest.param(
            replacing(trim_to_new=taken_twice), odd("DATA, STRADDLING, CURRENT"), safety.WentOn, id="overlap twice"
        ),
        pytest.param(replacing(check_fin_is_next=yes), odd("FIN, AHEAD, CURRENT"), safety.WentOn, id="early FIN"),
        pytest.param(replacing(start_time_wait=gone), CLOSED, safety.WentOn, id="no TIME-WAIT"),
        pytest.param(
            replacing(start_time_wait=soon_over), [*CLOSED, ("elapse", {"seconds": 250.0})], safety.WentOn,
            id="short TIME-WAIT",
        ),
        pytest.param(
            replacing(start_time_wait=never_over), [*CLOSED, ("elapse", {"seconds": 250.0})], safety.Hung,
            id="endless TIME-WAIT",
        ),
        pytest.param(
            replacing(reply_reset=reset_always), odd("RST, BEYOND", 1), safety.WrongOutput, id="RST for RST"
        ),
        pytest.param(
            replacing(retransmit=nothing),
            [DELIVER, ("call", {"name": "SEND", "size": 100}), ("elapse", {"seconds": 65.0})],
            safety.Hung, id="no retransmission",
        ),
        pytest.param(
            replacing(persist_timeout=nothing),
            [DELIVER, ("advertise", {"window": 0, "control": "bare"}), ("call", {"name": "SEND", "size": 100}),
             ("elapse", {"seconds": 65.0})],
            safety.Hung, id="no probe of a closed window",
        ),
        pytest.param(
            replacing(delay_ack=nothing), [*odd("DATA, CURRENT"), ("elapse", {"seconds": 0.6})], safety.Hung,
            id="text never acknowledged",
        ),
        pytest.param(
            replacing(select_iss=lambda c, s: int(c.now_s * 250_000)), [("compare_numbers", {"seconds": 0.6})],
            safety.WrongOutput, id="predictable by the clock",
        ),
        pytest.param(
            replacing(initial_window=lambda c, s: 1 << 30), [("bulk", {"segments": 9, "every": 1, "lost": 0})],
            safety.WrongOutput, id="no initial window",
        ),
        pytest.param(
            replacing(congestion_window=lambda c, s: c.cwnd if c.snd_una == c.iss + 1 else 1 << 30),
            [("bulk", {"segments": 24, "every": 1, "lost": 0})], safety.WrongOutput, id="no slow start",
        ),
        pytest.param(
            replacing(deliver=upside_down), [("transfer", {"sizes": (9, 9), "order": 0, "lost": 0})], safety.NotIntact,
            id="text altered",
        ),
        pytest.param(replacing(receive_reset=crash), odd("RST, CURRENT"), safety.Crashed, id="crash"),
    ],
)  # fmt: skip
def test_fault_is_objected_to_and_the_clean_one_is_not(
    plant: Plant, calls: list[tuple[str, dict[str, Any]]], kind: type[safety.PropertyViolation]
) -> None:
    assert found(machine(), calls) is None
    violation = found(machine("active", plant), calls)
    assert type(violation) is kind
    assert "expected" in str(violation)
    assert violation.clause.startswith("RFC ")


def test_syn_ack_that_comes_again_answers_the_syn_that_was_accepted_and_no_other() -> None:
    again, other = odd("SYN, REPEATED, NO_ACK", 1), odd("SYN, OLD, NO_ACK", 1)
    assert found(machine("listener"), other) is None
    fault = replacing(acknowledge_unacceptable=syn_ack_again)
    assert found(machine("listener", fault), again) is None
    assert type(found(machine("listener", fault), other)) is safety.WrongOutput


def test_failure_says_in_words_what_the_table_allows() -> None:
    words = ("TIME-WAIT (time_wait_running) <- Segment[SYN, BEYOND]",)
    violation = repeat(
        TcpMachine, "syn-resets", [("configure", {"setup": "active"}), ("words", {"words": words})]
    ).violation
    assert violation is not None
    assert (
        str(violation)
        .splitlines()[0]
        .endswith(
            "it told its user ResetReceived, expected that it sends ACK, stays in TIME-WAIT and tells its user nothing"
        )
    )


def test_old_timestamp_that_is_taken_is_objected_to() -> None:
    calls = odd("DATA, CURRENT, OUTDATED")
    assert found(machine("timestamps"), calls) is None
    assert type(found(machine("timestamps", replacing(check_paws=yes)), calls)) is safety.WentOn


@pytest.mark.parametrize("step", [64_000, 0], ids=["a counter", "a constant"])
def test_initial_numbers_that_follow_each_other_are_objected_to(step: int) -> None:
    count = iter(range(100))
    made = machine("active", replacing(select_iss=lambda c, s: 7 + step * next(count)))
    with pytest.raises(safety.WrongOutput, match="each tells the next"):
        made.compare_numbers(seconds=1.1)


def test_tampered_segment_that_is_taken_is_objected_to() -> None:
    made = machine()
    made.deliver(count=5)
    made.tamper(after=0, place=30, bit=3, symbol="Segment[DATA, CURRENT]")
    assert made.violation is None
    assert made.play is not None
    host = made.play.bench.host
    sound = host.receive_packet

    def unchecked(packet: Any, now_s: float) -> Any:
        sound(packet, now_s)
        return [(host.connections[made.bench.key], ResetReceived())]

    host.receive_packet = unchecked  # type: ignore[method-assign]
    with pytest.raises(safety.WentOn, match="dropped silently"):
        made.tamper(after=0, place=30, bit=3, symbol="Segment[DATA, CURRENT]")


# ------------------------------------------------------------------------------------------------- runs, repeated


def test_steps_print_as_code_that_repeats_them() -> None:
    made = machine("timestamps")
    made.deliver(count=4)
    made.segment(after=1, number=5, pick=3)
    made.transfer(sizes=(9, 100), order=2, lost=1)
    state = TcpMachine()
    exec(made.code(), {"state": state})
    assert state.code() == made.code()
    assert state.tally.reached == made.tally.reached


def test_the_last_odd_segment_alone_is_tried_when_a_run_is_shortened() -> None:
    made = machine("active", replacing(check_reset_is_exact=yes))
    made.deliver(count=5)
    with pytest.raises(safety.WentOn):
        made.odd(symbol="Segment[RST, AHEAD, NO_ACK]", pick=0)
    ((_, (name, arguments)),) = made.restarts()
    assert name == "words"
    again = machine("active", replacing(check_reset_is_exact=yes))
    with pytest.raises(safety.WentOn):
        again.words(**arguments)


def test_a_run_is_repeated_from_its_calls() -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("configure", {"setup": "listener"}),
        DELIVER,
        ("timeouts", {"steps": 3}),
        ("replay", {"after": 1, "which": 2, "again": 1}),
    ]
    again = repeat(TcpMachine, "", calls)
    assert again.violation is None
    assert [name for name, _ in again.calls] == [name for name, _ in calls]


def test_a_trace_has_states_clauses_and_fates_and_is_drawn() -> None:
    made = machine(record=True)
    made.deliver(count=5)
    made.transfer(sizes=(100, 9, 536), order=5, lost=2)
    made.replay(after=0, which=3, again=0)
    made.tamper(after=0, place=9, bit=3, symbol="Segment[DATA, CURRENT]")
    made.close(by_peer=False)
    made.elapse(seconds=250.0)
    trace = made.trace("a bad day")
    assert {step.fate for step in trace} >= {Fate.DELIVERED, Fate.LOST, Fate.REPLAYED, Fate.TAMPERED}
    assert trace.steps[0].before == {"end": "CLOSED"}
    assert {step.after["end"] for step in trace} >= {"SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "TIME-WAIT", "CLOSED"}
    assert all(step.clause for step in trace)
    assert Trace.from_json(trace.to_json()) == trace
    drawn = ladder(trace)
    assert "SYN-ACK" in drawn
    assert "240 s later" in drawn


def test_kinds_of_segments_are_told_apart() -> None:
    assert kind_of(t.Segment.symbol(t.rst, t.outside, t.current)) == "reset"
    assert kind_of(t.Segment.symbol(t.data, t.current, t.outdated)) == "old timestamp"
    assert {kind_of(symbol) for symbol in HONEST} >= {"SYN", "FIN", "text", "acknowledgment", "window closes"}


# ------------------------------------------------------------------------------- what these tests found in our TCP


def test_a_second_fin_is_acknowledged_though_the_first_one_ended_the_stream() -> None:
    """Section 3.10.7.4, eighth: an acknowledgment is sent for the FIN, whatever the state."""
    made = machine()
    made.words(
        words=(
            "CLOSE-WAIT <- Segment[FIN, CURRENT]",
            "LAST-ACK (retransmission_running, user_running) <- Segment[FIN, PARTIAL]",
        )
    )
    assert made.violation is None


def test_a_syn_ack_that_acknowledges_nothing_is_too_old_in_a_simultaneous_open() -> None:
    """Section 3.10.7.4, first: what is not acceptable is answered with an acknowledgment; no reset follows."""
    made = machine("simultaneous")
    made.words(words=("SYN-RECEIVED (retransmission_running, user_running) <- Segment[SYN, REPEATED, DUPLICATE]",))
    assert made.violation is None
    assert made.tally.reached["SYN"] == 1


def test_after_a_close_in_syn_received_the_syn_ack_comes_again_with_the_fin() -> None:
    made = machine("listener", record=True)
    made.deliver(count=1)
    made.call(name="CLOSE", size=1)
    made.elapse(seconds=1.1)
    assert made.play is not None
    assert [step.title for step in made.play.steps if step.sender == "end"][-2:] == ["SYN-ACK", "FIN-ACK"]
