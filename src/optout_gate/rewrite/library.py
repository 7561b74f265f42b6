"""A script of the site's own host, held back until it is clear that it is no denied vendor's library and imports none.

Nearly every script shows by its name and its first bytes that it is none, and leaves as it came, bit for bit, in the coding
it came in. A suspect waits until it is whole, since only then is it told from a bundle that holds the same code
(:mod:`optout_gate.trackers.libraries`).

A module whose first lines import from another host waits as well: a browser fetches what they name before any of it runs,
and where that is denied, gets a module with the exports that they ask for. Nothing behind these lines is changed.
"""

import re

from optout_gate.errors import RewriteError
from optout_gate.http import Headers, Response
from optout_gate.policy.decision import Verdict
from optout_gate.rewrite import surrogates
from optout_gate.rewrite.codings import Coding
from optout_gate.rewrite.inline import without_denied_imports
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.neutral import GENERIC
from optout_gate.rewrite.passage import Passage
from optout_gate.rewrite.response_head import REWRITTEN_BODY
from optout_gate.trackers.catalog import Rule
from optout_gate.trackers.libraries import MAX_LIBRARY_BYTES, OPENING_BYTES, Library, is_library

KIND = "library"

_IMPORT = re.compile(rb"""(?<![\w$.])(?:from|import)\s*["'](?:https?:)?//""", re.IGNORECASE)

_OF_THE_BODY = REWRITTEN_BODY | {b"content-encoding", b"content-type", b"cache-control", b"sourcemap", b"x-sourcemap"}
# Imports may stand further on, but by no convention do; and a string may hold anything.
_FIRST_STATEMENTS = re.compile(
    r"""(?:
      \s | ; | //[^\n]*\n | /\*.*?\*/ | (["'])use\ strict\1
    | (?:import\b\s*(?:[^"'`;()]*?\bfrom\s*)? | export\b[^"'`;()]*?\bfrom\s*)["'][^"'\n]*["'](?:\s*with\s*\{[^}]*\})?
    )*+""",
    re.DOTALL | re.VERBOSE,
)


class LibraryPassage(Passage):
    """A script on its way. In observe mode it leaves as it came, and what it is is noted."""

    untouched = False
    streams = False  # the head waits for the body, here more than anywhere
    keeps_etag = True  # what leaves is the origin's own, or stored by nobody

    def __init__(
        self,
        response: Response,
        name: str,
        coding: bytes,
        judge: Judge,
    ) -> None:
        """Take the head, the name of the file and its coding, which the gate can open, and who decides."""
        super().__init__(response)
        self._name = name
        self._coding = None if coding == b"identity" else Coding(coding)
        self._judge = judge
        self._raw: list[bytes] = []
        self._opened = bytearray()
        self._suspects: list[tuple[Library, Rule]] | None = None  # None: not enough is seen yet
        self._may_import = False
        self._decided = False

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes of the origin's body, return those to send now."""
        if self._decided:
            return chunk
        self._raw.append(chunk)
        try:
            self._open(chunk)
        except RewriteError:
            return self._as_it_came()  # no browser can open it either
        if self._suspects is None and len(self._opened) >= OPENING_BYTES:
            self._suspect()
        harmless = self._suspects is not None and not self._suspects and not self._may_import
        if harmless or len(self._opened) > MAX_LIBRARY_BYTES:
            return self._as_it_came()
        return b""

    def close(self) -> bytes:
        """Say that the origin's body is over, return the last bytes to send."""
        if self._decided:
            return b""
        if self._suspects is None:
            self._suspect()
        verdict = self._verdict()
        if verdict is None:
            return self._without_imports() if self._may_import else self._as_it_came()
        self._judge.removals.add(KIND, verdict, self._name)
        return self._replaced(verdict) if self._judge.decision.enforced else self._as_it_came()

    def _open(self, chunk: bytes) -> None:
        for piece in (chunk,) if self._coding is None else self._coding.opened(chunk):
            self._opened += piece
            if len(self._opened) > MAX_LIBRARY_BYTES:
                return

    def _suspect(self) -> None:
        opening = bytes(self._opened[:OPENING_BYTES])
        found = self._judge.catalog.libraries.suspects(self._name, opening)
        self._may_import = b"import" in opening and _IMPORT.search(opening) is not None
        # Whoever has more marks is the more particular: a Google tag is also a container of Google's.
        self._suspects = sorted(found, key=lambda each: -len(each[0].all))

    def _verdict(self) -> Verdict | None:
        body = bytes(self._opened)
        for library, rule in self._suspects or ():
            if is_library(library, body):
                verdict = self._judge.decision.verdict(rule)
                return verdict if verdict.denied else None
        return None

    def _without_imports(self) -> bytes:
        text = self._opened.decode("latin-1")
        first = _FIRST_STATEMENTS.match(text)
        out = without_denied_imports(text, self._judge, self._judge.page, end=first.end() if first is not None else 0)
        if out == text or not self._judge.decision.enforced:
            return self._as_it_came()
        self._leaves_another(self.head.headers.without(REWRITTEN_BODY | {b"content-encoding", b"cache-control"}))
        return out.encode("latin-1")

    def _replaced(self, verdict: Verdict) -> bytes:
        headers = self.head.headers.without(_OF_THE_BODY)
        self._leaves_another(headers.plus((b"Content-Type", b"text/javascript; charset=utf-8")))
        return surrogates.script(verdict.vendor.surrogate or GENERIC)

    def _leaves_another(self, headers: Headers) -> None:
        self._decided = True
        self._raw.clear()
        # no-store: under this address stands another script for who did not opt out.
        self.head = Response(self.head.status, headers.plus((b"Cache-Control", b"private, no-store")))

    def _as_it_came(self) -> bytes:
        self._decided = True
        raw = b"".join(self._raw)
        self._raw.clear()
        self._opened.clear()
        return raw
