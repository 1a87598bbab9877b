"""ICMP errors: which are soft, which are hard.

Source: RFC 9293 section 3.9.2.2; for ICMPv6's hard errors, which it does not name, RFC 5461 section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """What an ICMP message means to a connection."""

    IGNORED = "ignored"
    """Source Quench (MUST-55), and all that is no error."""
    SOFT = "soft"
    HARD = "hard"


@dataclass(frozen=True)
class IcmpError:
    """An ICMP error that the network passes up. source_ip, destination_ip and quoted: of the packet that it is about,
    which we sent; quoted: at least the first 8 bytes of its segment."""

    kind: int
    code: int
    source_ip: str
    destination_ip: str
    quoted: bytes

    @property
    def severity(self) -> Severity:
        """By the tables below."""
        table = _IPV6 if ":" in self.source_ip else _IPV4
        return table.get((self.kind, self.code), Severity.IGNORED)

    def __str__(self) -> str:
        return f"ICMP{'v6' if ':' in self.source_ip else ''} type {self.kind} code {self.code}"


def _table(soft: dict[int, tuple[int, ...]], hard: dict[int, tuple[int, ...]]) -> dict[tuple[int, int], Severity]:
    found = {(kind, code): Severity.SOFT for kind, codes in soft.items() for code in codes}
    return found | {(kind, code): Severity.HARD for kind, codes in hard.items() for code in codes}


# Destination Unreachable, Time Exceeded, Parameter Problem
_IPV4 = _table(soft={3: (0, 1, 5), 11: (0, 1), 12: (0, 1, 2)}, hard={3: (2, 3, 4)})
_IPV6 = _table(soft={1: (0, 3), 3: (0, 1), 4: (0, 1, 2)}, hard={1: (1, 4)})
