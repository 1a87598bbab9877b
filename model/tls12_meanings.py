"""What a message is to whom it reaches, in one handshake: computed when it arrives, or when the attacker makes it.

An honest packet that arrives is what it was sent as, or something else: a signature is another's, verify_data does not
match, a MAC is wrong, by whose keys are whose and by what the two sides have read so far. What an attacker makes is
limited by `attributes`. `tls12_sessions_meanings` is the same where sessions mingle.
"""

from __future__ import annotations

from collections.abc import Iterator

from shakeproof.model.attributes import HASHED, How, voucher
from shakeproof.model.composition import Is, Of, OnTheWay, Packet
from shakeproof.model.facts import Guard, ModelError, all_of
from shakeproof.model.messages import (
    Certificate,
    CertificateVerify,
    ClientKeyExchange,
    Finished,
    ServerKeyExchange,
    bad_block,
    bad_public,
    empty_chain,
    forged_signature,
    match,
    mismatch,
    off_curve,
    proven,
    signed,
    unproven,
    wrapped,
)
from shakeproof.model.notation import Symbol
from shakeproof.model.tls12_setting import (
    TO_SERVER,
    Assign,
    Setting,
    Side,
    altered,
    attacker,
    bits,
    common,
    exposed,
    known_keys,
    lost,
    nobody,
    peer,
    read_by_all,
    same,
    same_keys,
    taken,
    whole,
)

Conditions = tuple[Guard, ...]


class Meanings:
    """What messages are, and what they bring, in a setting. packets: what the network can hold, with their codes."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.packets: dict[Packet, int] = {}

    def arrives(self, side: Side, packet: Packet, *, anew: bool = False) -> Iterator[tuple[Conditions, Symbol, Assign]]:
        """What a packet is when it arrives: under which conditions, what it says then, and what that brings.

        anew: the attacker has read it, and seals it with keys of an empty secret.
        """
        name, symbol = side.name, packet.symbol
        earlier_ones = self._on_the_way(self._before(packet))
        if not self.setting.attacked:
            ahead = tuple(c for p, c in self.packets.items() if p.sender == packet.sender and p.rank < packet.rank)
            waits = self._on_the_way(ahead)
            for guards, said, gained in self.judged(side, packet):
                yield (*guards, *((~waits,) if waits is not None else ())), said, gained
            return
        in_order: Conditions = (~earlier_ones,) if earlier_ones is not None else ()
        if packet.sealed:
            sealed = self._on_the_way(self._before(packet, sealed=True))
            readable: Conditions = (Of(name, whole), same_keys(), *((~sealed,) if sealed is not None else ()))
            if anew:
                readable = (read_by_all(packet.sender),)
            if symbol.message is not Finished:
                yield readable, symbol, {}
                return
            back = self._on_the_way(
                tuple(c for p, c in self.packets.items() if p.sender == name and p.symbol.message in HASHED)
            )
            secret = (same_keys(),) if anew else ()  # verify_data is made of it, whatever the records are sealed with
            agreed = all_of((Of("network", same), *secret, *in_order, *((~back,) if back is not None else ())))
            if agreed is None:
                raise ModelError("a transcript is always compared")
            yield (*readable, agreed), Finished.symbol(match), {}
            yield (*readable, ~agreed), Finished.symbol(mismatch), bits({"network.transcript": altered})
            return
        for guards, said, gained in self.judged(side, packet):
            if earlier_ones is None or symbol.message not in HASHED:
                yield guards, said, gained
                continue
            yield (*guards, *in_order), said, gained
            late = CertificateVerify.symbol(unproven) if symbol.message is CertificateVerify else said
            yield (*guards, earlier_ones), late, gained | bits({"network.transcript": altered})

    def judged(self, side: Side, packet: Packet) -> Iterator[tuple[Conditions, Symbol, Assign]]:
        """What depends on keys: a certificate, a signature, an encrypted secret."""
        name, symbol = side.name, packet.symbol
        own, came = f"{name}.owner", bits({f"{name}.parameters": taken})
        if symbol.message is Certificate:
            yield (), symbol, bits({own: nobody if symbol.has(empty_chain) else peer})
        elif symbol.message is ServerKeyExchange:
            yield (Is(own, peer.bit),), ServerKeyExchange.symbol(signed), bits({own: peer}) | came
            yield (~Is(own, peer.bit),), ServerKeyExchange.symbol(forged_signature), bits({own: peer}) | came
        elif symbol.message is ClientKeyExchange and packet.about == TO_SERVER:
            yield (), ClientKeyExchange.symbol(wrapped), bits({f"{name}.keys": common})
        elif symbol.message is ClientKeyExchange:
            block = bad_block if self.setting.key_exchange == "rsa" else wrapped
            yield (), ClientKeyExchange.symbol(block), bits({f"{name}.keys": lost})
        elif symbol.message is CertificateVerify:
            good = Of("network", same) & Is(own, peer.bit)
            yield (good,), CertificateVerify.symbol(proven), {}
            yield (~good,), CertificateVerify.symbol(unproven), {}
        else:
            yield (), symbol, {}

    def _before(self, packet: Packet, *, sealed: bool = False) -> tuple[int, ...]:
        """The packets that the same side sent before this one: those of the transcript, or those that are sealed."""
        return tuple(
            code
            for other, code in self.packets.items()
            if other.sender == packet.sender and other.rank < packet.rank
            and (other.sealed if sealed else other.symbol.message in HASHED)
        )  # fmt: skip

    def _on_the_way(self, codes: tuple[int, ...]) -> Guard | None:
        return OnTheWay(codes, self.setting.bound) if codes else None

    # ---------------------------------------------------------------------------------- what the attacker makes

    def needs(self, side: Side, symbol: Symbol) -> Conditions:
        """What the attacker needs to forge the symbol, by its attributes."""
        attribute = voucher(symbol.named)
        if attribute is None or attribute.how in (How.CERTIFIED, How.ENCRYPTED):
            return ()  # a certificate is public, and anybody can encrypt
        if attribute.how is How.SIGNED:
            return (Is(f"{side.name}.owner", attacker.bit),)
        return (known_keys(side.name),)

    def made(self, side: Side, symbol: Symbol) -> Assign:
        """What it brings that the attacker makes the symbol: whose keys are accepted with it."""
        own, keys = f"{side.name}.owner", f"{side.name}.keys"
        if symbol.message is Certificate:
            owner = peer if voucher(symbol.named) is not None else nobody if symbol.has(empty_chain) else attacker
            return bits({own: owner})
        if symbol.message is ServerKeyExchange:
            return bits({own: attacker, f"{side.name}.parameters": taken})
        if symbol.message is ClientKeyExchange:
            known = any(symbol.has(value) for value in (wrapped, off_curve, bad_public))
            return bits({keys: exposed if known else lost})
        return {}
