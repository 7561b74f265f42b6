// Stands in for Segment (analytics.js): every method of analytics takes its call and returns a kept promise; callbacks
// of track, page, identify, group, alias and ready(cb) fire.
(function (w, d) {
  'use strict';
  var key = 'data-global-segment-analytics-key', tag = d.currentScript;
  var name = tag && tag.getAttribute && tag.getAttribute(key) || 'analytics';
  var a = w[name] = w[name] || [], waiting = a.splice ? a.splice(0) : [];
  function later(f) { if (typeof f === 'function') setTimeout(f, 0); }
  function done() { return w.Promise ? w.Promise.resolve() : a; }
  function nobody() {
    var answer = done();
    answer.id = answer.anonymousId = function () { return null; };
    answer.traits = function () { return {}; };
    return answer;
  }
  function run(call) { if (call && a[call[0]]) a[call[0]].apply(a, [].slice.call(call, 1)); }
  ('trackSubmit trackClick trackLink trackForm pageview reset debug off load setAnonymousId addSourceMiddleware ' +
    'addIntegrationMiddleware addDestinationMiddleware register timeout').split(' ').forEach(function (verb) {
    a[verb] = done;
  });
  'page screen track identify alias ready'.split(' ').forEach(function (verb) {
    a[verb] = function () { later(arguments[arguments.length - 1]); return done(); };
  });
  a.user = nobody;
  a.group = function () { later(arguments[arguments.length - 1]); return nobody(); };
  a.on = a.once = function (event, f) { if (event === 'ready') later(f); return a; };
  a.initialize = done;
  a.initialized = true;
  a.push = function () { [].forEach.call(arguments, run); return 0; };
  waiting.forEach(run);
})(window, document);
