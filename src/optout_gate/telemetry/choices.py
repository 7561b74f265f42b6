"""What the gate counts about choices: the preference page, and the standing opt-outs of known consumers.

Label values are closed sets here as everywhere; there is no label by which a person could be told from another.
Every metric has one, so that a gate without known consumers shows no series of theirs.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram

WAIT_BUCKETS = (0.0005, 0.001, 0.005, 0.02, 0.1, 1)  # 0.02: what timeout_ms is unless configured


class ChoiceMetrics:
    """The metrics of choices."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._choices = Counter(
            "optout_gate_choices_total", "Choices made on the preference page.", ["choice"], registry=registry
        )
        self._cookies_refused = Counter(
            "optout_gate_cookie_write_refused_total",
            "Choices whose cookie the browser did not bring back.",
            ["choice"],
            registry=registry,
        )
        self._cross_site = Counter(
            "optout_gate_choices_refused_total",
            "Choices sent from another site's page, and refused.",
            ["choice"],
            registry=registry,
        )
        self._looked_up = Counter(
            "optout_gate_consumer_lookups_total",
            "Look-ups of known consumers, by where they ended.",
            ["result"],
            registry=registry,
        )
        self._wrote = Counter(
            "optout_gate_consumer_writes_total",
            "Choices of known consumers on their way into the store.",
            ["source", "result"],
            registry=registry,
        )
        self._refused = Counter(
            "optout_gate_consumer_identities_refused_total",
            "Requests whose word about who has signed in was not taken.",
            ["reason"],
            registry=registry,
        )
        self._waited = Histogram(
            "optout_gate_consumer_lookup_wait_seconds",
            "Time that requests waited for the store of choices.",
            ["backend"],
            buckets=WAIT_BUCKETS,
            registry=registry,
        )

    def chosen(self, choice: str) -> None:
        """Count a choice: ``out`` or ``in``."""
        self._choices.labels(choice).inc()

    def cookie_refused(self, choice: str) -> None:
        """Count a browser that did not keep the cookie of a choice."""
        self._cookies_refused.labels(choice).inc()

    def cross_site(self, choice: str) -> None:
        """Count a choice that another site's page sent."""
        self._cross_site.labels(choice).inc()

    def waited(self, backend: str, seconds: float) -> None:
        """Take the time for which a request waited for the store."""
        self._waited.labels(backend).observe(seconds)

    def looked_up(self, result: str) -> None:
        """Count a look-up by its end: ``cached``, ``stands``, ``none``, ``timeout``, ``error``, ``paused``, ``busy``."""
        self._looked_up.labels(result).inc()

    def wrote(self, source: str, result: str) -> None:
        """Count an attempt to write: ``written``, ``error`` (tried again) or ``dropped``."""
        self._wrote.labels(source, result).inc()

    def refused(self, reason: str) -> None:
        """Count an identity that was not taken."""
        self._refused.labels(reason).inc()
