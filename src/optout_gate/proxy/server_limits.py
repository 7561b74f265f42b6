"""What a client may cost the gate, with the default of every figure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What a client may cost. Times in seconds.

    Attributes:
        header_bytes: of a request head, request line included; then 431. nginx takes 32 KiB, Apache 8 KiB a line.
        header_fields: of a request head; then 431.
        target_bytes: of the request target; then 414.
        header_s: from the connection, or the first byte of a later request, to the end of the head; then 408.
        body_idle_s: between two pieces of a request body while one is waited for; then 408.
        keepalive_s: between two requests.
        send_idle_s: for the client to take what was sent; then the connection is cut.
        linger_s: a refused client is listened to for so long, so that it reads why before the connection breaks.
    """

    header_bytes: int = 64 * 1024
    header_fields: int = 200
    target_bytes: int = 32 * 1024
    header_s: float = 10.0
    body_idle_s: float = 30.0
    keepalive_s: float = 15.0
    send_idle_s: float = 60.0
    linger_s: float = 1.0
