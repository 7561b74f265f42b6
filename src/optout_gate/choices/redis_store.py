"""Choices in Redis or Valkey, for gates on several machines. Needs the package ``optout-gate[redis]``.

Each consumer is a hash ``optout:HEX`` with ``out``, ``at_ms`` and ``source``. Which of two choices holds is decided in
Redis, in a script, because two gates that read, compare and write would lose one. Nothing expires: how choices outlive
a restart of Redis is its own configuration (``appendonly yes``), and ``maxmemory-policy`` must be ``noeviction``, or
opt-outs vanish when memory runs out.

A Redis that lost everything (a failover to an empty one, a restart without a file) answers as one that knows nobody, and
"nobody opted out" is the one answer that must never be wrong. So ``optout:store`` holds a word that the first gate wrote;
where it is another, or gone, a look-up that finds nothing is no answer. Gates that are started anew take the store as it is.
"""

import logging
import secrets
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar, cast

from optout_gate.choices.standing import PSEUDONYM_BYTES, Source, Standing, StoreError

PREFIX = b"optout:"
_WORD = PREFIX + b"store"  # under the prefix, which is all that a user of Redis may be allowed
SOCKET_TIMEOUT_S = 2.0  # for one answer; the visitor's request stops waiting long before
MAX_CONNECTIONS = 32

_APPLY = """
local at, out = tonumber(redis.call('HGET', KEYS[1], 'at_ms')), redis.call('HGET', KEYS[1], 'out')
local later = not at or tonumber(ARGV[2]) > at
if later or (tonumber(ARGV[2]) == at and ARGV[1] == '1' and out ~= '1') then
  redis.call('HSET', KEYS[1], 'out', ARGV[1], 'at_ms', ARGV[2], 'source', ARGV[3])
end
return redis.call('HMGET', KEYS[1], 'out', 'at_ms', 'source')
"""
# Milliseconds since 1970 stay exact in Lua's doubles until the year 287396.

LOST = (
    "redis: the choices that were here are gone, and with them opt-outs; bring them back, or restart the gates to "
    "begin anew with what is there"
)
VANISH = "redis: maxmemory-policy is %s: opt-outs vanish without a word when memory runs out; it must be noeviction"

T = TypeVar("T")

log = logging.getLogger("optout_gate.choices")


class RedisStore:
    """A :class:`~optout_gate.choices.standing.Store` in Redis."""

    def __init__(self, url: str) -> None:
        """Take the server's URL; it is connected to when it is first asked for anything.

        Raises:
            StoreError: the client library is not installed.
        """
        try:
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ImportError:
            raise StoreError("the backend redis needs the package: pip install 'optout-gate[redis]'") from None
        self._redis = Redis.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            socket_timeout=SOCKET_TIMEOUT_S,
            socket_connect_timeout=SOCKET_TIMEOUT_S,
            # A connection that the server closed while idle is opened anew once; waiting is not the client's to do.
            retry=Retry(NoBackoff(), 1),
        )
        self._apply = self._redis.register_script(_APPLY)
        self._word: bytes | None = None

    async def look_up(self, name: bytes) -> Standing | None:
        """Return what stands under a pseudonym, or None.

        Raises:
            StoreError: likewise where nothing does, and it is not the store that it was.
        """
        both = self._redis.pipeline(transaction=False)
        both.hmget(PREFIX + name.hex().encode(), _FIELDS)
        both.get(_WORD)
        found: list[Any] = await self._ask(both.execute())
        row, word = found
        standing = _standing(row)
        if self._word is None:
            await self._tell_what_vanishes()
            self._word = word or await self._begin()
        elif standing is None and word != self._word:
            raise StoreError(LOST)
        return standing

    async def _begin(self) -> bytes:
        """Return the word of a store that had none."""
        word: Any = await self._ask(self._redis.set(_WORD, secrets.token_hex(8), nx=True))
        word = await self._ask(self._redis.get(_WORD))
        return bytes(word or b"")

    async def _tell_what_vanishes(self) -> None:
        """Log what will lose choices without an error, as far as the server says how it is set up."""
        try:
            memory: Any = await self._ask(self._redis.info("memory"))
        except StoreError:
            return  # a user who may not ask
        policy = str(memory.get("maxmemory_policy", "noeviction"))
        if int(memory.get("maxmemory", 0)) and policy != "noeviction":
            log.error(VANISH, policy)

    async def apply(self, name: bytes, standing: Standing) -> Standing:
        """Let a choice count; return what stands then."""
        values = [int(standing.out), standing.at_ms, standing.source.value]
        found = _standing(await self._ask(self._apply(keys=[PREFIX + name.hex().encode()], args=values)))
        return found if found is not None else standing

    async def forget(self, name: bytes) -> bool:
        """Remove what stands under a pseudonym; return whether there was anything."""
        return bool(await self._ask(self._redis.delete(PREFIX + name.hex().encode())))

    async def everything(self) -> AsyncIterator[tuple[bytes, Standing]]:
        """Yield every pseudonym with what stands, in no order; what changes meanwhile may be missed."""
        keys = self._redis.scan_iter(match=PREFIX + b"*", count=1000)
        while True:
            key: bytes | None = await self._ask(cast("Awaitable[bytes | None]", anext(keys, None)))
            if key is None:
                return
            standing = await self.look_up(name) if (name := _name(key)) is not None else None
            if name is not None and standing is not None:
                yield name, standing

    async def close(self) -> None:
        """Close the connections."""
        try:
            await self._redis.aclose()
        except Exception:  # nobody is left to tell
            return

    async def _ask(self, answer: Awaitable[T] | T) -> T:
        """Return an answer of the client's, its errors translated."""
        from redis.exceptions import RedisError

        try:
            return await cast("Awaitable[T]", answer)
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreError(f"redis: {type(error).__name__}: {error}") from None


_FIELDS = ["out", "at_ms", "source"]


def _name(key: bytes) -> bytes | None:
    try:
        name = bytes.fromhex(key[len(PREFIX) :].decode("ascii"))
    except ValueError:
        return None
    return name if len(name) == PSEUDONYM_BYTES else None


def _standing(row: Any) -> Standing | None:
    """Return a row as a choice. One that says neither in nor out is none; one that cannot be dated is an old opt-out."""
    out, at_ms, source = row
    if out not in (b"0", b"1"):
        return None
    at = int(at_ms) if at_ms is not None and bytes(at_ms).isdigit() else 0
    words = bytes(source or b"").decode("ascii", "replace")
    return Standing(out == b"1", at, Source(words) if words in tuple(Source) else Source.IMPORT)
