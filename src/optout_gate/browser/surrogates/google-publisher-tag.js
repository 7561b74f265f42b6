// Stands in for Google Publisher Tag: no call throws, googletag.cmd runs, each slot shown reports itself empty once.
(function (w) {
  'use strict';
  var g = w.googletag = w.googletag || {}, q = g.cmd = g.cmd || [], all = [], heard = [], ads;
  if (g.apiReady) return;
  // Too wide to list: get... is null, a plural []; the rest chains.
  function wide(o) {
    var p = w.Proxy ? new w.Proxy(o, { get: function (t, k) {
      return k in t || !/^(?!to)[a-z]+[A-Z]|^([gs]et|clear|build)$/.test(String(k)) ? t[k] : function () {
        return /^(get.*(s|ing)|build)$/.test(k) ? [] : /^(get|is)/.test(k) ? null : p;
      };
    } }) : o;
    return p;
  }
  function slot(path, size, id) {
    if (size > 0) return null; // anchor, reward: "not supported"
    all.push(wide({ getAdUnitPath: function () { return path; }, getSlotElementId: function () { return id || size; } }));
    return all[all.length - 1];
  }
  function show(s) {
    if (!s.told) heard.forEach(function (f) { setTimeout(f, 0, { slot: s, isEmpty: true }); });
    s.told = 1;
  }
  function run(f) { try { f.call(w); } catch (e) { setTimeout(function () { throw e; }, 0); } }
  ads = wide({
    addEventListener: function (type, f) { if (type === 'slotRenderEnded') heard.push(f); return ads; },
    getSlots: function () { return all.slice(); },
    refresh: function (some) { (some || all).forEach(show); }
  });
  g.pubads = g.companionAds = g.content = g.sizeMapping = function () { return ads; };
  g.defineSlot = g.defineOutOfPageSlot = slot;
  g.display = function (x) { all.forEach(function (s) { if (s === x || s.getSlotElementId() === (x.id || x)) show(s); }); };
  g.destroySlots = function (some) { all = all.filter(function (s) { return some && some.indexOf(s) < 0; }); };
  g.enableServices = g.setAdIframeTitle = g.setConfig = function () {};
  g.enums = { OutOfPageFormat: { REWARDED: 4, INTERSTITIAL: 5 } };
  g.apiReady = g.pubadsReady = true;
  q.push = function () { [].forEach.call(arguments, run); };
  q.splice(0).forEach(run);
})(window);
