"""The stacks that `shakeproof audit NAME` starts by itself: how each is run, on this machine and over loopback.

A stack with a command-line program of its own is run by that; a library is driven by a small program of ours from
`drivers/`, which is compiled once, into the user's cache. All are held to TLS 1.2, with every suite they have and no
minimal strength, and have to verify certificates as an application would. A client's request is there to be sent
before it is connected, so that it goes out at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from shakeproof.properties.targets import nss
from shakeproof.properties.targets.base import PROMISING, SETUPS, Setup
from shakeproof.properties.targets.compiled import DRIVERS, built
from shakeproof.properties.targets.program import Files, Program, request

SCRIPT = "docs/stacks/install"


def _install(name: str, packages: str) -> str:
    return f"{packages} (or {SCRIPT} --only {name}, in the repository)"


# ---------------------------------------------------------------------------------------------------------- our drivers


def _go() -> str:
    return str(
        built("driver.go", "go", lambda source, to: ["go", "build", "-o", str(to / "driver"), str(source)]) / "driver"
    )


def _jsse() -> str:
    return str(built("Driver.java", "javac", lambda source, to: ["javac", "-d", str(to), str(source)]))


def _erlang() -> str:
    return str(built("driver.erl", "erlc", lambda source, to: ["erlc", "-o", str(to), str(source)]))


def _driven(
    start: Callable[[], list[str]], role: str, *, field: bool = False
) -> Callable[[Files, int, Setup], list[str]]:
    """How a driver of ours is started: ROLE PORT CERT KEY CA NAME, and a word for each thing that the setup wants."""

    def argv(files: Files, port: int, setup: Setup) -> list[str]:
        return [
            *start(),
            role,
            str(port),
            str(files.cert),
            str(files.key),
            str(files.ca),
            files.name,
            *_words(setup),
            *([f"dh={files.dh}"] if field and setup.key_exchange == "dhe" else []),
        ]

    return argv


def _words(setup: Setup) -> list[str]:
    words: list[str] = ["ticket"] if setup.tickets else [setup.session] if setup.session else []
    words += ["client-auth"] if setup.client_auth else []
    words += ["renegotiation"] if setup.renegotiation else []
    return words


def _java() -> list[str]:
    # One compiler and one collector: a small program that is started often.
    return ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", _jsse(), "Driver"]


def _erl() -> list[str]:
    # Schedulers that wait without spinning: a thread that spins looks busy.
    spinning = [word for kind in ("sbwt", "sbwtdcpu", "sbwtdio") for word in (f"+{kind}", "none")]
    return ["erl", *spinning, "-boot", "start_clean", "-noshell", "-pa", _erlang(), "-run", "driver", "main"]


def _python(source: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, str(DRIVERS / source)]


# -------------------------------------------------------------------------------------------------- programs of a stack

ECHOING = """
pipe=$1/echo.$$; shift
mkfifo "$pipe" && exec 0<>"$pipe" 1>&0 && rm "$pipe" || exit 1
exec "$@"
"""
"""A server that prints what it receives and sends what it reads: with both ends of one pipe it is an echo."""


def _echoing(files: Files, argv: list[str]) -> list[str]:
    return ["sh", "-c", ECHOING, "sh", str(files.folder), *argv]


def _openssl_chain(files: Files, setup: Setup) -> None:
    """OpenSSL's programs want the issuers in a file without the leaf, or they send that twice."""
    _, *issuers = x509.load_pem_x509_certificates(files.cert.read_bytes())
    pem = b"".join(issuer.public_bytes(serialization.Encoding.PEM) for issuer in issuers)
    (files.folder / "issuers.pem").write_bytes(pem)


def _openssl_server(files: Files, port: int, setup: Setup) -> list[str]:
    argv = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(files.cert)]
    argv += [
        "-cert_chain",
        str(files.folder / "issuers.pem"),
        "-key",
        str(files.key),
        "-tls1_2",
        "-cipher",
        "ALL:@SECLEVEL=0",
        "-dhparam",
        str(files.dh),
    ]
    # Not -www or -rev: there it sleeps for a second whenever a record brings no data. -quiet: its input is no commands.
    argv += ["-quiet"]
    if not setup.tickets:
        argv += ["-no_ticket"]
    if setup.client_auth:
        argv += ["-verify", "4", "-verify_return_error", "-CAfile", str(files.ca)]
    if setup.renegotiation:
        argv += ["-client_renegotiation"]
    return _echoing(files, argv)


def _openssl_client(files: Files, port: int, setup: Setup) -> list[str]:
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", files.name, "-verify_hostname"]
    argv += [files.name, "-CAfile", str(files.ca), "-verify_return_error", "-tls1_2", "-cipher", "ALL:@SECLEVEL=0"]
    argv += ["-quiet", "-no_ign_eof"]
    if not setup.tickets:
        argv += ["-no_ticket"]
    if setup.session:
        kept = files.folder / "session.pem"
        argv += ["-sess_out", str(kept)]
        if kept.exists():
            argv += ["-sess_in", str(kept)]
    if setup.client_auth:
        argv += ["-cert", str(files.cert), "-cert_chain", str(files.folder / "issuers.pem"), "-key", str(files.key)]
    return argv


GNUTLS_PRIORITY = "NORMAL:-VERS-ALL:+VERS-TLS1.2:+RSA:+DHE-RSA:+AES-128-CBC:+AES-256-CBC:+SHA256"


def _gnutls_priority(setup: Setup) -> str:
    # Its --noticket leaves the extension in the ClientHello.
    return GNUTLS_PRIORITY if setup.tickets else f"{GNUTLS_PRIORITY}:%NO_TICKETS"


def _gnutls_server(files: Files, port: int, setup: Setup) -> list[str]:
    argv = ["gnutls-serv", "--port", str(port), "--echo", "--quiet", "--priority", _gnutls_priority(setup)]
    argv += ["--x509certfile", str(files.cert), "--x509keyfile", str(files.key), "--dhparams", str(files.dh)]
    if not setup.session:
        argv += ["--nodb"]
    if setup.client_auth:
        argv += ["--verify-client-cert", "--x509cafile", str(files.ca)]
    else:
        argv += ["--disable-client-cert"]
    return argv


def _gnutls_client(files: Files, port: int, setup: Setup) -> list[str]:
    argv = ["gnutls-cli", "--port", str(port), "--x509cafile", str(files.ca), "--verify-hostname", files.name]
    argv += ["--sni-hostname", files.name, "--priority", _gnutls_priority(setup)]
    if setup.client_auth:
        argv += ["--x509certfile", str(files.cert), "--x509keyfile", str(files.key)]
    return [*argv, "127.0.0.1"]


BOTAN_POLICY = """allow_tls10 = false
allow_tls11 = false
allow_tls12 = true
allow_dtls10 = false
allow_dtls12 = false
ciphers = ChaCha20Poly1305 AES-256/GCM AES-128/GCM AES-256 AES-128
signature_hashes = SHA-512 SHA-384 SHA-256 SHA-1
macs = AEAD SHA-384 SHA-256 SHA-1
key_exchange_methods = ECDH DH RSA
signature_methods = ECDSA RSA IMPLICIT
key_exchange_groups = x25519 secp256r1 secp384r1 ffdhe/ietf/2048
allow_insecure_renegotiation = false
include_time_in_hello_random = false
allow_client_initiated_renegotiation = {renegotiation}
allow_server_initiated_renegotiation = {renegotiation}
negotiate_encrypt_then_mac = true
minimum_rsa_bits = 1024
minimum_dh_group_size = 1024
minimum_signature_strength = 0
require_cert_revocation_info = false
"""


def _botan_policy(files: Files, setup: Setup) -> None:
    text = BOTAN_POLICY.format(renegotiation="true" if setup.renegotiation else "false")
    _botan_file(files, setup).write_text(text, encoding="ascii")


def _botan_file(files: Files, setup: Setup) -> Path:
    """What the command names: setups that differ in it need a process of their own."""
    return files.folder / ("renegotiating.txt" if setup.renegotiation else "policy.txt")


def _botan_server(files: Files, port: int, setup: Setup) -> list[str]:
    policy = _botan_file(files, setup)
    return ["botan", "tls_server", str(files.cert), str(files.key), f"--port={port}", f"--policy={policy}"]


def _curl(files: Files, port: int, setup: Setup) -> list[str]:
    argv = ["curl", "--silent", "--show-error", "--output", os.devnull, "--cacert", str(files.ca), "--http1.1"]
    argv += ["--tlsv1.2", "--tls-max", "1.2", "--ciphers", "ALL:@SECLEVEL=0"]
    argv += ["--resolve", f"{files.name}:{port}:127.0.0.1"]
    if setup.client_auth:
        argv += ["--cert", str(files.cert), "--key", str(files.key)]
    return [*argv, f"https://{files.name}:{port}/"]


# ------------------------------------------------------------------------------------------------------------ the table

ONE_CONNECTION = (*(setup for setup in SETUPS if not setup.session), *PROMISING)
"""For a client that forgets its sessions when it ends."""
ONE_RESPONSE = tuple(setup for setup in ONE_CONNECTION if not setup.renegotiation)
"""For a client that closes when it has its response, also in the middle of a renegotiation."""
NO_RSA = tuple(setup for setup in SETUPS if setup.key_exchange == "ecdhe")
"""For rustls, which has neither key transport nor DHE."""

_ALL = (
    Program(
        name="openssl-cli",
        title="OpenSSL's s_server and s_client",
        needs=("openssl",),
        install=_install("openssl-cli", "Debian: openssl"),
        version=("openssl", "version"),
        server=_openssl_server,
        client=_openssl_client,
        typed=request,
        prepare=_openssl_chain,
    ),
    Program(
        name="gnutls",
        title="GnuTLS",
        needs=("gnutls-serv", "gnutls-cli"),
        install=_install("gnutls", "Debian: gnutls-bin"),
        version=("gnutls-serv", "--version"),
        server=_gnutls_server,
        client=_gnutls_client,
        typed=request,
        client_setups=ONE_CONNECTION,
    ),
    Program(
        name="nss",
        title="NSS",
        needs=("selfserv", "tstclnt", "certutil", "pk12util"),
        install=_install("nss", "Debian: libnss3-tools"),
        version=("dpkg-query", "-W", "-f", "NSS ${Version}\n", "libnss3"),
        server=nss.server,
        client=nss.client,
        client_setups=ONE_CONNECTION,
        prepare=nss.database,
    ),
    Program(
        name="go",
        title="Go's crypto/tls",
        needs=("go",),
        install=_install("go", "Debian: golang-go"),
        version=("go", "version"),
        server=_driven(lambda: [_go()], "server"),
        client=_driven(lambda: [_go()], "client"),
        loops=True,
    ),
    Program(
        name="node",
        title="Node's tls",
        needs=("node",),
        install=_install("node", "Debian: nodejs"),
        version=("node", "-p", "`Node ${process.version}, OpenSSL ${process.versions.openssl}`"),
        server=_driven(lambda: ["node", str(DRIVERS / "driver.js")], "server", field=True),
        client=_driven(lambda: ["node", str(DRIVERS / "driver.js")], "client"),
        loops=True,
    ),
    Program(
        name="jsse",
        title="Java's JSSE",
        needs=("java", "javac"),
        install=_install("jsse", "Debian: default-jdk-headless"),
        version=("java", "--version"),
        server=_driven(_java, "server"),
        client=_driven(_java, "client"),
        loops=True,
    ),
    Program(
        name="botan",
        title="Botan",
        needs=("botan",),
        install=_install("botan", "Debian: botan"),
        version=("botan", "version"),
        server=_botan_server,
        prepare=_botan_policy,
    ),
    Program(
        name="erlang",
        title="Erlang's ssl",
        needs=("erl", "erlc"),
        install=_install("erlang", "Debian: erlang-ssl"),
        version=(
            "erl",
            "-noshell",
            "-eval",
            'application:load(ssl), {ok, V} = application:get_key(ssl, vsn), io:format("Erlang/OTP ~s, ssl ~s~n", '
            "[erlang:system_info(otp_release), V]), halt().",
        ),
        server=_driven(_erl, "server", field=True),
        client=_driven(_erl, "client"),
        loops=True,
        client_setups=ONE_CONNECTION,
    ),
    Program(
        name="curl",
        title="curl",
        needs=("curl",),
        install=_install("curl", "Debian: curl"),
        version=("curl", "--version"),
        client=_curl,
        client_setups=ONE_RESPONSE,
    ),
    Program(
        name="tlslite-ng",
        title="tlslite-ng",
        needs=("python:tlslite",),
        install=_install("tlslite-ng", "PyPI: tlslite-ng"),
        version=(sys.executable, "-c", "import tlslite; print('tlslite-ng', tlslite.__version__)"),
        server=_driven(_python("tlslite_server.py"), "server"),
    ),
    Program(
        name="rustls",
        title="rustls, through rtls",
        needs=("python:rtls",),
        install=_install("rustls", "PyPI: rtls"),
        version=(sys.executable, "-c", "import rtls; print(rtls.OPENSSL_VERSION, '· rtls', rtls.__version__)"),
        server=_driven(_python("rustls_driver.py"), "server"),
        client=_driven(_python("rustls_driver.py"), "client"),
        loops=True,
        server_setups=NO_RSA,
        client_setups=(*NO_RSA, *(setup for setup in PROMISING if setup.key_exchange == "ecdhe")),
    ),
)

PROGRAMS: dict[str, Program] = {program.name: program for program in _ALL}
