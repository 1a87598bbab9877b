"""Full TLS 1.2 handshakes per second: ours, tlslite-ng's with gmpy2, and OpenSSL's through Python's ssl.

    pip install '.[bench]' && python benchmarks/handshake.py

One handshake is a client and a server, in one thread, joined in memory: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 with
RSA-2048 keys, no resumption, no tickets, the same certificates, group and signature scheme everywhere. What is not the
same is printed with the result. The stacks take turns, round by round, and the median round of each counts, so that a
machine that gets busier in the middle is unfair to all alike.

Exit code 2 where tlslite-ng or gmpy2 is not installed.
"""

from __future__ import annotations

import argparse
import errno
import gc
import os
import platform
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from shakeproof.impl.tls import (
    ClientConfig,
    ClientConnection,
    Credential,
    NamedGroup,
    ServerConfig,
    ServerConnection,
    SignatureScheme,
)
from shakeproof.impl.tls.suites import TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 as SUITE
from shakeproof.impl.x509 import Validator, certificate, verifier_for_tls
from shakeproof.properties.mapper import certificates

GROUPS = {
    "secp256r1": (NamedGroup.SECP256R1, "prime256v1"),
    "x25519": (NamedGroup.X25519, "X25519"),
}
"""Our name and OpenSSL's of each group. secp256r1 is the default: it is the one in which tlslite-ng is faster."""

OPENSSL_SUITE = "ECDHE-RSA-AES128-GCM-SHA256"

SCHEME = SignatureScheme.RSA_PSS_RSAE_SHA256
"""What OpenSSL's client prefers, and Python 3.11 has no way to change."""

GOAL = 3.0
"""Times tlslite-ng."""

MISSING = 2
"""Exit code where there is nothing to compare with."""

WARM_UP = 3
"""Handshakes of each stack before the first round."""

MAX_STEPS = 100
"""Turns that a handshake may take; an honest one takes fewer than 10."""

Handshake = Callable[[], str]
"""One handshake; gives what was negotiated."""


@dataclass(frozen=True)
class Contender:
    """A stack. count: handshakes a round, so that a round takes each stack about as long."""

    name: str
    what: str
    count: int
    handshake: Handshake
    prepare: Callable[[], None] = lambda: None


# ---------------------------------------------------------------------------------------------------------------- ours


def ours(group: NamedGroup) -> Handshake:
    """Our client and server."""
    chain = certificates.chain("rsa")
    validator = Validator(chain.anchors)
    client_config = ClientConfig(
        server_name=chain.name,
        verify=verifier_for_tls(validator),
        suites=(SUITE,),
        groups=(group,),
        signature_algorithms=(SCHEME,),
    )
    server_config = ServerConfig(
        credentials=[Credential(chain.der, chain.private_key)],
        suites=(SUITE,),
        groups=(group,),
        signature_algorithms=(SCHEME,),
    )

    def handshake() -> str:
        client, server = ClientConnection(client_config), ServerConnection(server_config)
        client.start()
        for _ in range(MAX_STEPS):
            server.receive_data(client.data_to_send())
            client.receive_data(server.data_to_send())
            if client.is_connected and server.is_connected:
                return str(client.negotiated.suite)
        raise RuntimeError(f"our handshake did not complete: client in {client.state}, server in {server.state}")

    return handshake


def forget_certificates() -> None:
    """Empty the memory of parsed certificates, so that the next validation parses its own."""
    certificate._parse_cached.cache_clear()


# ----------------------------------------------------------------------------------------------------------- tlslite-ng


class Pipe:
    """What tlslite-ng takes for a non-blocking socket: bytes to and from another one, in memory."""

    def __init__(self) -> None:
        self.arrived = bytearray()
        self.other = self

    def send(self, data: bytes) -> int:
        self.other.arrived += data
        return len(data)

    def sendall(self, data: bytes) -> None:
        self.other.arrived += data

    def recv(self, length: int) -> bytes:
        if not self.arrived:
            raise BlockingIOError(errno.EWOULDBLOCK, "nothing has arrived")
        data = bytes(self.arrived[:length])
        del self.arrived[:length]
        return data

    def close(self) -> None:
        return


def tlslite_ng(group: str) -> Handshake:
    """tlslite-ng's client and server, by its generators: no thread and no system call, which is its fastest way."""
    from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
    from tlslite.constants import CipherSuite

    chain = certificates.chain("rsa")
    sent = X509CertChain()
    sent.parsePemList(chain.pem)
    key = parsePEMKey(_old_style_key(), private=True)
    settings = HandshakeSettings()
    settings.minVersion = settings.maxVersion = (3, 3)
    settings.cipherNames = ["aes128gcm"]
    settings.keyExchangeNames = ["ecdhe_rsa"]
    settings.eccCurves = [group]
    settings.keyShares = []
    settings.defaultCurve = "secp256r1"
    settings.rsaSchemes = ["pss"]
    settings.rsaSigHashes = ["sha256"]
    settings.ticket_count = 0

    def handshake() -> str:
        near, far = Pipe(), Pipe()
        near.other, far.other = far, near
        client, server = TLSConnection(near), TLSConnection(far)
        turns: list[Iterator[Any]] = [
            client.handshakeClientCert(settings=settings, serverName=chain.name, async_=True),
            server.handshakeServerAsync(certChain=sent, privateKey=key, settings=settings),
        ]
        for _ in range(MAX_STEPS):
            turns = [turn for turn in turns if next(turn, None) is not None]
            if not turns:
                return str(CipherSuite.ietfNames[client.session.cipherSuite])
        raise RuntimeError("tlslite-ng's handshake did not complete")

    return handshake


def _old_style_key() -> str:
    return (
        certificates.chain("rsa")
        .private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        .decode()
    )


# -------------------------------------------------------------------------------------------------------------- OpenSSL


def openssl(curve: str) -> Handshake:
    """OpenSSL's client and server, by Python's ssl and MemoryBIO."""
    chain = certificates.chain("rsa")
    client_context, server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for context in (client_context, server_context):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(OPENSSL_SUITE)
        context.options |= ssl.OP_NO_TICKET
    server_context.set_ecdh_curve(curve)
    client_context.load_verify_locations(cadata=certificates.anchors_pem())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "server.pem"
        path.write_text(chain.private_key_pem + chain.pem, encoding="ascii")
        server_context.load_cert_chain(path)

    def handshake() -> str:
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = client_context.wrap_bio(to_client, to_server, server_hostname=chain.name)
        server = server_context.wrap_bio(to_server, to_client, server_side=True)
        waiting = [client, server]
        for _ in range(MAX_STEPS):
            waiting = [end for end in waiting if not _shaken(end)]
            if not waiting:
                return _ietf_name(client)
        raise RuntimeError("OpenSSL's handshake did not complete")

    return handshake


def _ietf_name(end: ssl.SSLObject) -> str:
    name = (end.cipher() or ("none",))[0]
    return str(SUITE) if name == OPENSSL_SUITE else name


def _shaken(end: ssl.SSLObject) -> bool:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


# ------------------------------------------------------------------------------------------------------------ measuring


def rate(contender: Contender, count: int) -> float:
    """Handshakes per second of processor time, in one round: what else the machine does matters little then."""
    gc.collect()
    spent = 0.0
    for _ in range(count):
        contender.prepare()
        began = time.process_time()
        contender.handshake()
        spent += time.process_time() - began
    return count / spent


def warm_up(contender: Contender) -> None:
    """A few handshakes that do not count. Raises RuntimeError unless they negotiate what is measured."""
    for _ in range(WARM_UP):
        contender.prepare()
        negotiated = contender.handshake()
        if negotiated != str(SUITE):
            raise RuntimeError(f"{contender.name} negotiated {negotiated}; expected {SUITE}")


def contenders(group: str) -> list[Contender]:
    """The stacks in the order in which they are printed; ours first."""
    named, curve = GROUPS[group]
    return [
        Contender("shakeproof", "chain validated by shakeproof.impl.x509, certificates parsed before", 60, ours(named)),
        Contender(
            "shakeproof, cold",
            "the same, every certificate parsed anew in each handshake",
            60,
            ours(named),
            forget_certificates,
        ),
        Contender("tlslite-ng", "chain parsed, not validated: it has no path validation", 15, tlslite_ng(group)),
        Contender("OpenSSL", "chain and name validated by OpenSSL", 120, openssl(curve)),
    ]


def missing() -> str:
    """What is not installed, "" where everything is."""
    for name in ("tlslite-ng", "gmpy2"):
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            return name
    return ""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="TLS 1.2 handshakes per second, client and server together")
    parser.add_argument("--group", choices=GROUPS, default="secp256r1", help="group of the key exchange")
    parser.add_argument("--rounds", type=int, default=9, help="rounds, of which the median counts")
    options = parser.parse_args()
    if name := missing():
        print(f"{name} is not installed: pip install '.[bench]'", file=sys.stderr)
        return MISSING
    versions = {name: metadata.version(name) for name in ("tlslite-ng", "gmpy2", "cryptography")}
    print(f"{SUITE}, {options.group}, {SCHEME.name.lower()}; RSA-2048 leaf, intermediate and root; full handshakes")
    print(
        f"Python {platform.python_version()}, {', '.join(f'{k} {v}' for k, v in versions.items())}, "
        f"{ssl.OPENSSL_VERSION}; {os.cpu_count()} cores, one used"
    )
    stacks = contenders(options.group)
    measured: dict[str, list[float]] = {stack.name: [] for stack in stacks}
    for stack in stacks:
        warm_up(stack)
    for _ in range(options.rounds):
        for stack in stacks:
            measured[stack.name].append(rate(stack, stack.count))
    median = {name: statistics.median(rates) for name, rates in measured.items()}
    counts = ", ".join(f"{stack.name} {stack.count}" for stack in stacks)
    print(f"{options.rounds} rounds in turn, handshakes a round: {counts}")
    print("per second of processor time: the median round, and the range of all\n")
    for stack in stacks:
        low, high = min(measured[stack.name]), max(measured[stack.name])
        print(f"{stack.name:<18}{median[stack.name]:8.1f} handshakes/s  ({low:.0f} to {high:.0f})  {stack.what}")
    print()
    for stack in stacks[:2]:
        mine = median[stack.name]
        print(f"{stack.name:<18}{mine / median['tlslite-ng']:5.1f} x tlslite-ng (goal: at least {GOAL:.0f})", end="")
        print(f", {mine / median['OpenSSL']:.2f} x OpenSSL")
    return 0


if __name__ == "__main__":
    sys.exit(main())
