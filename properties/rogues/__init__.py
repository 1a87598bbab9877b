"""Rogues: our own implementation with one planted, documented fault each, switched on by name.

A fault is planted on one endpoint object (a connection, a host, or the validator that it asks), never in shared code:
so the scripted tester, which uses the same codec and key schedule, stays sound. Each rogue re-creates what a real stack
did; detection of all of them, and silence on the clean implementation, is the measure of every engine here.
"""

from __future__ import annotations

from shakeproof.properties.rogues.of_certificates import OF_CERTIFICATES
from shakeproof.properties.rogues.of_tcp import OF_TCP
from shakeproof.properties.rogues.of_tls import OF_TLS
from shakeproof.properties.rogues.planting import BOTH, CLIENT, SERVER, TCP, Connection, Rogue

__all__ = ["BOTH", "CLIENT", "ROGUES", "SERVER", "TCP", "UNSEEN", "Connection", "Rogue"]

ROGUES: dict[str, Rogue] = {rogue.name: rogue for rogue in (*OF_TLS, *OF_CERTIFICATES, *OF_TCP)}
"""All rogues by name."""

UNSEEN: dict[str, str] = {
    "padding and MAC told apart by time (Lucky Thirteen, CVE-2013-0169)": "only a clock shows it",
    "RSA blocks told apart by time (CVE-2020-26263)": "only a clock shows it",
    "memory read or written beyond a message (CVE-2016-6309)": "only a look into the process's memory shows it",
}
"""Historical faults that no sequence of messages shows, with what would: none of them is planted."""
