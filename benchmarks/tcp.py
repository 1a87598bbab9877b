"""Throughput of our TCP in memory: MB/s and packets/s, beside what a bare pump of the same packets reaches.

    python benchmarks/tcp.py

A transfer is one connection that carries bytes one way, without loss, over impl/network.py with its virtual clock. The
bare pump takes the segments of such a transfer and does what cannot be left out: encode with checksum, and decode with
its check. It says how fast Python is on this machine; the ratio to it says how much our TCP adds. The two take turns,
and the median round of each counts.
"""

from __future__ import annotations

import argparse
import gc
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from shakeproof.impl.network import Link, Network
from shakeproof.impl.tcp import Endpoint, Host, Segment, TcpConfig

CLIENT, SERVER, PORT = "192.0.2.1", "192.0.2.2", 443
DEFAULT_MIB = 4
DEFAULT_ROUNDS = 5
WINDOW = 1 << 20
"""Bytes of both buffers: enough that the window is no limit for the delay of the link."""
IMPAIRED = Link(loss=0.05, reordering=0.05, duplication=0.03)


class Source:
    """Sends so many bytes."""

    def __init__(self, size: int) -> None:
        self.left = size

    @property
    def is_open(self) -> bool:
        return self.left > 0

    def data_to_send(self) -> bytes:
        size = min(1 << 16, self.left)
        self.left -= size
        return bytes(size)

    def receive_data(self, data: bytes) -> Sequence[object]:
        return ()

    def receive_eof(self) -> Sequence[object]:
        return ()


class Sink(Source):
    """Counts what it receives."""

    def __init__(self) -> None:
        super().__init__(0)
        self.received = 0
        self.ended = False

    @property
    def is_open(self) -> bool:
        return not self.ended

    def receive_data(self, data: bytes) -> Sequence[object]:
        self.received += len(data)
        return ()

    def receive_eof(self) -> Sequence[object]:
        self.ended = True
        return ()


@dataclass(frozen=True)
class Result:
    """One round."""

    seconds: float
    size: int
    packets: int

    @property
    def megabytes_per_s(self) -> float:
        return self.size / self.seconds / 1e6

    @property
    def packets_per_s(self) -> float:
        return self.packets / self.seconds


def transfer(size: int, link: Link, *, recording: bool = False) -> tuple[Result, Network]:
    """Carries so many bytes from one host to another."""
    network = Network(1, link=link)
    network.recording = recording
    packets = 0
    deliver = network.inject

    def count(*arguments: object) -> None:
        nonlocal packets
        packets += 1
        deliver(*arguments)  # type: ignore[arg-type]

    network.inject = count  # type: ignore[method-assign]
    settings = {"receive_buffer": WINDOW, "send_buffer": WINDOW, "window_scale": 5}
    client = network.add_host(Host(CLIENT, TcpConfig(secret=b"client", **settings)))
    server = network.add_host(Host(SERVER, TcpConfig(secret=b"server", **settings)))
    sink = Sink()
    network.serve(server.listen(PORT), lambda: sink)
    network.join(client.connect(Endpoint(SERVER, PORT), 0.0), Source(size))
    gc.collect()
    begin = time.perf_counter()
    finished = network.run_until(lambda: sink.ended, 1e6)
    seconds = time.perf_counter() - begin
    if not finished or sink.received != size:
        raise SystemExit(f"the transfer broke off after {sink.received} of {size} bytes")
    return Result(seconds, size, packets), network


def bare_pump(segments: Sequence[tuple[str, str, Segment]], size: int) -> Result:
    """Encodes and decodes the segments, nothing else."""
    gc.collect()
    begin = time.perf_counter()
    for source, destination, segment in segments:
        Segment.decode(segment.encode(source, destination), source, destination)
    return Result(time.perf_counter() - begin, size, len(segments))


def segments_of(size: int) -> list[tuple[str, str, Segment]]:
    """The segments of a transfer."""
    _, network = transfer(size, Link(), recording=True)
    packets = [record.packet for record in network.records]
    return [
        (packet.source_ip, packet.destination_ip, Segment.decode(packet.data, packet.source_ip, packet.destination_ip))
        for packet in packets
    ]


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=DEFAULT_MIB, help="MiB a round (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=DEFAULT_ROUNDS, help="rounds of each (default %(default)s)")
    arguments = parser.parse_args()
    size = arguments.mib << 20
    segments = segments_of(size)
    contenders: dict[str, list[Result]] = {"bare pump": [], "our TCP": [], "our TCP, impaired": []}
    for _ in range(arguments.rounds):
        contenders["bare pump"].append(bare_pump(segments, size))
        contenders["our TCP"].append(transfer(size, Link())[0])
        contenders["our TCP, impaired"].append(transfer(size, IMPAIRED)[0])
    print(f"Python {platform.python_version()}, {platform.machine()}; {arguments.mib} MiB a round, MSS 1460 with "
          f"timestamps, median of {arguments.rounds} rounds")  # fmt: skip
    print(f"impaired: {IMPAIRED.loss:.0%} lost, {IMPAIRED.reordering:.0%} late, {IMPAIRED.duplication:.0%} twice\n")
    print(f"{'':20}{'MB/s':>8}{'packets/s':>12}{'of the bare pump':>19}")
    base = statistics.median(result.megabytes_per_s for result in contenders["bare pump"])
    for name, results in contenders.items():
        rate = statistics.median(result.megabytes_per_s for result in results)
        packets = statistics.median(result.packets_per_s for result in results)
        print(f"{name:20}{rate:8.2f}{packets:12,.0f}{rate / base:18.0%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
