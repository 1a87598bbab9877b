"""Runs that were executed over our TCP: what their traces say is what went over the wire."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from shakeproof.impl.tcp import Flags, Segment, TcpConnection
from shakeproof.impl.tcp.sequence import distance
from shakeproof.impl.tls.suites import SUITES_BY_NAME
from shakeproof.model.tcp import tcp
from shakeproof.model.trace import Fate, Kind, Step, Trace
from shakeproof.properties.executed import CLIENT, CLIENT_IP, SERVER, SERVER_IP, Recorder, https_run
from shakeproof.properties.hostile import HostileRun, hostile_run
from shakeproof.properties.tap import TCP, NotAllowedError

RSA = SUITES_BY_NAME["TLS_RSA_WITH_AES_128_CBC_SHA"]
ECDHE = SUITES_BY_NAME["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]
LAST = 10
"""Octets at the end of a record: enough to be found in one segment only."""
IPS = {CLIENT: CLIENT_IP, SERVER: SERVER_IP}


@cache
def honest() -> Trace:
    return https_run(ECDHE)


@cache
def hostile() -> Trace:
    return hostile_run(ECDHE)


def segments(trace: Trace) -> list[Step]:
    return [step for step in trace.messages() if step.layer == TCP]


def decoded(step: Step) -> Segment:
    return Segment.decode(step.data, IPS[step.sender], IPS[step.receiver])


# ------------------------------------------------------------------------------------------------------ an honest run


def test_honest_run_opens_and_closes_tcp_as_the_rfc_draws_it() -> None:
    steps = [step for step in segments(honest()) if step.phase in ("tcp", "close")]
    assert [(step.sender, step.title) for step in steps if step.title != "Data"] == [
        (CLIENT, "SYN"), (SERVER, "SYN-ACK"), (CLIENT, "ACK"),
        (SERVER, "FIN-ACK"), (CLIENT, "ACK"), (CLIENT, "FIN-ACK"), (SERVER, "ACK"),
    ]  # fmt: skip
    assert steps[0].before == {CLIENT: "CLOSED", SERVER: "LISTEN"}
    assert steps[0].after == {CLIENT: "SYN-SENT", SERVER: "SYN-RECEIVED"}
    last = honest().steps[-1]
    assert (last.kind, last.title, last.after) == (Kind.TIME, "2 MSL, 240 s, pass", {SERVER: "CLOSED"})


def test_numbers_that_are_shown_are_those_of_the_segments_relative_to_their_beginning() -> None:
    begins = {step.sender: decoded(step).seq for step in segments(honest()) if "SYN" in step.title}
    assert len(set(begins.values()) | {0}) == 3, "the real ones are not relative"
    for step in segments(honest()):
        segment = decoded(step)
        if segment.data:
            assert f"seq={distance(begins[step.sender], segment.seq)} " in step.detail
        if segment.flags & Flags.ACK:
            assert f"ack={distance(begins[step.receiver], segment.ack)}" in step.detail


@pytest.mark.parametrize("side", [CLIENT, SERVER])
def test_records_of_the_trace_are_exactly_the_octets_that_tcp_carried(side: str) -> None:
    carried = b"".join(decoded(step).data for step in segments(honest()) if step.sender == side)
    assert carried
    assert b"".join(s.data for s in honest().messages() if s.layer != TCP and s.sender == side) == carried


def test_each_record_names_the_segment_that_brought_the_last_of_it() -> None:
    by_number = {step.number: step for step in honest().steps}
    for step in honest().messages():
        if step.layer == TCP:
            assert step.carrier is None
            continue
        assert step.carrier is not None
        carrier = by_number[step.carrier]
        assert (carrier.layer, carrier.sender, carrier.time_s) == (TCP, step.sender, step.time_s)
        assert step.data[-LAST:] in decoded(carrier).data


def test_each_segment_that_arrived_was_judged_by_a_row_of_the_table() -> None:
    for step in segments(honest()):
        assert step.received_s is not None
        assert step.row in tcp.by_id
        assert step.clause in {clause.short for clause in tcp.by_id[step.row].clauses}


def test_states_follow_each_other() -> None:
    last: dict[str, str] = {}
    for step in honest().steps:
        if step.layer == TCP:
            for lane, state in step.before.items():
                assert last.get(lane, state) == state, step
            last.update(step.after)
    assert last == {CLIENT: "CLOSED", SERVER: "CLOSED"}


def test_time_goes_on_and_is_the_network_s() -> None:
    times = [step.time_s for step in segments(honest())]
    assert all(time is not None for time in times)
    assert times == sorted(times, key=lambda time: time or 0.0)
    assert {round((s.received_s or 0) - (s.time_s or 0), 6) for s in segments(honest())} == {0.02}


def test_time_never_goes_back_from_step_to_step() -> None:
    times = [step.time_s for step in hostile().steps if step.time_s is not None]
    assert times == sorted(times)
    late = next(step for step in hostile().steps if step.fate is Fate.LATE)
    brought = next(step for step in hostile().steps if step.carrier == late.number)
    assert brought.time_s == late.received_s != late.time_s


@pytest.mark.parametrize("make", [lambda: https_run(RSA), lambda: hostile_run(ECDHE)], ids=["honest", "hostile"])
def test_run_is_the_same_each_time_and_survives_being_saved(make: Callable[[], Trace]) -> None:
    trace = make()
    assert make().to_json() == trace.to_json()
    assert Trace.from_json(trace.to_json()) == trace


def test_run_with_a_rogue_that_an_honest_peer_never_meets_is_the_same() -> None:
    rogue = https_run(ECDHE, "certificate-unchecked")
    assert [step.label for step in rogue.messages()] == [step.label for step in honest().messages()]
    assert rogue.meta["rogue"] == "certificate-unchecked"


# -------------------------------------------------------------------------------------------------------- a hostile run


def test_hostile_run_has_every_fate() -> None:
    assert {step.fate for step in hostile().messages()} == set(Fate)


def test_reordered_and_lost_segments_do_no_harm_to_the_page() -> None:
    titles = [step.label for step in hostile().messages() if step.layer != TCP]
    assert titles[-5:] == ["GET / HTTP/1.1", "HTTP/1.1 200", "GET /again HTTP/1.1", "Record", "bad_record_mac"]


def test_late_segment_arrives_after_those_that_overtook_it_and_completes_the_record() -> None:
    (late,) = [step for step in segments(hostile()) if step.fate is Fate.LATE]
    assert late.received_after is not None
    between = [step for step in segments(hostile()) if late.number < step.number <= late.received_after]
    assert [step.title for step in between] == ["Data", "Data", "ACK", "ACK"]
    assert all(step.detail.endswith("ahead") for step in between[:2])
    assert all(step.detail.endswith("duplicate") for step in between[2:])
    (page,) = [step for step in hostile().messages() if step.label == "HTTP/1.1 200"]
    assert page.carrier == late.number


def test_segment_that_was_lost_or_broken_is_sent_again_after_twice_the_time() -> None:
    waits = [step.title for step in hostile().steps if step.kind is Kind.TIME and step.title.startswith("retrans")]
    assert waits == ["retransmission timeout, 1 s", "retransmission timeout, 2 s"]
    tries = [s for s in segments(hostile()) if s.sender == CLIENT and s.fate in (Fate.LOST, Fate.REJECTED)]
    assert [step.received_s is None for step in tries] == [True, False]


@pytest.mark.parametrize("fate", [Fate.REPLAYED, Fate.FORGED])
def test_what_the_attacker_sends_is_answered_with_an_acknowledgment_and_changes_no_state(fate: Fate) -> None:
    steps = segments(hostile())
    (at,) = [index for index, step in enumerate(steps) if step.fate is fate]
    assert steps[at].before == steps[at].after == {CLIENT: "ESTABLISHED"}
    assert (steps[at + 1].sender, steps[at + 1].title) == (CLIENT, "ACK")
    assert steps[at + 1].detail.endswith("duplicate")


def test_tampering_that_tcp_does_not_see_ends_tls_with_bad_record_mac() -> None:
    (changed,) = [step for step in segments(hostile()) if step.fate is Fate.TAMPERED]
    assert decoded(changed).data, "its checksum fits"
    (record,) = [step for step in hostile().messages() if step.message == "Record"]
    assert (record.fate, record.defect, record.carrier) == (Fate.REJECTED, ("BAD_MAC",), changed.number)


# ------------------------------------------------------------------------------------ what a table does not allow stops


def believe_any_reset(connection: TcpConnection) -> None:
    connection.check_reset_is_exact = lambda segment: True  # type: ignore[method-assign]


def skip_time_wait(connection: TcpConnection) -> None:
    connection.start_time_wait = connection.delete_tcb  # type: ignore[method-assign]


def test_reset_that_is_believed_is_not_allowed() -> None:
    run = HostileRun(ECDHE)
    assert run.recorder.client_host.tapped is not None
    believe_any_reset(run.recorder.client_host.tapped.connection)
    with pytest.raises(NotAllowedError, match="AHEAD"):
        run.run()


def test_time_wait_that_is_skipped_is_not_allowed() -> None:
    recorder = Recorder(ECDHE)
    make = recorder.server_host.make_connection

    def make_faulty(*arguments: object) -> TcpConnection:
        connection = make(*arguments)  # type: ignore[arg-type]  # as they came
        skip_time_wait(connection)
        return connection

    recorder.server_host.make_connection = make_faulty  # type: ignore[method-assign, assignment]
    with pytest.raises(NotAllowedError, match="FIN"):
        recorder.run()


def test_state_that_is_not_the_table_s_is_not_allowed() -> None:
    run = HostileRun(ECDHE)
    assert run.recorder.server_host.tapped is not None
    run.recorder.server_host.tapped.connection.fin_sent = lambda: None  # type: ignore[method-assign]
    with pytest.raises(NotAllowedError, match="server says that it is in CLOSE-WAIT; its table has LAST-ACK"):
        run.run()


def test_record_that_its_table_does_not_allow_stops_the_run() -> None:
    recorder = Recorder(ECDHE)
    sound = recorder.server.oracle.send
    recorder.server.oracle.send = lambda symbol: symbol.message.name != "Finished" and sound(symbol)  # type: ignore[method-assign]
    with pytest.raises(NotAllowedError, match="server sent Finished"):
        recorder.run()
