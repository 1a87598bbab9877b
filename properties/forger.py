"""The attacker of a counterexample that is performed: what it has seen of two connections, and what it makes of that.

It owns the network, plays the other end towards each side, and holds one key of its own, which stands in its
certificates. It has no key of the server, of the client or of an authority: what it makes without the key that would
be needed is signed, or MACed, with another one. Certificates are public, and it shows anybody's.
"""

from __future__ import annotations

from dataclasses import replace

from shakeproof.impl.tls import messages as codec
from shakeproof.impl.tls.extensions import ExtensionType
from shakeproof.impl.tls.protection import NullProtection
from shakeproof.impl.tls.records import HEADER_LENGTH, encode_record
from shakeproof.impl.tls.suites import TLS_1_2, CipherSuite, ContentType
from shakeproof.model import messages as alphabet
from shakeproof.model.notation import Symbol
from shakeproof.model.roles import ROLES
from shakeproof.properties.adversary import SIDES, Side, other
from shakeproof.properties.mapper import certificates
from shakeproof.properties.mapper.certificates import CertificateDefect
from shakeproof.properties.mapper.choices import certificate_kind
from shakeproof.properties.mapper.context import KeyExchangeName
from shakeproof.properties.mapper.hypotheses import KeyHypothesis, Keys
from shakeproof.properties.mapper.keys import Owner, private_key
from shakeproof.properties.mapper.tls12 import Peer
from shakeproof.properties.observer import remember


class CannotForgeError(Exception):
    """What the path wants of the attacker can't be made of what it has seen."""


class Forger:
    """The attacker. suites: what it takes part in, the best first."""

    def __init__(self, key_exchange: KeyExchangeName, suites: tuple[CipherSuite, ...]) -> None:
        self._facing: dict[Side, Peer] = {
            side: Peer(other(side), key_exchange=key_exchange, suites=suites, seed=b"attacker facing " + side.encode())
            for side in SIDES
        }
        self.read: dict[Side, bytes] = dict.fromkeys(SIDES, b"")
        """What it has read of the application data that each side sent."""
        self.sends_on = False
        """Whether the data that it sends is what it has read of the other side, where it has read any."""
        self._hellos: dict[Side, bytes] = {}
        self._sealed: dict[Side, bytes] = {}
        """By the side that sent it: its hello, and its last protected record."""
        self._early: set[Side] = set()
        """Who was given ChangeCipherSpec before there was any secret: it has made its keys then, and they stay."""
        self._read_records: dict[bytes, bytes] = {}
        """What is in the records that it could read."""

    def master(self, side: Side) -> bytes:
        """The master secret that it shares with that side, as far as it can tell: an empty one where none is agreed."""
        return self._facing[side].context.master(Keys.HONEST)

    def see(self, sender: Side, record: bytes, *, sealed: bool) -> None:
        """A record of a side passes: all that is in it and not protected by somebody else's keys is read."""
        peer = self._facing[sender]
        found = peer.classify(record)
        if all(item.symbol.message is not alphabet.Record for item in found):
            self._read_records[record] = b"".join(item.raw for item in found)
        for item in found:
            if item.symbol.message is alphabet.ApplicationData:
                self.read[sender] += item.raw
            elif item.symbol.message in (alphabet.ClientHello, alphabet.ServerHello):
                self._hellos[sender] = item.raw
        if sealed:
            self._sealed[sender] = record
        self._disown(peer)

    def hand_on(self, to: Side, record: bytes) -> bytes:
        """A record of the other side as it is let through; it counts from now on as what `to` has heard.

        What it could read is sealed with the keys that it has with `to`, where there are any: so a message goes from
        one of its connections to another. What it could not read goes through as it is.
        """
        peer = self._facing[to]
        content, write = self._read_records.get(record), peer.context.write
        if content is None:
            return record
        out = record
        if not isinstance(write.protection, NullProtection) or record[HEADER_LENGTH:] != content:
            out = encode_record(record[0], TLS_1_2, write.protection.seal(record[0], TLS_1_2, write.sequence, content))
            write.sequence += 1
        if record[0] == ContentType.CHANGE_CIPHER_SPEC:
            peer.context.switch_write(self._switched(to))
        elif record[0] == ContentType.HANDSHAKE:
            remember(peer.context, content)
        self._disown(peer)
        return out

    def forge(self, to: Side, symbol: Symbol) -> tuple[bytes, str]:
        """The symbol as bytes for that side, and how they were made, "" for what is usual. Raises CannotForgeError.

        A ClientHello is the other side's, tampered with, where it has said hello, and else the attacker's own.
        """
        peer = self._facing[to]
        self._disown(peer)
        if symbol.message is alphabet.ClientHello and other(to) in self._hellos:
            return self._tampered(peer, self._hellos[other(to)])
        if symbol.message is alphabet.Record and symbol.has(alphabet.bad_mac):
            return self._spoiled(other(to))
        if all(message is not symbol.message for message in ROLES[f"tls12.{to}"].alphabet):
            raise CannotForgeError(f"{symbol.text} is a message of the model alone")
        why = peer.applicable(symbol)
        if why:
            raise CannotForgeError(f"{symbol.text} means nothing here: {why}")
        if symbol.message is alphabet.Certificate and symbol.has(alphabet.wrong_name):
            peer.context.shown = certificates.chain(
                certificate_kind(peer.context), frozenset({CertificateDefect.WRONG_NAME}), holder=Owner.ATTACKER_LEAF
            )
        read = self.read[other(to)] if symbol.message is alphabet.ApplicationData and self.sends_on else b""
        keys = KeyHypothesis(self._switched(to)) if symbol.message is alphabet.ChangeCipherSpec else None
        data = peer.concretise(symbol, data=read or None, keys=keys)
        peer.context.shown = None
        self._disown(peer)
        return data, ""

    def _switched(self, to: Side) -> Keys:
        """The keys that ChangeCipherSpec puts in force at that side, as far as the attacker can have them."""
        if not self._facing[to].context.agreed:
            self._early.add(to)
        return Keys.EMPTY_MASTER if to in self._early else Keys.HONEST

    def _tampered(self, peer: Peer, raw: bytes) -> tuple[bytes, str]:
        """The hello of the other side with an extension less, and its random: the keys shall still agree.

        Where nothing is resumed that is the extended master secret, which would bind the keys to what each side saw.
        """
        hello = codec.ClientHello.parse(raw[codec.HEADER_LENGTH :])
        kind = ExtensionType.EC_POINT_FORMATS if hello.session_id else ExtensionType.EXTENDED_MASTER_SECRET
        kept = tuple(one for one in hello.extensions or () if one.extension_type != kind)
        if len(kept) == len(hello.extensions or ()):
            raise CannotForgeError(f"the ClientHello that was held back has no {kind.name.lower()} to leave out")
        message = replace(hello, extensions=kept).encode()
        remember(peer.context, message)
        return encode_record(ContentType.HANDSHAKE, TLS_1_2, message), f"without {kind.name.lower()}"

    def _spoiled(self, sender: Side) -> tuple[bytes, str]:
        """The last protected record of a side, as application data: under CBC a bit of the IV is one of the data."""
        record = self._sealed.get(sender)
        if record is None:
            raise CannotForgeError(f"no protected record of the {sender} has been seen that could be spoiled")
        body = bytearray(record[HEADER_LENGTH:])
        body[0] ^= 1
        return encode_record(ContentType.APPLICATION_DATA, TLS_1_2, bytes(body)), "another record with a bit changed"

    @staticmethod
    def _disown(peer: Peer) -> None:
        """Whatever certificate was shown: the key that it signs and decrypts with is its own."""
        key = private_key(certificate_kind(peer.context), Owner.ATTACKER_LEAF)
        peer.context.own_key = key
        if peer.context.client_private is not None:
            peer.context.client_private = key
