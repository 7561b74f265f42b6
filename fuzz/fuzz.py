"""Fuzz one target, or all in turn, for as long as one likes: ``python fuzz/fuzz.py [TARGET ...] [--seconds N]``.

With atheris (a coverage-guided fuzzer; Linux and macOS, ``pip install atheris``) where it is installed. Without it, or with
``--unguided``, the same targets get mutations of the same seeds, and of what guidance found before, and that is said:
blind, but a target that does much for each input gets several times as many. The seeds are the golden cases. An input
that fails is kept in ``.cache/fuzz/TARGET``, and run first the next time.
"""

import argparse
import hashlib
import importlib.util
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
KEPT = ROOT / ".cache" / "fuzz"
LONGEST = 2048  # bytes of an input
TARGETS = ("request", "response", "relay", "signals", "page", "sheet")


def seeds(name: str) -> Iterator[bytes]:
    """Yield where a target begins."""
    import http_targets

    if name == "request":
        yield from http_targets.REQUESTS
    elif name == "response":
        yield from http_targets.RESPONSES
    elif name == "relay":
        import relay_seeds

        yield from relay_seeds.scripts()
    elif name == "signals":
        yield from (
            b"\0OptanonConsent=isGpcEnabled=1&groups=C0001:1,C0004:0\n\2" + value for value in (b"1", b"0", b"1, 1")
        )
        yield b"\0usprivacy=1YYN; __gpp=DBABzw~1YYN~BVQVAAAAAgA.YA; CookieConsent={marketing:false}; optout_gate=1"
    else:
        suffix = ".html" if name == "page" else ".css"
        for file in sorted(GOLDEN.rglob(f"*{suffix}")):
            if not file.stem.endswith(".expected"):
                yield file.read_bytes()


def target(name: str) -> Callable[[bytes], None]:
    """Return the function that raises on an input that breaks a promise."""
    import gate_targets
    import http_targets
    import relay_targets

    if name == "relay":
        return relay_targets.relay
    return getattr(http_targets if name in ("request", "response") else gate_targets, name)  # type: ignore[no-any-return]


def guided(name: str, seconds: int) -> int:
    """Run atheris in this process, which it never gives back."""
    import atheris

    with atheris.instrument_imports(include=["optout_gate"]):
        run = keeping(name, target(name))
    corpus = KEPT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for data in seeds(name):
        (corpus / f"seed-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={corpus}/", str(corpus)], run)
    atheris.Fuzz()
    return 0


def keeping(name: str, run: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Return a target that keeps what it fails on. libFuzzer does so by itself only where it ends by a signal."""

    def kept(data: bytes) -> None:
        try:
            run(data)
        except Exception:
            file = KEPT / name / f"crash-{hashlib.sha256(data).hexdigest()[:16]}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            print(f"{name}: failed on {file}", file=sys.stderr)
            raise

    return kept


def mutated(known: Sequence[bytes], chance: random.Random) -> bytes:
    """Return one of ``known`` with a few bytes changed, taken out, or put in from another."""
    data = bytearray(chance.choice(known)[:LONGEST])
    for _ in range(1 + chance.randrange(7)):
        place, removed = chance.randrange(len(data) + 1), chance.choice((0, 0, 1, 2, 4, 32))
        piece = chance.randbytes(chance.randrange(3))
        if chance.random() < 0.4:
            other = chance.choice(known)
            start = chance.randrange(len(other) + 1)
            piece = other[start : start + chance.choice((2, 8, 32, 128, 512))]
        data[place : place + removed] = piece
    return bytes(data[:LONGEST])


def unguided(name: str, seconds: int) -> int:
    """Mutate the seeds, and what guidance found before, without knowing what they reach."""
    run, known = keeping(name, target(name)), list(seeds(name))
    known += [file.read_bytes() for file in sorted((KEPT / name).glob("*")) if file.is_file()]
    chance = random.Random()
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        data = mutated(known, chance)
        run(data)
        count += 1
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{name}: {count:,} inputs in {seconds} s without guidance, in at most {peak_mb} MB")
    return 0


def main() -> int:
    """Fuzz what was asked for; each target in a process of its own. Return how many found something."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("targets", nargs="*", default=TARGETS, metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--unguided", action="store_true", help="as without atheris: blind, and several times as fast")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    unknown = set(asked.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    if asked.here:
        guides = not asked.unguided and importlib.util.find_spec("atheris") is not None
        return (guided if guides else unguided)(asked.targets[0], asked.seconds)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT / "fuzz")])}
    failed = 0
    for name in asked.targets:
        command = [sys.executable, __file__, name, "--here", "--seconds", str(asked.seconds)]
        command += ["--unguided"] * asked.unguided
        failed += subprocess.run(command, env=environment, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
