"""Between mitmproxy's messages and the gate's: raw header lines, both ways.

mitmproxy joins repeated lines when asked by name (``0`` and then ``1`` of ``Sec-GPC`` become ``0, 1``), so only its raw
pairs are read. What it does not tell: in reverse mode it has put the origin's name into ``Host`` before any addon sees
the request, unless ``keep_host_header`` is set. The page then counts as the origin's, which is what a developer who
looks at somebody's site wants.
"""

from mitmproxy import http as mitm

from optout_gate.http import Headers, Request, Response


def request_of(request: mitm.Request) -> Request:
    """Return a request's head."""
    authority = request.host_header or f"{request.host}:{request.port}"
    return Request(
        request.data.method.decode("latin-1"),
        request.scheme,
        authority,
        request.data.path,
        Headers(request.headers.fields),
    )


def response_of(response: mitm.Response) -> Response:
    """Return a response's head."""
    return Response(response.status_code, Headers(response.headers.fields))


def made_of(answer: Response) -> mitm.Response:
    """Return an answer of the gate's own.

    mitmproxy's ``make`` would put the body into the coding that the head names, and it is in it already.
    """
    made = mitm.Response.make(answer.status, b"", answer.headers.pairs)
    made.raw_content = answer.body
    made.headers["content-length"] = str(len(answer.body))
    return made


def set_headers(message: mitm.Request | mitm.Response, headers: Headers) -> None:
    """Give ``message`` these header lines."""
    if message.headers.fields != headers.pairs:
        message.headers = mitm.Headers(headers.pairs)


def set_head(request: mitm.Request, head: Request) -> None:
    """Give ``request`` the target and header lines of ``head``."""
    if request.data.path != head.target:
        request.data.path = head.target
    set_headers(request, head.headers)


def framed_for_streaming(headers: Headers, flow: mitm.HTTPFlow) -> Headers:
    """Return the head of a body whose length is not known yet.

    Without this mitmproxy ends the body by closing the connection. HTTP/2 frames by itself, HTTP/1.0 knows no chunks.
    """
    assert flow.response is not None
    speaks_chunks = flow.request.http_version == "HTTP/1.1" and flow.response.http_version != "HTTP/1.0"
    return headers.plus((b"Transfer-Encoding", b"chunked")) if speaks_chunks else headers


def answered_by_another(flow: mitm.HTTPFlow) -> bool:
    """Return True when another addon has answered, or ended, the flow: it is left alone.

    A response from the wire has no content yet when its head arrives; one that an addon made has.
    """
    return flow.error is not None or (flow.response is not None and flow.response.raw_content is not None)
