"""What clients, origins and pages may cost the gate: every time-out and cap with its default, and why it is that.

The key is the documentation's, the default is a figure that others chose before or that was measured here. Times are in
seconds and sizes in bytes; the unit is the end of the key's name.
"""

from typing import Annotated

from pydantic import Field

from optout_gate.policy.parts import Part

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Count = Annotated[int, Field(ge=1)]

_LARGEST_HELD = 16 * 1024 * 1024


class ServerLimits(Part):
    """What a client may cost."""

    header_bytes: Annotated[int, Field(ge=1024, le=16 * 1024 * 1024)] = Field(
        64 * 1024,  # nginx takes 32 KiB, Apache 8 KiB a line
        description="of a request head, request line included; then 431",
    )
    header_fields: Count = Field(200, description="of a request head; then 431")
    target_bytes: Count = Field(32 * 1024, description="of a request target; then 414")
    body_bytes: Annotated[int, Field(ge=0)] | None = Field(
        None, description="of a request body; then 413. By default as many as the origin takes"
    )
    header_s: Seconds = Field(
        10.0, description="from the connection, or the first byte of a later request, to the end of the head; then 408"
    )
    tls_handshake_s: Seconds = Field(
        10.0,  # as a head has, and not the 60 of the event loop
        description="for a visitor's TLS handshake; then the connection is cut. A reload does not change it",
    )
    body_idle_s: Seconds = Field(
        30.0, description="between two pieces of a request body while one is waited for; then 408"
    )
    keepalive_s: Seconds = Field(15.0, description="between two requests on one connection")
    send_idle_s: Seconds = Field(60.0, description="for the client to take what was sent; then the connection is cut")
    linger_s: Seconds = Field(
        1.0, description="a refused client is listened to for so long, so that it reads why before the connection ends"
    )
    requests: Count | None = Field(
        None, description="under way at the same time in each worker; one more is answered 503. By default unlimited"
    )


class UpstreamLimits(Part):
    """What an origin may cost."""

    connect_s: Seconds = Field(5.0, description="name look-up, TCP and TLS handshake together; then 504")
    pool_wait_s: Seconds = Field(5.0, description="for a free connection when all are busy; then 503")
    first_byte_s: Seconds = Field(
        60.0, description="from the end of the request to the end of the response head; then 504"
    )
    idle_read_s: Seconds = Field(
        60.0,
        description="between two pieces of a response body, and for the origin to take a piece of a request body. "
        "An event stream that is silent for longer is cut: its server sends comments, as the standard advises",
    )
    keepalive_s: Seconds = Field(15.0, description="an idle connection is kept this long, less when the origin says so")
    connection_s: Seconds = Field(
        60.0,  # what name servers let be kept, mostly
        description="from then on a connection takes no further request, so that a name that leads elsewhere is followed",
    )
    max_connections: Count = Field(
        1000,  # a slow visitor holds one for as long as it is slow; nginx has no limit
        description="to one origin at the same time, in each worker. More requests wait",
    )
    header_bytes: Annotated[int, Field(ge=1024)] = Field(64 * 1024, description="of a response head; then 502")
    header_fields: Count = Field(500, description="of a response head; then 502")
    breaker_failures: Count = Field(5, description="failed connects in a row after which none is tried for a while")
    breaker_delay_s: Seconds = Field(5.0, description="how long that while is")
    message_bytes: Count = Field(16 * 1024 * 1024, description="of one WebSocket message, in either direction")


class RewritingLimits(Part):
    """What a page that is rewritten may cost."""

    held_bytes: Annotated[int, Field(ge=1, le=_LARGEST_HELD)] = Field(
        64 * 1024,  # most pages fit; a larger one shows its first part some milliseconds later
        description="of a page held back until it is known that it can be rewritten",
    )
    held_s: Seconds = Field(
        0.25,  # a page that is not streamed is here whole long before
        description="from its first piece, for which a page is held back that does not tell its length",
    )
    remembered_bytes: Annotated[int, Field(ge=0)] = Field(
        32 * 1024 * 1024, description="of pages that came twice, kept with what became of them, in each worker"
    )
    decoded_bytes: Annotated[int, Field(ge=1024 * 1024)] = Field(
        64 * 1024 * 1024, description="that a compressed page may grow to, beyond twenty times what came"
    )
    decoded_ratio: Annotated[int, Field(ge=20)] = Field(
        200,  # text compresses some 5 to 20 times; a bomb 1,000 times
        description="times that a compressed page may grow, once it is larger than 1 MiB",
    )


class LimitsConfig(Part):
    """The part ``limits`` of the configuration."""

    client: ServerLimits = Field(default_factory=ServerLimits, description="what a visitor's connection may cost")
    upstream: UpstreamLimits = Field(default_factory=UpstreamLimits, description="what an origin may cost")
    rewriting: RewritingLimits = Field(default_factory=RewritingLimits, description="what a page may cost")
