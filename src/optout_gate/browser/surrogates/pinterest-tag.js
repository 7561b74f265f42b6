// Stands in for the Pinterest tag (core.js): pintrk(...) takes every call; a callback among its arguments fires with
// (false, reason): nothing was tracked.
(function (w) {
  'use strict';
  var pintrk = w.pintrk = w.pintrk || function () { pintrk.queue.push([].slice.call(arguments)); };
  var waiting = pintrk.queue && pintrk.queue.splice ? pintrk.queue.splice(0) : [];
  function run(call) {
    [].forEach.call(call, function (f) { if (typeof f === 'function') setTimeout(f, 0, false, 'opted out'); });
  }
  pintrk.queue = { push: function () { [].forEach.call(arguments, run); return 0; } };
  pintrk.version = pintrk.version || '3.0';
  waiting.forEach(run);
})(window);
