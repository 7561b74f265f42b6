"""Content codings: a compressed body is opened for rewriting and closed again in the same coding (RFC 9110 §8.4).

Opening is incremental and in steps of bounded size, so that a small body that grows without end is noticed before it
costs memory. What goes out is flushed with every piece that came in: a page that its origin sends in parts arrives in
parts.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import brotli
import zstandard

from optout_gate.errors import Failure, RewriteError
from optout_gate.policy.limits import RewritingLimits

STEP_BYTES = 64 * 1024  # decoded at a time
DEFAULTS = RewritingLimits()
FREE_BYTES = 1024 * 1024  # up to here no ratio is asked for

_BROTLI_HAS_LIMIT = tuple(int(part) for part in brotli.__version__.split(".")[:2]) >= (1, 2)
_BROTLI_QUALITY = 4  # between gzip 6 and 9 in size, at a gzip's speed
_GZIP_LEVEL = 5
_ZSTD_LEVEL = 3


class _Decoder(Protocol):
    def pieces(self, chunk: bytes) -> Iterator[bytes]: ...
    @property
    def finished(self) -> bool: ...


class _Zlib:
    """gzip (any number of members) and deflate (with the zlib header that RFC 9110 asks for, or bare)."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._wbits = 31 if gzip else 15
        self._decoder = zlib.decompressobj(self._wbits)
        self._started = False

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        data = chunk
        if not self._gzip and not self._started and data and (data[0] & 0x0F) != 8:
            self._decoder = zlib.decompressobj(-15)  # some servers leave the header out
        self._started = self._started or bool(data)
        while data:
            yield self._decoder.decompress(data, STEP_BYTES)
            data = self._decoder.unconsumed_tail
            if self._decoder.eof:
                data = self._decoder.unused_data
                if not self._gzip or not data.strip(b"\0"):
                    return
                self._decoder = zlib.decompressobj(self._wbits)

    @property
    def finished(self) -> bool:
        return self._decoder.eof or not self._started


class _Brotli:
    def __init__(self) -> None:
        self._decoder = brotli.Decompressor()
        self._started = False

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        self._started = self._started or bool(chunk)
        if not _BROTLI_HAS_LIMIT:  # mitmproxy 11 pins brotli 1.1; a developer's machine only
            yield self._decoder.process(chunk)
            return
        out = self._decoder.process(chunk, output_buffer_limit=STEP_BYTES)
        yield out
        while not self._decoder.is_finished() and not self._decoder.can_accept_more_data():
            yield self._decoder.process(b"", output_buffer_limit=STEP_BYTES)

    @property
    def finished(self) -> bool:
        return bool(self._decoder.is_finished()) or not self._started


class _Zstd:
    """Zstandard; a window over 8 MB is refused, as RFC 9659 demands for the web."""

    def __init__(self) -> None:
        self._decoder = zstandard.ZstdDecompressor(max_window_size=8 * 1024 * 1024).decompressobj()
        self._started = False

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        self._started = self._started or bool(chunk)
        # A block decodes to at most 128 KB (RFC 8878 §3.1.1.2.4) and takes 4 bytes at the least, so small slices of
        # input keep each step's output bounded.
        for start in range(0, len(chunk), 64):
            piece = self._decoder.decompress(chunk[start : start + 64])
            if piece:
                yield piece

    @property
    def finished(self) -> bool:
        return bool(self._decoder.eof) or not self._started


class _Encoder(Protocol):
    def feed(self, data: bytes) -> bytes: ...
    def close(self) -> bytes: ...


class _ZlibEncoder:
    def __init__(self, wbits: int) -> None:
        self._encoder = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, wbits)

    def feed(self, data: bytes) -> bytes:
        return self._encoder.compress(data) + self._encoder.flush(zlib.Z_SYNC_FLUSH)

    def close(self) -> bytes:
        return self._encoder.flush()


class _BrotliEncoder:
    def __init__(self) -> None:
        self._encoder = brotli.Compressor(mode=brotli.MODE_TEXT, quality=_BROTLI_QUALITY)

    def feed(self, data: bytes) -> bytes:
        out: bytes = self._encoder.process(data) + self._encoder.flush()
        return out

    def close(self) -> bytes:
        out: bytes = self._encoder.finish()
        return out


class _ZstdEncoder:
    def __init__(self) -> None:
        self._encoder = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()

    def feed(self, data: bytes) -> bytes:
        return self._encoder.compress(data) + self._encoder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def close(self) -> bytes:
        return self._encoder.flush()


_CODINGS: Mapping[bytes, tuple[Callable[[], Any], Callable[[], Any]]] = {
    b"gzip": (lambda: _Zlib(gzip=True), lambda: _ZlibEncoder(31)),
    b"x-gzip": (lambda: _Zlib(gzip=True), lambda: _ZlibEncoder(31)),
    b"deflate": (lambda: _Zlib(gzip=False), lambda: _ZlibEncoder(15)),
    b"br": (_Brotli, _BrotliEncoder),
    b"zstd": (_Zstd, _ZstdEncoder),
}

KNOWN = frozenset(_CODINGS) | {b"identity"}
"""Codings a body may have and still be rewritten."""


class Coding:
    """Opens and closes one body, in pieces of any size."""

    def __init__(self, name: bytes, limits: RewritingLimits = DEFAULTS) -> None:
        self._decoder: _Decoder
        self._encoder: _Encoder
        make_decoder, make_encoder = _CODINGS[name]
        self._decoder, self._encoder = make_decoder(), make_encoder()
        self._name = name.decode()
        self._limits = limits
        self._coded_bytes = 0
        self._decoded_bytes = 0

    def opened(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what ``chunk`` decodes to, in steps of bounded size.

        Raises:
            RewriteError: it is not in this coding (``decoding``), or grows beyond all measure (``oversize``).
        """
        self._coded_bytes += len(chunk)
        try:
            for piece in self._decoder.pieces(chunk):
                self._decoded_bytes += len(piece)
                self._check_growth()
                yield piece
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            raise RewriteError(Failure.DECODING, f"the body is not {self._name}: {error}") from None

    def end(self) -> None:
        """Say that the body is over.

        Raises:
            RewriteError: it ended in the middle.
        """
        if not self._decoder.finished:
            raise RewriteError(Failure.DECODING, f"the {self._name} body ends before its end")

    def closed(self, data: bytes) -> bytes:
        """Return ``data`` encoded, flushed so that the client can use it."""
        return self._encoder.feed(data) if data else b""

    def finish(self) -> bytes:
        """Return the end of the encoded body."""
        return self._encoder.close()

    def _check_growth(self) -> None:
        decoded = self._decoded_bytes
        if decoded > FREE_BYTES and (
            decoded > self._limits.decoded_ratio * self._coded_bytes
            or decoded > self._limits.decoded_bytes + 20 * self._coded_bytes
        ):
            raise RewriteError(Failure.OVERSIZE, f"a {self._name} body grew to more than {decoded - 1:,} bytes")


def coding_of(values: list[bytes]) -> bytes | None:
    """Return the one coding that ``Content-Encoding`` members name, ``b"identity"`` for none, None when unknown.

    Stacked codings are as good as unknown: no browser asks for them.
    """
    names = [value.lower() for value in values if value.lower() != b"identity"]
    if not names:
        return b"identity"
    return names[0] if len(names) == 1 and names[0] in _CODINGS else None
