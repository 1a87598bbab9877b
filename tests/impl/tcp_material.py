"""A connection under test and a peer whose every segment is written by hand, and crosses the wire; time is a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shakeproof.impl.tcp import Endpoint, Event, Flags, Option, Segment, TcpConfig, TcpConnection
from shakeproof.impl.tcp.options import maximum_segment_size

LOCAL = Endpoint("192.0.2.1", 40_000)
REMOTE = Endpoint("192.0.2.2", 443)
LOCAL_IPV6 = Endpoint("2001:db8::1", 40_000)
REMOTE_IPV6 = Endpoint("2001:db8::2", 443)
PEER_ISS = 1_000_000
START_S = 100.0
PEER_MSS = 1000
"""A round number, below ours."""

_LETTERS = {"F": Flags.FIN, "S": Flags.SYN, "R": Flags.RST, "P": Flags.PSH, "A": Flags.ACK, "U": Flags.URG}


def config(**changes: Any) -> TcpConfig:
    """No timestamps, so that segments are simple; otherwise the defaults."""
    values: dict[str, Any] = {"secret": b"a secret of the tests", "timestamps": False}
    return TcpConfig(**(values | changes))


def flags(letters: str) -> Flags:
    """Flags from their initials."""
    found = Flags(0)
    for letter in letters:
        found |= _LETTERS[letter]
    return found


def letters(segment: Segment) -> str:
    """Initials of a segment's flags, in the order of the table above."""
    return "".join([letter for letter, flag in _LETTERS.items() if segment.flags & flag])


class Lab:
    """Drives one connection. `give` hands it a segment, `elapse` lets time go by; both give what it sends."""

    def __init__(self, connection: TcpConnection) -> None:
        self.connection = connection
        self.now_s = START_S
        self.events: list[Event] = []

    def give(self, flag_letters: str, seq: int | None = None, ack: int | None = None, **fields: Any) -> list[Segment]:
        """A segment from the peer; seq and ack are what is expected next unless given."""
        c = self.connection
        bits = flags(flag_letters)
        values: dict[str, Any] = {"window": 65_535} | fields
        segment = Segment(
            REMOTE.port,
            LOCAL.port,
            (c.rcv_nxt if seq is None else seq) % 2**32,
            ((c.snd_nxt if ack is None else ack) % 2**32) if bits & Flags.ACK else 0,
            bits,
            **values,
        )
        here, there = self.addresses
        arrived = Segment.decode(segment.encode(there, here), there, here)
        self.events += c.receive_segment(arrived, self.now_s)
        return self.out()

    def out(self) -> list[Segment]:
        """What the connection sends now, as it arrives."""
        here, there = self.addresses
        sent = self.connection.segments_to_send(self.now_s)
        return [Segment.decode(segment.encode(here, there), here, there) for segment in sent]

    @property
    def addresses(self) -> tuple[str, str]:
        """Ours and the peer's."""
        c = self.connection
        return c.local.ip, c.remote.ip if c.remote else REMOTE.ip

    def send(self, data: bytes, **options: Any) -> list[Segment]:
        """The user sends."""
        assert self.connection.send(data, self.now_s, **options) == len(data)
        return self.out()

    def close(self) -> list[Segment]:
        """The user closes."""
        self.connection.close(self.now_s)
        return self.out()

    def elapse(self, seconds: float) -> list[tuple[float, Segment]]:
        """Lets time go by: what is sent, and how long after the beginning."""
        begin_s, end_s = self.now_s, self.now_s + seconds
        found = []
        while (timeout_s := self.connection.next_timeout()) is not None and timeout_s <= end_s:
            self.now_s = timeout_s
            self.events += self.connection.tick(timeout_s)
            found += [(round(timeout_s - begin_s, 6), segment) for segment in self.out()]
        self.now_s = end_s
        self.events += self.connection.tick(end_s)
        return found

    def take_events(self) -> list[Event]:
        """The events since the last time."""
        events, self.events = self.events, []
        return events


def closed_lab(*, version: int = 4, **changes: Any) -> Lab:
    """A connection in CLOSED that knows its peer. version: of IP."""
    local, remote = (LOCAL, REMOTE) if version == 4 else (LOCAL_IPV6, REMOTE_IPV6)
    return Lab(TcpConnection(config(**changes), local, remote, START_S))


def listening_lab(**changes: Any) -> Lab:
    """A connection in LISTEN, for the one peer. changes: of the configuration, and `version`."""
    lab = closed_lab(**changes)
    lab.connection.open_passive()
    return lab


def opening_lab(**changes: Any) -> Lab:
    """A connection in SYN-SENT. changes: as above."""
    lab = closed_lab(**changes)
    lab.connection.open_active(START_S)
    (syn,) = lab.out()
    assert letters(syn) == "S"
    return lab


def connected(
    *, passive: bool = False, window: int = 65_535, options: tuple[Option, ...] | None = None, **changes: Any
) -> Lab:
    """A connection in ESTABLISHED; the peer's MSS is PEER_MSS unless it has options of its own."""
    syn_options = (maximum_segment_size(PEER_MSS),) if options is None else options
    if passive:
        lab = listening_lab(**changes)
        lab.give("S", seq=PEER_ISS, window=window, options=syn_options)
        lab.give("A", window=window)
    else:
        lab = opening_lab(**changes)
        (ack,) = lab.give("SA", seq=PEER_ISS, window=window, options=syn_options)
        assert letters(ack) == "A"
    assert lab.connection.state == "ESTABLISHED"
    lab.take_events()
    return lab


def _close_wait(lab: Lab) -> None:
    lab.give("FA")


def _fin_wait_1(lab: Lab) -> None:
    lab.close()


def _fin_wait_2(lab: Lab) -> None:
    lab.close()
    lab.give("A")


def _closing(lab: Lab) -> None:
    lab.close()
    lab.give("FA", ack=lab.connection.snd_una)


def _last_ack(lab: Lab) -> None:
    lab.give("FA")
    lab.close()


def _time_wait(lab: Lab) -> None:
    lab.close()
    lab.give("FA")


_PATHS: dict[str, Callable[[Lab], None]] = {
    "ESTABLISHED": lambda lab: None,
    "CLOSE_WAIT": _close_wait,
    "FIN_WAIT_1": _fin_wait_1,
    "FIN_WAIT_2": _fin_wait_2,
    "CLOSING": _closing,
    "LAST_ACK": _last_ack,
    "TIME_WAIT": _time_wait,
}
SYNCHRONIZED = tuple(_PATHS)
STATES = ("CLOSED", "LISTEN", "SYN_SENT", "SYN_RECEIVED", *SYNCHRONIZED)


def lab_in(state: str, **changes: Any) -> Lab:
    """A connection in that state; SYN-RECEIVED from a passive OPEN."""
    if state == "CLOSED":
        return closed_lab(**changes)
    if state == "SYN_SENT":
        return opening_lab(**changes)
    if state in ("LISTEN", "SYN_RECEIVED"):
        lab = listening_lab(**changes)
        if state == "SYN_RECEIVED":
            lab.give("S", seq=PEER_ISS)
    else:
        lab = connected(**changes)
        _PATHS[state](lab)
    assert lab.connection.state == state
    lab.take_events()
    return lab
