"""Ephemeral Diffie-Hellman in finite fields: groups, parameters on the wire, and shares, sound and useless ones.

The primes are computed from the formula that defines them, and parameters are cut by hand, so that nothing is shared
with our implementation.

Source: RFC 5246 sections 7.4.3, 7.4.7.2 and 8.1.2; RFC 7919 appendix A.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, lru_cache

from shakeproof.impl.tls.wire import Reader, vector

FFDHE2048, FFDHE3072, FFDHE4096 = 256, 257, 258
NAMES = {FFDHE2048: "ffdhe2048", FFDHE3072: "ffdhe3072", FFDHE4096: "ffdhe4096"}
_DEFINED = {FFDHE2048: (2048, 560316), FFDHE3072: (3072, 2625351), FFDHE4096: (4096, 5736041)}
"""Bits, and the number that makes each the first safe prime of its form (RFC 7919 appendix A)."""
GENERATOR = 2
FLAWED_SHARE = 1
"""Its every power is 1, so that the secret is known to all."""
WEAK_BITS = 1024
"""Groups below this are called weak: those of 512 bits are broken in minutes, of 768 bits with some effort."""
WEAK_PRIME = int(
    "CF5E3698F9E905DEE5218CA7786150C9C06CDC99BEE4957E5B67D36626A8737A"
    "1FB8209CDCEB5B2BBA240E988C29188005D458B8E9E52230D58B96436AFFE5DB",
    16,
)
"""A safe prime of 512 bits, as export suites had them."""
PRIVATE_LENGTH = 28
"""Bytes of a private exponent: twice the strength of ffdhe2048 (RFC 7919 appendix A.1)."""


@dataclass(frozen=True)
class Params:
    """ServerDHParams."""

    prime: int
    generator: int
    share: int

    def encode(self) -> bytes:
        """dh_p, dh_g, dh_Ys."""
        numbers = _bytes(self.prime), _bytes(self.generator), share_bytes(self.prime, self.share)
        return b"".join(vector(number, 2) for number in numbers)

    @property
    def name(self) -> str:
        """The group's name, or how large it is."""
        code = next((code for code in NAMES if prime_of(code) == self.prime), None)
        return NAMES[code] if code is not None else f"a group of {self.prime.bit_length()} bits"

    @property
    def is_weak(self) -> bool:
        """Whether the group is of no use."""
        return self.prime.bit_length() < WEAK_BITS


def parse(reader: Reader) -> Params:
    """ServerDHParams, from the reader's place on. Raises RemoteProtocolError."""
    prime, generator, share = (int.from_bytes(reader.vector(2, 1), "big") for _ in range(3))
    return Params(prime, generator, share)


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8 or 1, "big")


@cache
def prime_of(code: int) -> int:
    """2^b - 2^(b-64) + (floor(2^(b-130) * e) + X) * 2^64 - 1. Raises KeyError for a group that is not in NAMES."""
    bits, addend = _DEFINED[code]
    return (1 << bits) - (1 << bits - 64) + ((_scaled_e(bits - 130) + addend) << 64) - 1


def _scaled_e(bits: int) -> int:
    """floor(2^bits * e), by the series of e, with guard bits for what the terms lose."""
    guard = 64
    term = total = 1 << bits + guard
    count = 0
    while term:
        count += 1
        term //= count
        total += term
    return total >> guard


@cache
def private_exponent(is_client: bool) -> int:
    """The tester's own, another one for each side."""
    seed = hashlib.sha512(b"client exponent" if is_client else b"server exponent").digest()
    return 1 | int.from_bytes(seed[:PRIVATE_LENGTH], "big")


@lru_cache(maxsize=64)
def share_of(prime: int, generator: int, is_client: bool) -> int:
    """The tester's public value in that group."""
    return pow(generator, private_exponent(is_client), prime)


@lru_cache(maxsize=256)
def secret(prime: int, peer: int, is_client: bool) -> bytes:
    """The pre-master secret, leading zero bytes stripped (RFC 5246 section 8.1.2)."""
    if prime < 2:
        return b""
    shared = pow(peer, private_exponent(is_client), prime)
    return shared.to_bytes((shared.bit_length() + 7) // 8, "big")


def is_flawed(prime: int, share: int) -> bool:
    """Whether the public value gives the secret away: 0, 1 and p - 1 have no other powers (RFC 7919 section 5.1)."""
    return not 1 < share < prime - 1


def choose(offered: tuple[int, ...]) -> int:
    """The group for a client that offers these: its first one that we know, else ffdhe2048."""
    return next((code for code in offered if code in NAMES), FFDHE2048)


def share_bytes(prime: int, share: int) -> bytes:
    """A public value as it goes into a message: as long as the prime, since some stacks take no shorter one."""
    return share.to_bytes(max((prime.bit_length() + 7) // 8, len(_bytes(share))), "big")
