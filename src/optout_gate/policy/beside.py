"""The files beside a configuration that it names: theme, key, token, certificates.

All are read once, with the configuration, so that a missing key or a misspelt placeholder is told at start with
the line that named it, and never met by a visitor. The secrets stay out of ``repr`` and out of every error.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from string import Template

from optout_gate.documents import VALUE, Document, did_you_mean, parse
from optout_gate.errors import ConfigError, Problem
from optout_gate.policy.config import Config, Mode, SiteConfig, split_address
from optout_gate.policy.texts import LANGUAGES, NAMES, PLACEHOLDERS, Texts, builtin
from optout_gate.policy.tls import Place, TlsOptions, VisitorsTls, faults

MIN_KEY_BYTES = 32  # the output of SHA-256: a shorter HMAC key is the weaker part (RFC 2104 §3)
MIN_TOKEN_CHARACTERS = 16
MAX_FILE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside the configuration.

    Attributes:
        folder: the configuration's own; relative paths start there.
        page: the operator's template of the preference page, or None for the built-in one.
        style: the operator's style sheet for it, or None for the built-in one.
        texts: the words by language, the operator's over the built-in ones.
        consumer_key: the key under which consumers' identifiers are hashed, or None.
        token: the bearer token of the admin address, or None.
        upstream_tls: how TLS with a site's origin is spoken, by the site's number in the file.
        tls: what visitors are shown, or None where they come without TLS.
    """

    folder: Path = field(default_factory=Path)
    page: str | None = None
    style: str | None = None
    texts: Mapping[str, Texts] = field(default_factory=builtin)
    consumer_key: bytes | None = field(default=None, repr=False)
    token: bytes | None = field(default=None, repr=False)
    upstream_tls: Mapping[int, TlsOptions] = field(default_factory=dict)
    tls: VisitorsTls | None = None


def read_beside(document: Document, config: Config, folder: Path) -> tuple[Beside, list[Problem]]:
    """Return the files that ``config`` names, and everything that is wrong with them or with naming them."""
    problems = list(_contradictions(document, config))
    page = style = None
    texts = dict(builtin())
    if config.preferences.templates is not None:
        at = ("preferences", "templates", VALUE)
        theme = folder / config.preferences.templates
        if theme.is_dir():
            page = _optional(document, at, theme / "preferences.html", problems)
            style = _optional(document, at, theme / "preferences.css", problems)
            if page is not None:
                problems += _placeholders(theme / "preferences.html", page)
            for language in LANGUAGES:
                own = _optional(document, at, theme / f"{language}.yaml", problems)
                if own is not None:
                    texts[language], wrong = _own_texts(theme / f"{language}.yaml", own, texts[language])
                    problems += wrong
        else:
            problems.append(document.problem(at, f"there is no folder {theme}"))
    key = token = None
    if config.consumers is not None:
        at = ("consumers", "key_file", VALUE)
        key = _secret(document, at, folder / config.consumers.key_file, MIN_KEY_BYTES, problems)
    if config.choices.token_file is not None:
        at = ("choices", "token_file", VALUE)
        token = _secret(document, at, folder / config.choices.token_file, MIN_TOKEN_CHARACTERS, problems)
    tls, upstream_tls = _visitors_tls(document, config, folder, problems), {}
    for index, site in enumerate(config.sites):
        options = _upstream_tls(document, site, ("sites", index, "upstream_tls"), folder, problems)
        if options is not None:
            upstream_tls[index] = options
    return Beside(folder, page, style, texts, key, token, upstream_tls, tls), problems


def _visitors_tls(document: Document, config: Config, folder: Path, problems: list[Problem]) -> VisitorsTls | None:
    if config.tls is None:
        return None
    certificate, key = _in(folder, config.tls.certificate_file), _in(folder, config.tls.key_file)
    problems += (document.problem(("tls", said, VALUE), fault) for said, fault in faults(certificate, key))
    return VisitorsTls(certificate or "", key, _place(document, ("tls",)))


def _upstream_tls(
    document: Document, site: SiteConfig, at: tuple[int | str, ...], folder: Path, problems: list[Problem]
) -> TlsOptions | None:
    said = site.upstream_tls
    if said is None:
        return None
    if not site.upstream.startswith("https://"):
        problems.append(document.problem(at, f"TLS is spoken with https upstreams, and this one is {site.upstream}"))
        return None
    ca, certificate, key = (_in(folder, name) for name in (said.ca_file, said.certificate_file, said.key_file))
    problems += (document.problem((*at, name, VALUE), fault) for name, fault in faults(certificate, key, ca))
    return TlsOptions(said.verify, said.server_name, ca, certificate, key, _place(document, at))


def _in(folder: Path, name: str | None) -> str | None:
    return str(folder / name) if name is not None else None


def _place(document: Document, at: tuple[int | str, ...]) -> Place:
    problem = document.problem(at, "")
    return problem.file, problem.line, problem.column


def _contradictions(document: Document, config: Config) -> Iterator[Problem]:
    """Yield what one key says against another."""
    visitors, operators = split_address(config.listen), split_address(config.admin)
    if visitors == operators and visitors[1]:  # the system chooses two where the port is 0
        text = "admin is the address that visitors come in on; choose another, and keep it inside"
        yield document.problem(("admin", VALUE), text)
    if config.gpc_json is not None:
        for index, site in enumerate(config.sites):
            if site.mode is not Mode.ENFORCE:
                text = (
                    f"gpc_json states publicly that the signal is honoured, and site {site.hosts[0]!r} in line "
                    f"{document.line('sites', index)} is in mode {site.mode.value}: enforce it, or leave gpc_json out"
                )
                yield document.problem(("gpc_json",), text)
    if config.consumers is not None and config.consumers.identify.header is not None and not config.trusted_proxies:
        text = (
            f"the field {config.consumers.identify.header!r} is believed from trusted_proxies alone, and there are "
            "none: anybody could send it; list your gateway's address there"
        )
        yield document.problem(("consumers", "identify", "header", VALUE), text)
    if config.consumers is not None and config.choices.backend == "redis" and find_spec("redis") is None:
        text = "the backend redis needs a package that is not installed: pip install 'optout-gate[redis]'"
        yield document.problem(("choices", "backend", VALUE), text)
    if config.consumers is None and config.choices.token_file is not None:
        yield document.problem(
            ("choices", "token_file"), "choices are kept for known consumers, and there is no 'consumers'"
        )


def _optional(document: Document, at: tuple[int | str, ...], path: Path, problems: list[Problem]) -> str | None:
    """Return the text of a file that may be missing."""
    if not path.exists():
        return None
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            problems.append(document.problem(at, f"{path} is larger than {MAX_FILE_BYTES:,} bytes"))
            return None
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(document.problem(at, f"{path} cannot be read: {getattr(error, 'strerror', 'not UTF-8')}"))
        return None


def _secret(
    document: Document, at: tuple[int | str, ...], path: Path, least: int, problems: list[Problem]
) -> bytes | None:
    """Return a secret file's content without the white space around it, which editors and ``echo`` add."""
    try:
        secret = path.read_bytes()
    except OSError as error:
        problems.append(document.problem(at, f"{path} cannot be read: {error.strerror}"))
        return None
    secret = secret.strip() if secret.isascii() else secret
    if len(secret) < least:
        text = f"{path} holds {len(secret)} bytes, and at least {least} are wanted (openssl rand -hex 32 > {path.name})"
        problems.append(document.problem(at, text))
    return secret


def _placeholders(path: Path, text: str) -> Iterator[Problem]:
    """Yield every placeholder of a template that the page has nothing for."""
    for number, line in enumerate(text.splitlines(), 1):
        for match in Template.pattern.finditer(line):
            name = match["named"] or match["braced"]
            column = match.start() + 1
            if match["invalid"] is not None:
                yield Problem(str(path), number, column, "a lone '$'; write '$$' for one that is to be seen")
            elif name is not None and name not in PLACEHOLDERS:
                hint = did_you_mean(name, PLACEHOLDERS)
                yield Problem(str(path), number, column, f"there is no placeholder ${name}{hint}")


def _own_texts(path: Path, text: str, texts: Texts) -> tuple[Texts, list[Problem]]:
    """Return ``texts`` with an operator's words over them."""
    try:
        document = parse(text, str(path))
    except ConfigError as error:
        return texts, list(error.problems)
    if not isinstance(document.data, dict):
        return texts, [Problem(str(path), 0, 0, "expected keys and values")]
    problems = []
    for name, words in document.data.items():
        if name not in NAMES:
            problems.append(document.problem((name,), f"unknown key {name!r}{did_you_mean(name, NAMES)}"))
        elif not isinstance(words, str) or not words.strip():
            problems.append(document.problem((name, VALUE), "expected text"))
    return {**texts, **document.data}, problems
