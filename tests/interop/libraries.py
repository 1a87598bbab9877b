"""The libraries that come without a program: Python's ssl, tlslite-ng, Node, Go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from tests.interop.stacks import (
    ALL_SUITES,
    ECDHE_SUITES,
    PROGRAMS,
    RSA_SUITES,
    Abilities,
    ProgramStack,
    Role,
    openssl_name,
    split_name,
)

GO_SUITES = (
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    *(suite for suite in ECDHE_SUITES if not suite.endswith("_CBC_SHA384")),
)


class PythonSsl(ProgramStack):
    """The ssl module over sockets. Its client cannot be told to renegotiate."""

    name = "ssl"
    tools = ()
    abilities: ClassVar[dict[Role, Abilities]] = {
        "server": Abilities(RSA_SUITES + ECDHE_SUITES, ("id", "ticket"), tells_end=True),
        "client": Abilities(ALL_SUITES, ("id", "ticket"), tells_end=True),
    }

    def command(self) -> list[str | Path]:
        return [sys.executable, "-W", "error", PROGRAMS / "echo_ssl.py"]

    def suite_name(self, suite: str) -> str:
        return openssl_name(suite)


class TlsliteNg(ProgramStack):
    """tlslite-ng, in Python, hence the smaller transfers. Its server asks for certificates and goes on without."""

    name = "tlslite"
    tools = ("tlslite",)
    abilities: ClassVar[dict[Role, Abilities]] = {
        "server": Abilities(
            ALL_SUITES, ("id", "ticket"), records=(1, 100, 1000), requires=False, largest=1 << 15, tells_end=True
        ),
        "client": Abilities(ALL_SUITES, ("id", "ticket"), records=(1, 100, 1000), largest=1 << 15, tells_end=True),
    }

    def command(self) -> list[str | Path]:
        return [sys.executable, PROGRAMS / "echo_tlslite.py"]

    def suite_name(self, suite: str) -> list[str]:  # type: ignore[override]
        exchange, cipher, mac = split_name(suite)
        names = {"AES_128_GCM": "aes128gcm", "AES_256_GCM": "aes256gcm", "CHACHA20_POLY1305": "chacha20-poly1305"}
        if cipher in names:
            return [exchange.lower(), names[cipher], "aead"]
        return [exchange.lower(), cipher.replace("AES_", "aes").removesuffix("_CBC"), mac.lower()]


class Node(ProgramStack):
    """Node, which is OpenSSL again with another use of its API."""

    name = "node"
    tools = ("node",)
    abilities: ClassVar[dict[Role, Abilities]] = {
        "server": Abilities(RSA_SUITES + ECDHE_SUITES, ("id", "ticket"), records=(512, 1000, 16384), renegotiates=True),
        "client": Abilities(ALL_SUITES, ("id", "ticket"), records=(512, 1000, 16384), renegotiates=True),
    }

    def command(self) -> list[str | Path]:
        return ["node", PROGRAMS / "echo.js"]

    def suite_name(self, suite: str) -> str:
        return openssl_name(suite)


class Go(ProgramStack):
    """Go 1.19: no DHE, no session ids, a client that renegotiates when asked to and a server that never does."""

    name = "go"
    extended_master_secret = False
    tools = ("go",)
    abilities: ClassVar[dict[Role, Abilities]] = {
        "server": Abilities(GO_SUITES, ("ticket",), tells_end=True),
        "client": Abilities(GO_SUITES, ("ticket",), tells_end=True),
    }

    def command(self) -> list[str | Path]:
        program = self.folder / "echo-go"
        if not program.exists():
            caches = {"GOCACHE": str(self.folder / "go-cache"), "GOPATH": str(self.folder / "go-path")}
            subprocess.run(
                ["go", "build", "-o", program, PROGRAMS / "echo.go"],
                env={**os.environ, **caches, "GO111MODULE": "off", "GOPROXY": "off", "GOFLAGS": ""},
                cwd=self.folder,
                check=True,
            )
        return [program]

    def suite_name(self, suite: str) -> str:
        return suite
