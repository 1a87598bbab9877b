"""Certificates, keys and trust anchors out of files, and a test certificate for a server that has none.

What a file holds is checked when it is read, and what is wrong with it is a UsageError that names the file.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
import stat
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from shakeproof.exits import UsageError
from shakeproof.impl.tls import Credential
from shakeproof.impl.tls.certificates import CURVES
from shakeproof.impl.tls.signatures import PrivateKey
from shakeproof.impl.x509 import Usage, Validator

SIZE_MOST = 1 << 24
"""Bytes of a PEM file that are read: the trust anchors of a whole system are a fortieth of that."""

SYSTEM_ANCHORS = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS, the BSDs
)
"""Where systems keep their trust anchors in one file; OpenSSL's own setting is asked first."""

_BEGIN = re.compile(rb"^-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----", re.MULTILINE)
_BEGIN_KEY = re.compile(rb"^-----BEGIN [A-Z ]*PRIVATE KEY-----", re.MULTILINE)
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)


@dataclass(frozen=True)
class Anchors:
    """Trust anchors as DER, and the file that they came from."""

    path: str
    der: tuple[bytes, ...]


def read_file(path: Path) -> bytes:
    """The contents of a file of the user's. Raises UsageError."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_MOST + 1)
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}") from error
    if len(data) > SIZE_MOST:
        raise UsageError(f"{path}: larger than any PEM file that is meant here ({SIZE_MOST} bytes)")
    return data


def load_certificates(path: Path) -> tuple[bytes, ...]:
    """The certificates of a PEM file as DER, in its order, at least one. Raises UsageError."""
    data = read_file(path)
    found = _certificates(data)
    if len(found) < len(_BEGIN.findall(data)) and (line := _malformed_certificate(data)):
        # A block that only lacks its end would be left out without a word where there are others.
        raise UsageError(f"{path}: the certificate at line {line} is malformed: no whole block of PEM, or no DER")
    if not found:
        raise UsageError(f"{path}: expected certificates in PEM (-----BEGIN CERTIFICATE-----), found none")
    return found


def _malformed_certificate(data: bytes) -> int:
    """The line at which the first certificate begins that can't be read; 0 where there is none."""
    starts = [match.start() for match in _BEGIN.finditer(data)]
    for start, stop in zip(starts, [*starts[1:], len(data)], strict=False):
        if not _certificates(data[start:stop]):
            return data.count(b"\n", 0, start) + 1
    return 0


def _certificates(data: bytes) -> tuple[bytes, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is odd about an anchor of the system is not the user's concern
        try:
            return tuple(item.public_bytes(Encoding.DER) for item in x509.load_pem_x509_certificates(data))
        except _UNREADABLE:
            return ()


def load_key(path: Path) -> PrivateKey:
    """The private key of a PEM file: RSA, or ECDSA on a curve of TLS 1.2. Raises UsageError."""
    data = read_file(path)
    try:
        key = load_pem_private_key(data, None)
    except TypeError as error:
        raise UsageError(f"{path}: the key is encrypted; write it without a password first") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        if begin := _BEGIN_KEY.search(data):
            line = data.count(b"\n", 0, begin.start()) + 1
            raise UsageError(
                f"{path}: the private key at line {line} is malformed, or of no kind that is known"
            ) from error
        raise UsageError(
            f"{path}: expected a private key in PEM, found none that can be read; a key in a file of its own has to be "
            f"named too"
        ) from error
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name not in CURVES:
        raise UsageError(f"{path}: a key on {key.curve.name}; TLS 1.2 has certificates on {', '.join(CURVES)}")
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise UsageError(f"{path}: expected an RSA or an ECDSA key, found {type(key).__name__.removeprefix('_')}")
    return key


def load_credential(certificate: Path, key: Path | None = None) -> Credential:
    """A chain, leaf first, with the leaf's key. key: None where it stands in the same file. Raises UsageError."""
    chain = load_certificates(certificate)
    where = key if key is not None else certificate
    private = load_key(where)
    try:
        public = x509.load_der_x509_certificate(chain[0]).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{certificate}: the key of its first certificate is of no kind that is known here") from error
    spelled = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if public.public_bytes(*spelled) != private.public_key().public_bytes(*spelled):
        raise UsageError(
            f"{where}: not the key of the first certificate in {certificate}; the certificate of the key comes first"
        )
    return Credential(chain, private)


def load_credentials(certificates: Sequence[Path], keys: Sequence[Path]) -> tuple[Credential, ...]:
    """Each certificate file with the key file in the same place, or with its own where no keys are given."""
    if keys and len(keys) != len(certificates):
        raise UsageError(
            f"{len(certificates)} times --cert and {len(keys)} times --key; each --cert needs its --key, in the same "
            f"order, or none where the certificate's file has the key too"
        )
    paired: Sequence[Path | None] = keys or [None] * len(certificates)
    return tuple(load_credential(certificate, key) for certificate, key in zip(certificates, paired, strict=True))


# ------------------------------------------------------------------------------------------------------------ anchors


def load_anchors(path: Path) -> Anchors:
    """The trust anchors of a PEM file. Raises UsageError."""
    return Anchors(str(path), load_certificates(path))


def system_anchors() -> Anchors:
    """The system's trust anchors, from the first sound place that has them. Raises UsageError where there is none.

    Sound: a file that no other user can have changed, with at least one certificate.
    """
    found = [ssl.get_default_verify_paths().cafile, *SYSTEM_ANCHORS]
    places = list(dict.fromkeys(place for place in found if place))
    for place in places:
        path = Path(place)
        if is_sound(path) and (certificates := _certificates(read_file(path))):
            return Anchors(place, certificates)
    raise UsageError(f"no trust anchors in {', '.join(places)}; name a file of CA certificates with --ca")


def is_sound(path: Path) -> bool:
    """Whether a file is there, and only its owner, who is root or ourselves, can change it."""
    try:
        status = path.stat()
    except OSError:
        return False
    ours = not hasattr(os, "getuid") or status.st_uid in (0, os.getuid())
    return stat.S_ISREG(status.st_mode) and ours and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def server_validator(anchors: Sequence[bytes], *, with_profile: bool = False) -> Validator:
    """What judges a server's chain. The profile binds CAs, and many a private CA breaks it: only if asked for."""
    return Validator(anchors, with_profile=with_profile)


def client_validator(anchors: Sequence[bytes]) -> Validator:
    """What judges a client's chain; no name is expected of it."""
    return Validator(anchors, usage=Usage.CLIENT_AUTH, with_profile=False)


def subjects(certificates: Sequence[bytes]) -> tuple[bytes, ...]:
    """The subject of each certificate as DER, for CertificateRequest."""
    return tuple(x509.load_der_x509_certificate(der).subject.public_bytes() for der in certificates)


# --------------------------------------------------------------------------------------------------- test certificates


def factory_credentials(names: Sequence[str]) -> tuple[Credential, ...]:
    """An RSA and an ECDSA chain for these names, made with keys that are PUBLIC: they protect nothing."""
    from shakeproof.properties.mapper import certificates
    from shakeproof.properties.mapper.keys import KeyKind, Owner, private_key

    def made(kind: KeyKind) -> Credential:
        issuer = certificates.chain(kind).der[1]
        usage = ("digital_signature", "key_encipherment") if kind == "rsa" else ("digital_signature",)
        leaf = certificates.issue(
            subject=x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0][:64])]),
            issuer=x509.load_der_x509_certificate(issuer).subject,
            key=private_key(kind, Owner.LEAF),
            issuer_key=private_key(kind, Owner.INTERMEDIATE),
            serial=4,
            extensions=(
                (x509.BasicConstraints(ca=False, path_length=None), True),
                (certificates.key_usage(*usage), True),
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
                (x509.SubjectAlternativeName([_general_name(name) for name in names]), False),
            ),
        )
        return Credential((leaf, issuer), private_key(kind, Owner.LEAF))

    return (made("rsa"), made("ecdsa"))


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def factory_anchors_pem() -> str:
    """The trust anchors of `factory_credentials` as PEM."""
    from shakeproof.properties.mapper import certificates

    return certificates.anchors_pem()
