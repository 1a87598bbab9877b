"""The faults of TCP on the wire: what a sound connection answers, and what the one with the fault does instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from shakeproof.impl.tcp import Endpoint, Flags, Host, Packet, Segment, TcpConnection
from shakeproof.impl.tcp.options import maximum_segment_size, timestamps
from shakeproof.model.clauses import plain_text
from shakeproof.properties.rogues import ROGUES, Rogue
from tests.impl.tcp_material import LOCAL, PEER_ISS, PEER_MSS, REMOTE, START_S, Lab, config, letters
from tests.model.test_clauses import rfc_folder

NAMES = tuple(name for name, rogue in ROGUES.items() if rogue.roles == ("tcp",))
BUFFER = 2000
Said = list[object]


def heard(lab: Lab, segments: list[Segment]) -> Said:
    """Each segment: its flags, SEG.SEQ after our SYN, SEG.ACK after the peer's, how much text."""
    iss = lab.connection.iss
    return [
        (letters(s), (s.seq - iss) % 2**32, (s.ack - PEER_ISS) % 2**32 if s.flags & Flags.ACK else 0, len(s.data))
        for s in segments
    ]


def establish(lab: Lab, **fields: Any) -> None:
    """An active open; the peer's MSS is PEER_MSS."""
    lab.connection.open_active(lab.now_s)
    lab.out()
    options = (maximum_segment_size(PEER_MSS), *fields.pop("options", ()))
    lab.give("SA", seq=PEER_ISS, options=options, **fields)
    assert lab.connection.state == "ESTABLISHED"


# --- what is done to either: the wire in, the wire and the state out --------------------------------------------------


def reset_in_window(lab: Lab) -> Said:
    establish(lab)
    return [*heard(lab, lab.give("R", seq=PEER_ISS + 2)), lab.connection.state]


def syn_in_window(lab: Lab) -> Said:
    establish(lab)
    return [*[letters(s) for s in lab.give("S", seq=PEER_ISS + 1)], lab.connection.state]


def ack_of_unsent(lab: Lab) -> Said:
    """1000 of 3000 octets fit into the window; the peer acknowledges 1500, and opens the window."""
    establish(lab, window=1000)
    sent = heard(lab, lab.send(bytes(3000)))
    return [*sent, *heard(lab, lab.give("A", ack=lab.connection.iss + 1501, window=1000))]


def answer_to_an_old_syn(lab: Lab) -> Said:
    """Figure 8: line 4 acknowledges the SYN of line 3, ten octets before ours."""
    lab.connection.open_active(lab.now_s)
    lab.out()
    answer = lab.give("SA", seq=PEER_ISS, ack=lab.connection.iss - 9)
    return [(letters(s), (s.seq - lab.connection.iss) % 2**32) for s in answer] + [lab.connection.state]


def data_beyond_window(lab: Lab) -> Said:
    """10 octets of which 5 fit, the window filled up to them, and 10 more while it is closed."""
    establish(lab)
    lab.give("A", seq=PEER_ISS + 1 + BUFFER - 5, data=bytes(10))
    filled = heard(lab, lab.give("A", data=bytes(BUFFER - 5)))
    return [*filled, *heard(lab, lab.give("A", data=bytes(10)))]


def overlap(lab: Lab) -> Said:
    establish(lab)
    lab.give("A", data=b"abc")
    return [*heard(lab, lab.give("A", seq=PEER_ISS + 2, data=b"bcdef")), lab.connection.receive()]


def early_fin(lab: Lab) -> Said:
    establish(lab)
    return [*heard(lab, lab.give("FA", seq=PEER_ISS + 4)), lab.connection.state]


def fin_once_more(lab: Lab) -> Said:
    establish(lab)
    lab.close()
    first = heard(lab, lab.give("FA", seq=PEER_ISS + 1))
    again = [letters(s) for s in lab.give("FA", seq=PEER_ISS + 1, ack=lab.connection.iss + 2)]
    return [*first, *again, lab.connection.state]


def reset_for_nobody(lab: Lab) -> Said:
    """In CLOSED, and in SYN-SENT with an acknowledgment of nothing."""
    answer = [letters(s) for s in lab.give("R", seq=5) + lab.give("RA", seq=5, ack=7)]
    lab.connection.open_active(lab.now_s)
    lab.out()
    return [*answer, *[letters(s) for s in lab.give("RA", seq=5, ack=lab.connection.iss)], lab.connection.state]


def old_timestamp(lab: Lab) -> Said:
    establish(lab, options=(timestamps(1000, 0),))
    ours = lab.connection.timestamp()
    answer = lab.give("PA", data=b"old", options=(timestamps(999, ours),)) or [s for _, s in lab.elapse(0.4)]
    return [*heard(lab, answer), lab.connection.receive()]


def losses(lab: Lab) -> Said:
    """A SYN, a segment, and a segment with three duplicate acknowledgments: when each is sent again, within 8 s."""
    lab.connection.open_active(lab.now_s)
    lab.out()
    times: Said = [at_s for at_s, _ in lab.elapse(2)]
    lab.give("SA", seq=PEER_ISS, options=(maximum_segment_size(PEER_MSS),))
    lab.send(b"x")
    times += [at_s for at_s, _ in lab.elapse(8)]
    for data in (b"y", b"z"):
        lab.give("A")
        lab.send(data)
    lab.give("A")
    lab.connection.cwnd = 10 * PEER_MSS
    lab.send(bytes(10 * PEER_MSS))
    una = lab.connection.snd_una
    again = [s for _ in range(3) for s in lab.give("A", ack=una) if s.seq == una]
    return [*times, len(again)]


def two_syns(lab: Lab) -> Said:
    """From two ports at one time: whether the initial sequence numbers are the same, and that of the clock."""
    lab.connection.open_active(START_S)
    (one,) = lab.out()
    return [one.seq == int(START_S * 250_000)]


def bulk(lab: Lab) -> Said:
    """How many full segments leave at once: at first, and after a timeout (30: up to the threshold) and its ACK."""
    establish(lab)
    first = len(lab.send(bytes(60 * PEER_MSS)))
    lab.elapse(1)
    return [first, len(lab.give("A", ack=lab.connection.snd_una + PEER_MSS))]


@dataclass(frozen=True)
class Case:
    """A script with what comes of it. changes: of the configuration."""

    script: Callable[[Lab], Said]
    sound: Said
    faulty: Said
    changes: dict[str, Any] = field(default_factory=dict)


CASES = {
    "in-window-reset": Case(reset_in_window, [("A", 1, 1, 0), "ESTABLISHED"], ["CLOSED"]),
    "syn-resets": Case(syn_in_window, ["A", "ESTABLISHED"], ["RA", "CLOSED"]),
    "unsent-acknowledged": Case(
        ack_of_unsent, [("A", 1, 1, 1000), ("A", 1001, 1, 0)], [("A", 1, 1, 1000), ("A", 1501, 1, 1000)]
    ),
    "old-syn-opens": Case(answer_to_an_old_syn, [("R", 2**32 - 9), "SYN_SENT"], [("A", 1), "ESTABLISHED"]),
    "beyond-window-accepted": Case(
        data_beyond_window,
        [("A", 1, BUFFER + 1, 0), ("A", 1, BUFFER + 1, 0)],
        [("A", 1, BUFFER + 6, 0)],
        {"receive_buffer": BUFFER},
    ),
    "overlap-taken-twice": Case(overlap, [("A", 1, 7, 0), b"abcdef"], [("A", 1, 9, 0), b"abcbcdef"]),
    "early-fin-closes": Case(early_fin, [("A", 1, 1, 0), "ESTABLISHED"], [("A", 1, 5, 0), "CLOSE_WAIT"]),
    "time-wait-skipped": Case(fin_once_more, [("A", 2, 2, 0), "A", "TIME_WAIT"], [("A", 2, 2, 0), "R", "CLOSED"]),
    "reset-for-reset": Case(reset_for_nobody, ["SYN_SENT"], ["RA", "R", "R", "SYN_SENT"]),
    "paws-ignored": Case(old_timestamp, [("A", 1, 1, 0), b""], [("A", 1, 4, 0), b"old"], {"timestamps": True}),
    "no-retransmission": Case(losses, [1.0, 3.0, 1], [0]),
    "predictable-isn": Case(two_syns, [False], [True]),
    "no-slow-start": Case(bulk, [4, 2], [60, 30]),
}


def by_tcp(rogue: Rogue, lab: Lab) -> Lab:
    assert rogue.tcp is not None
    rogue.tcp(lab.connection)
    return lab


def by_host(rogue: Rogue, lab: Lab) -> Lab:
    assert rogue.host is not None
    host = Host(LOCAL.ip, lab.connection.config)
    rogue.host(host)
    return Lab(host.make_connection(lab.connection.config, LOCAL, REMOTE, START_S))


def by_both(rogue: Rogue, lab: Lab) -> Lab:
    return by_tcp(rogue, by_host(rogue, lab))


def sound_lab(case: Case) -> Lab:
    return Lab(TcpConnection(config(**case.changes), LOCAL, REMOTE, START_S))


def test_every_rogue_of_tcp_has_its_case() -> None:
    assert set(CASES) == set(NAMES)
    assert len(NAMES) == 13


@pytest.mark.parametrize("plant", [by_tcp, by_host, by_both])
@pytest.mark.parametrize("name", CASES)
def test_fault_shows_on_the_wire_and_leaves_others_alone(name: str, plant: Callable[[Rogue, Lab], Lab]) -> None:
    case = CASES[name]
    before, beside = sound_lab(case), sound_lab(case)
    assert case.script(before) == case.sound
    assert case.script(plant(ROGUES[name], sound_lab(case))) == case.faulty
    assert case.script(beside) == case.sound, "made before the fault was planted, used after it"
    assert case.script(sound_lab(case)) == case.sound, "made afterwards"


@pytest.mark.parametrize("name", CASES)
def test_another_host_makes_sound_connections(name: str) -> None:
    case, rogue = CASES[name], ROGUES[name]
    settings = config(**case.changes)
    faulty, clean = Host(LOCAL.ip, settings), Host(LOCAL.ip, settings)
    assert rogue.host is not None
    rogue.host(faulty)
    assert case.script(Lab(clean.make_connection(settings, LOCAL, REMOTE, START_S))) == case.sound
    assert case.script(Lab(faulty.make_connection(settings, LOCAL, REMOTE, START_S))) == case.faulty


def test_hosts_that_answer_resets_with_resets_never_stop() -> None:
    def answers(host: Host, flags: Flags) -> list[str]:
        data = Segment(443, 40_000, 5, 7, flags).encode(REMOTE.ip, LOCAL.ip)
        host.receive_packet(Packet(REMOTE.ip, LOCAL.ip, data), 0.0)
        return [letters(Segment.decode(p.data, LOCAL.ip, REMOTE.ip)) for p in host.packets_to_send(0.0)]

    faulty, clean = Host(LOCAL.ip, config()), Host(LOCAL.ip, config())
    host_fault = ROGUES["reset-for-reset"].host
    assert host_fault is not None
    host_fault(faulty)
    assert (answers(faulty, Flags.RST), answers(faulty, Flags.RST | Flags.ACK)) == (["RA"], ["R"])
    assert answers(clean, Flags.RST) == answers(clean, Flags.RST | Flags.ACK) == []
    assert answers(clean, Flags.ACK) == answers(faulty, Flags.ACK) == ["R"]


def test_isn_of_one_connection_tells_that_of_another() -> None:
    def difference(host: Host) -> int:
        ports = (1, 2)
        one, two = [host.connect(Endpoint(REMOTE.ip, port), START_S).iss for port in ports]
        return (two - one) % 2**32

    faulty, clean = Host(LOCAL.ip, config()), Host(LOCAL.ip, config())
    plant = ROGUES["predictable-isn"].host
    assert plant is not None
    plant(faulty)
    assert difference(faulty) == 0
    assert difference(clean) != 0


@pytest.mark.parametrize("planted", [False, True])
def test_old_duplicate_syn_opens_a_connection_as_figure_8_has_it_without_its_reset(planted: bool) -> None:
    """A opens; an old SYN of A's reaches B first. With the fault both are ESTABLISHED, ten octets apart."""
    a = Lab(TcpConnection(config(), LOCAL, REMOTE, START_S))
    b = Lab(TcpConnection(config(), REMOTE, LOCAL, START_S))
    if planted:
        by_tcp(ROGUES["old-syn-opens"], a)
    b.connection.open_passive()
    a.connection.open_active(START_S)
    (syn,) = a.out()
    old = Segment(LOCAL.port, REMOTE.port, (syn.seq - 10) % 2**32, flags=Flags.SYN, window=1000)
    b.connection.receive_segment(old, START_S)
    for _ in range(2):
        for segment in b.out():
            a.connection.receive_segment(segment, START_S)
        for segment in a.out():
            b.connection.receive_segment(segment, START_S)
    if planted:
        assert (a.connection.state, b.connection.state) == ("ESTABLISHED", "ESTABLISHED")
        assert (a.connection.snd_nxt - b.connection.rcv_nxt) % 2**32 == 10
    else:
        assert (a.connection.state, b.connection.state) == ("SYN_SENT", "LISTEN")


@pytest.mark.parametrize("name", NAMES)
def test_clause_is_a_section_of_the_rfc(name: str) -> None:
    document, section = ROGUES[name].clause.removeprefix("RFC ").split(" section ")
    path = rfc_folder() / f"rfc{document}.txt"
    if document == "7323":
        assert not path.exists(), "there is a text now: check the section"
        return
    assert f"\n{section}.  " in plain_text(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_fault_is_one_sentence_and_nothing_is_said_to_be_history(name: str) -> None:
    rogue = ROGUES[name]
    assert rogue.fault[0].islower()
    assert not rogue.fault.endswith(".")
    assert rogue.history == "", "none of them is marked as checked"
    assert rogue.connection is None
    assert rogue.validator is None
