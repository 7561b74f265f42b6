"""The content view "optout-gate": a rewritten page with what was taken out marked.

mitmproxy 12 has a new interface for content views, 11 the old one; both are thin coats over :meth:`MarkedPages.lines`.
"""

from collections.abc import Callable, Iterator
from typing import Any

from mitmproxy import contentviews
from mitmproxy import http as mitm
from mitmproxy.net import encoding

from optout_gate.http import Headers, media_type
from optout_gate.mitm import marked_page, words

NAME = "optout-gate"
PRIORITY = 2.0  # above mitmproxy's own view of HTML, which is 1

_STYLES = {marked_page.GONE: "error", marked_page.PUT: "success", marked_page.CHANGED: "success"}

Original = Callable[[mitm.HTTPFlow], bytes | None]


class MarkedPages:
    """What both coats share."""

    def __init__(self, original: Original) -> None:
        """Take what gives a flow's body as the origin sent it, None when it is not known."""
        self._original = original

    def priority(self, flow: Any, message: Any) -> float:
        """Return how much this view wants a message: responses from which something was taken out, or nothing."""
        told = words.of(flow)
        is_response = isinstance(flow, mitm.HTTPFlow) and message is not None and message is flow.response
        return PRIORITY if is_response and told is not None and told["removed"] else -1.0

    def lines(self, data: bytes, flow: Any) -> Iterator[tuple[str, str]]:
        """Yield the page as (mark, line)."""
        response = flow.response if isinstance(flow, mitm.HTTPFlow) else None
        charset = media_type(Headers(response.headers.fields)).charset if response is not None else None
        after = decoded(data, charset)
        before = self._before(flow) if response is not None else None
        return marked_page.marked(after) if before is None else marked_page.compared(decoded(before, charset), after)

    def _before(self, flow: mitm.HTTPFlow) -> bytes | None:
        raw = self._original(flow)
        if raw is None or flow.response is None:
            return raw
        coding = flow.response.headers.get("content-encoding", "identity")
        try:
            plain = encoding.decode(raw, coding)
        except ValueError:
            return None
        return plain if isinstance(plain, bytes) else None


def decoded(data: bytes, charset: str | None) -> str:
    """Return a body as text for showing; what is not in its charset shows as U+FFFD."""
    try:
        return data.decode(charset or "utf-8", "replace")
    except LookupError:
        return data.decode("latin-1")


def register(original: Original) -> Callable[[], None]:
    """Add the view to mitmproxy; return what takes it away again."""
    pages = MarkedPages(original)
    if hasattr(contentviews, "Contentview"):
        contentviews.add(_new_style(pages))
        return lambda: None  # mitmproxy 12 has no way back; another of the same name takes its place
    view = _old_style(pages)
    known = contentviews.get(NAME)
    if known is not None:
        contentviews.remove(known)
    contentviews.add(view)
    return lambda: contentviews.remove(view) if view in contentviews.views else None


def _new_style(pages: MarkedPages) -> Any:
    class View(contentviews.Contentview):  # type: ignore[misc]  # mitmproxy is not there when types are checked
        name = NAME

        def prettify(self, data: bytes, metadata: Any) -> str:
            return "\n".join(mark + line for mark, line in pages.lines(data, metadata.flow))

        def render_priority(self, data: bytes, metadata: Any) -> float:
            return pages.priority(metadata.flow, metadata.http_message)

    return View()


def _old_style(pages: MarkedPages) -> Any:
    class View(contentviews.View):  # type: ignore[misc]  # mitmproxy is not there when types are checked
        name = NAME

        def __call__(self, data: bytes, *, flow: Any = None, **_: Any) -> tuple[str, Iterator[list[tuple[str, str]]]]:
            styled = ([(_STYLES.get(mark, "text"), mark + line)] for mark, line in pages.lines(data, flow))
            return NAME, styled

        def render_priority(self, data: bytes, *, flow: Any = None, http_message: Any = None, **_: Any) -> float:
            return pages.priority(flow, http_message)

    return View()
