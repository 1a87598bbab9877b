"""The rogues of certificate validation."""

from __future__ import annotations

from collections.abc import Callable

from shakeproof.impl.x509 import Validator
from shakeproof.properties.rogues import certificates
from shakeproof.properties.rogues.planting import CLIENT, SERVER, Rogue


def _of_chains(
    name: str,
    fault: str,
    clause: str,
    plant: Callable[[Validator], None],
    history: str = "",
    *,
    in_suites: bool = False,
) -> Rogue:
    """A fault of a client's certificate validation."""
    return Rogue(name, fault, (CLIENT,), clause, history, validator=plant, chains_only=not in_suites)


OF_CERTIFICATES = (
    _of_chains(
        "expired-certificate",
        "accepts certificates that have expired",
        "RFC 5280 section 6.1.3",
        certificates.expired_certificate,
        in_suites=True,
    ),
    _of_chains(
        "wrong-name",
        "never compares the certificate's names with the server's",
        "RFC 9525 section 6",
        certificates.wrong_name,
        in_suites=True,
    ),
    _of_chains(
        "not-yet-valid-certificate",
        "accepts certificates that are not valid yet",
        "RFC 5280 section 6.1.3",
        certificates.not_yet_valid_certificate,
        in_suites=True,
    ),
    _of_chains(
        "expired-issuer",
        "looks at the validity of the leaf and of no issuer",
        "RFC 5280 section 6.1.3",
        certificates.expired_issuer,
    ),
    _of_chains(
        "error-for-success",
        "takes a signature that cannot be verified for one that verifies",
        "RFC 5280 section 6.1.3",
        certificates.error_for_success,
    ),
    _of_chains(
        "certificate-signature-unchecked",
        "never verifies the signature of a certificate",
        "RFC 5280 section 6.1.3",
        certificates.signature_unchecked,
        in_suites=True,
    ),
    _of_chains(
        "lenient-padding",
        "reads the padding of an RSA signature leniently, so that a cube root passes for one where the exponent is 3",
        "RFC 8017 section 8.2.2",
        certificates.lenient_padding,
    ),
    _of_chains(
        "any-digest",
        "verifies a signature over a digest that is too short, which anybody can make",
        "RFC 5280 section 6.1.3",
        certificates.any_digest,
        "wolfSSL before 5.9.1 (CVE-2026-5194)",
    ),
    _of_chains(
        "basic-constraints-ignored",
        "lets any certificate issue others",
        "RFC 5280 section 6.1.4",
        certificates.basic_constraints_ignored,
        in_suites=True,
    ),
    _of_chains(
        "alternatives-trusted",
        "does not look whether issuers are CAs once the first path has failed and another is tried",
        "RFC 5280 section 6.1.4",
        certificates.alternatives_trusted,
    ),
    _of_chains(
        "strictness-forgets-ca",
        "forgets, in its strict mode, that an issuer is no CA where the issuer's key is on a named curve",
        "RFC 5280 section 6.1.4",
        certificates.strictness_forgets_ca,
        in_suites=True,
    ),
    _of_chains(
        "path-length-ignored",
        "never counts the CAs below a pathLenConstraint",
        "RFC 5280 section 6.1.4",
        certificates.path_length_ignored,
        in_suites=True,
    ),
    _of_chains(
        "issuer-key-usage-ignored",
        "lets keys sign certificates that may not",
        "RFC 5280 section 6.1.4",
        certificates.issuer_key_usage_ignored,
    ),
    _of_chains(
        "issuer-name-ignored",
        "chains certificates by key identifier and signature, whatever their issuer's name",
        "RFC 5280 section 6.1.3",
        certificates.issuer_name_ignored,
    ),
    _of_chains(
        "purpose-ignored",
        "takes a certificate that is meant for something else",
        "RFC 5280 section 4.2.1.12",
        certificates.purpose_ignored,
        in_suites=True,
    ),
    Rogue(
        "client-use-ignored",
        "takes a client's certificate whose key usage and purpose are others",
        (SERVER,),
        "RFC 5280 section 4.2.1.12",
        "Mbed TLS 3.2 to 3.6.0 (CVE-2024-45159)",
        validator=certificates.client_use_ignored,
        chains_only=True,
    ),
    _of_chains(
        "critical-ignored",
        "passes over critical extensions that it does not know",
        "RFC 5280 section 6.1.5",
        certificates.critical_ignored,
        in_suites=True,
    ),
    _of_chains(
        "constraints-ignored",
        "never holds names against the subtrees that their issuers may certify",
        "RFC 5280 section 6.1.3",
        certificates.constraints_ignored,
        in_suites=True,
    ),
    _of_chains(
        "constraints-with-case",
        "compares names with name constraints as if capitals made a difference",
        "RFC 5280 section 7.2",
        certificates.constraints_with_case,
        "GnuTLS before 3.8.13 (CVE-2026-3833)",
    ),
    _of_chains(
        "common-name-fallback",
        "falls back on the common name where the subjectAltName holds no host",
        "RFC 9525 section 6.3",
        certificates.common_name_fallback,
        "GnuTLS (CVE-2026-42012)",
    ),
    _of_chains(
        "nul-ends-name",
        "reads a name up to its first NUL",
        "RFC 5280 section 4.2.1.6",
        certificates.nul_ends_name,
    ),
    _of_chains(
        "unreadable-name-passes",
        "compares no name where the one that is meant cannot be read",
        "RFC 9525 section 6",
        certificates.unreadable_name_passes,
        "Mbed TLS before 3.6.3, where no name was set (CVE-2025-27809)",
    ),
    _of_chains(
        "endless-search",
        "searches for a path without a budget",
        "RFC 5280 section 6.1",
        certificates.endless_search,
    ),
)
