// Stands in for LogRocket: no method throws; getSessionURL(cb) fires; the Redux helpers pass everything through.
(function (w) {
  'use strict';
  var L = w.LogRocket = w.LogRocket || {};
  ('init identify track captureException captureMessage startNewSession uninstall shutdown log info debug warn error ' +
    'addTag start').split(' ').forEach(function (verb) { L[verb] = function () {}; });
  L.getSessionURL = function (f) { if (typeof f === 'function') setTimeout(f, 0, ''); };
  L.reduxMiddleware = function () {
    return function () { return function (next) { return function (action) { return next(action); }; }; };
  };
  L.reduxEnhancer = function () { return function (create) { return create; }; };
  L.sessionURL = null;
  L.version = L.version || '0';
})(window);
