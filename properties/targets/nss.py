"""NSS's selfserv and tstclnt, which read keys and certificates from a database."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from shakeproof.properties.targets.base import Setup
from shakeproof.properties.targets.compiled import run_tool
from shakeproof.properties.targets.program import Files, request

SUITES = "".join(
    f":{code}"
    for code in (
        *(
            "C02B",
            "C02C",
            "CCA9",
            "C009",
            "C00A",
            "C023",
            "C024",
            "C02F",
            "C030",
            "CCA8",
            "C013",
            "C014",
            "C027",
            "C028",
        ),
        *("009E", "009F", "CCAA", "0033", "0039", "0067", "006B", "009C", "009D", "002F", "0035", "003C", "003D"),
    )
)
"""Every suite of NSS for TLS 1.2 with AES or ChaCha20, in the form that its programs take."""
NAME = "identity"


def database(files: Files, setup: Setup) -> None:
    """NSS reads keys and certificates from a database only; its client stops at the end of what it asks for.

    A client that is asked for a certificate shows any that its database has, so that there is one without.
    """
    (files.folder / "request").write_bytes(request(files))
    folder, full = _folder(files, False), _folder(files, True)
    for old in (folder, full):
        shutil.rmtree(old, ignore_errors=True)
    folder.mkdir()
    run_tool(["certutil", "-N", "-d", f"sql:{folder}", "--empty-password"], folder)
    for number, anchor in enumerate(x509.load_pem_x509_certificates(files.ca.read_bytes())):
        path = folder / f"anchor{number}.pem"
        path.write_bytes(anchor.public_bytes(serialization.Encoding.PEM))
        name = f"anchor {number}"
        run_tool(["certutil", "-A", "-d", f"sql:{folder}", "-n", name, "-t", "CT,C,C", "-i", str(path)], folder)
    if not files.cert.exists():
        return
    shutil.copytree(folder, full)
    leaf, *issuers = x509.load_pem_x509_certificates(files.cert.read_bytes())
    key = cast(RSAPrivateKey | EllipticCurvePrivateKey, load_pem_private_key(files.key.read_bytes(), None))
    bag = full / "identity.p12"
    bag.write_bytes(
        pkcs12.serialize_key_and_certificates(
            NAME.encode(),
            key,
            leaf,
            issuers,
            serialization.BestAvailableEncryption(b"public"),
        )
    )
    run_tool(["pk12util", "-i", str(bag), "-d", f"sql:{full}", "-W", "public", "-K", ""], full)


def _folder(files: Files, identity: bool) -> Path:
    """The database, with the program's own certificate or without any."""
    return files.folder / ("nss" if identity else "nss-anonymous")


def server(files: Files, port: int, setup: Setup) -> list[str]:
    """The command of selfserv."""
    argv = ["selfserv", "-d", f"sql:{_folder(files, True)}", "-p", str(port), "-w", "", "-D", "-V", "tls1.2:tls1.2"]
    argv += ["-n" if setup.certificate_key == "rsa" else "-e", NAME, "-c", SUITES, "-H", "1"]
    if setup.extended_master_secret:
        argv += ["-G"]
    if setup.tickets:
        argv += ["-u"]
    elif not setup.session:
        argv += ["-N"]
    if setup.client_auth:
        argv += ["-r"]
    return argv


def client(files: Files, port: int, setup: Setup) -> list[str]:
    """The command of tstclnt."""
    argv = ["tstclnt", "-O", "-h", "127.0.0.1", "-a", files.name, "-p", str(port)]
    argv += ["-d", f"sql:{_folder(files, setup.client_auth)}"]
    # With a file instead of standard input it ends when the server does.
    argv += ["-V", "tls1.2:tls1.2", "-c", SUITES, "-w", "", "-A", str(files.folder / "request")]
    if setup.extended_master_secret:
        argv += ["-G"]
    if setup.tickets:
        argv += ["-u"]
    if setup.client_auth:
        argv += ["-n", NAME]
    return argv
