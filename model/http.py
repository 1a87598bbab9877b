"""HTTP/1.1 (RFC 9110, RFC 9112): the client and the server of one connection, each as one table.

A message is told in parts, since what ends it matters: its head (start line and header fields) says how long the
content is, `Content` is some of it, `End` is where it ends by its own measure (Content-Length reached, last chunk, or
no content at all), and `Closed` is the end of the connection as seen from above: in order, or cut off, which over TLS
means that it ended without close_notify. One request at a time is outstanding.
Where a 400 and the end of the connection are demanded, each way to do both is a MAY row, and there is no other.

A connection lasts until one side says `Connection: close`, or closes. Content that is measured must come to its End: a
connection that ends before is a truncated message, never a complete one. Content that lasts until the connection
closes is complete where that happens in order, and incomplete where it is cut off.

What is wrong ends in FAILED: there is no alert, only an error response of the server (400) and the closing of the
connection. Tables and implementation treat heads as classes: what they can say is h11's and the mapper's matter.

The texts of RFC 9110 and 9112 are not among those that the tests read: sections are cited, with what they oblige to.
"""

from __future__ import annotations

from shakeproof.model.clauses import MAY, MUST, SHOULD, Quotes
from shakeproof.model.facts import Fact, Not
from shakeproof.model.lint import check
from shakeproof.model.machine import Role
from shakeproof.model.notation import (
    STAY,
    Kind,
    Message,
    Pattern,
    Row,
    State,
    TableLine,
    call,
    call_message,
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
    "measured":    "its content is measured: by Content-Length, by chunks, or because there can be none",
    "until_close": "its content lasts until the connection closes",
}, {
    "ambiguous": "its Content-Length is invalid, so that its length can't be told",
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
    "left out: pipelining, a final response before the end of the request's content, Expect: 100-continue, upgrades "
    "and CONNECT, trailer fields, caches and intermediaries, what single header fields mean"
)


ANSWER = "a server answers each request with one final response"


def _quotes(**cited: str) -> Quotes:
    """Sections of RFC 9112 ("s6_3") and RFC 9110 ("http_15_2") with what they oblige to."""
    quotes = Quotes(9112)
    for name, why in cited.items():
        document, section = ("RFC 9110 ", name[5:]) if name.startswith("http_") else ("", name[1:])
        quotes.cite(document + section.replace("_", "."), why=why)
    return quotes


# ------------------------------------------------------------------------------------------------------ states
# fmt: off
IDLE          = State("IDLE", "no request is outstanding", "data")
WAIT_RESPONSE = State("WAIT_RESPONSE", "a request was sent; waiting for the head of the response", "data")
WAIT_END      = State("WAIT_END", "reading content that is measured", "data")
WAIT_CLOSE    = State("WAIT_CLOSE", "reading content that lasts until the connection closes", "data")
RESPONDING    = State("RESPONDING", "a request is complete; the application is to answer", "data")
CLOSED        = State("CLOSED", "the connection is over, and no message is incomplete", "data")
FAILED        = State("FAILED", "the connection is over; a message was wrong or incomplete", "data")

# ------------------------------------------------------------------------------------------------------ the client
client_quotes = _quotes(
    s3="a request begins with a request line; content is announced by Content-Length or Transfer-Encoding",
    s2_2="what can't be parsed as a response is an error",
    s6_3="how the length of a message is told; where it can't be, that is an error, and the connection is closed",
    s8="a client records a response that ends before its measure as incomplete",
    s9_2="what comes without a request outstanding is no valid response; the connection should be closed",
    s9_3="a connection persists unless one side says close",
    s9_6="after Connection: close no further request is sent, and the connection ends with the response",
    s9_8="a TLS connection that ends without close_notify leaves content without a measure incomplete",
    http_15_2="a client reads any number of interim responses before the final one",
)

sound_length = measured | until_close
ends = sends(Closed[in_order])
ask = sends(Request[bare_request, persistent])
ask_last = sends(Request[bare_request, last])
ask_with_content = sends(Request[with_content, persistent], maybe(Content), End)

client_rows: list[TableLine] = [
    # Columns: state, input, (what is remembered,) next state, effects, reply, authority.
    call(IDLE, request,      WAIT_RESPONSE, ask,                   MUST("3")),
    call(IDLE, last_request, WAIT_RESPONSE, now(closes), ask_last, MUST("3", "9.6")),
    call(IDLE, upload,       WAIT_RESPONSE, ask_with_content,      MUST("3")),
    call(IDLE, close,        CLOSED, ends,                         MUST("9.6")),
    recv(IDLE, Closed,       CLOSED,                               MUST("9.3")),
    recv(IDLE, Response,     FAILED, ends,                         SHOULD("9.2")),

    recv(WAIT_RESPONSE, Response[interim, sound_length],          STAY,                  MUST("RFC 9110 15.2")),
    recv(WAIT_RESPONSE, Response[~interim, measured, persistent], WAIT_END,              MUST("6.3", "9.3")),
    recv(WAIT_RESPONSE, Response[~interim, measured, last],       WAIT_END, now(closes), MUST("6.3", "9.6")),
    recv(WAIT_RESPONSE, Response[~interim, until_close],          WAIT_CLOSE,            MUST("6.3")),
    recv(WAIT_RESPONSE, Response[ambiguous],                      FAILED, ends,          MUST("6.3")),
    recv(WAIT_RESPONSE, Response[broken],                         FAILED, ends,          MUST("2.2")),
    recv(WAIT_RESPONSE, Closed,                                   FAILED,                MUST("8")),

    recv(WAIT_END, Content,        STAY,         MUST("6.3")),
    recv(WAIT_END, End,    stays,  IDLE,         MUST("6.3", "9.3")),
    recv(WAIT_END, End,    closes, CLOSED, ends, MUST("6.3", "9.6")),
    recv(WAIT_END, Closed,         FAILED,       MUST("8")),

    recv(WAIT_CLOSE, Content,          STAY,   MUST("6.3")),
    recv(WAIT_CLOSE, Closed[in_order], CLOSED, MUST("8")),
    recv(WAIT_CLOSE, Closed[cut_off],  FAILED, MUST("8", "9.8")),

    void(IDLE | WAIT_RESPONSE,  Content,  why="content follows a head; what else comes is a broken head"),
    void(IDLE | WAIT_RESPONSE,  End,      why="nothing that is measured has begun"),
    void(WAIT_CLOSE,            End,      why="the content has no measure"),
    void(WAIT_END | WAIT_CLOSE, Response, why="what comes before the end of content is content"),
]

# ------------------------------------------------------------------------------------------------------ the server
server_quotes = _quotes(
    s2_2="a server answers what it can't parse as a request with 400 and closes the connection",
    s3_2="a server answers a request without a Host field, or with several, with 400",
    s6_3="how the length of a message is told; where it can't be, the answer is 400, and the connection is closed",
    s8="a request that ends before its measure is incomplete, and is not acted upon",
    s9_3="a connection persists unless one side says close",
    s9_6="after Connection: close the server closes the connection with the response",
    http_15=ANSWER,
    http_15_2="interim responses may come before the final one",
)

answer = sends(Response[final, measured, persistent], maybe(Content), End)
last_answer = sends(Response[final, measured, last], maybe(Content), End, Closed[in_order])
long_answer = sends(Response[final, until_close], maybe(Content), Closed[in_order])
refusal = sends(Response[bad_request, measured, persistent], maybe(Content), End)
last_refusal = sends(Response[bad_request, measured], maybe(Content), End, Closed[in_order])
long_refusal = sends(Response[bad_request, until_close], maybe(Content), Closed[in_order])

server_rows: list[TableLine] = [
    # Columns: state, input, (what is remembered,) next state, effects, reply, authority.
    recv(IDLE, Request[bare_request, persistent], RESPONDING,              MUST("6.3", "9.3")),
    recv(IDLE, Request[bare_request, last],       RESPONDING, now(closes), MUST("6.3", "9.6")),
    recv(IDLE, Request[with_content, persistent], WAIT_END,                MUST("6.3", "9.3")),
    recv(IDLE, Request[with_content, last],       WAIT_END, now(closes),   MUST("6.3", "9.6")),
    recv(IDLE, Request[no_host],                  IDLE, refusal,           MAY("3.2")),
    recv(IDLE, Request[no_host],                  FAILED, last_refusal,    MAY("3.2")),
    recv(IDLE, Request[no_host],                  FAILED, long_refusal,    MAY("3.2", "6.3")),
    recv(IDLE, Request[ambiguous_request],        FAILED, last_refusal,    MAY("6.3")),
    recv(IDLE, Request[ambiguous_request],        FAILED, long_refusal,    MAY("6.3")),
    recv(IDLE, Request[broken_request],           FAILED, last_refusal,    MAY("2.2")),
    recv(IDLE, Request[broken_request],           FAILED, long_refusal,    MAY("2.2", "6.3")),
    recv(IDLE, Closed,                            CLOSED,                  MUST("9.3")),
    call(IDLE, close,                             CLOSED, ends,            MUST("9.6")),

    recv(WAIT_END, Content, STAY,       MUST("6.3")),
    recv(WAIT_END, End,     RESPONDING, MUST("6.3")),
    recv(WAIT_END, Closed,  FAILED,     MUST("8")),

    call(RESPONDING, respond, stays, IDLE, answer,        MAY("RFC 9110 15", "9.3")),
    call(RESPONDING, respond,        CLOSED, last_answer, MAY("RFC 9110 15", "9.6")),
    call(RESPONDING, respond,        CLOSED, long_answer, MAY("RFC 9110 15", "6.3")),
    send(RESPONDING, Response[interim, measured], STAY,   MAY("RFC 9110 15.2")),
    recv(RESPONDING, Closed,         STAY, now(closes),   MAY("9.6")),
    recv(RESPONDING, Closed,         CLOSED,              MAY("9.6")),

    void(IDLE | RESPONDING, Content, why="content follows a head; what else comes is a broken head"),
    void(IDLE | RESPONDING, End,     why="nothing that is measured has begun"),
    void(WAIT_END,          Request, why="what comes before the end of content is content"),
]
# fmt: on

MEMORY = {CLOSING: stays}


def label(row: Row) -> tuple[str, str]:
    """The event and the action of a row, for pictures: what a pattern excludes is left to the rows beside it."""
    said = [guard.text().replace("_", " ") for guard in row.pattern.guards if not isinstance(guard, Not)]
    name = row.pattern.message.name
    event = ", ".join([name if row.kind is Kind.CALL else f"{row.kind.value} {name}", *said])
    if row.condition:
        event += f" ({row.condition})"
    sent = [output.pattern for output in row.outputs if not output.optional]
    return event, f"send {', '.join(dict.fromkeys(_sent(pattern) for pattern in sent))}" if sent else ""


def _sent(pattern: Pattern) -> str:
    return "400" if any(guard is bad_request for guard in pattern.guards) else pattern.message.name


client = check(
    Role(
        name="http.client",
        title="HTTP/1.1 client",
        rfc=9112,
        initial=IDLE,
        accepting=IDLE,
        final=CLOSED,
        aborted=FAILED,
        alphabet=(Response, Content, End, Closed),
        lines=client_rows,
        quotes=client_quotes,
        phases=PHASES,
        memory=MEMORY,
        peer="http.server",
        partial=PARTIAL,
        hints={"label": label, "path": ("IDLE", "WAIT_RESPONSE", "WAIT_END", "CLOSED")},
        theory=__doc__ or "",
    )
)

server = check(
    Role(
        name="http.server",
        title="HTTP/1.1 server",
        rfc=9112,
        initial=IDLE,
        accepting=IDLE,
        final=CLOSED,
        aborted=FAILED,
        alphabet=(Request, Content, End, Closed),
        lines=server_rows,
        quotes=server_quotes,
        phases=PHASES,
        memory=MEMORY,
        peer="http.client",
        partial=PARTIAL,
        hints={"label": label, "path": ("IDLE", "WAIT_END", "RESPONDING", "CLOSED")},
        theory=__doc__ or "",
    )
)
