"""The requirements of RFC 9293, Appendix B, that can be observed on the wire: how each is covered.

Of its 69 MUSTs and 31 SHOULDs, 51 MUSTs and 24 SHOULDs show in segments, given a clock and an application that the
tester plays; the others speak of interfaces inside a host. Ids are as printed there. A requirement is covered by

    rows        of the table: those that cite the sentence which demands it
    a property  of an implementation, named here with what it must check; `written` says that the test exists
    nothing     yet, with the reason
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from shakeproof.model.notation import Row
from shakeproof.model.tcp import tcp

MUSTS, SHOULDS = 51, 24


@dataclass(frozen=True)
class Requirement:
    """A requirement. cites: the quotes whose rows model it; prop, checks: a property's name and what it must check.

    written: whether a test of that name exists; missing: why there is neither rows nor a property.
    """

    id: str
    section: str
    text: str
    cites: tuple[str, ...] = ()
    prop: str = ""
    checks: str = ""
    written: bool = False
    missing: str = ""

    @property
    def is_must(self) -> bool:
        """Whether it is a MUST (or MUST NOT)."""
        return self.id.startswith("MUST")

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of the table that model it, under both readings."""
        return tuple(row for row in _table() if row.authority and set(self.cites) & set(row.authority.keys))

    @property
    def is_covered(self) -> bool:
        """Whether it is modelled or tested."""
        return bool(self.cites) or self.written

    @property
    def cover(self) -> str:
        """How it is covered, in one line."""
        if self.cites:
            first, *more = self.rows
            others = f" and {len(more)} more" if more else ""
            return f"row {first.id}{others}"
        if self.prop:
            return f"property {self.prop}{'' if self.written else ' (to be written)'}: {self.checks}"
        return f"not yet: {self.missing}"


@cache
def _table() -> tuple[Row, ...]:
    return tcp.under(tcp.readings).table


def _rows(id_: str, section: str, text: str, *cites: str) -> Requirement:
    return Requirement(id_, section, text, cites=cites)


def _property(id_: str, section: str, text: str, prop: str, checks: str, *, written: bool = False) -> Requirement:
    return Requirement(id_, section, text, prop=prop, checks=checks, written=written)


def _missing(id_: str, section: str, text: str, why: str) -> Requirement:
    return Requirement(id_, section, text, missing=why)


# fmt: off
REQUIREMENTS: tuple[Requirement, ...] = (
    # ---- window
    _property("MUST-1", "3.1", "the window is unsigned", "test_window_is_unsigned_16_bits",
              "windows of 32768 to 65535 are not taken for negative: that much is in flight at once", written=True),
    _property("SHLD-14", "3.8.6", "a receiver does not shrink its window", "test_right_edge_of_window_never_moves_left",
              "SEG.ACK + SEG.WND never falls, but by less than a unit of a scaled window, whatever arrives and is read", written=True),
    _rows("MUST-34", "3.8.6", "a sender survives a window that shrinks", "3.8.6 robust"),
    _rows("SHLD-15", "3.8.6", "nothing new is sent beyond a window that shrank", "3.8.6 shrunk"),
    _rows("SHLD-16", "3.8.6", "old text inside a window that shrank is retransmitted", "3.8.6 shrunk"),
    _property("SHLD-17", "3.8.6", "no timeout for text beyond a window that shrank", "test_shrunk_window_does_not_time_out",
              "while the peer answers, a connection outlives R2 although text beyond the right edge is not acknowledged",
              written=True),
    _rows("MUST-35", "3.8.6", "a window that shrinks to zero is probed", "3.8.6 probe"),
    _rows("MUST-36", "3.8.6.1", "a zero window is probed", "3.8.6.1 probe"),
    _rows("MUST-37", "3.8.6.1", "a zero window that is acknowledged keeps the connection open", "3.8.6.1 stay"),
    _property("SHLD-29", "3.8.6.1", "the first probe after the retransmission timeout",
              "test_zero_window_is_probed_after_the_rto_and_ever_more_seldom",
              "the time from the zero window to the first probe is the retransmission timeout", written=True),
    _property("SHLD-30", "3.8.6.1", "the interval between probes grows exponentially",
              "test_zero_window_is_probed_after_the_rto_and_ever_more_seldom",
              "each interval between probes is twice the one before, up to a maximum", written=True),
    _rows("MUST-66", "3.4", "RST and URG are processed in a zero window", "3.4 zero-window"),
    # ---- checksum
    _property("MUST-2", "3.1", "the checksum of what is sent is right", "test_checksum_of_every_sent_segment_is_right",
              "every segment that a run sends verifies, over IPv4 and IPv6 pseudo-headers, odd lengths included",
              written=True),
    _property("MUST-3", "3.1", "the checksum of what arrives is verified", "test_segment_with_a_bad_checksum_is_dropped_in_silence",
              "any one flipped bit leaves every state as it was, without an answer", written=True),
    # ---- options
    _property("MUST-4", "3.1", "End of Option List, NOP and MSS are supported", "test_what_is_encoded_is_decoded",
              "the three are read wherever they stand, and what is written is read back", written=True),
    _property("MUST-5", "3.1", "options are received in any segment", "test_options_are_read_in_any_segment",
              "a segment of any state with options is handled as it is without them", written=True),
    _property("MUST-6", "3.1", "unknown options are ignored", "test_unknown_option_in_any_segment_is_ignored",
              "an option of any unknown kind with a length changes nothing", written=True),
    _property("MUST-7", "3.1", "illegal option lengths are survived",
              "test_illegal_option_length_ends_the_list_and_is_survived",
              "length 0, 1, or beyond the header: dropped or reset, no crash, no loop", written=True),
    _property("MUST-64", "3.2", "options need not be aligned", "test_options_begin_on_any_octet",
              "NOPs put before an option, as many as fit, change nothing", written=True),
    _property("MUST-68", "3.1", "all options but EOL and NOP have a length", "test_sent_options_have_lengths",
              "the options of every sent segment parse by their lengths alone", written=True),
    _property("MUST-69", "3.1", "the header is padded with zeros", "test_header_is_padded_with_zeros",
              "what follows End of Option List up to the data offset is zero", written=True),
    # ---- maximum segment size
    _property("MUST-14", "3.7.1", "the MSS option is sent and received", "test_mss_option_is_sent_and_obeyed",
              "SYN and SYN-ACK carry it, and no sent segment is larger than the peer's", written=True),
    _property("MUST-15", "3.7.1", "the default send MSS is 536, or 1220 for IPv6", "test_send_mss_without_option",
              "to a peer without the option no segment has more text than that", written=True),
    _property("MUST-16", "3.7.1", "the effective send MSS is the smaller one",
              "test_effective_mss_is_the_smaller_one_less_the_options",
              "min(SendMSS + 20, MMS_S) - TCPhdrsize - IPoptionsize, options such as timestamps deducted",
              written=True),
    _property("MUST-65", "3.7.1", "MSS stands in SYNs only", "test_mss_option_is_in_no_segment_without_syn",
              "no segment without SYN carries the option", written=True),
    _property("MUST-67", "3.7.1", "the MSS that is sent is at most MMS_R - 20", "test_sent_mss_fits_the_link",
              "the option is the link's MTU less fixed IP and TCP headers, 20 less over IPv6; no packet exceeds the MTU", written=True),
    _property("SHLD-5", "3.7.1", "MSS is sent in every SYN", "test_mss_option_is_sent_and_obeyed",
              "SYN and SYN-ACK carry it unless it is the default", written=True),
    _missing("SHLD-6", "3.7.3", "MSS accounts for an MTU that varies", "links of the network in memory have one MTU"),
    # ---- initial sequence numbers
    _property("MUST-8", "3.4.1", "initial sequence numbers follow a clock",
              "test_isn_of_one_pair_of_sockets_follows_the_clock",
              "for one pair of sockets, ISN grows by one in 4 microseconds of the clock", written=True),
    _property("SHLD-1", "3.4.1", "and a keyed hash of the connection", "test_isn_of_other_tuples_is_unrelated",
              "with another port, address or secret the difference is not predictable", written=True),
    # ---- opening
    _rows("MUST-10", "3.5", "simultaneous open", "3.5 both", "3.5 figure-7"),
    _rows("MUST-11", "3.5", "SYN-RECEIVED remembers how it was reached", "3.5 origin"),
    _property("MUST-42", "3.9.1.1", "one may LISTEN on a port of which connections are open", "test_listener_and_its_connections",
              "a listener goes on accepting while connections of its port are in any state", written=True),
    # ---- resets and closing
    _rows("SHLD-2", "3.5.3", "a RST may carry text", "3.5.3 text"),
    _rows("SHLD-3", "3.6.1", "close with unread text sends RST", "3.6.1 lost"),
    _rows("MUST-13", "3.6.1", "TIME-WAIT for 2 MSL", "3.6.1 linger"),
    _rows("SHLD-4", "3.6.1", "timestamps reduce TIME-WAIT", "3.6.1 timestamps"),
    # ---- retransmission and congestion
    _property("MUST-18", "3.8.1", "RTO as RFC 6298 has it, with Karn's algorithm", "test_rto_follows_rfc_6298",
              "initially 1 s, doubled at each timeout, SRTT + 4 RTTVAR from samples of what was sent once only",
              written=True),
    _property("MUST-19", "3.8.2", "slow start, congestion avoidance, backoff", "test_congestion_window_follows_rfc_5681",
              "flight never exceeds cwnd of a reference computed from the trace of ACKs and losses", written=True),
    _rows("MUST-20", "3.8.3", "close after R2 retransmissions", "3.8.3 procedure"),
    _rows("MUST-22", "3.8.3", "the same mechanism for SYNs", "3.8.3 syn"),
    _property("MUST-23", "3.8.3", "SYNs are retransmitted for at least 3 minutes", "test_syn_is_given_up_after_three_minutes_at_least",
              "to a silent peer the last SYN, or SYN-ACK, is sent 180 s or more after the first, and only then given up", written=True),
    _property("SHLD-10", "3.8.3", "R1 is at least 3 retransmissions",
              "test_r1_tells_the_user_and_r2_gives_up_after_100_seconds",
              "the delivery problem is told after three retransmissions or more", written=True),
    _property("SHLD-11", "3.8.3", "R2 is at least 100 seconds",
              "test_r1_tells_the_user_and_r2_gives_up_after_100_seconds",
              "to a peer that falls silent, the connection is given up after 100 s or more", written=True),
    # ---- keep-alives
    _rows("MUST-24", "3.8.4", "the application turns keep-alives on and off", "3.8.4 switch"),
    _rows("MUST-25", "3.8.4", "keep-alives are off by default", "3.8.4 switch"),
    _rows("MUST-26", "3.8.4", "keep-alives only when idle", "3.8.4 idle"),
    _property("MUST-27", "3.8.4", "the interval is configurable", "test_keepalive_gives_up_after_several_probes_only",
              "the first probe comes when the configured time has passed since the last segment", written=True),
    _property("MUST-28", "3.8.4", "the interval is two hours or more by default",
              "test_keepalive_probes_an_idle_connection_after_2_hours_without_data",
              "with the default configuration nothing is sent before two hours", written=True),
    _rows("MUST-29", "3.8.4", "one lost probe does not end the connection", "3.8.4 dead"),
    _property("SHLD-12", "3.8.4", "keep-alives have no text",
              "test_keepalive_probes_an_idle_connection_after_2_hours_without_data",
              "each probe has SEG.SEQ = SND.NXT - 1 and no text", written=True),
    # ---- urgent data
    _rows("MUST-30", "3.8.5", "the urgent mechanism is supported", "3.8.5 support"),
    _property("MUST-31", "3.8.5", "urgent data of any length",
              "test_urgent_mode_of_more_than_65535_octets_ends_at_the_pointer",
              "more than 65535 octets of urgent data arrive, and urgent mode ends at the pointer", written=True),
    _property("MUST-62", "3.8.5", "the pointer is that of the octet after urgent data", "test_urgent_pointer_points_after_the_data",
              "sent pointers add up to the sequence number after the last urgent octet; received ones are read so",
              written=True),
    # ---- acknowledgments
    _rows("SHLD-18", "3.8.6.3", "acknowledgments are delayed", "3.8.6.3 delay"),
    _property("MUST-40", "3.8.6.3", "by less than 0.5 s", "test_acknowledgment_is_delayed_for_less_than_half_a_second",
              "one segment of text is acknowledged less than 0.5 s after it arrived", written=True),
    _rows("SHLD-19", "3.8.6.3", "every second full segment is acknowledged", "3.8.6.3 second"),
    _rows("MUST-58", "3.10.7.4", "acknowledgments are aggregated", "3.10.7.4 aggregate"),
    _property("MUST-59", "3.10.7.4", "queued segments are processed before an ACK",
              "test_early_data_is_held_with_a_duplicate_ack_and_a_filled_hole_is_acknowledged_at_once",
              "the segment that fills a hole is answered with one ACK of all that was held behind it", written=True),
    _rows("SHLD-31", "3.10.7.4", "segments ahead are held", "3.10.7.4 hold"),
    # ---- silly windows, Nagle
    _property("MUST-38", "3.8.6.2.1", "the sender avoids silly windows", "test_sender_avoids_silly_windows",
              "a window that opens a few octets at a time is not filled with tiny segments", written=True),
    _property("MUST-39", "3.8.6.2.2", "the receiver avoids silly windows",
              "test_right_window_edge_never_moves_left_and_moves_in_large_steps",
              "the right edge moves by min(half the buffer, MSS) or more, or not at all", written=True),
    _property("SHLD-7", "3.7.4", "Nagle's algorithm", "test_nagle_holds_short_segments_while_data_is_outstanding",
              "while text is unacknowledged, short SENDs leave as one segment", written=True),
    _property("MUST-17", "3.7.4", "Nagle's algorithm can be disabled", "test_nagle_can_be_disabled_for_one_connection",
              "without it each SEND leaves at once, within the windows", written=True),
    # ---- push
    _property("MUST-61", "3.9.1.2", "PSH on the last segment of what was handed over",
              "test_psh_is_on_the_last_segment_of_what_is_buffered",
              "the segment that empties the send queue has PSH", written=True),
    _property("SHLD-27", "3.9.1.2", "successive PSH bits are collapsed", "test_psh_bits_are_collapsed",
              "SENDs that leave in one segment have one PSH, at its end", written=True),
    _property("SHLD-28", "3.9.1.2", "segments of maximum size whenever possible", "test_bulk_text_leaves_in_full_segments",
              "of a large SEND only the last segment is shorter than the effective send MSS", written=True),
    # ---- ICMP, addresses, other
    _property("MUST-54", "3.9.2.2", "ICMP errors reach their connection", "test_icmp_error_reaches_its_connection_and_no_other",
              "of two connections to one peer the one that the quoted segment is of is told, over IPv4 and IPv6",
              written=True),
    _property("MUST-55", "3.9.2.2", "Source Quench is discarded", "test_source_quench_is_discarded",
              "nothing is told, answered or changed, and what is outstanding is sent again in its time", written=True),
    _property("MUST-56", "3.9.2.2", "soft errors do not abort a connection", "test_soft_error_does_not_abort_the_connection",
              "after each of them what is outstanding is sent again in its time", written=True),
    _property("SHLD-26", "3.9.2.2", "hard errors abort a connection", "test_hard_error_aborts_the_connection",
              "after each of them nothing is sent again, and the peer's next segment gets a reset", written=True),
    _property("MUST-57", "3.9.2.3", "a SYN to a broadcast or multicast address is discarded", "test_syn_of_invalid_addresses_is_dropped",
              "no answer and no connection, for each kind of address, IPv4 and IPv6", written=True),
    _property("MUST-63", "3.9.2.3", "a SYN from an invalid address is ignored", "test_syn_of_invalid_addresses_is_dropped",
              "no answer and no connection for a source that is broadcast, multicast or unspecified", written=True),
    _missing("SHLD-8", "3.8.2", "Explicit Congestion Notification", "ECN is not among what the stack is to have"),
    _missing("SHLD-22", "3.9.1.9", "the Diffserv field is passed unchanged to IP", "the network in memory has no IP header"),
)
# fmt: on


def summary() -> str:
    """How many are covered, in one sentence."""
    parts = []
    for word, total, wanted in (("MUSTs", MUSTS, True), ("SHOULDs", SHOULDS, False)):
        group = [each for each in REQUIREMENTS if each.is_must is wanted]
        done = sum(each.is_covered for each in group)
        named = sum(1 for each in group if each.prop and not each.written)
        more = f" ({named} more named as properties that are to be written)" if named else ""
        parts.append(f"{done} of {total} {word} modelled or tested{more}")
    return "; ".join(parts)
