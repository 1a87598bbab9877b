"""HTTP/1.1 (RFC 9110, RFC 9112): the client and the server of one connection, each as one table.

A message is told in parts, since what ends it matters: its head (start line and header fields) says how long the
content is, `Content` is some of it, `End` is where it ends by its own measure (Content-Length reached, last chunk, or
no content at all), and `Closed` is the end of the connection as seen from above: in order, or cut off, which over TLS
means that it ended without close_notify. One request at a time is outstanding.

A connection lasts until one side says `Connection: close`, or closes. Content that is measured must come to its End: a
connection that ends before is a truncated message, never a complete one. Content that lasts until the connection
closes is complete where that happens in order, and incomplete where it is cut off.

What is wrong ends in FAILED: there is no alert, only an error response of the server (400) and the closing of the
connection. Tables and implementation treat heads as classes: what they can say is h11's and the mapper's matter.

The texts of RFC 9110 and 9112 are not among those that the tests read: sections are cited, with what they oblige to.
"""

from __future__ import annotations

from shakeproof.model.clauses import MAY, MUST, SHOULD, Quotes
from shakeproof.model.facts import Fact
from shakeproof.model.lint import check
from shakeproof.model.machine import Role
from shakeproof.model.notation import (
    STAY,
    Message,
    State,
    States,
    TableLine,
    call,
    call_message,
    keep,
    maybe,
    now,
    recv,
    send,
    sends,
    void,
)
from shakeproof.model.trace import Phase

# ------------------------------------------------------------------------------------------------------ messages
# fmt: off
PERSISTENCE = Fact("persistence", {
    "persistent": "the connection stays open after this exchange",
    "last":       "Connection: close: this is the last exchange of the connection",
})
persistent, last = PERSISTENCE.values

REQUEST = Fact("request", {
    "bare_request": "a request without content",
    "with_content": "a request with content, measured by Content-Length or chunks",
}, {
    "no_host":           "an HTTP/1.1 request without a Host field, or with several",
    "ambiguous_request": "its length can't be told: Content-Length is invalid, or Transfer-Encoding contradicts it",
    "broken_request":    "the request line or a field line can't be parsed",
})
bare_request, with_content, no_host, ambiguous_request, broken_request = REQUEST.values

STATUS = Fact("status", {
    "final":       "the answer: a status of 2xx, 3xx, 4xx or 5xx",
    "interim":     "a status of 1xx: the answer is still to come",
    "bad_request": "status 400: the server did not understand the request",
})
final, interim, bad_request = STATUS.values

LENGTH = Fact("length", {
    "measured":    "its content, which may be empty, is measured by Content-Length, by chunks, or can't be there at all",
    "until_close": "its content lasts until the connection closes",
}, {
    "ambiguous": "its length can't be told: Content-Length is invalid",
    "broken":    "the status line or a field line can't be parsed",
})
measured, until_close, ambiguous, broken = LENGTH.values

ENDING = Fact("ending", {"in_order": "the connection was closed in order"}, {
    "cut_off": "the connection broke off: over TLS, without close_notify",
})
in_order, cut_off = ENDING.values

Request  = Message("Request", "the head of a request", REQUEST, PERSISTENCE)
Response = Message("Response", "the head of a response", STATUS, LENGTH, PERSISTENCE)
Content  = Message("Content", "some of the content")
End      = Message("End", "the content is complete by its own measure")
Closed   = Message("Closed", "the other side's end of the connection", ENDING)

HTTP_MESSAGES = (Request, Response, Content, End, Closed)

request      = call_message("request", "the application asks")
last_request = call_message("last request", "the application asks, and wants the connection closed afterwards")
upload       = call_message("upload", "the application sends a request with content")
respond      = call_message("respond", "the application answers")
close        = call_message("close", "the application closes the connection")

# ------------------------------------------------------------------------------------------------------ memory
CLOSING = Fact("closing", {
    "stays":  "nobody has asked to close the connection after this exchange",
    "closes": "this is the last exchange of the connection",
})
stays, closes = CLOSING.values
# fmt: on

PHASES = (Phase("data", "Encrypted data exchange", "data", "HTTP over TLS"),)

PARTIAL = (
    "left out: pipelining, Expect: 100-continue, upgrades and CONNECT, trailer fields, caches and intermediaries, what "
    "single header fields mean"
)


def _quotes(**cited: str) -> Quotes:
    """Sections of RFC 9112, or of RFC 9110 where the name says so: "s6_3" -> what it obliges to."""
    quotes = Quotes(9112)
    for name, why in cited.items():
        document, section = ("RFC 9110 ", name[5:]) if name.startswith("http_") else ("", name[1:])
        quotes.cite(document + section.replace("_", "."), why=why)
    return quotes


# ------------------------------------------------------------------------------------------------------ the client
# fmt: off
client_quotes = _quotes(
    s3="a request begins with a request line and carries its content as section 6 says",
    s6_3="how the length of a message is told, and that a response whose length can't be told is an error",
    s8="a message that ends before its measure is incomplete; one that lasts until the connection closes is complete",
    s9_2="what comes without a request outstanding is no valid response: the connection is to be closed",
    s9_3="a connection persists unless one side says close",
    s9_6="after Connection: close no further request is sent, and the connection is closed after the last response",
    s9_8="a TLS connection that ends without close_notify leaves a response incomplete",
    s2_2="what can't be parsed as a response is an error",
    http_15_2="a client reads interim responses, even unexpected ones, before the final one",
    http_3_4="every request has a response",
)

IDLE          = State("IDLE", "no request is outstanding", "data")
SENDING       = State("SENDING", "a request with content is being sent", "data")
WAIT_RESPONSE = State("WAIT_RESPONSE", "a request was sent; waiting for the head of the response", "data")
WAIT_END      = State("WAIT_END", "reading content that has a measure", "data")
WAIT_CLOSE    = State("WAIT_CLOSE", "reading content that lasts until the connection closes", "data")
CLOSED        = State("CLOSED", "the connection is over, and all that was asked was answered", "data")
FAILED        = State("FAILED", "the connection is over, and a message was wrong or incomplete", "data")

_CLIENT = States((IDLE, WAIT_RESPONSE, WAIT_END, WAIT_CLOSE), "OPEN")
_BUSY   = States((WAIT_RESPONSE, WAIT_END, WAIT_CLOSE), "BUSY")
