"""A capture of any trace as a pcapng file, which Wireshark opens decrypted and with a comment on each packet.

A trace that has TCP has its packets: the segments as they were on the wire, with an IP header around each. Where it has
records only (a finding of an audit), a TCP connection is made around them, and the comments of its handshake say so.
The secrets of the trace go into a Decryption Secrets Block, so that no option has to be set.

Each packet is recorded as it is sent, by whoever sent it: also one that was lost, and a late one where it left, since
Wireshark decrypts only what it sees in order. The comment says what became of it, and when it arrived. Of records
without TCP, the stream is what the receiver got: a record that was lost is an empty segment with a comment. Where the
transport ended, there is a FIN.

A comment has every step that the packet brought, in their order, with the numbers that the trace's picture shows.

Source: pcapng, draft-ietf-opsawg-pcapng; RFC 791 section 3.1 and RFC 8200 section 3 (headers).
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from shakeproof import __version__
from shakeproof.console import visible
from shakeproof.impl.tcp import Flags, Segment
from shakeproof.model.trace import Fate, Kind, Lane, Step, Trace

SECTION_HEADER, INTERFACE, SECRETS, PACKET = 0x0A0D0D0A, 1, 10, 6
"""Types of blocks."""
BYTE_ORDER_MAGIC = 0x1A2B3C4D
UNKNOWN_LENGTH = -1
LINKTYPE_RAW = 101
"""A packet begins with its IP header."""
TLS_KEY_LOG = 0x544C534B
"""The type of secrets: lines as NSS writes them."""
COMMENT, APPLICATION, INTERFACE_NAME, RESOLUTION, END = 1, 4, 2, 9, 0
"""Options; names apart by block: 2 to 9 mean something else in each."""
TICKS_PER_S = 1_000_000
MICROSECONDS = b"\x06"
MAX_OPTION = 0xFFFF
"""The length of an option has 16 bits."""

TCP = 6
HOPS = 64
DO_NOT_FRAGMENT = 0x4000
SERVER_PORT = 443
FIRST_PORT = 49_152
MSS = 1460
NO_FLAGS = Flags(0)
WINDOW = 65_535
SPACING_S = 0.001
"""Between messages of a trace that has no times."""
MADE = "made for this file: the trace has no TCP"
END_OF_TRANSPORT = "end of the transport"
"""What a trace without TCP calls it where a party sends no more, and says so."""
NOT_DRAWN = "not in the picture: "
RECORD_HEADER, HANDSHAKE, MESSAGE_HEADER = 5, 22, 4


@dataclass
class Frame:
    """One packet of the file. segment: TCP's header and data."""

    time_s: float
    source: str
    destination: str
    segment: bytes
    comments: list[str] = field(default_factory=list)


def save_capture(trace: Trace, path: Path) -> bool:
    """Write the capture of the trace, making its folder; False where the trace has no bytes, and nothing is written."""
    try:
        data = capture(trace)
    except ValueError:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return True


def capture(trace: Trace, picture: Trace | None = None) -> bytes:
    """The trace as a pcapng file. picture: what is drawn of it, where that leaves steps out and numbers the rest anew.

    Raises ValueError where the trace has no bytes of any message, or the picture is of another one.
    """
    numbers = {step.number: step.number for step in trace} if picture is None else _numbers(trace, picture)
    frames = frames_of(trace, numbers)
    said = [f"{trace.title}. {trace.subtitle}".strip(), *_conventions(trace, numbers)]
    blocks = [
        _block(
            SECTION_HEADER,
            struct.pack("<IHHq", BYTE_ORDER_MAGIC, 1, 0, UNKNOWN_LENGTH)
            + _options((COMMENT, _text(said)), (APPLICATION, f"shakeproof {__version__}".encode())),
        ),
        _block(
            INTERFACE,
            struct.pack("<HHI", LINKTYPE_RAW, 0, 0)
            + _options((INTERFACE_NAME, b"shakeproof"), (RESOLUTION, MICROSECONDS)),
        ),
    ]
    if trace.secrets:
        lines = "".join(f"{line}\n" for line in trace.secrets).encode("utf-8", "replace")
        blocks.append(_block(SECRETS, struct.pack("<II", TLS_KEY_LOG, len(lines)) + _padded(lines)))
    for number, frame in enumerate(frames, 1):
        data = ip_packet(frame.source, frame.destination, frame.segment, number)
        ticks = round(frame.time_s * TICKS_PER_S)
        blocks.append(
            _block(
                PACKET,
                struct.pack("<IIIII", 0, ticks >> 32 & 0xFFFFFFFF, ticks & 0xFFFFFFFF, len(data), len(data))
                + _padded(data)
                + _options((COMMENT, _text(frame.comments))),
            )
        )
    return b"".join(blocks)


def frames_of(trace: Trace, numbers: Mapping[int, int]) -> list[Frame]:
    """The packets in the order of the file. numbers: what the comments call each step. Raises ValueError where there is
    none.
    """
    real = {step.number for step in trace.messages() if step.layer == "tcp" and step.data}
    frames = _real(trace, real, numbers) if real else _Synthesis(trace, numbers).frames()
    if not frames:
        raise ValueError("the trace has no bytes: only what was executed can be captured")
    return sorted(frames, key=lambda frame: frame.time_s)  # a stable sort: what has the same time keeps its order


def _conventions(trace: Trace, numbers: Mapping[int, int]) -> list[str]:
    """What to know before reading the times, the packets and the numbers."""
    said = []
    if any(step.time_s is not None for step in trace):
        odd = [fate.value for fate in (Fate.LOST, Fate.LATE) if any(step.fate is fate for step in trace.messages())]
        also = f", {' and '.join(odd)} ones too" if odd else ""
        said.append(f"Times are those of the run, which begins at 0; each packet is recorded as it was sent{also}.")
    if len(numbers) < len(trace.steps):
        said.append("Steps have their numbers in the picture of the run, which leaves some of them out.")
    return said


def _numbers(trace: Trace, picture: Trace) -> dict[int, int]:
    """What each step of the trace is called in the picture, which has some of the steps, in the same order."""
    found: dict[int, int] = {}
    drawn = iter(picture.steps)
    wanted = next(drawn, None)
    for step in trace.steps:
        if wanted is not None and _content(step) == _content(wanted):
            found[step.number] = wanted.number
            wanted = next(drawn, None)
    if wanted is not None:
        raise ValueError(f"the picture is of another run, which has its step {wanted.number}")
    return found


def _content(step: Step) -> Step:
    """What stays of a step where it is drawn beside others."""
    return replace(step, number=0, received_after=None, carrier=None, before={}, after={}, phase="")


# ------------------------------------------------------------------------------------------------------------ comments


def _comments(trace: Trace, step: Step, numbers: Mapping[int, int]) -> list[str]:
    """What the step is, what became of it, and what judged it."""
    lanes = {lane.name: lane for lane in trace.lanes}
    called = f"step {numbers[step.number]}: " if step.number in numbers else NOT_DRAWN
    said = [called + step.sentence(lanes)]
    if step.defect:
        said.append(f"defect: {', '.join(step.defect)}")
    if step.fate is Fate.LATE and step.received_s is not None and step.time_s is not None:
        said.append(f"sent at {step.time_s:.6f} s, arrived at {step.received_s:.6f} s")
    said += [text for text in (_cited(step), step.verdict, step.note) if text]
    return said


def _cited(step: Step) -> str:
    if not step.clause:
        return ""
    return step.clause if step.clause.startswith("RFC") else f"RFC {step.clause}"


def _text(lines: Iterable[str]) -> bytes:
    """Lines for people, without what a peer could steer a terminal with, as long as an option may be."""
    whole = "\n".join(visible(line) for line in lines if line).encode("utf-8", "replace")
    return whole[:MAX_OPTION].decode("utf-8", "ignore").encode()


# ------------------------------------------------------------------------------------------------- traces that have TCP


def _real(trace: Trace, segments: Container[int], numbers: Mapping[int, int]) -> list[Frame]:
    """The packets of the segments. Whatever has no packet of its own is said beside the one that brought it, or, where
    none did (time that passed), beside the one before it.
    """
    addresses = _addresses(trace)
    frames: dict[int, Frame] = {}
    brought: dict[int, list[Step]] = {}
    latest = 0
    for step in trace.steps:
        if step.number in segments:
            sender, receiver = (addresses.get(lane, addresses[""]) for lane in (step.sender, step.receiver))
            frames[step.number] = Frame(step.time_s or 0.0, sender, receiver, step.data)
            latest = step.number
        by = step.number if step.number in segments else step.carrier or latest
        brought.setdefault(by, []).append(step)  # the order of the steps: a carrier may come after what it brings
    first = min(frames)
    for number, steps in sorted(brought.items()):
        frame = frames.get(number, frames[first])
        for step in steps:
            frame.comments += _comments(trace, step, numbers)
    return list(frames.values())


def _addresses(trace: Trace) -> dict[str, str]:
    """Lane -> IP address: as the trace has it, else one for documentation (RFC 5737); "" for whoever has no lane."""
    given = trace.meta.get("addresses")
    found = {"": "192.0.2.254"}
    for number, lane in enumerate(trace.lanes, 1):
        found[lane.name] = f"192.0.2.{number}"
        if isinstance(given, Mapping) and _is_address(given.get(lane.name)):
            found[lane.name] = str(given[lane.name])
    if len({ip_address(ip).version for lane, ip in found.items() if lane}) > 1:
        raise ValueError("the lanes have addresses of IPv4 and of IPv6")
    if any(ip_address(ip).version == 6 for ip in found.values()):
        found[""] = "2001:db8::fe"
    return found


def _is_address(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(ip_address(text))
    except ValueError:
        return False


# -------------------------------------------------------------------------------------------- traces that have records


@dataclass
class _Connection:
    """One made-up TCP connection. next: of each of its lanes, the next sequence number."""

    client: str
    server: str
    port: int
    next: dict[str, int]


class _Synthesis:
    """TCP around the records of a trace."""

    def __init__(self, trace: Trace, numbers: Mapping[int, int]) -> None:
        self.trace = trace
        self.numbers = numbers
        self.addresses = _addresses(trace)
        self.lanes = {lane.name: lane for lane in trace.lanes}
        self.connections: dict[frozenset[str], _Connection] = {}
        self.made: list[Frame] = []
        self.now_s = 0.0
        messages = trace.messages()
        honest = {frozenset((s.sender, s.receiver)) for s in messages if not {s.sender, s.receiver} & self._attackers}
        self.honest = next(iter(honest)) if len(honest) == 1 else None
        """The two lanes of the one connection that an attacker only breaks into."""

    @property
    def _attackers(self) -> set[str]:
        return {lane.name for lane in self.lanes.values() if lane.side == "attacker"}

    def frames(self) -> list[Frame]:
        """The packets, in the order of the steps."""
        before: Step | None = None
        for step in self.trace.steps:
            self.now_s = max(self.now_s, step.time_s or 0.0)
            crosses = step.kind is Kind.MESSAGE and step.sender != step.receiver
            if crosses and not (before is not None and _is_same_record(before, step)):
                self._message(step)
                before = step
            else:
                self._remark(step)
        return self.made

    def _said(self, step: Step) -> list[str]:
        return _comments(self.trace, step, self.numbers)

    def _remark(self, step: Step) -> None:
        """Something that has no bytes of its own: said beside the packet before it."""
        if self.made:
            self.made[-1].comments += self._said(step)

    def _message(self, step: Step) -> None:
        ends = frozenset((step.sender, step.receiver))
        if step.message == END_OF_TRANSPORT and ends in self.connections:
            self._segment(self.connections[ends], step.sender, b"", self._said(step), flags=Flags.FIN)
            return
        if not step.data:
            self._remark(step)
            return
        sender = step.sender
        if self.honest is not None and ends != self.honest and ends & self.honest:
            # Into, or out of, the connection of two others: in the name of the one who is not meant.
            sender = step.sender if step.sender in self.honest else next(iter(self.honest - {step.receiver}))
            ends = self.honest
        connection = self.connections.get(ends) or self._open(ends, step)
        if step.fate is Fate.LOST:
            self._segment(connection, sender, b"", self._said(step))
            return
        parts = [step.data[at : at + MSS] for at in range(0, len(step.data), MSS)]
        for number, part in enumerate(parts, 1):
            first = f"part {number} of {len(parts)} of step {self.numbers.get(step.number, '')}: {step.label}"
            said = self._said(step) if number == len(parts) else [first]
            self._segment(connection, sender, part, said, flags=Flags.PSH if number == len(parts) else NO_FLAGS)
        if step.time_s is None:
            self.now_s += SPACING_S

    def _open(self, ends: frozenset[str], step: Step) -> _Connection:
        client = _client_of([self.lanes.get(name) or Lane(name, name, side="") for name in sorted(ends)], step.sender)
        server = next(name for name in ends if name != client)
        port = FIRST_PORT + len(self.connections)
        connection = self.connections[ends] = _Connection(client, server, port, {client: 0, server: 0})
        self._segment(connection, client, b"", [MADE], flags=Flags.SYN)
        self._segment(connection, server, b"", [MADE], flags=Flags.SYN)
        self._segment(connection, client, b"", [MADE])
        return connection

    def _segment(
        self, connection: _Connection, sender: str, data: bytes, comments: list[str], flags: Flags = NO_FLAGS
    ) -> None:
        receiver = connection.server if sender == connection.client else connection.client
        ports = (connection.port, SERVER_PORT) if sender == connection.client else (SERVER_PORT, connection.port)
        opens = bool(flags & Flags.SYN) and sender == connection.client
        segment = Segment(
            *ports,
            seq=connection.next[sender],
            ack=0 if opens else connection.next[receiver],
            flags=flags if opens else flags | Flags.ACK,
            window=WINDOW,
            data=data,
        )
        source, destination = self.addresses.get(sender, ""), self.addresses.get(receiver, "")
        source, destination = source or self.addresses[""], destination or self.addresses[""]
        self.made.append(Frame(self.now_s, source, destination, segment.encode(source, destination), list(comments)))
        connection.next[sender] = (connection.next[sender] + segment.length) % (1 << 32)


def _client_of(lanes: Sequence[Lane], first: str) -> str:
    """Who opens: the client, or whoever faces the server, or whoever speaks first."""
    for lane in lanes:
        if lane.side == "client":
            return lane.name
    for lane in lanes:
        if lane.side == "server":
            return next(other.name for other in lanes if other is not lane)
    return first


def _is_same_record(before: Step, step: Step) -> bool:
    """Whether both messages came in one record, whose bytes both steps have."""
    if (before.sender, before.receiver, before.data, before.fate) != (
        step.sender, step.receiver, step.data, step.fate,
    ):  # fmt: skip
        return False
    return bool(step.data) and (bool(step.protection) or _messages_in(step.data) > 1)


def _messages_in(record: bytes) -> int:
    """How many handshake messages a plaintext record has."""
    if record[:1] != bytes((HANDSHAKE,)):
        return 1
    at, count = RECORD_HEADER, 0
    while at + MESSAGE_HEADER <= len(record):
        at += MESSAGE_HEADER + int.from_bytes(record[at + 1 : at + MESSAGE_HEADER], "big")
        count += 1
    return count


# -------------------------------------------------------------------------------------------------------------- packets


def ip_packet(source: str, destination: str, segment: bytes, identification: int) -> bytes:
    """The segment with an IP header. identification: of an IPv4 packet, counts them."""
    here, there = ip_address(source), ip_address(destination)
    if isinstance(here, IPv6Address) and isinstance(there, IPv6Address):
        return struct.pack(">IHBB", 6 << 28, len(segment), TCP, HOPS) + here.packed + there.packed + segment
    if not (isinstance(here, IPv4Address) and isinstance(there, IPv4Address)):
        raise ValueError(f"{source} and {destination} are of different IP versions")
    start = struct.pack(">BBHHHBB", 0x45, 0, 20 + len(segment), identification & 0xFFFF, DO_NOT_FRAGMENT, HOPS, TCP)
    addresses = here.packed + there.packed
    return start + _ones_complement(start + addresses).to_bytes(2, "big") + addresses + segment


def _ones_complement(data: bytes) -> int:
    """The checksum of an IPv4 header (RFC 1071)."""
    return -int.from_bytes(data, "big") % 0xFFFF


# --------------------------------------------------------------------------------------------------------------- blocks


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _options(*options: tuple[int, bytes]) -> bytes:
    parts: Iterator[bytes] = (struct.pack("<HH", code, len(value)) + _padded(value) for code, value in options if value)
    return b"".join(parts) + struct.pack("<HH", END, 0)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length
