"""A run on a hostile network: our client and server over our TCP, with every fate that a message can have.

The attacker follows a script, so that the run is the same each time; who sends what in answer, and when, is up to the
two ends. The table of each layer judges every step, as in any other run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeAlias

from shakeproof.impl.http import Response
from shakeproof.impl.network import DELIVERED, LATE, Delivery, Stream
from shakeproof.impl.tcp import Flags, Packet, Segment
from shakeproof.impl.tcp.sequence import advance
from shakeproof.impl.tls.suites import CipherSuite
from shakeproof.model.trace import Fate, Phase, Step, Trace, number_steps
from shakeproof.properties.executed import CLIENT, CLIENT_IP, LATENCY_S, PORT, SERVER, SERVER_IP, Recorder
from shakeproof.properties.tap import FORGED, REPLAYED, TAMPERED, with_checksum

LATE_S = 2.75 * LATENCY_S
"""How long a late segment is on its way: what answers those that overtook it crosses it."""
PAUSE_S = 0.5
"""Between the acts, in virtual seconds: longer than an acknowledgment is held back."""
PAGE = b"<!doctype html><title>shakeproof</title>" + b"<p>It holds.</p>" * 240
"""Three segments long: one can be overtaken by two, which is one too few to be sent again for it."""
BESIDE = 1000
"""How far a forged reset lies beside the number that would be believed: still inside the window."""

Act: TypeAlias = Callable[[Packet], list[Delivery]]

OPEN = "open"
"""The phase that only opens the connection, before the first act."""

# fmt: off
PHASES = (
    Phase(OPEN, "Opening", "tls", "TCP, then TLS 1.2"),
    Phase("reordering", "Reordering", "tcp", "a late segment, two that overtake it, what they are answered with"),
    Phase("forgery", "Replay and forgery", "attack", "an old segment again; a reset from off the path"),
    Phase("loss", "Loss", "tcp", "a lost segment, and one whose checksum does not fit"),
    Phase("tampering", "Tampering", "attack", "TCP can't tell, TLS can"),
    Phase("end", "The end", "close", "a fatal alert, then FIN"),
)
# fmt: on


def through(packet: Packet) -> list[Delivery]:
    """Nothing is done to it."""
    return [(packet, LATENCY_S, DELIVERED)]


def late(packet: Packet) -> list[Delivery]:
    """Others overtake it."""
    return [(packet, LATE_S, LATE)]


def lose(packet: Packet) -> list[Delivery]:
    """It never arrives."""
    return []


def flip(packet: Packet) -> list[Delivery]:
    """Its last bit is changed, by the network: its checksum does not fit."""
    return [(_flipped(packet), LATENCY_S, TAMPERED)]


def tamper(packet: Packet) -> list[Delivery]:
    """Its last bit is changed, by an attacker who makes the checksum fit."""
    return [(with_checksum(_flipped(packet)), LATENCY_S, TAMPERED)]


def _flipped(packet: Packet) -> Packet:
    return packet._replace(data=packet.data[:-1] + bytes((packet.data[-1] ^ 1,)))


class HostileRun:
    """The run, act by act. script: what is done to the next segments with data of each lane."""

    def __init__(self, suite: CipherSuite) -> None:
        self.recorder = Recorder(suite, page=PAGE)
        self.tap = self.recorder.tap
        self.script: dict[str, deque[Act]] = {CLIENT: deque(), SERVER: deque()}
        self.phases: list[tuple[int, str]] = [(0, OPEN)]
        """From which packet on which phase is played."""
        self.stream: Stream = self.recorder.open()
        self.tap.adversary = self._meet
        self.recorder.until(self._is_connected, "TLS did not connect")
        self.tap.run(PAUSE_S)

    def run(self) -> None:
        """All acts."""
        self._begin("reordering", server=(late, through, through))
        self._request("/")
        self._begin("forgery")
        old = next(entry.step for entry in self.tap.packets if entry.step.fate is Fate.LATE)
        self.tap.inject(Packet(SERVER_IP, CLIENT_IP, old.data), LATENCY_S, REPLAYED)
        self.tap.run(PAUSE_S)
        self.tap.inject(self._reset(), LATENCY_S, FORGED)
        self.tap.run(PAUSE_S)
        self._begin("loss", client=(lose, flip), server=(through, through, tamper))
        self._request("/again")

    def _is_connected(self) -> bool:
        return all(end.tls.is_connected for end in (self.recorder.client, self.recorder.server))

    def _begin(self, phase: str, client: Iterable[Act] = (), server: Iterable[Act] = ()) -> None:
        self.script = {CLIENT: deque(client), SERVER: deque(server)}
        self.phases.append((len(self.tap.packets) + 1, phase))

    def _request(self, target: str) -> None:
        """Ask for a page, until it is there or the connection is over."""
        known = len(self.stream.events)
        self.recorder.request(target)

        def is_over() -> bool:
            answered = any(isinstance(event, Response) for event in self.stream.events[known:])
            return answered or not any(host.connections for host in self.tap.hosts.values())

        self.recorder.until(is_over, "neither a response nor an end came")
        self.tap.run(PAUSE_S)

    def _meet(self, packet: Packet, now_s: float) -> list[Delivery] | None:
        """Do what the script says with a segment that has data."""
        lane = self.tap.lane(packet.source_ip)
        segment = Segment.decode(packet.data, packet.source_ip, packet.destination_ip)
        if not segment.data or not self.script[lane]:
            return None
        act = self.script[lane].popleft()
        if act is tamper:
            self.phases.append((len(self.tap.packets) + 1, "tampering"))
        return act(packet)

    def _reset(self) -> Packet:
        """A reset in the server's name, from somebody who has guessed almost right."""
        last = next(
            entry.segment
            for entry in reversed(self.tap.packets)
            if entry.segment is not None and entry.step.sender == SERVER and entry.step.fate is Fate.DELIVERED
        )
        seq = advance(last.seq, last.length + BESIDE)
        reset = Segment(PORT, last.destination_port, seq, flags=Flags.RST)
        return Packet(SERVER_IP, CLIENT_IP, reset.encode(SERVER_IP, CLIENT_IP))

    # ------------------------------------------------------------------------------------------------------ the trace

    def trace(self) -> Trace:
        """What happened, act by act."""
        return replace(
            self.recorder.trace("HTTPS on a hostile network"),
            steps=number_steps(self._placed()),
            phases=PHASES,
            subtitle="TCP endures what happens to segments; TLS ends at the first record that was changed.",
        )

    def _placed(self) -> list[Step]:
        steps, phase = [], OPEN
        for entry in sorted(self.tap.entries, key=lambda entry: entry.place):
            if phase != "end":
                phase = "end" if entry.step.message == "Alert" else self._phase_at(entry.place[0])
            steps.append(replace(entry.step, phase=phase))
        return steps

    def _phase_at(self, packet: int) -> str:
        return next(name for first, name in reversed(self.phases) if packet >= first)


def hostile_run(suite: CipherSuite) -> Trace:
    """The run as a trace. Raises NotAllowedError where an end did what its table does not allow."""
    run = HostileRun(suite)
    run.run()
    return run.trace()
