// Stands in for Quantum Metric (quantum.js): no method of QuantumMetricAPI throws, it is off; QuantumMetricOnload fires.
(function (w) {
  'use strict';
  var api = w.QuantumMetricAPI = w.QuantumMetricAPI || {};
  if (api.isOn) return;
  ('sendEvent sendSystemEvent sendConfig identifyUser startTransaction endTransaction addEventListener on off start stop ' +
    'stopSession enableSession newPageView setUserVariables setUserVariable setOptIn setOptOut').split(' ')
    .forEach(function (verb) { api[verb] = function () {}; });
  api.getSessionID = api.getUserID = api.getReplay = api.getHitID = function () { return ''; };
  api.currencyConvertFromToValue = function (from, to, value) { return value; };
  api.isOn = api.isReplayOn = function () { return false; };
  if (typeof w.QuantumMetricOnload === 'function') setTimeout(w.QuantumMetricOnload, 0);
})(window);
