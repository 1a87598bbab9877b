"""What is explored of TLS 1.2 where an attacker has a connection of its own beside the client's: sessions that mingle.

The facts here are a history: no row of a table reads them. They say who has the keys of what, and how far the client's
present handshake and the server's are one and the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shakeproof.model.composition import KNOWN, PRIVATE
from shakeproof.model.facts import Fact, Value
from shakeproof.model.messages import (
    ASKS,
    EXTENSIONS,
    GRANTS,
    KEY_EXCHANGE,
    OFFER,
    TICKET,
    anew,
    by_id,
    by_unknown,
    extended,
    full,
    offers_several,
    resumed,
    rsa,
    unpromised,
)
from shakeproof.model.notation import call_message
from shakeproof.model.steps import Limits
from shakeproof.model.tls12 import (
    REQUESTED,
    ROUND,
    VERSION,
    again,
    anonymous,
    asked,
    current,
    first,
    identified,
    unasked,
)
from shakeproof.model.tls12_setting import CLIENT

BINDING, SESSION_HASH = "renegotiation-binding", "extended-master-secret"
"""The protections that these models have."""

# fmt: off
KEYS = Fact("keys", {
    "no_keys": "no secret has been agreed, and there is no session",
    "private": "the attacker does not know the secret of the last key exchange, or of the session that is resumed",
    "exposed": "the attacker knows it",
})
no_keys, private, exposed = KEYS.values

SEALS = Fact("seals", {
    "clear":    "what it sends is not protected",
    "secretly": "what it sends is protected with keys that the attacker has not",
    "openly":   "what it sends is protected with keys that the attacker has",
})
OPENS = Fact("opens", {
    "clear":    "what it reads is not protected",
    "secretly": "only what is protected with keys that the attacker has not is read",
    "openly":   "only what is protected with keys that the attacker has is read",
})

PAIR = Fact("pair", {
    "strange": "the client's present handshake and the server's have nothing to do with each other",
    "twinned": "the two have the same randoms, and are not the same otherwise",
    "same":    "each side has read what the other has sent, in order, as far as it has come",
})
strange, twinned, same = PAIR.values

MASTER = Fact("master", {
    "apart":    "the client's last master secret is not the server's",
    "mirrored": "the client's last master secret is the server's too",
})
apart, mirrored = MASTER.values

BOND = Fact("bond", {
    "unlike": "the verify_data of the last handshake that each side has completed are not the same",
    "alike":  "the verify_data of the last handshake that each side has completed are the same",
})
unlike, alike = BOND.values

GOT = Fact("got", {
    "nothing": "no data has been accepted on this connection",
    "genuine": "data of the client has been accepted",
    "forged":  "data of the attacker has been accepted",
    "spliced": "data of the attacker and data of the client have been accepted as one stream",
})
nothing, genuine, forged, spliced = GOT.values
# fmt: on

RECORDS: Mapping[Value, str] = {no_keys: "openly", exposed: "openly", private: "secretly"}
"""How records are protected under keys of such a secret."""

NOTES: Mapping[str, str] = {"clear": "", "secretly": PRIVATE, "openly": KNOWN}
"""What a picture says of that."""

TOLD: Mapping[tuple[Value, Value], Value] = {
    (nothing, genuine): genuine, (genuine, genuine): genuine, (forged, genuine): spliced, (spliced, genuine): spliced,
    (nothing, forged): forged, (forged, forged): forged, (genuine, forged): spliced, (spliced, forged): spliced,
}  # fmt: skip
"""What data of somebody makes of what has been accepted before."""

reconnect = call_message("reconnect", "the connection is over, in order, and the client opens another one")
accept = call_message("accept", "the connection is over, in order, and the server takes another one")


@dataclass(frozen=True)
class Setting:
    """What is explored.

    family: of the model, for its name; wants_attacker: the client connects to the attacker's own server, else to the
    server; client_auth: the server may ask for a certificate; resume: there may be another connection, on which the
    client asks to resume its session; bound: packets in the network at once; attacked: there is an attacker, else the
    network is honest; removed: protections that are taken out.
    """

    family: str = "renegotiation"
    wants_attacker: bool = False
    client_auth: bool = False
    resume: bool = False
    bound: int = 1
    attacked: bool = True
    removed: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Short, for reports."""
        parts = [self.family, *["client-auth"] * self.client_auth, *["honest"] * (not self.attacked)]
        return " ".join([*parts, *["wants-server"] * (self.resume and self.attacked and not self.wants_attacker)])

    def limits(self, side: str) -> Limits:
        """What each side may say, pick and remember."""
        proofs = (identified,) if self.client_auth else ()
        asking = (asked, anonymous, *proofs) if self.client_auth else (anonymous,) if side == CLIENT else ()
        asks = (anew, by_id) if side == CLIENT else (anew, by_id, by_unknown)
        return {
            KEY_EXCHANGE: (rsa,),
            OFFER: (offers_several,),
            EXTENSIONS: (extended,),
            ASKS: asks if self.resume else (anew,),
            GRANTS: (full, resumed) if self.resume else (full,),
            TICKET: (unpromised,),
            ROUND: (first, again),
            VERSION: (current,),
            REQUESTED: (unasked, *asking),
        }
