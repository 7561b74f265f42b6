// Stands in for Amplitude: every method of amplitude and its instances takes its call and returns {promise}, kept;
// onInit(cb), the callbacks of init and logEvent, and promises that wait in the queue are answered.
(function (w) {
  'use strict';
  var root = w.amplitude = w.amplitude || {};
  function later(f, a, b) { if (typeof f === 'function') setTimeout(f, 0, a, b); }
  function call() {
    later(arguments[arguments.length - 1], 0, 'opted out');
    return { promise: w.Promise ? w.Promise.resolve({ code: 0, message: 'opted out' }) : { then: later } };
  }
  function chain(verbs) {
    function Chain() {}
    verbs.split(' ').forEach(function (verb) { Chain.prototype[verb] = function () { return this; }; });
    return Chain;
  }
  function live(o) {
    var waiting = o._q && o._q.splice ? o._q.splice(0) : [];
    function run(item) { // [name, ...arguments] or {name, args, resolve}
      var name = item.name || item[0], args = item.args || item.slice(1), answer = o[name] && o[name].apply(o, args);
      if (item.resolve) item.resolve(answer && answer.promise || answer);
    }
    ('init track logEvent logEventWithTimestamp logEventWithGroups logRevenue logRevenueV2 revenue identify groupIdentify ' +
      'setGroup setUserId setDeviceId setSessionId setUserProperties clearUserProperties setOptOut setVersionName ' +
      'regenerateDeviceId reset flush add remove onInit').split(' ')
      .forEach(function (verb) { o[verb] = call; });
    o.getUserId = o.getDeviceId = o.getSessionId = function () {};
    o.runQueuedFunctions = function () {};
    o._q = { push: run };
    waiting.forEach(run);
    return o;
  }
  Object.keys(root._iq || {}).forEach(function (name) { live(root._iq[name]); });
  live(root);
  root.getInstance = root.createInstance = function () { return root; };
  root.Identify = chain('set setOnce add append prepend preInsert postInsert remove unset clearAll');
  root.Revenue = chain('setProductId setPrice setQuantity setRevenueType setRevenue setEventProperties');
})(window);
