"""A browser's cookie jar, as far as a site's own host goes: host-only and domain cookies beside each other."""

from optout_gate.http import Headers, Pair


class BrowserJar:
    """Cookies of one visitor on one host, kept and sent back as RFC 6265bis §5 asks."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._cookies: dict[tuple[str, str], str] = {}

    def script_sets(self, name: str, value: str, domain: str = "") -> None:
        """Keep what a script of the page wrote to ``document.cookie``."""
        self._cookies[name, domain] = value

    def take(self, headers: Headers) -> None:
        """Keep what a response sets; a domain that is not the host's, or a public suffix, is refused."""
        for line in headers.values(b"set-cookie"):
            cookie, *attributes = line.decode().split(";")
            name, _, value = cookie.partition("=")
            found = {key.strip().lower(): text for key, _, text in (each.partition("=") for each in attributes)}
            domain = found.get("domain", "").strip().lstrip(".")
            if domain and ("." not in domain or not f".{self.host}".endswith(f".{domain}")):
                continue
            if found.get("max-age") == "0":
                self._cookies.pop((name.strip(), domain), None)
            else:
                self._cookies[name.strip(), domain] = value.strip()

    def line(self) -> list[Pair]:
        """Return the ``Cookie`` line of the next request, none when the jar is empty."""
        text = "; ".join(f"{name}={value}" for (name, _), value in self._cookies.items())
        return [(b"Cookie", text.encode())] if text else []

    def values(self) -> dict[str, list[str]]:
        """Return the values of each name."""
        found: dict[str, list[str]] = {}
        for (name, _), value in self._cookies.items():
            found.setdefault(name, []).append(value)
        return found
