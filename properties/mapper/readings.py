"""What a message says, as a symbol with a line for people; and the messages that are no handshake messages.

Source: RFC 5246 sections 6.2, 7.1 and 7.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from shakeproof.impl.tls.alerts import ALERT_LENGTH, AlertDescription, AlertLevel
from shakeproof.model import messages as alphabet
from shakeproof.model.facts import Fact, Value
from shakeproof.model.notation import Message, Symbol
from shakeproof.properties.mapper.hypotheses import Keys

MAX_SHOWN = 60
"""Characters of a peer's own text that are shown."""
HEARTBEAT = 24
"""Content type (RFC 6520 section 6)."""
HEARTBEAT_REQUEST = b"\x01\x40\x00" + b"beat"
"""heartbeat_request, 16384 bytes of payload announced, and four sent: what CVE-2014-0160 answered with memory."""


@dataclass(frozen=True)
class Reading:
    """What a message says. finished: whose secret its verify_data was computed from, where that could be told."""

    symbol: Symbol
    detail: str = ""
    finished: Keys | None = None


@lru_cache(maxsize=4096)
def symbol_of(message: Message, *bits: int) -> Symbol:
    """The symbol with these bits, in the order of the message's facts."""
    return Symbol(message, tuple((fact.name, mask) for fact, mask in zip(message.facts, bits, strict=True)))


def bits_of(fact: Fact, found: Iterable[Value]) -> int:
    """The bits of the defects that were found; of the first sound value where there are none."""
    return sum(value.bit for value in found) or fact.default.bit


def visible(text: str) -> str:
    """A peer's text, cut and without control characters."""
    shown = text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."
    return "".join(char if char.isprintable() else "?" for char in shown)


def grouped(number: int) -> str:
    """A number with a space between groups of three digits."""
    return f"{number:,}".replace(",", " ")


def bytes_text(count: int) -> str:
    """A number of bytes, in words."""
    return f"{grouped(count)} byte{'' if count == 1 else 's'}"


# ------------------------------------------------------------------------------------------- outside of handshakes

_DESCRIPTIONS = {
    description.value: alphabet.DESCRIPTION[description.name]
    for description in AlertDescription
    if description.name.lower() in {value.name for value in alphabet.DESCRIPTION.values}
}


_LEVELS: dict[int, str] = {AlertLevel.WARNING: "warning", AlertLevel.FATAL: "fatal"}


def alert(fragment: bytes) -> Reading:
    """What an alert says; close_notify is closure whatever its level."""
    if len(fragment) != ALERT_LENGTH:
        symbol = symbol_of(alphabet.Alert, alphabet.broken_alert.bit, alphabet.DESCRIPTION.mask)
        return Reading(symbol, f"{bytes_text(len(fragment))}")
    level, code = fragment
    description = _DESCRIPTIONS.get(code)
    bits = description.bit if description is not None else alphabet.DESCRIPTION.mask
    if level == AlertLevel.WARNING or level == AlertLevel.FATAL:
        severity = alphabet.warning if level == AlertLevel.WARNING else alphabet.fatal
        if code == AlertDescription.CLOSE_NOTIFY:
            severity = alphabet.closure
    else:
        severity = alphabet.broken_alert
    return Reading(symbol_of(alphabet.Alert, severity.bit, bits), _alert_detail(level, code))


def _alert_detail(level: int, code: int) -> str:
    word = (
        {AlertLevel.WARNING: "warning", AlertLevel.FATAL: "fatal"}.get(AlertLevel(level)) if level in (1, 2) else None
    )
    try:
        name = AlertDescription(code).label
    except ValueError:
        name = f"alert {code}"
    return f"{word}, {name}"


def change_cipher_spec(fragment: bytes) -> Reading:
    """Whether its single byte is 1."""
    sound = fragment == b"\1"
    return Reading(symbol_of(alphabet.ChangeCipherSpec, (alphabet.one if sound else alphabet.not_one).bit))


def application_data(fragment: bytes) -> Reading:
    """Data, or a record with nothing in it."""
    if not fragment:
        return record(alphabet.zero_length)
    return Reading(symbol_of(alphabet.ApplicationData), f"{bytes_text(len(fragment))}")


def record(value: Value, detail: str = "") -> Reading:
    """A record that is remarkable as a record."""
    return Reading(symbol_of(alphabet.Record, value.bit), detail)


ALERT_CODES: dict[Value, int] = {value: code for code, value in _DESCRIPTIONS.items()}
"""The number of each description of the alphabet."""
