"""Choices over HTTP, on the admin address: what a call centre's or a form's software tells the gate.

``POST /choices/opt-out``, ``/choices/opt-in``, ``/choices/look-up`` and ``/choices/forget``, each with a JSON object that
names a ``consumer``; the first two may add ``source`` and ``at``. The identifier travels in the body, since addresses end
up in logs. Every request carries the bearer token (RFC 6750) of ``choices.token_file``; without that file there are no such
addresses. Here, unlike before visitors, a store that does not answer is told: the caller must try again.
"""

import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from optout_gate.choices.moment import MomentError, moment, written
from optout_gate.choices.standing import MAX_IDENTIFIER_BYTES, Source, Standing, Store, StoreError, pseudonym
from optout_gate.choices.stores import open_store
from optout_gate.policy.load import Loaded

MAX_BODY_BYTES = 16 * 1024


class _Refused(Exception):
    """The caller's request is not one; carries the answer."""

    def __init__(self, status: int, words: str, **headers: str) -> None:
        super().__init__(words)
        self.answer = JSONResponse({"error": words}, status, headers=headers)


class AdminChoices:
    """The addresses under ``/choices``."""

    def __init__(
        self, loaded: Callable[[], Loaded], *, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ):
        """Take where the configuration at work is, and the time of day."""
        self._loaded = loaded
        self._now_ms = now_ms
        self._store: Store | None = None
        self._store_is_of: tuple[object, ...] = ()
        self.routes = [
            Route(f"/choices/{word}", self._guarded(answer), methods=["POST"])
            for word, answer in (
                ("opt-out", self._opt_out),
                ("opt-in", self._opt_in),
                ("look-up", self._look_up),
                ("forget", self._forget),
            )
        ]

    async def close(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            await self._store.close()

    def _guarded(self, answer: Any) -> Callable[[Request], Any]:
        async def guarded(request: Request) -> Response:
            try:
                key = self._admit(request)
                asked = await _asked(request)
                return JSONResponse(await answer(pseudonym(_identifier(asked), key=key), asked))
            except _Refused as refused:
                return refused.answer
            except StoreError as error:
                return JSONResponse({"error": f"the store does not answer: {error}"}, 503, headers={"Retry-After": "1"})

        return guarded

    def _admit(self, request: Request) -> bytes:
        """Return the key of pseudonyms, for a caller with the token."""
        beside = self._loaded().beside
        if beside.token is None or beside.consumer_key is None:
            raise _Refused(404, "choices.token_file is not configured")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        # Both are hashed to one length first, so that the comparison tells nothing, not even that.
        if scheme.lower() != "bearer" or not hmac.compare_digest(
            pseudonym(token.strip().encode("latin-1", "replace"), key=beside.consumer_key),
            pseudonym(beside.token, key=beside.consumer_key),
        ):
            raise _Refused(401, "a bearer token is wanted", **{"WWW-Authenticate": 'Bearer realm="choices"'})
        return beside.consumer_key

    async def _opened(self) -> Store:
        loaded = self._loaded()
        of = (loaded.config.choices, loaded.beside.folder)
        if self._store is None or of != self._store_is_of:
            await self.close()
            self._store, self._store_is_of = open_store(loaded.config.choices, loaded.beside.folder), of
        return self._store

    async def _opt_out(self, name: bytes, asked: dict[str, Any]) -> dict[str, object]:
        return await self._apply(name, asked, out=True)

    async def _opt_in(self, name: bytes, asked: dict[str, Any]) -> dict[str, object]:
        return await self._apply(name, asked, out=False)

    async def _apply(self, name: bytes, asked: dict[str, Any], *, out: bool) -> dict[str, object]:
        source = asked.get("source", Source.OPERATOR.value)
        if source not in tuple(Source):
            raise _Refused(400, f"source is one of {', '.join(Source)}")
        try:
            at_ms = moment(asked["at"], now_ms=self._now_ms()) if "at" in asked else self._now_ms()
        except MomentError as error:
            raise _Refused(400, f"at: {error}") from None
        store = await self._opened()
        return _told(await store.apply(name, Standing(out, at_ms, Source(source))))

    async def _look_up(self, name: bytes, asked: dict[str, Any]) -> dict[str, object]:
        return _told(await (await self._opened()).look_up(name))

    async def _forget(self, name: bytes, asked: dict[str, Any]) -> dict[str, object]:
        return {"forgotten": await (await self._opened()).forget(name)}


async def _asked(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _Refused(413, f"more than {MAX_BODY_BYTES:,} bytes")
    try:
        asked = json.loads(body)
    except ValueError:
        raise _Refused(400, "the body is not JSON") from None
    except RecursionError:
        raise _Refused(400, "the body nests too deep") from None
    if not isinstance(asked, dict):
        raise _Refused(400, "expected a JSON object")
    return asked


def _identifier(asked: dict[str, Any]) -> bytes:
    consumer = asked.get("consumer")
    if not isinstance(consumer, str) or not consumer.strip():
        raise _Refused(400, "expected a text 'consumer'")
    identifier = consumer.strip().encode("utf-8", "surrogatepass")
    if len(identifier) > MAX_IDENTIFIER_BYTES:
        raise _Refused(400, f"consumer is longer than {MAX_IDENTIFIER_BYTES:,} bytes")
    return identifier


def _told(standing: Standing | None) -> dict[str, object]:
    """Return what stands, for JSON."""
    if standing is None:
        return {"choice": None}
    choice = "out" if standing.out else "in"
    return {"choice": choice, "at": written(standing.at_ms), "source": standing.source.value}
