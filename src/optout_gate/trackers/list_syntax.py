"""Which lines of a filter list are rules about requests, and what is wrong with one that nobody can read.

The engine passes over what it cannot read without a word. An operator who adds a line of his own should hear of it, and
of its number, so every line is looked at here first. Rules that hide elements (cosmetic ones) and rules about pop-ups and
whole pages say nothing about a request that a page makes; they are ignored, and that is no fault.
"""

import re

_COSMETIC = re.compile(r"#[@?$%]{0,3}#|#\$\?#|#@\$\?#|\$\$|#@?%#")
_OPTIONS = re.compile(r"\$(~?[a-z0-9_-]+(?:=.*|,.*)?)\Z", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9_-]+\Z", re.IGNORECASE)

REQUESTS = frozenset(
    [
        "image",
        "media",
        "object",
        "object-subrequest",
        "other",
        "ping",
        "beacon",
        "script",
        "stylesheet",
        "css",
        "subdocument",
        "frame",
        "xmlhttprequest",
        "xhr",
        "websocket",
        "font",
        "third-party",
        "3p",
        "first-party",
        "1p",
        "strict3p",
        "strict1p",
        "important",
        "match-case",
        "badfilter",
        "all",
    ]
)
"""Options that stand alone and that the engine acts on; most also with ``~``."""
WITH_VALUE = frozenset(
    {"domain", "from", "tag", "redirect", "redirect-rule", "csp", "removeparam", "method", "to", "denyallow"}
)
"""Options that take a value."""
ELSEWHERE = frozenset(
    [
        "popup",
        "popunder",
        "document",
        "doc",
        "elemhide",
        "ehide",
        "generichide",
        "ghide",
        "genericblock",
        "specifichide",
        "shide",
        "inline-script",
        "inline-font",
        "webrtc",
        "cname",
        "empty",
        "mp4",
        "rewrite",
        "header",
        "permissions",
        "replace",
        "cookie",
        "network",
        "app",
        "stealth",
        "jsinject",
        "content",
        "urlblock",
        "extension",
        "background",
        "fetch",
        "xbl",
        "dtd",
        "genericblock",
    ]
)
"""Options of rules that are about something else than a request in a page, or for other programs; ignored."""


def is_rule(line: str) -> bool:
    """Return True for a line that is about requests: no comment, header, or cosmetic rule."""
    return bool(line) and line[0] not in "![" and not ("#" in line and _COSMETIC.search(line)) and "$$" not in line


def fault(line: str) -> str | None:
    """Return what is wrong with a rule about requests, or None."""
    pattern = line.removeprefix("@@")
    if "$" in pattern:
        found = _OPTIONS.search(pattern, pattern.rindex("$")) or _OPTIONS.search(pattern)
        if found is not None and not (pattern.startswith("/") and pattern.endswith("/")):
            if (wrong := _wrong_option(found[1])) is not None:
                return wrong
            pattern = pattern[: found.start()]
    if len(pattern) > 2 and pattern[0] == "/" and pattern[-1] == "/":
        try:
            re.compile(pattern[1:-1])
        except re.error as error:
            return f"not a regular expression: {error}"
    elif " " in pattern:
        return "a blank in an address"
    elif pattern == "||" or pattern == "|":
        return "no address"
    return None


def _wrong_option(options: str) -> str | None:
    for option in options.split(","):
        name, equals, value = option.partition("=")
        name = name.strip().removeprefix("~").lower()
        if name in REQUESTS or name in ELSEWHERE:
            continue
        if name not in WITH_VALUE:
            if not name:
                return "an empty option"
            # Values may hold commas (csp, removeparam): what is no word belongs to the value before.
            if not _WORD.match(name):
                continue
            return f"there is no option {name!r}"
        if name in ("domain", "from") and (not equals or not value.strip("|~ ")):
            return f"{name}= names no domain"
    return None
