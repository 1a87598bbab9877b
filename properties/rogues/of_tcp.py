"""The rogues of TCP."""

from __future__ import annotations

from collections.abc import Callable

from shakeproof.impl.tcp import Host, TcpConnection
from shakeproof.properties.rogues import tcp
from shakeproof.properties.rogues.planting import TCP, Rogue


def _of_tcp(
    name: str,
    fault: str,
    clause: str,
    plant: Callable[[TcpConnection], None],
    host: Callable[[Host], None] | None = None,
) -> Rogue:
    """A fault of TCP. host: how it is planted on a host, where that is more than on each of its connections."""
    return Rogue(name, fault, (TCP,), clause, tcp=plant, host=host or tcp.on_every_connection(plant))


OF_TCP = (
    _of_tcp(
        "in-window-reset",
        "lets a reset with any sequence number in the window close the connection (reading rfc5961)",
        "RFC 9293 section 3.10.7.4",
        tcp.in_window_reset,
    ),
    _of_tcp(
        "syn-resets",
        "resets a synchronized connection for a SYN in its window (reading rfc5961)",
        "RFC 9293 section 3.10.7.4",
        tcp.syn_resets,
    ),
    _of_tcp(
        "unsent-acknowledged",
        "takes an acknowledgment of octets that it never sent, and forgets those that it had still to send",
        "RFC 9293 section 3.10.7.4",
        tcp.unsent_acknowledged,
    ),
    _of_tcp(
        "old-syn-opens",
        "takes the answer to an old duplicate of its SYN for the answer to its SYN, and opens the connection",
        "RFC 9293 section 3.10.7.3",
        tcp.old_syn_opens,
    ),
    _of_tcp(
        "beyond-window-accepted",
        "takes data that lies beyond the receive window",
        "RFC 9293 section 3.10.7.4",
        tcp.beyond_window_accepted,
    ),
    _of_tcp(
        "overlap-taken-twice",
        "delivers octets once more that come again in front of new ones",
        "RFC 9293 section 3.10.7.4",
        tcp.overlap_taken_twice,
    ),
    _of_tcp(
        "early-fin-closes",
        "takes a FIN that comes out of order for the end of the stream, and acknowledges the data that is missing",
        "RFC 9293 section 3.10.7.4",
        tcp.early_fin_closes,
    ),
    _of_tcp(
        "time-wait-skipped",
        "forgets a connection that it closed actively at once, without TIME-WAIT",
        "RFC 9293 section 3.6.1",
        tcp.time_wait_skipped,
    ),
    _of_tcp(
        "reset-for-reset",
        "answers a reset that belongs to no connection, or that a handshake has no use for, with a reset",
        "RFC 9293 section 3.5.2",
        tcp.reset_for_reset,
        tcp.reset_for_reset_of_nobody,
    ),
    _of_tcp(
        "paws-ignored",
        "takes segments whose timestamp is from the past, although timestamps are agreed on",
        "RFC 7323 section 5.3",
        tcp.paws_ignored,
    ),
    _of_tcp(
        "no-retransmission",
        "never sends again what was lost",
        "RFC 9293 section 3.8",
        tcp.no_retransmission,
    ),
    _of_tcp(
        "predictable-isn",
        "takes its initial sequence numbers from the clock alone, the same for every pair of sockets",
        "RFC 9293 section 3.4.1",
        tcp.predictable_isn,
    ),
    _of_tcp(
        "no-slow-start",
        "sends at once as much as the peer's window takes, whatever the network does",
        "RFC 9293 section 3.8.2",
        tcp.no_slow_start,
    ),
)
