"""Which keys a target might hold after it went on where it should have stopped.

A target that swallows an early ChangeCipherSpec or a skipped message has keys from whatever its memory held. The tester
goes on under each of the secrets that real stacks were seen to use, record keys and Finished keys chosen apart: one
stack protected its records under an empty master secret and computed Finished from the real one.

A master secret of 48 zero bytes needs no hypothesis of its own: HMAC fills its key up with zero bytes (RFC 2104 section
2), so that it gives the same keys as an empty one. So it is with a pre-master secret of zero bytes.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Keys(enum.Enum):
    """Where keys come from; the value says it in words, for reports and traces."""

    HONEST = "the session keys"
    NONE = "no keys"
    UNCHANGED = "the keys from before the last ChangeCipherSpec"
    EMPTY_MASTER = "keys of an empty master secret"
    EMPTY_PRE_MASTER = "keys of an empty pre-master secret"

    @property
    def label(self) -> str:
        """The words for a trace; nothing for plaintext."""
        return "" if self is Keys.NONE else self.value


@dataclass(frozen=True)
class KeyHypothesis:
    """What the target is taken to hold: the keys of its records, and the secret of its Finished messages.

    record: NONE is plaintext also after a ChangeCipherSpec, UNCHANGED that the last one was ignored. finished: NONE is
    the same as EMPTY_MASTER, and UNCHANGED as HONEST.
    """

    record: Keys = Keys.HONEST
    finished: Keys = Keys.HONEST

    @property
    def text(self) -> str:
        """For people."""
        if self.record is self.finished:
            return self.record.value
        return f"{self.record.value}, Finished under {self.finished.value}"


HONEST_KEYS = KeyHypothesis()

WEAK_KEYS = (Keys.EMPTY_MASTER, Keys.EMPTY_PRE_MASTER)
"""Keys that need no secret: whoever saw the hellos has them."""

RECORD_KEYS = (
    Keys.HONEST,
    Keys.EMPTY_MASTER,
    Keys.EMPTY_PRE_MASTER,
    Keys.UNCHANGED,
    Keys.NONE,
)
"""Record keys in the order in which a record is tried: NONE last, since nothing authenticates plaintext."""

FINISHED_KEYS = (Keys.HONEST, Keys.EMPTY_MASTER, Keys.EMPTY_PRE_MASTER)
"""Finished keys in the order in which verify_data is tried."""

HYPOTHESES = (
    HONEST_KEYS,
    KeyHypothesis(Keys.NONE, Keys.HONEST),
    KeyHypothesis(Keys.UNCHANGED, Keys.HONEST),
    KeyHypothesis(Keys.EMPTY_MASTER, Keys.HONEST),
    KeyHypothesis(Keys.EMPTY_MASTER, Keys.EMPTY_MASTER),
    KeyHypothesis(Keys.EMPTY_PRE_MASTER, Keys.EMPTY_PRE_MASTER),
    KeyHypothesis(Keys.NONE, Keys.EMPTY_MASTER),
    KeyHypothesis(Keys.NONE, Keys.EMPTY_PRE_MASTER),
)
"""What a tester tries in turn after a ChangeCipherSpec that came before any secret, likeliest first."""

AFTER_FINISHED = (HONEST_KEYS, *(KeyHypothesis(Keys.HONEST, keys) for keys in WEAK_KEYS))
"""After a Finished that came before any secret."""

AFTER_KEY_EXCHANGE = (HONEST_KEYS, *(KeyHypothesis(keys, keys) for keys in reversed(WEAK_KEYS)))
"""After a ClientKeyExchange from which no secret can be had."""

AFTER_REPEATED_CHANGE = (HONEST_KEYS, KeyHypothesis(Keys.UNCHANGED, Keys.HONEST))
"""After a ChangeCipherSpec that came although the keys were known."""
