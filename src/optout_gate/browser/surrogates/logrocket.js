// Stands in for LogRocket: no method throws; getSessionURL(cb) fires; the Redux helpers pass everything through.
(function (w) {
  'use strict';
  var verbs = ('init identify track captureException captureMessage startNewSession uninstall shutdown log info debug warn ' +
    'error addTag start addEvent').split(' ');
  function fill(L) {
    verbs.forEach(function (verb) { L[verb] = function () {}; });
    L.getSessionURL = function (f) { if (typeof f === 'function') setTimeout(f, 0, ''); };
    return L;
  }
  // What the package from npm, which has a LogRocket of its own, makes of the script that it loads, and hands its queue to.
  w._LRLogger = function () { fill(this); };
  if (w.LogRocket && w.LogRocket.onLogger) return;
  var L = w.LogRocket = fill(w.LogRocket || {});
  L.reduxMiddleware = function () {
    return function () { return function (next) { return function (action) { return next(action); }; }; };
  };
  L.reduxEnhancer = function () { return function (create) { return create; }; };
  L.sessionURL = null;
  L.version = L.version || '0';
})(window);
