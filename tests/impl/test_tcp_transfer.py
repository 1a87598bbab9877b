"""Transfers both ways at once over a network that loses, reorders and duplicates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shakeproof.impl.network import AGAIN, LATE, LOST, Link
from shakeproof.impl.tcp import TcpConnection
from shakeproof.impl.tcp.reassembly import Reassembly
from tests.impl.tcp_transfer import Transfer

IMPAIRED = Link(loss=0.05, reordering=0.05, duplication=0.03)
KIB = 1024


@pytest.mark.parametrize("seed", range(20))
def test_64_kib_both_ways_through_loss_reordering_and_duplication(seed: int) -> None:
    transfer = Transfer.begin(seed, 64 * KIB, IMPAIRED)
    assert transfer.run()
    transfer.check()
    assert {record.fate for record in transfer.network.records} >= {LOST, LATE, AGAIN}


@pytest.mark.slow
def test_8_mib_both_ways_through_loss_reordering_and_duplication() -> None:
    transfer = Transfer.begin(1, 8 * KIB * KIB, IMPAIRED)
    transfer.network.recording = False
    assert transfer.run(100_000)
    transfer.check()


@pytest.mark.parametrize(
    "changes",
    [
        {"timestamps": False},
        {"nagle": False, "delayed_ack": False},
        {"rfc5961": False},
        {"receive_buffer": 1000},
        {"receive_buffer": 500_000, "send_buffer": 500_000, "window_scale": 4},
        {"receive_buffer": 3, "send_buffer": 50},
        {"mss": 100},
        {"window_scale": None},
    ],
    ids=str,
)
def test_16_kib_whatever_the_settings(changes: dict[str, Any]) -> None:
    size = 300 if changes.get("receive_buffer") == 3 else 16 * KIB
    transfer = Transfer.begin(7, size, IMPAIRED, **changes)
    assert transfer.run(20_000)
    transfer.check()


def test_half_of_all_packets_lost() -> None:
    transfer = Transfer.begin(3, 8 * KIB, Link(loss=0.5), r2_s=1e9, syn_r2_s=1e9)
    assert transfer.run(20_000)
    transfer.check()


def test_without_impairment_nothing_is_sent_twice() -> None:
    transfer = Transfer.begin(5, 256 * KIB, Link())
    assert transfer.run()
    transfer.check()
    data = [len(record.packet.data) - 32 for record in transfer.network.records if len(record.packet.data) > 40]
    assert sum(data) == 2 * 256 * KIB


def test_everything_is_forgotten_after_2_msl() -> None:
    transfer = Transfer.begin(5, KIB, IMPAIRED)
    assert transfer.run()
    hosts = transfer.network.hosts.values()
    assert transfer.network.run_until(lambda: not any(host.connections for host in hosts), 600)
    assert transfer.network.next_event() is None


# --- and that such a transfer notices what it should ------------------------------------------------------------------


def never_sent_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TcpConnection, "retransmit", lambda _: None)
    patch.setattr(TcpConnection, "fast_retransmit", lambda _: None)


def early_fin_taken(patch: pytest.MonkeyPatch) -> None:
    def check(self: TcpConnection, seq: int) -> bool:
        self.rcv_nxt = seq
        return True

    patch.setattr(TcpConnection, "check_fin_is_next", check)


def held_data_out_of_order(patch: pytest.MonkeyPatch) -> None:
    """What was held is delivered, but the first two octets of it the wrong way round."""
    sound = Reassembly.take

    def take(self: Reassembly, seq: int) -> bytes:
        data = sound(self, seq)
        return data[1:2] + data[:1] + data[2:]

    patch.setattr(Reassembly, "take", take)


def late_copies_taken_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TcpConnection, "check_sequence_number", lambda *_: True)
    patch.setattr(TcpConnection, "trim_to_new", lambda self, _, data: (self.rcv_nxt, data))


@pytest.mark.parametrize("plant", [never_sent_again, early_fin_taken, held_data_out_of_order, late_copies_taken_again])
def test_fault_in_tcp_is_seen_in_a_transfer(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_whole(seed: int) -> bool:
        transfer = Transfer.begin(seed, 64 * KIB, IMPAIRED, nagle=False)
        if not transfer.run(600):
            return False
        try:
            transfer.check()
        except AssertionError:
            return False
        return True

    assert is_whole(0)
    plant(monkeypatch)
    assert not all(is_whole(seed) for seed in range(20))
