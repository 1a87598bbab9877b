"""The mapper of TCP: what it makes says what it should, and an observer's numbers follow what happens."""

from __future__ import annotations

import pytest

from shakeproof.impl.tcp import Endpoint, Flags, Segment
from shakeproof.model import tcp_segments as t
from shakeproof.model.facts import Value
from shakeproof.model.notation import Symbol
from shakeproof.properties.mapper.tcp import classify, readings, said
from shakeproof.properties.mapper.tcp_concretise import Script, concretise
from shakeproof.properties.mapper.tcp_view import View
from shakeproof.properties.tcp_bench import OURS, PEERS, Bench
from shakeproof.properties.tcp_play import TcpPlay
from shakeproof.properties.tcp_words import EVENTS, TcpWord, names
from tests.properties.tcp_plays import machine

PICKS = (0, 1, 7, 22, 59)


def led(setup: str, special: Symbol) -> list[tuple[str, TcpPlay]]:
    """Plays in each configuration to which a way leads. special: led as for this symbol."""
    made = machine(setup)
    out = []
    for word, name in ((w, n) for n, w in made.known_words().items() if w.symbol == special):
        play = made.begin(Bench(made.setup))
        if made._lead(play, TcpWord(word.configuration, special, word.route)):
            out.append((name, play))
    return out


PLAIN = t.Segment.symbol(t.bare, t.current)
SHUT = t.Segment.symbol(t.data, t.shut, t.current)
FILLING = t.Segment.symbol(t.data, t.filling, t.current)


@pytest.mark.parametrize("special", [PLAIN, SHUT, FILLING], ids=["plain", "shut", "filling"])
@pytest.mark.parametrize("setup", ["active", "listener", pytest.param("timestamps", marks=pytest.mark.slow)])
def test_what_is_made_is_read_as_what_it_was_made_for(setup: str, special: Symbol) -> None:
    made = 0
    for name, play in led(setup, special):
        for symbol in play.watch.role.symbols:
            for pick in PICKS:
                segment = play.make(symbol, pick)
                if isinstance(segment, str):
                    assert segment
                    continue
                made += 1
                data = segment.encode(PEERS.ip, OURS.ip)
                assert classify(Segment.decode(data, PEERS.ip, OURS.ip), play.view) == symbol, (name, pick, segment)
    assert made > 5000


def test_every_symbol_of_the_alphabet_can_be_said_somewhere() -> None:
    sayable: set[Symbol] = set()
    everything: set[Symbol] = set()
    for special in (PLAIN, SHUT, FILLING):
        for _, play in led("active", special):
            everything |= set(play.watch.role.symbols)
            sayable |= {one for one in play.watch.role.symbols if not isinstance(play.make(one), str)}
    assert everything - sayable == set()


def test_names_of_cells_tell_configurations_apart() -> None:
    made = machine()
    cells = [name for here in made.role.reachable for name in names(made.role, here).values()]
    assert len(cells) == len(set(cells)) == len(made.role.reachable) * (len(made.role.symbols) + len(EVENTS))


NO_FLAGS = Flags(0)
LOCAL, REMOTE = Endpoint("192.0.2.1", 1), Endpoint("192.0.2.2", 2)


def view() -> View:
    """An open connection: 1001 is expected in a window of 100; 501 to 510 are sent and not acknowledged."""
    known = View(LOCAL, REMOTE)
    known.sent(Segment(1, 2, 490, flags=Flags.SYN, window=100))
    known.take_syn(Segment(2, 1, 1000, 491, Flags.SYN | Flags.ACK, 1000))
    known.written += bytes(20)
    known.sent(Segment(1, 2, 491, 1001, Flags.ACK, 100, data=bytes(20)))
    known.take_ack(Segment(2, 1, 1001, 501, Flags.ACK, 1000))
    return known


def arriving(seq: int, ack: int | None = 511, bits: Flags = NO_FLAGS, size: int = 0, window: int = 1000) -> Segment:
    flags = bits if ack is None else bits | Flags.ACK
    return Segment(2, 1, seq % 2**32, (ack or 0) % 2**32, flags, window, data=bytes(size))


@pytest.mark.parametrize(
    ("segment", "symbol"),
    [
        (arriving(1001), (t.bare, t.expected, t.current)),
        (arriving(1000), (t.bare, t.old, t.current)),
        (arriving(1100), (t.bare, t.ahead, t.current)),
        (arriving(1101), (t.bare, t.outside, t.current)),
        (arriving(1001, size=100), (t.data, t.expected, t.current)),
        (arriving(1000, size=2), (t.data, t.straddling, t.current)),
        (arriving(1000, size=1), (t.data, t.old, t.current)),
        (arriving(1100, size=1), (t.data, t.ahead, t.current)),
        (arriving(1101, size=1), (t.data, t.outside, t.current)),
        (arriving(1001, 510), (t.bare, t.expected, t.partial)),
        (arriving(1001, 501), (t.bare, t.expected, t.duplicate)),
        (arriving(1001, -499), (t.bare, t.expected, t.duplicate)),
        (arriving(1001, -500), (t.bare, t.expected, t.ancient)),
        (arriving(1001, 512), (t.bare, t.expected, t.beyond)),
        (arriving(1001, None), (t.bare, t.expected, t.no_ack)),
        (arriving(1001, 501, window=0), (t.bare, t.expected, t.duplicate, t.zero)),
        (arriving(1001, 502, window=5), (t.bare, t.expected, t.partial, t.shrunk)),
        (arriving(1001, bits=Flags.RST), (t.rst, t.expected, t.current)),
        (arriving(1002, bits=Flags.RST | Flags.SYN), (t.rst, t.ahead, t.current)),
        (arriving(1000, bits=Flags.SYN), (t.syn, t.repeated, t.current)),
        (arriving(999, bits=Flags.SYN), (t.syn, t.old, t.current)),
        (arriving(1000, bits=Flags.RST), (t.rst, t.old, t.current)),
        (arriving(1001, bits=Flags.FIN), (t.fin, t.expected, t.current)),
        (arriving(1001, bits=Flags.FIN, size=100), (t.data, t.expected, t.current)),  # the FIN lies beyond the window
        (arriving(1000, bits=Flags.FIN), (t.fin, t.old, t.current)),
    ],
)
def test_segment_is_read_by_where_it_lies(segment: Segment, symbol: tuple[Value, ...]) -> None:
    assert classify(segment, view()) == t.Segment.symbol(*symbol)


def test_text_that_reaches_a_fin_that_is_held_fills_the_gap() -> None:
    known = view()
    known.hold(arriving(1005, bits=Flags.FIN, size=5))
    assert classify(arriving(1001, size=3), known).has(t.expected)
    assert classify(arriving(1001, size=4), known).has(t.filling)


def test_a_fin_that_contradicts_text_that_is_held_is_not_believed() -> None:
    known = view()
    known.hold(arriving(1005, size=5))
    assert classify(arriving(1001, bits=Flags.FIN, size=2), known) == t.Segment.symbol(t.data, t.current)
    assert classify(arriving(1001, bits=Flags.FIN), known) == t.Segment.symbol(t.fin, t.ahead, t.current)


def test_what_was_read_without_a_word_leaves_the_edge_of_the_window_open() -> None:
    known = view()
    known.deliver(50)
    known.read(50)
    assert readings(arriving(1110, size=1), known) == (
        t.Segment.symbol(t.data, t.outside, t.current),
        t.Segment.symbol(t.data, t.ahead, t.current),
    )


@pytest.mark.parametrize(
    ("segment", "symbol"),
    [
        (Segment(1, 2, 511, 1001, Flags.ACK, 100), (t.bare, t.expected, t.current)),
        (Segment(1, 2, 510, 1001, Flags.ACK, 100), (t.bare, t.old, t.current)),
        (Segment(1, 2, 512, 1001, Flags.ACK, 100), (t.bare, t.outside, t.current)),
        (Segment(1, 2, 511, 1002, Flags.ACK, 100), (t.bare, t.expected, t.beyond)),
        (Segment(1, 2, 511, 1000, Flags.ACK, 100), (t.bare, t.expected, t.ancient)),
        (Segment(1, 2, 490, 1001, Flags.ACK | Flags.SYN, 100), (t.syn, t.outside, t.current)),
        (Segment(1, 2, 600, 0, Flags.RST), (t.rst, t.outside, t.no_ack)),
    ],
)
def test_what_the_end_sends_is_read_as_its_receiver_sees_it(segment: Segment, symbol: tuple[Value, ...]) -> None:
    assert said(segment, view()) == t.Segment.symbol(*symbol)


def test_a_segment_that_cannot_be_is_refused_with_a_reason() -> None:
    script = Script(1000)
    for symbol in (t.Segment.symbol(t.data, t.shut, t.current), t.Segment.symbol(t.data, t.current, t.outdated)):
        made = concretise(symbol, view(), script)
        assert isinstance(made, str)
        assert " " in made
