"""What a connection is told from outside. Times are seconds of the clock whose readings are passed in as `now`."""

from __future__ import annotations

from dataclasses import dataclass, field

DEFAULT_MSS_IPV4 = 536
DEFAULT_MSS_IPV6 = 1220
"""What a peer can receive that does not say (MUST-15)."""
IPV6_EXTRA = 20
"""Bytes by which the header of IPv6 is longer: the same link carries so much less data (MUST-67)."""
MIN_SEND_MSS = 48
"""A peer's smaller MSS is taken for this one: one octet a packet is how CVE-2019-11479 wore out its victims, and what
Linux set against it is the same number."""
MAX_WINDOW = 65_535
MAX_WINDOW_SHIFT = 14
"""RFC 7323 section 2.3: a larger shift count is used as 14."""
MIN_R2_S = 100.0
"""SHLD-11."""
MIN_SYN_R2_S = 180.0
"""MUST-23: a SYN is retransmitted for at least 3 minutes."""


@dataclass(frozen=True, kw_only=True)
class TcpConfig:
    """A connection's settings; the defaults are the RFC's.

    secret: key of the initial sequence numbers and timestamps, which a whole host shares. mss: the largest segment
    that we take, and that our network carries, without options, over IPv4; over IPv6, whose header is longer, it is
    IPV6_EXTRA less. receive_buffer, send_buffer: bytes. window_scale: the
    shift count that we ask for, None not to ask. rfc5961: its defence against blind attackers; False for what
    RFC 9293 section 3.10.7.4 states beside it. r1, r2_s, syn_r2_s: retransmissions until the user is told, seconds
    until the connection is given up. user_timeout_s: gives up earlier or later, whatever the reason that data is not
    delivered. half_duplex_close: after `close` data from the peer is answered with a reset (MAY-1). challenge_acks:
    how many in challenge_interval_s; RFC 5961 section 7 has the same example. The count is a connection's own: one
    for all of a host would tell an attacker about others' connections (CVE-2016-5696).
    """

    secret: bytes = field(repr=False)
    mss: int = 1460
    receive_buffer: int = 65_535
    send_buffer: int = 131_072
    window_scale: int | None = 0
    timestamps: bool = True
    nagle: bool = True
    delayed_ack: bool = True
    delayed_ack_s: float = 0.2
    rfc5961: bool = True
    keepalive: bool = False
    keepalive_idle_s: float = 7200.0
    keepalive_interval_s: float = 75.0
    keepalive_probes: int = 9
    msl_s: float = 120.0
    min_rto_s: float = 1.0
    max_rto_s: float = 60.0
    r1: int = 3
    r2_s: float = MIN_R2_S
    syn_r2_s: float = MIN_SYN_R2_S
    user_timeout_s: float | None = None
    half_duplex_close: bool = False
    challenge_acks: int = 10
    challenge_interval_s: float = 5.0

    def __post_init__(self) -> None:
        if not self.secret:
            raise ValueError("secret is empty; initial sequence numbers must not be computable from outside (MUST-9)")
        if not MIN_SEND_MSS + IPV6_EXTRA <= self.mss <= MAX_WINDOW:
            raise ValueError(f"mss is {self.mss}; it must be {MIN_SEND_MSS + IPV6_EXTRA} to {MAX_WINDOW}")
        if self.window_scale is not None and not 0 <= self.window_scale <= MAX_WINDOW_SHIFT:
            raise ValueError(f"window_scale is {self.window_scale}; it must be None or 0 to {MAX_WINDOW_SHIFT}")
        if self.receive_buffer < 1 or self.send_buffer < 1:
            raise ValueError("receive_buffer and send_buffer must hold at least one byte")
        if not 0 < self.delayed_ack_s < 0.5:
            raise ValueError(f"delayed_ack_s is {self.delayed_ack_s}; it must be below 0.5 (MUST-40)")
        if not 0 < self.min_rto_s <= self.max_rto_s:
            raise ValueError(f"min_rto_s is {self.min_rto_s}, max_rto_s {self.max_rto_s}; order them, above 0")
        if self.r1 < 1 or self.keepalive_probes < 2:
            raise ValueError("r1 must be at least 1, and keepalive_probes 2: one lost probe is no proof (MUST-29)")
