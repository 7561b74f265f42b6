"""The guard decides by what the browser gave it at the start: nothing that a page replaces later is asked.

Old libraries replace what is built in (Prototype.js gives arrays a ``toJSON``, MooTools its own ``Array.from``), trackers on
purpose. Here everything that can be replaced is, by something that does the same and notes when the guard calls it.
"""

from typing import Any

import pytest
from playwright.sync_api import Browser

from optout_gate.rewrite.guard import GuardConfig
from support.guard_cases import CHANNELS, PAGE
from support.guard_site import GOOD, TRACKER, Site, chromium, run_cases
from support.third_party import ThirdParty

pytestmark = pytest.mark.browser

CONF = GuardConfig(hosts=(TRACKER,), patterns=((GOOD, "/never"),), cookies=("tracker_*",), storage=("tracker_*",))

REASONS = {
    "CSSStyleValue.prototype.toString": "an argument becomes a string once, by its own method, and the string goes on",
    "Object.prototype.valueOf": "likewise",
    "URL.prototype.toString": "likewise",
    "webkitURL.prototype.toString": "the same function by its other name",
    "Array.prototype.Symbol(Symbol.iterator)": "Cache.addAll itself walks through the list it is given",
    "Array.prototype.forEach": "the sweep after load reports, and decides nothing",
    "PerformanceObserverEntryList.prototype.getEntries": "likewise",
    "get PerformanceEntry.prototype.name": "likewise",
    "get PerformanceResourceTiming.prototype.initiatorType": "likewise",
}
"""What the guard calls all the same, and why."""

REPLACE_EVERYTHING = r"""() => {
  const called = self.calledByTheGuard = {}, {getOwnPropertyDescriptor: own, defineProperty, getOwnPropertyNames: names,
    getOwnPropertySymbols: symbols} = Object, {apply, construct, ownKeys} = Reflect, {split, indexOf} = String.prototype;
  const E = Error, Proxy_ = Proxy, done = new Set(), has = done.has, add = done.add;
  E.stackTraceLimit = 3;
  // The frames are: this function, the stand-in below, and who called it.
  const note = name => {
    const frame = apply(split, new E().stack, ['\n'])[3];
    if (frame && apply(indexOf, frame, ['/guard.js']) > 0) called[name] = frame;
  };
  const instead = (f, name) => new Proxy_(f, {
    apply(f, self, args) { note(name); return apply(f, self, args) },
    construct(f, args, target) { note('new ' + name); return construct(f, args, target) }
  });
  const walk = (owner, path) => {
    if (!owner || apply(has, done, [owner])) return;
    apply(add, done, [owner]);
    for (const key of [...names(owner), ...symbols(owner)]) {
      const d = key !== 'constructor' && own(owner, key), name = path + String(key);
      if (!d || !d.configurable) continue;
      if (d.get) d.get = instead(d.get, 'get ' + name);
      if (d.set) d.set = instead(d.set, 'set ' + name);
      if (typeof d.value === 'function') d.value = instead(d.value, name);
      try { defineProperty(owner, key, d) } catch (e) { }
    }
  };
  const globals = names(self).filter(name => !['runCases', 'calledByTheGuard'].includes(name));
  for (const name of globals) {
    const d = own(self, name), value = d && d.value;
    if (typeof value === 'function' && value.prototype) walk(value.prototype, name + '.prototype.');
    if (/^[A-Z]/.test(name) && value && /function|object/.test(typeof value)) walk(value, name + '.');
  }
  walk(self, '');
  return apply(has, done, [Element.prototype]);
}"""


def test_nothing_that_a_page_can_replace_is_asked() -> None:
    with chromium() as browser:
        called = asked(browser, TRACKER) | asked(browser, GOOD)
    assert called, "nothing was seen at all"
    assert {name: frame for name, frame in called.items() if name not in REASONS} == {}


def asked(browser: Browser, host: str) -> dict[str, Any]:
    """Return what the guard called of a page that replaced everything, while every way out to ``host`` was tried."""
    party = ThirdParty()
    site = Site(CONF, modules_denied=(f"{TRACKER}:{party.port}",), external=True)
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(site.address)
        assert page.evaluate(REPLACE_EVERYTHING)
        run_cases(page, CHANNELS, PAGE, host, party.port)
        # The last of what the cases begin comes with a frame that has loaded.
        page.wait_for_timeout(1500)
        assert party.hits or host == TRACKER
        called = page.evaluate("calledByTheGuard")
        assert isinstance(called, dict)
        return called
    finally:
        context.close()
        site.close()
        party.close()
