// Stands in for Microsoft Clarity: clarity(...) takes every call; clarity('identify') returns a settled promise and
// the callback of clarity('metadata', cb) fires.
(function (w) {
  'use strict';
  var waiting = w.clarity && w.clarity.q && w.clarity.q.splice ? w.clarity.q.splice(0) : [];
  function clarity(verb, f) {
    if (verb === 'metadata' && typeof f === 'function') setTimeout(f, 0, {}, false);
    if (verb === 'identify' && w.Promise) return w.Promise.resolve({ id: '', session: '', page: '', userHint: '' });
  }
  clarity.v = '0.7.0';
  clarity.q = { push: function (call) { clarity.apply(w, call); return 0; } }; // a copy of the bootstrap's stub ends here
  w.clarity = clarity;
  waiting.forEach(clarity.q.push);
})(window);
