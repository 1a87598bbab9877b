"""What somebody beside one end of a TCP connection objects to, and what not."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shakeproof.impl.errors import LocalProtocolError
from shakeproof.impl.tcp import Endpoint, Flags, Segment, TcpConfig, TcpConnection, TimedOut
from shakeproof.impl.tcp.events import Closed, DataReceived, Event, PeerClosed, ResetReceived
from shakeproof.model import tcp_segments as t
from shakeproof.properties import safety
from shakeproof.properties.tcp_watch import TcpWatch

NO_FLAGS = Flags(0)
A, B = Endpoint("192.0.2.1", 40_000), Endpoint("192.0.2.2", 443)


# ------------------------------------------------------------------------------------------------ honest, bad network


class Net:
    """Two ends of ours on a network that loses, repeats and reorders, each watched."""

    def __init__(self, seed: int, loss: float, stamps: bool) -> None:
        self.random = random.Random(seed)
        self.loss, self.now_s = loss, 0.0
        self.config = TcpConfig(
            secret=b"a secret", timestamps=stamps, mss=536, receive_buffer=self.random.choice([2000, 65_535]),
            nagle=self.random.random() < 0.5, challenge_acks=2**62, msl_s=5.0,
        )  # fmt: skip
        readings = frozenset({"rfc5961", "rfc7323"} if stamps else {"rfc5961"})
        self.ends = [TcpConnection(self.config, *pair, 0.0) for pair in ((A, B), (B, A))]
        self.watches = [TcpWatch(name, *pair, readings=readings) for name, pair in (("a", (A, B)), ("b", (B, A)))]
        self.on_the_way: list[tuple[int, Segment]] = []

    def sent(self, end: int) -> list[Segment]:
        """What an end sends, put on the way."""
        found = self.ends[end].segments_to_send(self.now_s)
        for segment in found:
            if self.random.random() >= self.loss:
                times = 2 if self.random.random() < self.loss else 1
                self.on_the_way += [(1 - end, segment)] * times
        if self.random.random() < self.loss:
            self.random.shuffle(self.on_the_way)
        return found

    def call(self, end: int, name: str) -> None:
        """A call."""
        connection = self.ends[end]
        given: dict[str, Any] = {}
        try:
            if name == "active OPEN":
                connection.open_active(self.now_s)
            elif name == "passive OPEN":
                connection.open_passive()
            elif name == "SEND":
                data = self.random.randbytes(self.random.choice([1, 600, 3000]))
                given["data"] = data[: connection.send(data, self.now_s)]
            elif name == "RECEIVE":
                given["count"] = len(connection.receive(self.random.choice([None, 100])))
            else:
                connection.shutdown(self.now_s)
        except LocalProtocolError:
            pass
        sent = self.sent(end)
        assert self.watches[end].call(name, sent, connection.take_events(), **given) is None

    def step(self) -> None:
        """Something happens."""
        kind, end = self.random.random(), self.random.randrange(2)
        if kind < 0.6 and self.on_the_way:
            end, segment = self.on_the_way.pop(0)
            told = self.ends[end].receive_segment(segment, self.now_s)
            assert self.watches[end].receive(segment, self.sent(end), told) is None
        elif kind < 0.75:
            timeouts = [at for one in self.ends if (at := one.next_timeout()) is not None]
            self.now_s = max(self.now_s, min(timeouts, default=self.now_s))
            for end, connection in enumerate(self.ends):
                told = connection.tick(self.now_s)
                assert self.watches[end].tick(self.sent(end), told) is None
        else:
            self.call(end, self.random.choices(["SEND", "RECEIVE", "CLOSE"], [8, 8, 1])[0])


@pytest.mark.parametrize("stamps", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("loss", [0.0, 0.1, 0.3])
def test_two_honest_ends_are_left_in_peace_on_a_bad_network(loss: float, stamps: bool) -> None:
    for seed in range(6):
        net = Net(seed, loss, stamps)
        net.call(1, "active OPEN" if seed % 3 == 2 else "passive OPEN")
        net.call(0, "active OPEN")
        for _ in range(100):
            net.step()
        for connection, watch in zip(net.ends, net.watches, strict=True):
            assert connection.state.replace("_", "-") == watch.state
            watch.dispose()


# -------------------------------------------------------------------------------------------------------- each check


class Watched:
    """An open connection of ours from `A` to `B`, and the watch beside it, to which anything can be shown."""

    def __init__(self, **config: Any) -> None:
        values: dict[str, Any] = {"timestamps": False, "delayed_ack": False, **config}
        self.end = TcpConnection(TcpConfig(secret=b"a secret", **values), A, B, 0.0)
        self.watch = TcpWatch("end", A, B)
        self.end.open_active(0.0)
        assert self.watch.call("active OPEN", self.end.segments_to_send(0.0), []) is None
        assert self.give(Flags.SYN, seq=1000) is None

    def segment(self, bits: Flags, *, seq: int | None = None, ack: int | None = None, **fields: Any) -> Segment:
        """From the peer; what is expected next unless given."""
        view = self.watch.view
        fields = {"window": 5000, **fields}
        return Segment(B.port, A.port, seq or view.rcv_nxt, ack or view.snd_nxt, bits | Flags.ACK, **fields)

    def answer(self, segment: Segment) -> tuple[list[Segment], list[Event]]:
        """What our end makes of it."""
        told = self.end.receive_segment(segment, 0.0)
        return self.end.segments_to_send(0.0), told

    def give(
        self, bits: Flags = NO_FLAGS, change: Change | None = None, *, throttled: bool = False, **fields: Any
    ) -> safety.PropertyViolation | None:
        """The answer to a segment, changed before the watch sees it."""
        segment = self.segment(bits, **fields)
        sent, told = self.answer(segment)
        if change is not None:
            sent, told = change(sent, told)
        return self.watch.receive(segment, sent, told, throttled=throttled)

    def send(self, data: bytes, change: Change | None = None) -> safety.PropertyViolation | None:
        """A SEND, and what came of it, changed."""
        self.end.send(data, 0.0)
        sent, told = self.end.segments_to_send(0.0), self.end.take_events()
        if change is not None:
            sent, told = change(sent, told)
        return self.watch.call("SEND", sent, told, data=data)


Change = Callable[[list[Segment], list[Event]], tuple[list[Segment], list[Event]]]


def silent(_: list[Segment], told: list[Event]) -> tuple[list[Segment], list[Event]]:
    return [], told


def untold(sent: list[Segment], _: list[Event]) -> tuple[list[Segment], list[Event]]:
    return sent, []


def telling(*events: Event) -> Change:
    return lambda sent, told: (sent, [*told, *events])


def with_fields(**fields: Any) -> Change:
    return lambda sent, told: ([replace(one, **fields) for one in sent], told)


def further(count: int) -> Change:
    return lambda sent, told: ([replace(one, ack=one.ack + count) for one in sent], told)


def reset_too(sent: list[Segment], told: list[Event]) -> tuple[list[Segment], list[Event]]:
    return [*sent, Segment(A.port, B.port, sent[0].seq, 0, Flags.RST)], told


TEXT: dict[str, Any] = {"bits": Flags.PSH, "data": b"text"}
WINDOW = 65_535


@pytest.mark.parametrize(
    ("given", "change", "kind"),
    [
        pytest.param({"bits": Flags.FIN}, silent, safety.Hung, id="FIN not acknowledged"),
        pytest.param(TEXT, untold, safety.RefusedValid, id="text not delivered"),
        pytest.param(TEXT, further(1), safety.WentOn, id="more acknowledged than came"),
        pytest.param(TEXT, further(-1), safety.RefusedValid, id="less acknowledged than was delivered"),
        pytest.param(TEXT, with_fields(flags=Flags.RST), safety.RefusedValid, id="reset for text"),
        pytest.param(TEXT, reset_too, safety.RefusedValid, id="reset beside the acknowledgment"),
        pytest.param(TEXT, with_fields(seq=1), safety.WrongOutput, id="acknowledgment from nowhere"),
        pytest.param(TEXT, telling(PeerClosed()), safety.WentOn, id="closing for text"),
        pytest.param({"bits": Flags.RST, "seq": 1100}, silent, safety.Deviated, id="no challenge"),
        pytest.param({"bits": Flags.RST, "seq": 1100}, telling(ResetReceived()), safety.WentOn, id="reset in window"),
        pytest.param({"bits": Flags.SYN, "seq": 1100}, silent, safety.Deviated, id="no challenge of a SYN"),
        pytest.param({**TEXT, "seq": 1000 + WINDOW + 1}, silent, safety.Deviated, id="beyond the window, no answer"),
        pytest.param({**TEXT, "seq": 1000 + WINDOW + 1}, telling(DataReceived(4)), safety.WentOn, id="beyond, taken"),
        pytest.param({**TEXT, "ack": 5}, telling(DataReceived(4)), safety.WentOn, id="ancient ACK, text taken"),
        pytest.param({"bits": Flags.FIN}, untold, safety.RefusedValid, id="FIN ignored"),
        pytest.param({"bits": Flags.FIN, "seq": 1010}, telling(PeerClosed()), safety.WentOn, id="early FIN"),
        pytest.param({"bits": Flags.FIN}, telling(Closed()), safety.WentOn, id="gone after a FIN"),
    ],
)
def test_answer_that_is_changed_is_objected_to_and_the_sound_one_is_not(
    given: dict[str, Any], change: Change, kind: type[safety.PropertyViolation]
) -> None:
    assert Watched().give(**given) is None
    violation = Watched().give(change=change, **given)
    assert type(violation) is kind
    assert violation.property == safety.TCP_FOLLOWS_TABLE
    assert violation.clause.startswith("RFC ")
    assert "expected" in violation.text or "more" in violation.text or "less" in violation.text


def test_reset_that_is_not_acted_on_is_refused_valid() -> None:
    violation = Watched().give(Flags.RST, untold)
    assert type(violation) is safety.RefusedValid


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (silent, safety.Hung),
        (with_fields(data=b"other"), safety.WrongOutput),
        (with_fields(data=b"text and more"), safety.WrongOutput),
        (with_fields(flags=Flags.SYN | Flags.ACK), safety.WrongOutput),
    ],
)
def test_text_of_the_user_goes_out_as_it_was_written(change: Change, kind: type[safety.PropertyViolation]) -> None:
    assert Watched().send(b"text") is None
    assert type(Watched().send(b"text", change)) is kind


def test_text_beyond_the_send_window_is_objected_to() -> None:
    watched = Watched()
    assert watched.give(window=600) is None

    def all_at_once(sent: list[Segment], told: list[Event]) -> tuple[list[Segment], list[Event]]:
        return [replace(sent[0], data=bytes(700))], told

    violation = watched.send(bytes(700), all_at_once)
    assert violation is not None
    assert "100 octets beyond the send window" in violation.text


def test_bytes_whose_checksum_is_wrong_are_dropped_silently() -> None:
    for tells in (False, True):
        watched = Watched()
        data = bytearray(watched.segment(**TEXT).encode(B.ip, A.ip))
        data[-1] ^= 1
        violation = watched.watch.receive(bytes(data), [], [DataReceived(4)] if tells else [])
        assert type(violation) is (safety.WentOn if tells else type(None))


def test_timeout_that_no_timer_explains_is_objected_to() -> None:
    watched = Watched()
    text = Segment(A.port, B.port, watched.watch.view.snd_nxt, watched.watch.view.rcv_nxt, Flags.ACK, data=b"text")
    assert type(watched.watch.tick([text], [])) is safety.WrongOutput


def test_a_connection_that_is_given_up_while_text_waits_is_closed() -> None:
    watched = Watched()
    assert watched.send(b"text") is None
    assert watched.watch.tick([], [TimedOut("R2")]) is None
    assert watched.watch.state == t.CLOSED.name


def test_keep_alives_that_nobody_answers_may_end_a_connection() -> None:
    watched = Watched()
    assert watched.watch.tick([], [TimedOut("keep-alive")]) is None
    assert watched.watch.state == t.CLOSED.name


def test_text_may_wait_where_the_window_is_not_worth_a_segment() -> None:
    watched = Watched()
    assert watched.give(window=40) is None
    assert watched.send(bytes(400)) is None
    assert watched.watch.view.waits


def test_what_ends_at_a_listener_is_in_listen_again() -> None:
    watch = TcpWatch("end", A, B, listening=True)
    assert watch.state == t.LISTEN.name
    reset = Segment(B.port, A.port, 7, 0, Flags.RST)
    assert watch.receive(reset, [], []) is None
    assert watch.state == t.LISTEN.name


CHALLENGED: list[dict[str, Any]] = [
    {"bits": Flags.RST, "seq": 1000 + 40},
    {"bits": Flags.SYN},
    {"seq": 1000 - 40},
    {"bits": Flags.PSH, "data": b"text", "ack": 7},
]


@pytest.mark.parametrize("segment", CHALLENGED)
def test_challenge_may_be_left_out_where_there_were_too_many(segment: dict[str, Any]) -> None:
    watched = Watched(challenge_acks=1, delayed_ack=True)
    assert watched.give(Flags.PSH, data=b"text") is None
    assert watched.give(**segment) is None
    assert watched.send(b"more") is None
    assert watched.give(Flags.PSH, data=b"text") is None  # its acknowledgment is delayed, and so still owed later
    assert watched.give(**segment, throttled=True) is None
    assert not watched.watch.is_blind
    assert watched.watch.state == "ESTABLISHED"
    due_s = watched.end.next_timeout()
    assert due_s is not None
    told = watched.end.tick(due_s)
    sent = watched.end.segments_to_send(due_s)
    assert sent, "the delayed acknowledgment"
    assert watched.watch.tick(sent, told) is None
    assert watched.give(Flags.FIN, untold) is not None, "what comes afterwards is judged"


@pytest.mark.parametrize("segment", CHALLENGED)
def test_challenge_that_is_left_out_without_need_is_objected_to(segment: dict[str, Any]) -> None:
    assert Watched().give(change=silent, **segment) is not None


def test_what_is_no_challenge_is_owed_however_many_there_were() -> None:
    assert Watched().give(Flags.PSH, silent, data=b"text", throttled=True, seq=1000 - 40) is not None
    assert Watched().give(Flags.PSH, untold, data=b"text", throttled=True) is not None


def test_after_a_syn_with_text_nothing_is_judged() -> None:
    watch = TcpWatch("end", A, B, listening=True)
    assert watch.receive(Segment(B.port, A.port, 7, 0, Flags.SYN, 100, data=b"early"), [], []) is None
    assert watch.is_blind
    assert watch.tick([], [Closed()]) is None


def test_reset_that_closes_is_refused_valid_only_where_something_was_due() -> None:
    watched = Watched()
    violation = watched.give(Flags.RST, telling(ResetReceived()), seq=1000 + WINDOW + 10)
    assert type(violation) is safety.WentOn
