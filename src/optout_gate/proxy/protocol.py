from dataclasses import dataclass


@dataclass(frozen=True)
class ServerLimits:
    pass


def gate_protocol(limits):
    return "httptools"
