"""tlslite-ng's names; where it is not installed, the tests that need them are skipped.

Some of what it imports is deprecated, which the tests of this project take for errors.
"""

from __future__ import annotations

import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    pytest.importorskip("tlslite", reason="missing tool: tlslite")
    from tlslite.constants import (
        AlertDescription,
        CertificateType,
        CipherSuite,
        ContentType,
        ECPointFormat,
        ExtensionType,
        GroupName,
        HandshakeType,
        HashAlgorithm,
        HeartbeatMessageType,
        SignatureAlgorithm,
    )
    from tlslite.defragmenter import Defragmenter
    from tlslite.errors import TLSAbruptCloseError
    from tlslite.extensions import (
        ALPNExtension,
        ECPointFormatsExtension,
        RenegotiationInfoExtension,
        SessionTicketExtension,
        SignatureAlgorithmsExtension,
        SNIExtension,
        SupportedGroupsExtension,
        TLSExtension,
    )
    from tlslite.handshakehashes import HandshakeHashes
    from tlslite.keyexchange import ECDHKeyExchange, FFDHKeyExchange, KeyExchange
    from tlslite.mathtls import calc_key
    from tlslite.messages import (
        Alert,
        ApplicationData,
        Certificate,
        CertificateRequest,
        CertificateVerify,
        ChangeCipherSpec,
        ClientHello,
        ClientKeyExchange,
        Finished,
        HandshakeMsg,
        Heartbeat,
        HelloRequest,
        Message,
        ServerHello,
        ServerHelloDone,
        ServerKeyExchange,
    )
    from tlslite.messagesocket import MessageSocket
    from tlslite.utils.codec import Parser
    from tlslite.utils.cryptomath import bytesToNumber, numberToByteArray
    from tlslite.utils.keyfactory import parsePEMKey
    from tlslite.x509 import X509
    from tlslite.x509certchain import X509CertChain

__all__ = [
    "X509",
    "ALPNExtension",
    "Alert",
    "AlertDescription",
    "ApplicationData",
    "Certificate",
    "CertificateRequest",
    "CertificateType",
    "CertificateVerify",
    "ChangeCipherSpec",
    "CipherSuite",
    "ClientHello",
    "ClientKeyExchange",
    "ContentType",
    "Defragmenter",
    "ECDHKeyExchange",
    "ECPointFormat",
    "ECPointFormatsExtension",
    "ExtensionType",
    "FFDHKeyExchange",
    "Finished",
    "GroupName",
    "HandshakeHashes",
    "HandshakeMsg",
    "HandshakeType",
    "HashAlgorithm",
    "Heartbeat",
    "HeartbeatMessageType",
    "HelloRequest",
    "KeyExchange",
    "Message",
    "MessageSocket",
    "Parser",
    "RenegotiationInfoExtension",
    "SNIExtension",
    "ServerHello",
    "ServerHelloDone",
    "ServerKeyExchange",
    "SessionTicketExtension",
    "SignatureAlgorithm",
    "SignatureAlgorithmsExtension",
    "SupportedGroupsExtension",
    "TLSAbruptCloseError",
    "TLSExtension",
    "X509CertChain",
    "bytesToNumber",
    "calc_key",
    "numberToByteArray",
    "parsePEMKey",
]
