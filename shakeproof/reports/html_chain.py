"""The certificate path that a run shows, certificate by certificate. Every text in it is a peer's."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from shakeproof.console import visible
from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls.handshake import HandshakeReader
from shakeproof.impl.tls.messages import HEADER_LENGTH, Certificate
from shakeproof.impl.tls.records import split_records
from shakeproof.impl.x509.certificate import Malformed, parse
from shakeproof.model.trace import Step, Trace

NAME_MOST = 300
"""Characters of one name that are shown."""


@dataclass(frozen=True)
class Link:
    """One certificate of a path. place: leaf, intermediate or root, as it was sent; problem: why it can't be read."""

    place: str
    subject: str = ""
    issuer: str = ""
    names: str = ""
    valid: str = ""
    key: str = ""
    sha256: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Chain:
    """A path as it was sent, leaf first. key: its anchor; sender: who sent it; defects: what is wrong by design."""

    key: str
    sender: str
    defects: tuple[str, ...]
    links: tuple[Link, ...]


def chain_of(step: Step, trace: Trace) -> Chain | None:
    """The chain in a Certificate message in plain; None where the step is something else, or cannot be read."""
    if step.message != "Certificate" or step.protection or not step.data:
        return None
    records, _ = split_records(step.data)
    reader = HandshakeReader()
    for record in records:
        reader.feed(record.fragment)
    message = reader.next_message()
    if message is None:
        return None
    try:
        certificates = Certificate.parse(message[HEADER_LENGTH:]).certificate_list
    except RemoteProtocolError:
        return None
    digest = hashlib.sha256(b"".join(certificates)).hexdigest()
    titles = {lane.name: lane.title for lane in trace.lanes}
    said = [step.detail] if step.defect and step.detail else [name.lower().replace("_", " ") for name in step.defect]
    return Chain(
        f"c-{digest[:12]}",
        visible(titles.get(step.sender, step.sender)),
        tuple(map(visible, said)),
        tuple(_link(der, index, certificates) for index, der in enumerate(certificates)),
    )


def _link(der: bytes, index: int, chain: Sequence[bytes]) -> Link:
    place = "leaf" if index == 0 else f"issuer {index}" if len(chain) > 2 else "issuer"
    digest = hashlib.sha256(der).hexdigest()
    try:
        certificate = parse(der)
        subject, issuer = certificate.x509.subject.rfc4514_string(), certificate.x509.issuer.rfc4514_string()
        names, key = _names(certificate.x509), type(certificate.x509.public_key()).__name__.strip("_")
    except (Malformed, ValueError, TypeError) as error:
        return Link(place, sha256=digest, problem=_shown(f"cannot be read: {error}"))
    return Link(
        place, _shown(subject), _shown(issuer), _shown(names),
        f"{certificate.not_before:%Y-%m-%d %H:%M} to {certificate.not_after:%Y-%m-%d %H:%M} UTC",
        key.removesuffix("PublicKey"), digest,
    )  # fmt: skip


def _names(certificate: x509.Certificate) -> str:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return ""
    return ", ".join(str(name.value) for name in found)


def _shown(text: str) -> str:
    text = visible(text)
    return text if len(text) <= NAME_MOST else f"{text[: NAME_MOST - 1]}…"
