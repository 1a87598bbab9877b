"""The interaction over TCP: the network's mishaps are repaired, attacks do no harm they must not, faults are found."""

from __future__ import annotations

from typing import Any

import pytest

from shakeproof.model.trace import Fate, Trace
from shakeproof.properties import safety
from shakeproof.properties.adversary import SIDES
from shakeproof.properties.interaction import InteractionMachine
from shakeproof.properties.interaction_base import OFF_PATH, ON_PATH, PATHS, SPLICED
from shakeproof.properties.safety import PropertyViolation

CBC = "TLS_RSA_WITH_AES_128_CBC_SHA"
Calls = list[tuple[str, dict[str, Any]]]

FORGED = {"ack": 0, "stamp": 0, "size": 0}


def machine(path: str, rogue: str = "", watched: str = "", *, record: bool = False) -> InteractionMachine:
    made = InteractionMachine(rogue, watched=frozenset({watched} if watched else ()), record=record)
    made.configure(suite=CBC, path=path)
    return made


def run(path: str, calls: Calls, rogue: str = "", watched: str = "") -> InteractionMachine:
    made = machine(path, rogue, watched)
    for name, arguments in calls:
        getattr(made, name)(**arguments)
    made.finish()
    return made


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [0, 20_000])
def test_the_page_arrives_over_tcp_and_both_ends_close(path: str, size: int) -> None:
    made = run(path, [("deliver", {"to": "first", "count": 16}), ("request", {"size": size})])
    assert made.client.responses == 2
    states = {made.network.sockets[side].state for side in SIDES}
    assert states <= {"CLOSED", "TIME_WAIT", "LISTEN"}
    for side, socket in made.network.sockets.items():
        assert socket.read == made.network.sockets[socket.peer].written, side
    assert not made.attacked


MISHAPS: Calls = [
    *[("drop_segment", {"after": after, "unit": 0}) for after in range(15)],
    *[("delay_segment", {"after": after, "unit": 0, "by_s": 3.0}) for after in range(0, 15, 5)],
    *[("duplicate_segment", {"after": after}) for after in range(0, 15, 5)],
    *[("reorder_segment", {"after": after, "unit": 1}) for after in range(3, 15, 4)],
    *[("fragment_segment", {"after": after, "piece": 70}) for after in range(3, 15, 5)],
    *[("garble_segment", {"after": after, "place": 13 * after, "bit": 3}) for after in range(0, 15, 5)],
    *[("replay_segment", {"after": after, "segment": after // 2}) for after in range(1, 15, 5)],
    *[("wait", {"seconds": seconds}) for seconds in (0.1, 2.0)],
]


@pytest.mark.parametrize("path", [SPLICED, OFF_PATH])
def test_tcp_repairs_each_mishap_at_each_place(path: str) -> None:
    for call in MISHAPS:
        made = run(path, [call])
        assert made.client.responses == made.client.requests > 0, call
        assert not made.attacked
        assert made.network.now_s < 60, call


def test_what_is_lost_again_and_again_is_an_attack_in_the_end() -> None:
    lost: Calls = [("drop_segment", {"after": 0, "unit": 0})]
    assert not run(OFF_PATH, lost * 5).attacked
    assert run(OFF_PATH, lost * 6).attacked


def test_old_duplicates_of_an_earlier_connection_do_no_harm() -> None:
    made = machine(OFF_PATH)
    made.finish()
    for number in range(len(made.network.flight.history)):
        made.replay_segment(after=number % 12, segment=number)
    made.finish()
    assert not made.attacked
    assert made.wire.connection > 1


BLIND: Calls = [
    ("forge_segment", {"after": after, "to": side, "flags": flags, "offset": offset, **FORGED})
    for after in (8,)
    for side in SIDES
    for flags in ("RST", "SYN", "FIN-ACK", "RST-ACK")
    for offset in (1, 30_000, -5, 70_000)
]


def test_whoever_is_off_the_path_does_no_harm() -> None:
    guessed = 0
    for call in BLIND:
        made = run(OFF_PATH, [call])
        guessed += made.guessed
        assert made.client.responses == made.client.requests > 0, call
    assert guessed == sum(call[1]["flags"] != "FIN-ACK" or call[1]["offset"] not in (1, 30_000) for call in BLIND)


@pytest.mark.parametrize("side", SIDES)
def test_a_blind_segment_does_not_make_the_timestamps_of_the_peer_too_old(side: str) -> None:
    """It straddles what is expected next, its acknowledgment is impossible, its timestamp lies far ahead."""
    guess = {"flags": "PSH-ACK", "offset": -500, "ack": 1_000, "stamp": (1 << 31) - 1, "size": 1_000}
    made = machine(OFF_PATH)
    made.deliver(to="first", count=12)
    made.forge_segment(after=0, to=side, **guess)
    assert made.guessed
    made.request(size=300)
    made.finish()
    assert made.client.responses == 2


def test_whoever_is_on_the_path_can_close_a_connection() -> None:
    made = machine(ON_PATH)
    made.deliver(to="first", count=6)
    made.forge_segment(after=0, to="client", flags="RST", offset=0, **FORGED)
    assert made.attacked
    assert not made.client.is_open


def test_off_the_path_the_exact_number_is_not_known() -> None:
    made = machine(OFF_PATH)
    made.deliver(to="first", count=6)
    made.forge_segment(after=0, to="client", flags="RST", offset=0, **FORGED)
    assert not made.guessed
    assert made.client.is_open


ATTACKS: Calls = [
    *[
        ("tamper_segment", {"after": after, "place": place, "bit": 1})
        for after in range(0, 15, 2)
        for place in (5, 13, 60)
    ],
    *[("truncate_segment", {"after": after, "keep": 20}) for after in range(3, 15, 3)],
    *[("forge", {"after": after, "which": ("client", "Alert")}) for after in (4, 8, 12)],
    *[("forge", {"after": after, "which": ("server", "ApplicationData")}) for after in (4, 8, 12)],
]


def test_clean_ends_withstand_attacks_on_the_path() -> None:
    for call in ATTACKS:
        made = run(ON_PATH, [call])
        assert made.violation is None, call


PAGE: Calls = [("deliver", {"to": "first", "count": 12}), ("request", {"size": 20_000})]
CLOSING: Calls = [("close", {"after": 12, "side": "client"}), ("deliver", {"to": "first", "count": 1})]

FAULTS: list[tuple[str, str, str, Calls, type[PropertyViolation]]] = [
    (
        "in-window-reset",
        OFF_PATH,
        safety.OFF_PATH_HARMLESS,
        [("forge_segment", {"after": 5, "to": "client", "flags": "RST", "offset": 100, **FORGED})],
        safety.Swayed,
    ),
    (
        "syn-resets",
        OFF_PATH,
        safety.OFF_PATH_HARMLESS,
        [("forge_segment", {"after": 5, "to": "server", "flags": "SYN", "offset": 100, **FORGED})],
        safety.Swayed,
    ),
    (
        "unsent-acknowledged",
        OFF_PATH,
        safety.OFF_PATH_HARMLESS,
        [
            *PAGE,
            (
                "forge_segment",
                {"after": 1, "to": "server", "flags": "ACK", "offset": 1, "ack": 100_000, "stamp": 0, "size": 0},
            ),
        ],
        safety.Swayed,
    ),
    (
        "no-retransmission",
        OFF_PATH,
        safety.COMPLETION,
        [("drop_segment", {"after": 4, "unit": 0})],
        safety.Incomplete,
    ),
    (
        "early-fin-closes",
        OFF_PATH,
        safety.DATA_INTACT,
        [*CLOSING, ("reorder_segment", {"after": 0, "unit": 1})],
        safety.NotIntact,
    ),
    (
        "old-syn-opens",
        OFF_PATH,
        safety.COMPLETION,
        [("finish", {}), ("replay_segment", {"after": 0, "segment": 0})],
        safety.Incomplete,
    ),
    (
        "in-window-reset",
        ON_PATH,
        safety.TCP_FOLLOWS_TABLE,
        [("forge_segment", {"after": 5, "to": "client", "flags": "RST", "offset": 100, **FORGED})],
        safety.WentOn,
    ),
]


@pytest.mark.parametrize(("rogue", "path", "watched", "calls", "kind"), FAULTS)
def test_fault_of_tcp_breaks_the_property_and_the_clean_stack_does_not(
    rogue: str, path: str, watched: str, calls: Calls, kind: type[PropertyViolation]
) -> None:
    run(path, calls)
    with pytest.raises(kind) as caught:
        run(path, calls, rogue, watched)
    assert caught.value.property == watched


def test_two_hosts_that_answer_resets_never_come_to_an_end() -> None:
    calls: Calls = [("tamper_segment", {"after": 1, "place": 0, "bit": 1})]
    run(ON_PATH, calls)
    with pytest.raises(safety.Incomplete, match="still moves"):
        run(ON_PATH, calls, "reset-for-reset", safety.COMPLETION)


def test_bytes_that_tcp_delivers_twice_are_found() -> None:
    made = machine(OFF_PATH, watched=safety.DATA_INTACT)
    made.deliver(to="first", count=3)
    connection = made.network.sockets["server"].connection
    assert connection is not None
    sound = connection.receive
    connection.receive = lambda limit=None: 2 * sound(limit)  # type: ignore[method-assign]
    with pytest.raises(safety.NotIntact, match="TCP gave the server"):
        made.deliver(to="first", count=3)


def test_trace_has_both_layers_and_every_fate() -> None:
    made = machine(ON_PATH, record=True)
    made.drop_segment(after=1, unit=0)
    made.delay_segment(after=6, unit=0, by_s=0.05)
    made.duplicate_segment(after=3)
    made.tamper_segment(after=2, place=13, bit=3)
    made.forge_segment(after=1, to="client", flags="ACK", offset=5, **FORGED)
    made.finish()
    trace = made.trace("a hostile network")
    assert Trace.from_json(trace.to_json()) == trace
    assert {step.layer for step in trace} == {"tcp", "tls12"}
    assert {step.fate for step in trace} >= {Fate.LOST, Fate.LATE, Fate.REPLAYED, Fate.TAMPERED, Fate.FORGED}
    assert [lane.name for lane in trace.lanes] == ["client", "attacker", "server"]
    packets = [step for step in trace if step.layer == "tcp"]
    assert packets[0].title == "SYN"
    assert packets[0].detail == "seq 0"
    assert all(step.message == "Segment" and len(step.data) >= 20 and step.time_s is not None for step in packets)
    times = [step.time_s for step in trace if step.time_s is not None]
    assert times == sorted(times)
    carried = [step for step in trace if step.layer == "tls12" and step.carrier is not None]
    assert all(trace.steps[(step.carrier or 1) - 1].layer == "tcp" for step in carried)
    assert carried


def test_spliced_trace_shows_both_halves_with_the_attacker_between() -> None:
    made = machine(SPLICED, record=True)
    made.deliver(to="first", count=4)
    trace = made.trace("two halves")
    syns = [(step.sender, step.receiver) for step in trace if step.title == "SYN"]
    assert syns == [("client", "attacker"), ("attacker", "server")]


@pytest.mark.parametrize("path", PATHS)
def test_calls_repeat_the_run(path: str) -> None:
    calls: Calls = [
        ("drop_segment", {"after": 2, "unit": 0}),
        ("replay_segment", {"after": 5, "segment": 1}),
        ("wait", {"seconds": 0.6}),
    ]
    first, second = run(path, calls), run(path, calls)
    history = [(one.packet, one.sent_s) for one in first.network.flight.history]
    assert history == [(one.packet, one.sent_s) for one in second.network.flight.history]
