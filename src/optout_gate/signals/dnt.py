"""Do Not Track: counted, and by default without effect.

The notice that the gate carries out says that DNT is not honoured, and no law of the United States asks for it. It
must above all never be mistaken for Global Privacy Control. A policy that lists ``dnt`` under ``honor`` changes that.
"""

from optout_gate.http import Headers


def read_dnt(headers: Headers) -> bool:
    """Return True when the request says ``DNT: 1``. Never raises."""
    return b"1" in headers.values(b"dnt")
