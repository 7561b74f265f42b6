"""Choices in Redis or Valkey, for gates on several machines. Needs the package ``optout-gate[redis]``.

Each consumer is a hash ``optout:HEX`` with ``out``, ``at_ms`` and ``source``. Which of two choices holds is decided in
Redis, in a script, because two gates that read, compare and write would lose one. Nothing expires: how choices outlive
a restart of Redis is its own configuration (``appendonly yes``), and ``maxmemory-policy`` must be ``noeviction``, or
opt-outs vanish when memory runs out.
"""

from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar, cast

from optout_gate.choices.standing import PSEUDONYM_BYTES, Source, Standing, StoreError

PREFIX = b"optout:"
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

T = TypeVar("T")


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

    async def look_up(self, name: bytes) -> Standing | None:
        """Return what stands under a pseudonym, or None."""
        return _standing(await self._ask(self._redis.hmget(PREFIX + name.hex().encode(), _FIELDS)))

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
