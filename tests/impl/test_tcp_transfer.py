"""Transfers both ways over a network that loses, reorders and duplicates."""

from __future__ import annotations

from typing import Any

import pytest

from shakeproof.impl.network import AGAIN, LATE, LOST, Link
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
