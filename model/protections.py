"""Protections as switches: what a table demands, taken out, so that it can be shown what it is there for.

To take a protection out is a change of rows, never a transition of its own: in some states a defective message, or one
that is out of place, is taken as the sound one is where that belongs, or taken without the state changing. The row that
refused it no longer does. So each switch is the fault of a real implementation, and the attack that follows is found,
not written down. Those of TCP are not changes of rows: the table has a reading without RFC 5961, and whether numbers
can be predicted is no row's to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shakeproof.model.facts import Guard, ModelError, Value
from shakeproof.model.machine import Role
from shakeproof.model.messages import (
    ApplicationData,
    Certificate,
    CertificateVerify,
    ChangeCipherSpec,
    ClientHello,
    Finished,
    Record,
    ServerHello,
    ServerKeyExchange,
    acceptable,
    bad_mac,
    bad_signature,
    expired,
    fallback,
    forged_signature,
    issuer_not_ca,
    match,
    mismatch,
    missing_intermediate,
    name_excluded,
    not_yet_valid,
    old_version,
    one,
    pathlen_exceeded,
    proper,
    proven,
    renegotiation_claimed,
    renegotiation_forged,
    rsa,
    self_signed_leaf,
    signed,
    trusted,
    unknown_critical,
    unproven,
    untrusted,
    weak_hash,
    wrong_eku,
    wrong_name,
    wrong_usage,
)
from shakeproof.model.notation import STAY, Abort, Kind, Message, Pattern, Row, State, States, TableLine
from shakeproof.model.tls12 import (
    CONNECTED,
    WAIT_CERTIFICATE,
    WAIT_CERTIFICATE_VERIFY,
    WAIT_CHANGE_CIPHER_SPEC,
    WAIT_CLIENT_HELLO,
    WAIT_CLIENT_KEY_EXCHANGE,
    WAIT_FINISHED,
    WAIT_SERVER_HELLO,
    WAIT_SERVER_HELLO_DONE,
    WAIT_SERVER_KEY_EXCHANGE,
)


@dataclass(frozen=True)
class Change:
    """A change of rows: in `states`, the message with any of `values` is taken as `sound` is in the state `like`.

    The first of the values is the one that the historical attack had. given: what must be remembered for it, where that
    is not what the rows for `like` ask. stays: it is taken whatever is remembered, does to records what it does, and
    the state stays what it was.
    """

    role: str
    message: Message
    values: tuple[Value, ...]
    states: tuple[State, ...]
    like: State
    sound: Pattern
    given: Guard | None = None
    stays: bool = False


@dataclass(frozen=True)
class Protection:
    """A protection.

    sentence: what it is; attack: what its lack makes possible; changes: rows that are otherwise without it; needs: the
    part of a setting without which it is idle; family: the models that have it.
    """

    name: str
    sentence: str
    attack: str
    changes: tuple[Change, ...] = ()
    needs: str = ""
    family: str = "tls12"


def _chain(*values: Value, role: str = "tls12.client") -> tuple[Change, ...]:
    return (Change(role, Certificate, values, (WAIT_CERTIFICATE,), WAIT_CERTIFICATE, Certificate[trusted]),)


_PATH = (
    untrusted, expired, not_yet_valid, self_signed_leaf, missing_intermediate, bad_signature, issuer_not_ca,
    wrong_usage, pathlen_exceeded, wrong_eku, name_excluded, unknown_critical, weak_hash,
)  # fmt: skip
_BEFORE_KEYS = (WAIT_SERVER_KEY_EXCHANGE, WAIT_SERVER_HELLO_DONE)

PROTECTIONS: dict[str, Protection] = {
    each.name: each
    for each in (
        Protection(
            "certificate-validation",
            "the client refuses a chain that does not lead to a trust anchor, or has another defect of its path",
            "a man in the middle with a certificate that it made itself",
            _chain(*_PATH),
        ),
        Protection(
            "name-check",
            "the client refuses a certificate that does not name the server that it wanted",
            "a man in the middle with a valid certificate for another name",
            _chain(wrong_name),
        ),
        Protection(
            "key-exchange-signature",
            "the client verifies the signature over the server's ephemeral parameters",
            "goto fail (CVE-2014-1266): the server's own certificate, with parameters of the attacker",
            (
                Change(
                    "tls12.client", ServerKeyExchange, (forged_signature,), (WAIT_SERVER_KEY_EXCHANGE,),
                    WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[signed],
                ),
            ),
            "ecdhe",
        ),
        Protection(
            "finished-check",
            "both sides compare verify_data with their own view of the handshake",
            "tampering with the handshake: both finish, and have seen other messages",
            tuple(
                Change(role, Finished, (mismatch,), (WAIT_FINISHED,), WAIT_FINISHED, Finished[match])
                for role in ("tls12.client", "tls12.server")
            ),
        ),
        Protection(
            "ccs-after-keys",
            "ChangeCipherSpec is refused where no keys are agreed yet",
            "early ChangeCipherSpec (CVE-2014-0224): record keys of an empty secret, which stay in a sound handshake",
            (
                Change(
                    "tls12.client", ChangeCipherSpec, (one,), _BEFORE_KEYS, WAIT_CHANGE_CIPHER_SPEC,
                    ChangeCipherSpec[one], stays=True,
                ),
                Change(
                    "tls12.server", ChangeCipherSpec, (one,), (WAIT_CLIENT_KEY_EXCHANGE,), WAIT_CHANGE_CIPHER_SPEC,
                    ChangeCipherSpec[one], stays=True,
                ),
            ),
        ),
        Protection(
            "message-order",
            "a Finished is refused where the messages before it have not come, ChangeCipherSpec among them",
            "SKIP (CVE-2014-6593): Finished straight after Certificate, and data without any encryption",
            (
                Change(
                    "tls12.client", Finished, (match,), (*_BEFORE_KEYS, WAIT_CHANGE_CIPHER_SPEC), WAIT_FINISHED,
                    Finished[match],
                ),
                Change("tls12.server", Finished, (match,), (WAIT_CHANGE_CIPHER_SPEC,), WAIT_FINISHED, Finished[match]),
            ),
        ),
        Protection(
            "client-certificate-validation",
            "the server refuses a client's chain that does not lead to its trust anchor, or has another defect of its "
            "path, or takes the client for nobody",
            "anybody goes for a client, with a certificate that it made itself",
            _chain(*_PATH, role="tls12.server"),
            "client-auth",
        ),
        Protection(
            "certificate-verify",
            "the server verifies the client's proof that it holds the key of its certificate",
            "whoever has seen a client's certificate is taken for that client",
            (
                Change(
                    "tls12.server", CertificateVerify, (unproven,), (WAIT_CERTIFICATE_VERIFY,),
                    WAIT_CERTIFICATE_VERIFY, CertificateVerify[proven],
                ),
            ),
            "client-auth",
        ),
        Protection(
            "record-mac",
            "a record whose MAC or tag is wrong is refused",
            "data of the attacker in the middle of a sound connection",
            tuple(
                Change(role, Record, (bad_mac,), (CONNECTED,), CONNECTED, Pattern(ApplicationData))
                for role in ("tls12.client", "tls12.server")
            ),
        ),
        Protection(
            "renegotiation-binding",
            "both sides compare renegotiation_info with the verify_data of the handshake before (RFC 5746)",
            "the renegotiation attack (CVE-2009-3555): what the attacker wrote is taken for the client's",
            (
                Change(
                    "tls12.server", ClientHello, (renegotiation_claimed,), (CONNECTED,), CONNECTED,
                    ClientHello[acceptable],
                ),
                Change(
                    "tls12.server", ClientHello, (renegotiation_claimed,), (WAIT_CLIENT_HELLO,), WAIT_CLIENT_HELLO,
                    ClientHello[acceptable],
                ),
                Change(
                    "tls12.client", ServerHello, (renegotiation_forged,), (WAIT_SERVER_HELLO,), WAIT_SERVER_HELLO,
                    ServerHello[proper],
                ),
            ),
            family="renegotiation",
        ),
        Protection(
            "extended-master-secret",  # no row has it: `tls12_sessions` makes keys otherwise without it
            "the master secret is made of the whole handshake, so that no two sessions have the same (RFC 7627)",
            "the triple handshake: what the attacker wrote is taken for the owner's of a certificate",
            family="triple-handshake",
        ),
        Protection(
            "no-export-keys",
            "the client refuses a ServerKeyExchange where it encrypts to the certificate's key: it asked for no other",
            "FREAK (CVE-2015-0204): a short key that the server signs for whoever asks, and that anybody can break",
            (
                Change(
                    "tls12.client", ServerKeyExchange, (signed,), (WAIT_SERVER_HELLO_DONE,), WAIT_SERVER_KEY_EXCHANGE,
                    ServerKeyExchange[signed], rsa,
                ),
            ),
            "export",
        ),
        Protection(
            "downgrade-signal",
            "a server that has a newer version than is offered refuses a client that says that it falls back",
            "version rollback: the first attempt is broken, and the second one is in an older version",
            (
                Change(
                    "tls12.server", ClientHello, (fallback,), (WAIT_CLIENT_HELLO,), WAIT_CLIENT_HELLO,
                    ClientHello[old_version],
                ),
            ),
            "fallback",
            family="fallback",
        ),
        Protection(
            "challenge-ack",
            "RFC 5961: a reset or a SYN that is not exactly the expected one is answered with a challenge ACK, and an "
            "acknowledgment of long ago is refused",
            "blind reset: a guess within the window ends a connection; blind injection: text that is kept",
            family="tcp",
        ),
        Protection(
            "unpredictable-isn",
            "RFC 6528: nobody can predict the initial sequence number of a connection between others",
            "blind injection: a whole connection in another's name, its answers never seen",
            family="tcp",
        ),
    )
}  # fmt: skip
"""Every protection by name."""


def changed(role: Role, removed: Iterable[str]) -> Role:
    """The role without these protections. Raises ModelError where a change finds no row to change."""
    changes = [(name, one) for name in removed for one in PROTECTIONS[name].changes if one.role == role.name]
    lines: list[TableLine] = list(role.lines)
    for name, change in changes:
        lines = _changed(role, lines, change, name)
    return replace(role, lines=tuple(lines)) if changes else role


def _changed(role: Role, lines: list[TableLine], change: Change, name: str) -> list[TableLine]:
    sound = change.sound.symbol()
    model = [
        line
        for line in lines
        if isinstance(line, Row) and role.is_in_force(line) and line.kind is Kind.RECV and not line.is_rest
        and change.like in line.states.members and line.pattern.matches(sound) and not isinstance(line.next, Abort)
    ]  # fmt: skip
    if not model:
        raise ModelError(f"{name}: {role.name} has no row that takes {sound.text} in {change.like}")
    out: list[TableLine] = []
    for line in lines:
        refuses = isinstance(line, Row) and isinstance(line.next, Abort) and not line.is_rest
        if isinstance(line, Row) and refuses and line.pattern.message is change.message:
            out.extend(_without(line, change))
        else:
            out.append(line)
    taken = change.values[0]
    guard: Guard = taken
    for value in change.values[1:]:
        guard = guard | value
    at = min(index for index, line in enumerate(out) if line in model)
    for row in model if change.given is None and not change.stays else model[:1]:
        others = tuple(
            g for g in row.pattern.guards if g.facts() != (taken.fact,) and taken.fact in change.message.facts
        )
        kept = others if change.message is row.pattern.message else ()
        pattern = change.message[(guard, *kept)]
        guards = row.guards if change.given is None else (change.given,)
        taken_so = replace(row, states=States(change.states), pattern=pattern, guards=guards)
        if change.stays:
            taken_so = replace(taken_so, guards=(), next=STAY, effects=(), outputs=(), signals=())
        out.insert(at, taken_so)
    return out


def _without(row: Row, change: Change) -> list[TableLine]:
    """The rows that remain of one that refused what is now taken."""
    hit = [state for state in row.states.members if state in change.states]
    if not hit or not any(row.pattern.matches(row.pattern.message.symbol(value)) for value in change.values):
        return [row]
    rows: list[TableLine] = []
    rest = tuple(state for state in row.states.members if state not in hit)
    if rest:
        rows.append(replace(row, states=States(rest)))
    spared: Guard = ~change.values[0]
    for value in change.values[1:]:
        spared = spared & ~value
    left = Pattern(row.pattern.message, (*row.pattern.guards, spared))
    if any(left.matches(row.pattern.message.symbol(value)) for value in change.values[0].fact.values):
        rows.append(replace(row, states=States(tuple(hit)), pattern=left))
    return rows
