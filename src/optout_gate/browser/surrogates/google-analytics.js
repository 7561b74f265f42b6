// Stands in for Google Analytics: analytics.js (ga), ga.js (_gaq, _gat). No call throws; hitCallback, ga(fn), functions
// in _gaq fire; _link still navigates; Optimize's hiding (dataLayer.hide) is released.
(function (w) {
  'use strict';
  var name = w.GoogleAnalyticsObject || 'ga', ga = w[name], hit;
  var hide = (w.dataLayer || 0).hide;
  var tracker = { get: function () { return ''; }, _getLinkerUrl: String };
  function none() {}
  function one() { return tracker; }
  function later(f, a) { if (typeof f === 'function') setTimeout(function () { f(a); }, 0); }
  function live(q) {
    var waiting = q.splice ? q.splice(0) : [];
    q.push = function () { [].forEach.call(arguments, run); return 0; };
    waiting.forEach(run);
  }
  function run(a) {
    var verb = String(a[0]).split('.').pop(), last = a[a.length - 1];
    if (typeof a === 'function') later(a);
    else if (typeof a[0] === 'function') later(a[0], tracker);
    else if (/^_?set$/.test(verb)) hit = a[1] === 'hitCallback' ? a[2] : a[1] && a[1].hitCallback || hit;
    else if (verb === '_link') w.location.assign(a[1]);
    else if (/^(send$|_track)/.test(verb)) later(last && last.hitCallback || (last && last.call ? last : hit));
  }
  ('send set _set _setAccount _setCustomVar _setDomainName _setAllowLinker _trackEvent _trackPageview _trackSocial ' +
    '_trackTrans _addTrans _addItem _link').split(' ').forEach(function (verb) {
    tracker[verb] = function () { run([verb].concat([].slice.call(arguments))); };
  });
  if (typeof ga !== 'function') ga = w[name] = function () { ga.q.push(arguments); };
  ga.create = ga.getByName = ga.remove = one;
  ga.getAll = function () { return [tracker]; };
  ga.loaded = true;
  ga.answer = 42;
  w.gaplugins = w.gaplugins || { Linker: function () { this.autoLink = none; this.decorate = String; } };
  w._gat = w._gat || { _getTracker: one, _getTrackerByName: one, _createTracker: one, _anonymizeIp: none };
  live(ga.q = ga.q || []);
  live(w._gaq = w._gaq || []);
  if (hide && hide.end) hide.end();
})(window);
