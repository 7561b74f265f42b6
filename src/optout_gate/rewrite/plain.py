r"""Markup in which nothing can matter, passed over without a parser; and the elements between such stretches.

lol-html asks every selector about every tag, and most tags of a page are paragraphs, links and pictures of the site's own. A
regular expression passes over those three times as fast. It reads a small part of HTML and nothing else: text, comments,
end tags, and start tags of known names whose every attribute is known not to matter, written as nearly everybody writes
them. In that part there is nothing to be in doubt about: what comes next is read in the tokenizer's data state (HTML
§13.2.5.1), with no foreign element open. So at any place that it reaches,

- an element that may matter, and that is there from its start tag to its end tag, is cut out as a whole: it is to
  lol-html what it would have been in its place, and to the memory the same on every page;
- where anything else comes, lol-html takes the page from there, as if it began there.

It errs on one side only: what it passes over could match no selector of :mod:`optout_gate.rewrite.selectors`. A property
test holds it to that.
"""

import re
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache

from optout_gate.rewrite.references import EVERYWHERE
from optout_gate.rewrite.status import PLACE, Status
from optout_gate.trackers.catalog import Catalog

FEW_ELEMENTS = 64
BYTES_BETWEEN_ELEMENTS = 256
"""A page with more elements that may matter is lol-html's: one cut out costs what twenty tags cost there."""

_BLANK = r"[ \t\n\r\f]"
_OWN = r"/(?![/\\&\t\n\r])[^\"]*+"  # stays on the host that the page came from, as in `selectors`
_VALUE = r"(?:=(?:\"[^\"]*+\"|'[^']*+'|[^ \t\n\r\f\"'=<>`]++))?+"

_NAMES = (
    "a", "abbr", "address", "article", "aside", "b", "bdi", "bdo", "blockquote", "br", "button", "caption", "center", "cite",
    "code", "col", "colgroup", "dd", "del", "details", "dfn", "dialog", "div", "dl", "dt", "em", "fieldset", "figcaption",
    "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hgroup", "hr", "i", "img", "input", "ins",
    "kbd", "label", "legend", "li", "main", "mark", "menu", "meta", "nav", "ol", "p", "picture", "pre", "q", "s", "samp",
    "search", "section", "small", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead",
    "time", "tr", "u", "ul", "var", "wbr",
)  # fmt: skip
"""Elements that load nothing by their name alone, and after which the tokenizer goes on as before."""
_DOCUMENT = ("body", "html")  # unless a place for the words of the status is looked for
_ATTRIBUTES = (
    "accept", "accesskey", "align", "alt", "aria-[a-z]++", "autocapitalize", "autocomplete", "autofocus", "border",
    "cellpadding", "cellspacing", "charset", "checked", "cols", "colspan", "content", "contenteditable", "datetime",
    "decoding", "dir", "disabled", "download", "draggable", "enctype", "enterkeyhint", "fetchpriority", "for", "headers",
    "height", "hidden", "hreflang", "inputmode", "itemid", "itemprop", "itemscope", "itemtype", "lang", "list", "loading",
    "max", "maxlength", "method", "min", "minlength", "multiple", "name", "novalidate", "on[a-z]++", "open", "pattern",
    "placeholder", "property", "readonly", "referrerpolicy", "rel", "required", "role", "rows", "rowspan", "scope", "size",
    "sizes", "spellcheck", "start", "step", "tabindex", "target", "title", "translate", "type", "valign", "value", "width",
)  # fmt: skip
"""Attributes that no selector names, whatever their value."""
# No selector names an attribute that begins with anything but a letter, and of those with a hyphen few.
_OF_FRAMEWORKS = r"(?:(?!data-|http-|clip-|marker-)[a-z]++-|[@:_*#(\[])[^ \t\n\r\f\"'<>/=]*+"
_CUSTOM = r"(?!amp-)[a-z][a-z0-9]*+-[a-z0-9-]*+"  # a component; AMP's refer to others
_ANYWHERE = tuple(reference.attribute for reference in EVERYWHERE)
_SHAPES = (
    "circle", "clipPath", "defs", "ellipse", "g", "line", "linearGradient", "path", "polygon", "polyline",
    "radialGradient", "rect", "stop", "symbol", "text", "tspan", "use",
)  # fmt: skip

# Elements whose content is text, and all other tags; both written so that there is no doubt where they end.
_STRICT = rf"(?:{_BLANK}++[^ \t\n\r\f\"'<>/=]++(?:{_BLANK}*+=(?:{_BLANK}*+(?:\"[^\"]*+\"|'[^']*+'|[^ \t\n\r\f\"'=<>`]++)))?+)*+{_BLANK}*+/?>"
_ELEMENT = re.compile(
    r"<(?P<name>script|noscript|style|title|textarea|iframe)(?=[ \t\n\r\f/>])"
    rf"{_STRICT}[^<]*+(?:<(?!/(?P=name)|!--)[^<]*+)*+</(?P=name){_BLANK}*+>".encode(),
    re.IGNORECASE,
)
_TAG = re.compile(
    r"<(?!(?:script|noscript|style|title|textarea|iframe|svg|math|select|frameset|base|plaintext|xmp|noembed|noframes)"
    rf"[ \t\n\r\f/>])[a-z][a-z0-9-]*+{_STRICT}".encode(),
    re.IGNORECASE,
)


class Kind(Enum):
    """What a part of a page is."""

    PLAIN = "plain"  # passed on
    ALIKE = "alike"  # what becomes of it depends on itself alone: remembered from page to page
    OTHER = "other"  # what becomes of it may depend on what came before


Part = tuple[bytes, Kind]
PLAIN, ALIKE, OTHER = Kind.PLAIN, Kind.ALIKE, Kind.OTHER


class Plain:
    """Takes a page apart, as far as it is plain."""

    def __init__(
        self,
        names: Iterable[str],
        classes: Iterable[str],
        ids: Iterable[str],
        attributes: Iterable[str],
        click_ids: str,
        *,
        status: bool,
    ) -> None:
        """Take what matters in a page besides what stands in the tables here.

        Args:
            names: of elements.
            classes: beginnings of classes.
            ids: beginnings of ids.
            attributes: names of attributes.
            click_ids: an expression for what makes a link matter.
            status: whether the elements that a status is shown in, or that say its language, matter.
        """
        others = (*attributes, PLACE)
        expression = _stretch(tuple(names), tuple(classes), tuple(ids), others, click_ids, status=status)
        self._stretch = re.compile(expression.encode())
        self._tag = OTHER if status else ALIKE

    def parts(self, page: bytes) -> tuple[list[Part], bytes]:
        """Return the parts of a page's beginning in their order, and the rest, which is lol-html's."""
        found: list[Part] = []
        place, size, cut_out = 0, len(page), 0
        match, element_at, tag_at, tag = self._stretch.match, _ELEMENT.match, _TAG.match, self._tag
        while True:
            stretch = match(page, place)
            end = stretch.end() if stretch is not None else place
            if end > place:
                found.append((page[place:end], PLAIN))
            if end == size:
                return found, b""
            kind = ALIKE
            element = element_at(page, end)
            if element is None:
                kind, element = tag, tag_at(page, end)
                if element is None:
                    return found, page[end:]
            cut_out += 1
            if cut_out > FEW_ELEMENTS + end // BYTES_BETWEEN_ELEMENTS:
                return found, page[end:]
            place = element.end()
            found.append((page[end:place], kind))


def _stretch(
    elements: tuple[str, ...],
    classes: tuple[str, ...],
    ids: tuple[str, ...],
    attributes: tuple[str, ...],
    click_ids: str,
    *,
    status: bool,
) -> str:
    def not_these(words: Iterable[str]) -> str:
        return f"(?!{'|'.join(map(re.escape, words))})" if words else ""

    data = [name.removeprefix("data-") for name in attributes if name.startswith("data-")]
    neutral = [name for name in _ATTRIBUTES if name not in attributes]
    common = (
        rf"class=\"{_BLANK}*+(?:{not_these(classes)}[!#-%'-~]++{_BLANK}*+)*+\"",
        rf"id=\"{not_these(ids)}[^\"&]*+\"",
        rf"data-{not_these(data)}[a-z0-9_.-]++{_VALUE}",
        r"style=\"[^\"(&]*+\"",
    )
    of_html = (
        rf"href=\"[^\"?]*+(?:(?!{click_ids})[?&;][^\"?&;]*+)*+\"",
        rf"(?:src|action)=\"{_OWN}\"",
        r"srcset=\"(?:[^\"/:&\\\t\n\r]++|/(?!/))*+\"",
        rf"{_any_of(neutral)}{_VALUE}",
        rf"{not_these(attributes)}{_OF_FRAMEWORKS}{_VALUE}",
    )
    of_svg = (
        rf"(?:xlink:)?href=\"(?:#[^\"]*+|{_OWN})\"",
        r"transform=\"[^\"]*+\"",
        rf"(?!(?i:xlink|{'|'.join(('href', 'class', 'id', 'src', *map(re.escape, attributes), *_ANYWHERE))})[:=]|(?i:data-))"
        r"[a-zA-Z][a-zA-Z0-9-]*+(?::[a-z]++)?+=\"[^\"(&]*+\"",
    )
    names = _any_of(_NAMES if status else (*_NAMES, *_DOCUMENT))
    shapes = _any_of(_SHAPES)
    # A name or attribute that only begins as a known one does is followed by neither a blank nor the tag's end.
    in_html = rf"(?:>|(?:{_BLANK}++(?:{'|'.join((*common, *of_html))}))*+{_BLANK}*+/?>)"
    in_svg = rf"(?:>|(?:{_BLANK}++(?:{'|'.join((*common, *of_svg))}))*+{_BLANK}*+/?>)"
    return (
        r"[^<]*+(?:<(?:"
        rf"/[a-zA-Z][a-zA-Z0-9-]*+{_BLANK}*+>"
        rf"|(?:{names}|{not_these(elements)}{_CUSTOM}){in_html}"
        rf"|title>[^<]*+</title>|textarea{in_html}(?<!/>)[^<]*+</textarea>"
        r"|!(?:--(?!-?>)[^-]*+(?:-(?!->|-!>)[^-]*+)*+-->|[dD][oO][cC][tT][yY][pP][eE][^>]*+>)"
        rf"|svg{in_svg}(?<!/>)[^<]*+(?:<(?:{shapes}{in_svg}|/{shapes}>|title>[^<]*+</title>)[^<]*+)*+</svg>"
        r")[^<]*+)*+"
    )


def _any_of(words: Iterable[str]) -> str:
    """Return an expression for any of the words, which may end in one, its first letters looked at first."""
    by_letter: dict[str, list[str]] = {}
    for word in sorted(words, key=len, reverse=True):  # of two, the longer first: nothing is tried again
        by_letter.setdefault(word[0], []).append(word[1:])
    return "(?:" + "|".join(f"{letter}(?:{'|'.join(rest)})" for letter, rest in sorted(by_letter.items())) + ")"


def parts_of(page: bytes, catalog: Catalog, status: Status | None, *, whole: bool) -> tuple[list[Part], bytes]:
    """Return the parts of a page's beginning, or of all of it, and the rest, which is lol-html's."""
    boxes = tuple(catalog.containers)
    click_ids = catalog.click_id_pattern.pattern if catalog.click_id_pattern is not None else "(?!)"
    shown = status is not None and (status.at_end or not whole)
    found, rest = _around(boxes, catalog.lazy_attributes, click_ids, status=shown).parts(page)
    if status is None or shown:
        return found, rest
    # Rarely: the page has a place for the words, and what came before it says in which language they are.
    place = PLACE.encode()
    if place in rest.lower() or any(place in text.lower() for text, kind in found if kind is not PLAIN):
        return _around(boxes, catalog.lazy_attributes, click_ids, status=True).parts(page)
    return found, rest


@lru_cache(maxsize=16)
def _around(boxes: tuple[str, ...], attributes: tuple[str, ...], click_ids: str, *, status: bool) -> Plain:
    """Return what takes pages apart, given the boxes that vendors fill, what their loaders read and add to links.

    Boxes are written as in the catalogue: ``<element>``, ``#id``, ``[attribute]``, or a class.
    """
    starts = [box.rstrip("*") for box in boxes]
    return Plain(
        [box[1:-1] for box in starts if box[0] == "<"],
        [box for box in starts if box[0] not in "<#["],
        [box[1:] for box in starts if box[0] == "#"],
        (*attributes, *(box[1:-1] for box in starts if box[0] == "[")),
        click_ids,
        status=status,
    )
