// Stands in for Criteo (ld.js, publishertag.js): criteo_q takes every event, Criteo.events runs functions; the callback of
// Criteo.RequestBids fires without a bid.
(function (w) {
  'use strict';
  var C = w.Criteo = w.Criteo || {};
  function none() {}
  function run(item) { if (typeof item === 'function') setTimeout(item, 0); }
  function live(q) {
    var waiting = q.splice ? q.splice(0) : [];
    q.push = function () { [].forEach.call(arguments, run); return 0; };
    waiting.forEach(run);
    return q;
  }
  C.RequestBids = function (request, f) { if (typeof f === 'function') setTimeout(f, 0, []); };
  ('DisplayAd DisplayAcceptableAdIfAdblocked SetLineItemRanges SetDFPKeyValueTargeting ComputeStandaloneDFPTargeting ' +
    'CallRTA').split(' ').forEach(function (verb) { C[verb] = none; });
  C.Passback = C.Passback || { RequestBids: none, RenderAd: none };
  C.events = live(C.events || []);
  w.criteo_q = live(w.criteo_q || []);
})(window);
