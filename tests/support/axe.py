"""axe-core, all of its rules on, over a page in Chromium."""

import json

from playwright.sync_api import Page

from support.npm import npm_file

AXE = ("axe-core", "4.14.1", "axe.min.js")
ENOUGH_PASSES = 5  # with fewer it did not look at the page


def findings(page: Page) -> list[str]:
    """Return what axe-core finds or cannot decide, each with the element. Needs npm, and a context without CSP."""
    page.evaluate(npm_file(*AXE).decode())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations', 'incomplete']})")
    if len(found["passes"]) <= ENOUGH_PASSES:
        raise RuntimeError(f"axe-core looked at hardly anything: {found['passes']}")
    return [
        f"{each['id']}: {node['html'][:120]} {json.dumps(node.get('any', ''))[:200]}"
        for each in [*found["violations"], *found["incomplete"]]
        for node in each["nodes"]
    ]
