"""What a server can be told that is no error and yet rarely meant: warnings, as sentences."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from shakeproof.impl.tls import Credential
from shakeproof.impl.tls.certificates import CURVES
from shakeproof.impl.tls.config import Site
from shakeproof.impl.tls.suites import DEFAULT_GROUPS
from shakeproof.impl.x509 import Reading
from shakeproof.impl.x509.names import match, read_reference
from shakeproof.impl.x509.verifier import MIN_RSA_BITS
from shakeproof.sites import SiteOptions


def cautions(default: tuple[SiteOptions, Site], named: Mapping[str, tuple[SiteOptions, Site]]) -> Iterator[str]:
    """Warnings about the default site and those with a name, each with what it was told and what it became."""
    yield from _of_site(*default, "--client-ca", "--client-auth")
    for name, (options, site) in named.items():
        where = f"--site {name}: "
        for text in (*_of_site(options, site, "client-ca", "client-auth"), *_of_names(name, site)):
            yield where + text


def _of_site(options: SiteOptions, site: Site, ca: str, auth: str) -> Iterator[str]:
    if options.client_ca is not None and site.client_authentication == "none":
        yield f"{ca} {options.client_ca} is not used, as {auth} is none"
    yield from weaknesses(site.credentials, options.certificates)
    for path, credential in zip(options.certificates, site.credentials, strict=False):
        key = credential.private_key
        if isinstance(key, ec.EllipticCurvePrivateKey) and CURVES.get(key.curve.name) not in DEFAULT_GROUPS:
            yield f"{path}: a key on {key.curve.name}, which our own client, and others, do not take"


def weaknesses(credentials: Sequence[Credential], paths: Sequence[Path]) -> Iterator[str]:
    """Warnings about keys that many a peer refuses; paths: the files of as many of the first credentials."""
    for path, credential in zip(paths, credentials, strict=False):
        key = credential.private_key
        if isinstance(key, rsa.RSAPrivateKey) and key.key_size < MIN_RSA_BITS:
            yield f"{path}: an RSA key of {key.key_size} bits, where the web asks for at least {MIN_RSA_BITS}"


def _of_names(name: str, site: Site) -> Iterator[str]:
    for credential in site.credentials:
        names = _names(credential.chain[0])
        if match(read_reference(name), names, Reading.RFC5280).presented is None:
            others = ", ".join(str(item.value) for item in names or ()) or "no name"
            yield f"its {_kind(credential)} certificate is not for that name but for {others}"


def _kind(credential: Credential) -> str:
    return "RSA" if isinstance(credential.private_key, rsa.RSAPrivateKey) else "ECDSA"


def _names(der: bytes) -> x509.SubjectAlternativeName | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            extensions = x509.load_der_x509_certificate(der).extensions
            return extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
            return None
