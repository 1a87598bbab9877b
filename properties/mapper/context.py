"""What a scripted peer knows of its connection: hellos, secrets, transcript, and the protection of both directions.

Nothing here is ever missing. Where the connection has not come far enough, a stand-in takes its place: randoms of zero
bytes, the suite that the peer prefers, an empty master secret. They are what the memory of a stack holds that went on
too early, so that the tester shares its keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

from shakeproof.impl.tls import keys as schedule
from shakeproof.impl.tls.extensions import ExtensionType
from shakeproof.impl.tls.messages import Certificate, CertificateRequest, ClientHello, ServerHello
from shakeproof.impl.tls.protection import NullProtection, Protection, protection_for
from shakeproof.impl.tls.signatures import VERIFYING_SCHEMES
from shakeproof.impl.tls.suites import (
    SUITES,
    SUITES_BY_NAME,
    TLS_1_2,
    Authentication,
    Cipher,
    CipherSuite,
    KeyExchange,
)
from shakeproof.properties.mapper.certificates import SERVER_NAME, Chain, anchors
from shakeproof.properties.mapper.encrypt_then_mac import EncryptThenMac
from shakeproof.properties.mapper.finite_field import Params
from shakeproof.properties.mapper.hypotheses import HONEST_KEYS, RECORD_KEYS, WEAK_KEYS, KeyHypothesis, Keys
from shakeproof.properties.mapper.keys import KeyKind, PrivateKey
from shakeproof.properties.mapper.sessions import Session

NO_RANDOM = bytes(32)
AUDIT_TIME = datetime(2026, 1, 1, tzinfo=UTC)
"""The time at which certificates are read unless another is given: within what the certificate factory makes."""

Role = Literal["client", "server"]
KeyExchangeName = Literal["rsa", "ecdhe", "dhe"]
BulkName = Literal["cbc", "gcm", "cbc256", "cbc-sha2", "cbc256-sha2", "gcm256", "chacha"]
SessionName = Literal["", "id", "ticket"]

BULKS: dict[BulkName, str] = {
    "cbc": "AES_128_CBC_SHA",
    "gcm": "AES_128_GCM_SHA256",
    "cbc256": "AES_256_CBC_SHA",
    "cbc-sha2": "AES_128_CBC_SHA256",
    "cbc256-sha2": "AES_256_CBC_SHA256",
    "gcm256": "AES_256_GCM_SHA384",
    "chacha": "CHACHA20_POLY1305_SHA256",
}
"""How the suites of each record protection end; with ECDHE, AES_256_CBC comes with SHA-384 and not with SHA-256."""


@lru_cache(maxsize=256)
def suite_of(exchange: KeyExchange, certificate_key: KeyKind, bulk: BulkName) -> CipherSuite:
    """The suite of these three; with AES-128-GCM where RSA key transport or DHE has none of that kind."""
    signed_by = "ECDSA" if certificate_key == "ecdsa" and exchange is KeyExchange.ECDHE else "RSA"
    head = "TLS_RSA" if exchange is KeyExchange.RSA else f"TLS_{exchange}_{signed_by}"
    tail = BULKS[bulk]
    if exchange is KeyExchange.ECDHE and bulk == "cbc256-sha2":
        tail = "AES_256_CBC_SHA384"
    return SUITES_BY_NAME.get(f"{head}_WITH_{tail}") or SUITES_BY_NAME[f"{head}_WITH_{BULKS['gcm']}"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a scripted peer offers, chooses and expects.

    key_exchange: what it prefers; certificate_key: the kind of key in its own certificate, or in the one it expects;
    bulk: the record protection it prefers; suites: instead of those that follow from these three; groups: by
    default secp256r1 first, since x25519 has no points off the curve; time, anchors: how certificates are judged;
    gives: what a server gives its clients to resume by; session: the one that it holds; watches: it plays nobody and
    reads what both sides say, so that no certificate is for the wrong part.
    """

    key_exchange: KeyExchangeName = "ecdhe"
    certificate_key: KeyKind = "rsa"
    bulk: BulkName = "gcm"
    seed: bytes = b""
    server_name: str = SERVER_NAME
    suites: tuple[CipherSuite, ...] = ()
    groups: tuple[int, ...] = (23, 29)
    schemes: tuple[int, ...] = VERIFYING_SCHEMES
    extended_master_secret: bool = True
    encrypt_then_mac: bool = False
    gives: SessionName = ""
    session: Session | None = None
    time: datetime = AUDIT_TIME
    anchors: tuple[bytes, ...] = field(default_factory=anchors)
    application_data: bytes | None = None
    watches: bool = False

    def preferred(self, exchange: KeyExchange) -> CipherSuite:
        """The suite of that key exchange that the peer likes best."""
        wanted = suite_of(exchange, self.certificate_key, self.bulk)
        if self.suites and wanted not in self.suites:
            return next((suite for suite in self.suites if suite.key_exchange is exchange), wanted)
        return wanted

    def supported(self, exchange: KeyExchange, is_client: bool) -> tuple[CipherSuite, ...]:
        """The suites of that key exchange, best first. A client offers one; a server takes what it can."""
        best = self.preferred(exchange)
        if self.suites:
            return tuple(suite for suite in self.suites if suite.key_exchange is exchange) or (best,)
        if is_client:
            return (best,)
        others = [suite for suite in SUITES.values() if suite.key_exchange is exchange and suite is not best]
        others.sort(key=lambda suite: suite.authentication is not best.authentication)
        return (best, *others)


@dataclass
class Direction:
    """One direction's record protection.

    switched: a ChangeCipherSpec went by; unheeded: the last message was one that had no effect; keys: what is in
    force; before: keys, protection and sequence number that were in force at the last ChangeCipherSpec; sealed: the
    peer's own records under the keys in force, by sequence number.
    """

    switched: bool = False
    unheeded: bool = False
    keys: Keys = Keys.NONE
    protection: Protection = field(default_factory=NullProtection)
    sequence: int = 0
    before: tuple[Keys, Protection, int] = (Keys.NONE, NullProtection(), 0)
    sealed: dict[int, bytes] = field(default_factory=dict)

    def copy(self) -> Direction:
        """The same, to come back to; what went out stays known."""
        return Direction(**self.__dict__)  # as `replace` does, in a tenth of its time: this is done for each message

    @property
    def last(self) -> bytes | None:
        """The last record, where it was a sound one under the keys in force."""
        return self.sealed.get(self.sequence - 1)

    @property
    def older(self) -> bytes | None:
        """The newest sound record before the last."""
        return next((self.sealed[number] for number in range(self.sequence - 2, -1, -1) if number in self.sealed), None)

    def switch(self, keys: Keys, protection: Protection) -> None:
        """What a ChangeCipherSpec does."""
        self.before = (self.keys, self.protection, self.sequence)
        self.switched, self.unheeded = True, False
        self.keys, self.protection, self.sequence = keys, protection, 0
        self.sealed = {}


class Context:
    """What the peer knows. client_random and its like are NO_RANDOM until they have been sent or seen."""

    def __init__(self, role: Role, options: Options) -> None:
        self.is_client = role == "client"
        self.options = options
        self.hypothesis: KeyHypothesis = HONEST_KEYS
        self.client_hello: ClientHello | None = None
        self.server_hello: ServerHello | None = None
        self.client_random = NO_RANDOM
        self.server_random = NO_RANDOM
        self.hellos = 0
        self.suite = options.preferred(KeyExchange(options.key_exchange.upper()))
        self.extended = False
        self.encrypt_then_mac = False
        self.secure = False
        self.resumption: Session | None = None
        self.ticket = b""
        self.server_key: object = None
        self.certificate: Certificate | None = None
        self.own_key: PrivateKey | None = None
        self.shown: Chain | None = None
        """The chain that it shows, whatever its Certificate symbol says; None for the one that the symbol means."""
        self.keeps_open = False
        """Whether its application data is such that whoever reads it stays connected."""
        self.request: CertificateRequest | None = None
        self.client_key: object = None
        self.client_private: PrivateKey | None = None
        self.group: int | None = None
        self.server_public = b""
        self.params: Params | None = None
        self.temporary_rsa = False
        self.pre_master: bytes | None = None
        self.received_pre_master: bytes | None = None
        self.session_hash: bytes | None = None
        self.transcript: list[bytes] = []
        self.client_verify_data = b""
        self.server_verify_data = b""
        self.own_finished = False
        self.peer_finished = False
        self.write = Direction()
        self.read = Direction()
        self._masters: dict[tuple[bytes, bool], bytes] = {}
        self._blocks: dict[bytes, schedule.KeyBlock] = {}
        self._ivs = 0
        self.entropy: Callable[[int], bytes] = self._entropy

    def _entropy(self, length: int) -> bytes:
        self._ivs += 1
        return hashlib.sha512(self.options.seed + self._ivs.to_bytes(4, "big")).digest()[:length]

    # ------------------------------------------------------------------------------------------- what is negotiated

    @property
    def chosen(self) -> bool:
        """Whether a ServerHello settled the suite."""
        return self.server_hello is not None

    @property
    def uses_rsa(self) -> bool:
        """Whether the suite, or the stand-in for it, has RSA key transport."""
        return self.suite.key_exchange is KeyExchange.RSA

    @property
    def needs_ecdsa(self) -> bool:
        """Whether the suite needs an ECDSA certificate."""
        return self.suite.authentication is Authentication.ECDSA

    @property
    def uses_dhe(self) -> bool:
        """Whether the suite, or the stand-in for it, has Diffie-Hellman in a finite field."""
        return self.suite.key_exchange is KeyExchange.DHE

    @property
    def is_connected(self) -> bool:
        """Whether a handshake was completed: another one renegotiates."""
        return bool(self.client_verify_data and self.server_verify_data)

    @property
    def is_idle(self) -> bool:
        """Whether no handshake is under way after one that was completed: a ClientHello begins another one."""
        return self.is_connected and self.own_finished and self.peer_finished

    @property
    def agreed(self) -> bool:
        """Whether both sides have a secret."""
        return self.pre_master is not None or self.resumption is not None

    @property
    def version(self) -> int:
        """The version that the ClientHello offered."""
        return self.client_hello.client_version if self.client_hello is not None else TLS_1_2

    @property
    def may_begin(self) -> bool:
        """Whether a ClientHello begins another handshake: the last is over, or the one after it was not taken up."""
        return self.is_idle or (self.is_connected and self.server_hello is None)

    def own_random(self) -> bytes:
        """The random of the next hello that the peer sends."""
        label = b"client" if self.is_client else b"server"
        return hashlib.sha256(b"%s random %d of %s" % (label, self.hellos, self.options.seed)).digest()

    def begin_handshake(self) -> None:
        """A ClientHello came after a completed handshake: the transcript starts anew."""
        self.transcript = []
        self.own_finished = self.peer_finished = False
        self.server_hello = None
        self.pre_master = self.session_hash = None
        self.temporary_rsa = False
        self.resumption = None
        self.ticket = b""
        self.request = None
        self.client_key = self.client_private = None

    # ------------------------------------------------------------------------------------------------------- secrets

    def transcript_hash(self) -> bytes:
        """Hash of all handshake messages so far."""
        return hashlib.new(self.suite.prf_hash, b"".join(self.transcript)).digest()

    def agree(self, pre_master: bytes | None) -> None:
        """ClientKeyExchange went by, and is in the transcript: from now on there is a secret of its own."""
        self.pre_master = pre_master
        self.resumption = None
        self.session_hash = self.transcript_hash() if self.extended else None

    def resolve(self, keys: Keys) -> Keys:
        """What these keys really are: before a secret is agreed upon, the honest ones are of an empty master secret."""
        return Keys.EMPTY_MASTER if keys is Keys.HONEST and not self.agreed else keys

    def master(self, keys: Keys) -> bytes:
        """The master secret under a hypothesis."""
        keys = self.resolve(Keys.HONEST if keys is Keys.UNCHANGED else keys)
        if keys in (Keys.EMPTY_MASTER, Keys.NONE):
            return b""
        if keys is Keys.HONEST and self.resumption is not None:
            return self.resumption.master_secret
        pre_master = b"" if keys is Keys.EMPTY_PRE_MASTER or self.pre_master is None else self.pre_master
        if self.extended:
            seed = self.session_hash or self.transcript_hash()
        else:
            seed = self.client_random + self.server_random
        index = (pre_master + seed, self.extended)
        master = self._masters.get(index)
        if master is None:
            hash_name = self.suite.prf_hash
            if self.extended:
                master = schedule.extended_master_secret(pre_master, seed, hash_name)
            else:
                master = schedule.master_secret(pre_master, self.client_random, self.server_random, hash_name)
            self._masters[index] = master
        return master

    def verify_data(self, keys: Keys, of_client: bool) -> bytes:
        """The contents that a Finished message of that side should have now."""
        label = schedule.CLIENT_FINISHED if of_client else schedule.SERVER_FINISHED
        length = self.suite.verify_data_length
        return schedule.verify_data(self.master(keys), label, self.transcript_hash(), self.suite.prf_hash, length)

    def protection(self, keys: Keys, of_client: bool) -> Protection:
        """Record protection of what that side writes. NONE is none; UNCHANGED is the caller's to know."""
        if keys is Keys.NONE:
            return NullProtection()
        master = self.master(keys)
        code = self.suite.code.to_bytes(2, "big")
        index = master + self.client_random + self.server_random + code
        block = self._blocks.get(index)
        if block is None:
            block = schedule.key_block(master, self.client_random, self.server_random, self.suite)
            self._blocks[index] = block
        if of_client:
            parts = block.client_write_key, block.client_write_mac_key, block.client_write_iv
        else:
            parts = block.server_write_key, block.server_write_mac_key, block.server_write_iv
        if self.encrypt_then_mac and self.suite.mac_hash is not None:
            return EncryptThenMac(parts[0], parts[1], self.suite.mac_hash, self.entropy)
        return protection_for(self.suite, *parts, self.entropy)

    def session(self) -> Session | None:
        """The session of the completed handshake; None where there is none, or no way to ask for it."""
        hello = self.server_hello
        session_id = hello.session_id if hello is not None else b""
        if not self.is_idle or not self.agreed or not (session_id or self.ticket):
            return None
        return Session(
            self.suite,
            self.master(Keys.HONEST),
            self.extended,
            self.encrypt_then_mac,
            self.options.server_name,
            hello is not None and hello.extension(ExtensionType.SERVER_NAME) is not None,
            session_id,
            self.ticket,
        )

    def key_log(self) -> tuple[str, ...]:
        """Lines of an NSS key log; none before a secret is agreed upon."""
        if not self.agreed or self.client_random == NO_RANDOM:
            return ()
        return (schedule.key_log_line(self.client_random, self.master(Keys.HONEST)),)

    # ------------------------------------------------------------------------------------------- the two directions

    @property
    def is_cbc(self) -> bool:
        """Whether records are padded."""
        return self.suite.cipher is Cipher.AES_CBC

    def writing(self, keys: Keys) -> tuple[Keys, Protection, int]:
        """Keys, protection and the added sequence number of the peer's own records under a hypothesis."""
        keys = self.resolve(keys)
        if keys is Keys.UNCHANGED:
            return self.write.before
        return keys, self.protection(keys, self.is_client), 0

    def switch_write(self, keys: Keys) -> None:
        """The peer's own ChangeCipherSpec went out; what follows is under these keys."""
        if keys is Keys.UNCHANGED:
            self.write.before = (self.write.keys, self.write.protection, self.write.sequence)
            self.write.switched = True
            return
        resolved, protection, _ = self.writing(keys)
        self.write.switch(resolved, protection)

    def assume(self, hypothesis: KeyHypothesis) -> None:
        """From now on the target is taken to hold these keys, in both directions and for Finished."""
        if self.write.unheeded and hypothesis.record in WEAK_KEYS:
            # The message had no effect on the target's state, and all the same on its keys: that is this hypothesis.
            self.write.switch(hypothesis.record, self.protection(hypothesis.record, self.is_client))
        previous, self.hypothesis = self.hypothesis, hypothesis
        if not self.write.switched or hypothesis.record is previous.record:
            return
        sequence = self.write.sequence - (self.write.before[2] if previous.record is Keys.UNCHANGED else 0)
        keys, protection, start = self.writing(hypothesis.record)
        self.write = replace(
            self.write, keys=keys, protection=protection, sequence=start + sequence, before=self.write.before, sealed={}
        )

    def reading(self) -> list[Keys]:
        """The keys to try on a record of the target after its ChangeCipherSpec, likeliest first."""
        first = [self.read.keys] if self.read.keys is not Keys.NONE else []
        tried = [*first, self.resolve(self.hypothesis.record), *map(self.resolve, RECORD_KEYS)]
        return list(dict.fromkeys(tried))
