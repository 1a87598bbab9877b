"""Ephemeral Diffie-Hellman in finite fields: the named groups, keys, and what is asked of a peer's parameters.

Powers are Python's own `pow`: cryptography marks its finite-field Diffie-Hellman as about to be removed. One power
in ffdhe2048 takes about 2 ms.

Source: RFC 5246 sections 7.4.3, 8.1.2 and F.1.1.3; RFC 7919 sections 3 to 5 and appendix A.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls.alerts import AlertDescription
from shakeproof.impl.tls.suites import NamedGroup

MIN_DH_BITS = 2048
"""What a client takes, as "local policy" (RFC 5246 section F.1.1.3). RFC 7919 section 3.1 asks for 768 and recommends
1024; since Logjam 1024 bits are known to be within reach, and 2048 is the smallest named group."""

MAX_DH_BITS = 8192
"""The largest named group, and what we are willing to compute with for a peer: about 60 ms a power. The field could say
2^19 bits, which takes hours; OpenSSL stops at 10,000."""

_GUARD_BITS = 64
"""Bits with which e is computed beyond those that are used: it has fewer than 2^10 terms, each short by less than 1."""


@dataclass(frozen=True)
class FiniteField:
    """A group: powers of g modulo p. exponent_bits: the length of secret exponents."""

    p: int
    g: int
    exponent_bits: int

    @property
    def bits(self) -> int:
        """The size of p."""
        return self.p.bit_length()

    @property
    def length(self) -> int:
        """Bytes of an element."""
        return (self.p.bit_length() + 7) // 8

    def encode(self, value: int) -> bytes:
        """As long as p. RFC 5246 would let leading zeros out, which some versions of Microsoft's stack refuse; OpenSSL
        pads too."""
        return value.to_bytes(self.length, "big")


def _floor_e(bits: int) -> int:
    """[2^bits e], e being the base of natural logarithms."""
    term = total = 1 << bits + _GUARD_BITS
    n = 0
    while term:
        n += 1
        term //= n
        total += term
    return total >> _GUARD_BITS


def _ffdhe(bits: int, x: int, exponent_bits: int) -> FiniteField:
    """p = 2^b - 2^(b-64) + {[2^(b-130) e] + X} 2^64 - 1, a safe prime (RFC 7919 appendix A)."""
    return FiniteField((1 << bits) - (1 << bits - 64) + (_floor_e(bits - 130) + x << 64) - 1, 2, exponent_bits)


FFDHE: dict[int, FiniteField] = {
    NamedGroup.FFDHE2048: _ffdhe(2048, 560316, 225),
    NamedGroup.FFDHE3072: _ffdhe(3072, 2625351, 275),
    NamedGroup.FFDHE4096: _ffdhe(4096, 5736041, 325),
}
"""The groups of RFC 7919 appendix A. Exponents are as short as it allows, a little more than twice the strength of the
group in bits: the best attack on the exponent alone (Pollard's) takes the square root of its range, so that a longer
one would cost time and add nothing (section 5.2)."""

CUSTOM_EXPONENT_BITS = 400
"""For groups without a name: what appendix A says of the largest group. The strength of a smaller one is lower."""


def named_group(p: int, g: int) -> NamedGroup | None:
    """The name of that group, None for a custom one."""
    for code, field in FFDHE.items():
        if field.p == p and field.g == g:
            return NamedGroup(code)
    return None


def field_of(p: int, g: int) -> FiniteField:
    """That group, named or not."""
    name = named_group(p, g)
    return FFDHE[name] if name is not None else FiniteField(p, g, CUSTOM_EXPONENT_BITS)


class FiniteFieldKey:
    """An ephemeral key, new in each handshake."""

    def __init__(self, field: FiniteField, entropy: Callable[[int], bytes]) -> None:
        self.field = field
        top = field.exponent_bits - 1
        seed = int.from_bytes(entropy((field.exponent_bits + 7) // 8), "big")
        self._exponent = 1 << top | seed & (1 << top) - 1
        self.public = field.encode(pow(field.g, self._exponent, field.p))

    def exchange(self, peer: bytes) -> bytes:
        """The pre-master secret: the shared element without its leading zero bytes (RFC 5246 section 8.1.2).

        The peer's value is not looked at here: see `check_public`.
        """
        shared = pow(int.from_bytes(peer, "big"), self._exponent, self.field.p)
        return shared.to_bytes((shared.bit_length() + 7) // 8, "big")


def check_size(p: int) -> None:
    """Of a size that is strong enough, and that is no burden."""
    bits = p.bit_length()
    if bits < MIN_DH_BITS:
        raise RemoteProtocolError(
            AlertDescription.INSUFFICIENT_SECURITY,
            expected=f"a Diffie-Hellman group of at least {MIN_DH_BITS} bits",
            got=f"{bits} bits",
            clause="RFC 5246 section F.1.1.3 and RFC 7919 section 3.1",
        )
    if bits > MAX_DH_BITS:
        raise RemoteProtocolError(
            AlertDescription.HANDSHAKE_FAILURE,
            expected=f"a Diffie-Hellman group of at most {MAX_DH_BITS} bits",
            got=f"{bits} bits",
            clause="RFC 5246 section F.1.1.3",
        )


def check_group(p: int, g: int) -> None:
    """What is cheap to see: an odd modulus, and a generator that is neither 0, 1 nor -1.

    That p is prime is not looked at: with an unknown group it takes too long (RFC 7919 section 5.1), and the server,
    which signed it, could as well give the secret away.
    """
    if p % 2 == 0:
        raise _illegal("an odd modulus", "an even one")
    if not 1 < g < p - 1:
        raise _illegal("a generator of 2 to p - 2", f"one of {g.bit_length()} bits outside")


def check_public(public: bytes, p: int) -> None:
    """1 < Y < p - 1, without which the secret would be 0, 1 or -1 (RFC 7919 sections 3, 4 and 5.1)."""
    value = int.from_bytes(public, "big")
    if not 1 < value < p - 1:
        raise RemoteProtocolError(
            AlertDescription.HANDSHAKE_FAILURE,
            expected="a Diffie-Hellman public value of 2 to p - 2",
            got=f"one of {value.bit_length()} bits outside",
            clause="RFC 7919 sections 3 and 4",
        )


def _illegal(expected: str, got: str) -> RemoteProtocolError:
    return RemoteProtocolError(
        AlertDescription.ILLEGAL_PARAMETER, expected=expected, got=got, clause="RFC 5246 section 7.4.3"
    )
