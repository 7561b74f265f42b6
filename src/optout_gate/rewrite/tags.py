"""The gate's own reader of pages, for those that lol-html cannot read: a scanner of tags that edits by splicing.

lol-html gives up where it cannot tell, without building a tree, whether text follows (``style`` in ``select``, most text
elements in ``frameset``), and it reads no XML. This scanner follows the tokenizer of the HTML Standard (§13.2.5) where it
matters for finding start tags: comments, CDATA, raw text elements, the escapes inside ``script``, attribute quoting. It
keeps no tree either: text elements in ``select`` are read as the standard of today reads them, as text. It is some twenty
times slower than lol-html, holds no more than one tag or text piece, and never gives up but on a tag without end.

In XML (XHTML, by its media type) there are no raw text elements, but CDATA sections and processing instructions; names
may carry a prefix. A document type with declarations of its own could say anything, so it is refused.
"""

import codecs
import re

from optout_gate.errors import Failure, RewriteError
from optout_gate.rewrite.page import NEEDS_NO_ATTRIBUTE, Page
from optout_gate.rewrite.scanned import BLANK, NAME, XML_NAME, ScannedTag, ScannedText

MAX_HELD_CHARACTERS = 4 * 1024 * 1024  # of one tag; a picture inlined in an attribute is long

_RAW = frozenset({"script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "noscript"})
_REWRITTEN = frozenset({"script", "style", "noscript"})
_INTEGRATION = frozenset({"foreignobject", "desc", "title"})  # in SVG, HTML begins again inside these
_BREAKOUT = frozenset({
    "b", "big", "blockquote", "body", "br", "center", "code", "dd", "div", "dl", "dt", "em", "embed", "h1",
    "h2", "h3", "h4", "h5", "h6", "head", "hr", "i", "img", "li", "listing", "menu", "meta", "nobr", "ol",
    "p", "pre", "ruby", "s", "small", "span", "strong", "strike", "sub", "sup", "table", "tt", "u", "ul",
    "var",
})  # fmt: skip
"""Start tags that end foreign content (HTML §13.2.6.5)."""
_CDATA_END = "]]>"
_COMMENT_END = re.compile(r"--!?>")
_SCRIPT = re.compile(rf"<!--|-->|</?script(?=[{BLANK}/>])", re.IGNORECASE)
_XML_SCRIPT = re.compile(rf"<!\[CDATA\[|\]\]>|</(?:[^\s/>:]+:)?(?:script|style)(?=[{BLANK}/>])", re.IGNORECASE)
_STYLESHEET_HREF = re.compile(r"<\?xml-stylesheet\s[^>]*?href\s*=\s*([\"'])(?P<url>.*?)\1", re.DOTALL)
_LONGEST_END = len("</noscript") + 16  # characters held back in a text, so that no end tag is split; and a prefix


class TagScanner:
    """Reads one page in pieces of any size, and has :class:`Page` change its tags and texts."""

    def __init__(self, page: Page, *, xml: bool = False) -> None:
        self._page = page
        self._xml = xml
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")
        self._held = ""
        self._raw = ""  # the raw text element we are in
        self._escape = 0  # inside script: 0 plain, 1 after "<!--", 2 after "<script" in that; in XML 1 is CDATA
        self._foreign: list[str] = []  # svg, math, and integration points in them
        self._plain = False  # after <plaintext>: text to the end
        self._cdata = False

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes (UTF-8), return those that are final.

        Raises:
            RewriteError: a tag is longer than is held.
        """
        return self._take(self._decoder.decode(chunk), last=False)

    def close(self) -> bytes:
        """Return what was held back."""
        return self._take(self._decoder.decode(b"", True), last=True)

    def _take(self, text: str, *, last: bool) -> bytes:
        text = self._held + text
        out: list[str] = []
        place = 0
        while place < len(text):
            step = self._raw_text if self._raw else self._data
            done = step(text, place, out, last=last)
            if done is None:
                break
            place = done
        self._held = text[place:]
        if last:
            if self._raw in _REWRITTEN:
                out.append(self._text_piece("", last=True))
            out.append(self._held)  # a tag without end is no tag to a browser either
            self._held = ""
        elif len(self._held) > MAX_HELD_CHARACTERS:
            raise RewriteError(Failure.OVERSIZE, f"a tag is longer than {MAX_HELD_CHARACTERS:,} characters")
        return "".join(out).encode("utf-8", "surrogatepass")

    def _data(self, text: str, place: int, out: list[str], *, last: bool) -> int | None:
        """Read text up to the next tag, and that tag. Return where that ended, or None when it is not all there."""
        if self._plain:
            out.append(text[place:])
            return len(text)
        if self._cdata:
            return self._end_of_cdata(text, place, out, last=last)
        start = text.find("<", place)
        if start != place:
            end = len(text) if start < 0 else start
            out.append(text[place:end])
            return end
        name = XML_NAME if self._xml else NAME
        rest = text[start + 1 : start + 9]
        if rest[:1] == "!":
            return self._declaration(text, start, out, rest, last=last)
        if rest[:1] == "?" or (rest[:1] == "/" and rest[1:2] and not name.match(rest, 1) and rest[1:2] != ">"):
            return self._bogus(text, start, out)
        if name.match(rest) or (rest[:1] == "/" and name.match(rest, 1)):
            return self._tag(text, start, out)
        if len(rest) < 2 and not last:
            return None
        out.append("<")
        return start + 1

    def _end_of_cdata(self, text: str, place: int, out: list[str], *, last: bool) -> int | None:
        end = text.find(_CDATA_END, place)
        if end >= 0:
            self._cdata = False
            end += len(_CDATA_END)
            out.append(text[place:end])
            return end
        end = len(text) if last else max(place, len(text) - len(_CDATA_END) + 1)
        out.append(text[place:end])
        return end if end > place else None

    def _declaration(self, text: str, start: int, out: list[str], rest: str, *, last: bool) -> int | None:
        if rest.startswith("!--"):
            if text[start + 4 : start + 5] == ">" or text[start + 4 : start + 6] == "->":  # <!--> and <!--->
                end = text.index(">", start) + 1
            elif (found := _COMMENT_END.search(text, start + 4)) is not None:
                end = found.end()
            else:
                return None
            out.append(text[start:end])
            return end
        if "!--".startswith(rest) or "![CDATA[".startswith(rest):
            if len(rest) < len("![CDATA[") and not last:
                return None
            if rest == "![CDATA[" and (self._xml or (self._foreign and self._foreign[-1] in ("svg", "math"))):
                self._cdata = True
                out.append(text[start : start + 9])
                return start + 9
        if self._xml and (subset := text.find("[", start)) >= 0 and subset < (text.find(">", start) % (1 << 62)):
            raise RewriteError(Failure.CHARSET, "an XML document type with declarations of its own")
        return self._bogus(text, start, out)

    def _bogus(self, text: str, start: int, out: list[str]) -> int | None:
        xml_instruction = self._xml and text[start + 1 : start + 2] == "?"
        mark = "?>" if xml_instruction else ">"
        end = text.find(mark, start)
        if end < 0:
            return None
        end += len(mark)
        piece = text[start:end]
        if xml_instruction and (sheet := _STYLESHEET_HREF.match(piece)) is not None:
            piece = "" if self._page.denies_stylesheet(sheet["url"]) else piece
        out.append(piece)
        return end

    def _tag(self, text: str, start: int, out: list[str]) -> int | None:
        tag = ScannedTag.read(text, start, xml=self._xml)
        if tag is None:
            return None
        end = start + len(tag.source)
        if tag.is_end:
            self._ended(tag.tag_name)
            out.append(tag.source)
            return end
        foreign = bool(self._foreign) and self._foreign[-1] in ("svg", "math")
        if foreign and tag.tag_name in _BREAKOUT:
            self._foreign.clear()
            foreign = False
        if foreign or self._xml:
            tag.namespace_uri = ""  # another's, or one whose texts are read as those of any element
        if tag.has_attributes or tag.tag_name in NEEDS_NO_ATTRIBUTE:
            self._page.everything(tag)
        out.append(tag.rendered())
        if tag.is_closed and (foreign or self._xml or tag.tag_name in ("svg", "math")):
            return end
        if tag.tag_name in ("svg", "math") or (foreign and tag.tag_name in _INTEGRATION):
            self._foreign.append(tag.tag_name)
        elif self._xml or foreign:
            if tag.tag_name in ("script", "style"):
                self._raw, self._escape = tag.tag_name, 0
        elif tag.tag_name in _RAW:
            self._raw, self._escape = tag.tag_name, 0
        elif tag.tag_name == "plaintext":
            self._plain = True
        return end

    def _ended(self, name: str) -> None:
        if name in self._foreign:
            while self._foreign.pop() != name:
                pass

    def _raw_text(self, text: str, place: int, out: list[str], *, last: bool) -> int | None:
        """Read the content of a raw text element up to its end tag, which is left for :meth:`_data`."""
        found = self._end_of_raw(text, place)
        if found is not None:
            self._emit(text[place:found], out, last=True)
            self._raw = ""
            return found
        end = len(text) if last else max(place, len(text) - _LONGEST_END)
        if end <= place:
            return None
        if self._raw == "script" or self._xml:
            self._escape, _, end = self._walk(text, place, end)
        self._emit(text[place:end], out, last=False)
        return end

    def _end_of_raw(self, text: str, place: int) -> int | None:
        if self._raw == "script" or self._xml:
            return self._walk(text, place, len(text))[1]
        pattern = re.compile(rf"</{self._raw}(?=[{BLANK}/>])", re.IGNORECASE)
        found = pattern.search(text, place)
        return found.start() if found is not None else None

    def _walk(self, text: str, place: int, end: int) -> tuple[int, int | None, int]:
        """Return the state of escaping behind ``text[place:end]``, where the end tag begins if it does, and the end.

        The end is put back behind a word that begins before it.
        """
        state = self._escape
        position = place
        words = _XML_SCRIPT if self._xml else _SCRIPT
        while (match := words.search(text, position)) is not None and match.start() < end:
            word = match.group()
            position = match.end()
            if word in ("-->", "]]>"):
                state = 0
            elif word == "<![CDATA[":
                state = 1
            elif word == "<!--":
                state = state or 1
                position = match.start() + 2  # "<!-->" opens and closes
                if not text.startswith("-->", position):
                    position = match.end()
            elif word[1] == "/":
                if state == 0 or (state == 1 and not self._xml):
                    return state, match.start(), end
                state = 1
            elif state == 1:
                state = 2
        return state, None, max(end, position)

    def _emit(self, piece: str, out: list[str], *, last: bool) -> None:
        out.append(self._text_piece(piece, last=last) if self._raw in _REWRITTEN else piece)

    def _text_piece(self, piece: str, *, last: bool) -> str:
        chunk = ScannedText(piece, last)
        self._page.texts.take(chunk)
        return chunk.out
