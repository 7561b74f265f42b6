"""Seconds until EasyList and EasyPrivacy are loaded, on generated lists of their size and make-up.

    python bench/lists.py [FILE ...]

The lists themselves are under licences of their own and are not kept here; give their files to measure those. Their
make-up as counted in 2026: EasyList some 80,000 lines, of which half are cosmetic; EasyPrivacy some 55,000, nearly all
about requests. Exit code 1 says that it took more than is demanded.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from optout_gate.trackers.lists import load
from optout_gate.trackers.purposes import Purpose

AT_MOST_S = 2.0


def easylist(lines: int, cosmetic: float, seed: int) -> Iterator[str]:
    """Yield the lines of a list."""
    random = Random(seed)
    for number in range(lines):
        word = f"{random.randrange(1 << 40):x}"
        if random.random() < cosmetic:
            yield f"{word}.example##.ad-{number}"
            continue
        yield random.choice(
            (
                f"||{word}.example^", f"||{word}.example^$third-party", f"/{word}/ads/*", f"-{word}-pixel.",
                f"||{word}.example/track$script,domain=a{number}.example|b{number}.example",
                f"@@||{word}.example/ok.js$script,~third-party", f"/{word}.gif?$image", rf"/\/{word}\d+\.js/$script",
            )
        )  # fmt: skip


def generated() -> dict[str, Iterator[str]]:
    """Return the lines of lists of the size and make-up of the two, by name."""
    return {"like EasyList": easylist(80_000, 0.5, 1), "like EasyPrivacy": easylist(55_000, 0.02, 2)}


def main(files: list[str]) -> int:
    """Measure, print, judge; return the exit code."""
    texts = {name: Path(name).read_text("utf-8") for name in files} or {
        name: "\n".join(lines) for name, lines in generated().items()
    }
    total = 0.0
    for name, text in texts.items():
        begun = time.thread_time()
        loaded = load(text, path=name, name="bench", purpose=Purpose.ADVERTISING)
        seconds = time.thread_time() - begun
        total += seconds
        print(f"{name}: {loaded.rules:,} rules, {len(loaded.skipped)} passed over, {seconds:.2f} s of CPU time")
    print(
        f"together {total:.2f} s; at most {AT_MOST_S} s is demanded: {'holds' if total <= AT_MOST_S else 'does NOT hold'}"
    )
    return 0 if total <= AT_MOST_S else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
