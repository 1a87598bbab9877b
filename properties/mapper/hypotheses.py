"""Which keys a target might hold after it went on where it should have stopped.

A target that swallows an early ChangeCipherSpec or a skipped message has keys from whatever its memory held. The tester
goes on under each of the secrets that real stacks were seen to use, record keys and Finished keys chosen apart: one
stack protected its records under an empty master secret and computed Finished from the real one.
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
    ZERO_MASTER = "keys of a master secret of 48 zero bytes"
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


HONEST = KeyHypothesis()

RECORD_KEYS = (
    Keys.HONEST,
    Keys.EMPTY_MASTER,
    Keys.ZERO_MASTER,
    Keys.EMPTY_PRE_MASTER,
    Keys.UNCHANGED,
    Keys.NONE,
)
"""Record keys in the order in which a record is tried: NONE last, since nothing authenticates plaintext."""

FINISHED_KEYS = (Keys.HONEST, Keys.EMPTY_MASTER, Keys.ZERO_MASTER, Keys.EMPTY_PRE_MASTER)
"""Finished keys in the order in which verify_data is tried."""

HYPOTHESES = (
    HONEST,
    KeyHypothesis(Keys.NONE, Keys.HONEST),
    KeyHypothesis(Keys.UNCHANGED, Keys.HONEST),
    KeyHypothesis(Keys.EMPTY_MASTER, Keys.HONEST),
    KeyHypothesis(Keys.EMPTY_MASTER, Keys.EMPTY_MASTER),
    KeyHypothesis(Keys.ZERO_MASTER, Keys.HONEST),
    KeyHypothesis(Keys.ZERO_MASTER, Keys.ZERO_MASTER),
    KeyHypothesis(Keys.EMPTY_PRE_MASTER, Keys.EMPTY_PRE_MASTER),
    KeyHypothesis(Keys.NONE, Keys.EMPTY_MASTER),
    KeyHypothesis(Keys.NONE, Keys.ZERO_MASTER),
    KeyHypothesis(Keys.NONE, Keys.EMPTY_PRE_MASTER),
)
"""What a tester tries in turn, likeliest first."""
