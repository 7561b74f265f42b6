"""What an origin may cost the gate, with the default of every figure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UpstreamLimits:
    """What an origin may cost. Times in seconds.

    Attributes:
        connect_s: name look-up, TCP and TLS handshake together.
        pool_wait_s: for a free connection when all are busy; then 503.
        first_byte_s: from the end of the request to the end of the response head, interim responses included.
        idle_read_s: between two pieces of the response body, and for the origin to take a piece of the request body.
        keepalive_s: an idle connection is kept this long, less when the origin says ``Keep-Alive: timeout=``.
        max_connections: open at the same time.
        header_bytes: of a response head.
        header_fields: of a response head.
        breaker_failures: consecutive failed connects that open the circuit.
        breaker_delay_s: how long it stays open before one request may try again.
    """

    connect_s: float = 5.0
    pool_wait_s: float = 5.0
    first_byte_s: float = 60.0
    idle_read_s: float = 60.0
    keepalive_s: float = 15.0
    max_connections: int = 100
    header_bytes: int = 64 * 1024
    header_fields: int = 500
    breaker_failures: int = 5
    breaker_delay_s: float = 5.0
