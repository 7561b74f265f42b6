"""TLS contexts, made of the files that the operator names.

They are made when the configuration is loaded, so a key that does not fit is told at start, and a reload brings new
certificates to new connections. OpenSSL says ``[X509] PEM lib`` of most of what is wrong with a file, and asks the
terminal for the passphrase of an encrypted key; neither is let through.

Versions and ciphers are those of Mozilla's intermediate profile without its DHE suites: TLS 1.2 and newer, forward
secrecy, authenticated encryption.
"""

import ssl
from weakref import WeakKeyDictionary

from optout_gate.errors import ConfigError, Problem
from optout_gate.policy.load import Loaded
from optout_gate.policy.tls import TlsOptions, VisitorsTls, faults

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2; those of TLS 1.3 are all sound and not chosen here


_made: WeakKeyDictionary[TlsOptions, ssl.SSLContext] = WeakKeyDictionary()
"""Contexts toward origins. A reload brings other options, and so reads the files again."""


def client_context(options: TlsOptions) -> ssl.SSLContext:
    """Return the context toward an origin; one for each of the options, made when it is first asked for.

    Raises:
        ConfigError: a file cannot be used.
    """
    found = _made.get(options)
    if found is None:
        found = _made[options] = _client_context(options)
    return found


def _client_context(options: TlsOptions) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise _told(options.ca_file or "", error, options.place) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if not options.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.client_certificate is not None:
        _load_chain(context, options.client_certificate, options.client_key, options.place)
    return context


def server_context(said: VisitorsTls) -> ssl.SSLContext:
    """Return the context for visitors.

    Raises:
        ConfigError: a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    _load_chain(context, said.certificate, said.key, said.place)
    return context


def check_files(loaded: Loaded) -> None:
    """Make every context that a configuration asks for.

    Raises:
        ConfigError: with each file that cannot be used, and where it is named.
    """
    problems: list[Problem] = []
    for options in loaded.beside.upstream_tls.values():
        try:
            client_context(options)
        except ConfigError as error:
            problems += error.problems
    if loaded.beside.tls is not None:
        try:
            server_context(loaded.beside.tls)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)


class VisitorsContext:
    """The context that a listening socket keeps, while the certificate behind it may change.

    Attributes:
        context: to listen with.
    """

    def __init__(self, said: VisitorsTls) -> None:
        self.context = self._current = server_context(said)
        self.context.sni_callback = self._take_current  # called for every handshake, also for one that names nobody

    def _take_current(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = self._current

    def renew(self, said: VisitorsTls) -> None:
        """Show another certificate from the next handshake on.

        Raises:
            ConfigError: a file cannot be used; the old one stays.
        """
        self._current = server_context(said)


def _load_chain(context: ssl.SSLContext, certificate: str, key: str | None, place: tuple[str, int, int]) -> None:
    for _, fault in faults(certificate, key):
        raise ConfigError([Problem(*place, fault)])
    try:
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            text = f"{key or certificate} is not the key of the certificate in {certificate}"
            raise ConfigError([Problem(*place, text)]) from None
        raise _told(certificate if key is None else f"{certificate} with {key}", error, place) from None


def _told(name: str, error: OSError, place: tuple[str, int, int]) -> ConfigError:
    why = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return ConfigError([Problem(*place, f"{name} cannot be used: {str(why).lower().replace('_', ' ')}")])
