// Stands in for Microsoft UET (bat.js): new UET({ti, q}) and uetq.push(...) take every call; a function that is pushed,
// and a callback among an event's parameters, fire.
(function (w) {
  'use strict';
  function run(part) {
    var f = part && (part.callback || part.event_callback || part);
    if (typeof f === 'function') setTimeout(f, 0);
  }
  function live(q) {
    var waiting = q.splice ? q.splice(0) : [];
    q.push = function () { [].forEach.call(arguments, run); return 0; };
    waiting.forEach(run);
    return q;
  }
  w.UET = w.UET || function (options) { live(this); live(options && options.q || []); };
  live(w.uetq = w.uetq || []);
})(window);
