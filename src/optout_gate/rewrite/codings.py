"""Content codings: a compressed body is opened for rewriting and closed again in the same coding (RFC 9110 §8.4).

Opening is incremental and in steps of bounded size, so that a small body that grows without end is noticed before it
costs memory. What goes out is flushed with every piece that came in: a page that its origin sends in parts arrives in
parts.
"""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import brotli
import zstandard

from optout_gate.errors import Failure, RewriteError
from optout_gate.policy.limits import RewritingLimits

STEP_BYTES = 64 * 1024  # decoded at a time
DEFAULTS = RewritingLimits()
FREE_BYTES = 1024 * 1024  # up to here no ratio is asked for
LONGEST_MAGIC = 4

_BROTLI_HAS_LIMIT = tuple(int(part) for part in brotli.__version__.split(".")[:2]) >= (1, 2)
_BROTLI_QUALITY = 4  # between gzip 6 and 9 in size, at a gzip's speed
_GZIP_LEVEL = 5
_ZSTD_LEVEL = 3


class _Decoder(Protocol):
    def pieces(self, chunk: bytes) -> Iterator[bytes]: ...
    @property
    def finished(self) -> bool: ...


class _Members(ABC):
    """A body of one member (gzip) or frame (zstd) after another.

    Bytes behind the last one that begin no other are passed over, as browsers do: servers leave such there, a message
    that PHP prints behind the page that it has compressed already, say.
    """

    begins: tuple[bytes, ...]
    """What every member but the first begins with."""
    slice_bytes: int
    """How much is taken at a time: what stands behind the end of a member is copied."""

    def __init__(self) -> None:
        self._decoder: Any = None
        self._rest = b""  # behind the end of a member; too little to tell whether it begins another
        self._is_over = False

    @abstractmethod
    def _member(self, first: int) -> Any:
        """Return a decoder for the member that begins with this byte."""

    @abstractmethod
    def _decoded(self, data: memoryview) -> Iterator[bytes]:
        """Yield what ``data`` decodes to, up to the end of the member."""

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        data = memoryview(self._rest + chunk if self._rest else chunk)
        self._rest = b""
        at = 0
        while at < len(data) and not self._is_over:
            if self._decoder is None or self._decoder.eof:
                if self._decoder is not None and not self._begins_another(bytes(data[at : at + LONGEST_MAGIC])):
                    return
                self._decoder = self._member(data[at])
            part = data[at : at + self.slice_bytes]
            yield from self._decoded(part)
            at += len(part) - len(self._decoder.unused_data)

    def _begins_another(self, data: bytes) -> bool:
        """Return whether what stands behind a member is one; what is too little to tell waits for more."""
        magic = next((each for each in self.begins if each.startswith(data[: len(each)])), None)
        self._is_over = magic is None
        if magic is None or len(data) < len(magic):
            self._rest = data
            return False
        return True

    @property
    def finished(self) -> bool:
        return self._decoder is None or bool(self._decoder.eof)


class _Zlib(_Members):
    """gzip, and deflate with the zlib header that RFC 9110 asks for, or bare."""

    slice_bytes = 8192

    def __init__(self, *, gzip: bool) -> None:
        super().__init__()
        self._gzip = gzip
        self.begins = (b"\x1f\x8b",) if gzip else ()

    def _member(self, first: int) -> Any:
        if self._gzip:
            return zlib.decompressobj(31)
        return zlib.decompressobj(15 if first & 0x0F == 8 else -15)  # some servers leave the header out

    def _decoded(self, data: bytes | memoryview) -> Iterator[bytes]:
        while data and not self._decoder.eof:  # behind which what is unused may stand in both
            yield self._decoder.decompress(data, STEP_BYTES)
            data = self._decoder.unconsumed_tail


class _Brotli:
    def __init__(self) -> None:
        self._decoder = brotli.Decompressor()
        self._started = False

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        self._started = self._started or bool(chunk)
        if self._decoder.is_finished():
            return  # bytes behind the end, which browsers pass over
        if not _BROTLI_HAS_LIMIT:  # mitmproxy 11 pins brotli 1.1; a developer's machine only
            yield self._decoder.process(chunk)
            return
        # It takes all of its input before it has put everything out, and ``can_accept_more_data`` says nothing of that.
        piece = self._decoder.process(chunk, output_buffer_limit=STEP_BYTES)
        while piece:
            yield piece
            piece = b"" if self._decoder.is_finished() else self._decoder.process(b"", output_buffer_limit=STEP_BYTES)

    @property
    def finished(self) -> bool:
        return bool(self._decoder.is_finished()) or not self._started


class _Zstd(_Members):
    """Zstandard; a window over 8 MB is refused, as RFC 9659 demands for the web."""

    begins = (b"\x28\xb5\x2f\xfd", *(b"%c\x2a\x4d\x18" % each for each in range(0x50, 0x60)))  # RFC 8878 §3.1
    # A block decodes to at most 128 KB (RFC 8878 §3.1.1.2.4) and takes 4 bytes at the least, so small slices of input
    # keep each step's output bounded.
    slice_bytes = 64

    def __init__(self) -> None:
        super().__init__()
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=8 * 1024 * 1024)

    def _member(self, first: int) -> Any:
        return self._decompressor.decompressobj()

    def _decoded(self, data: memoryview) -> Iterator[bytes]:
        piece = self._decoder.decompress(data)
        if piece:
            yield piece


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

_NO_CODINGS = frozenset(
    {b"identity", b"none", b"utf-8", b"utf8", b"iso-8859-1", b"binary", b"8bit", b"7bit",
     b"aws-chunked"}  # of an upload to S3, which keeps it with the object
)  # fmt: skip
"""What servers write there by mistake. No browser knows these for codings, and all of them show the body as it stands."""


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

    Stacked codings are as good as unknown: browsers open them, and no server is known to send them on purpose.
    """
    names = [value.lower() for value in values if value.lower() not in _NO_CODINGS]
    if not names:
        return b"identity"
    return names[0] if len(names) == 1 and names[0] in _CODINGS else None
