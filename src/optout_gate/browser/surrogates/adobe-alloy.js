// Stands in for the Adobe Web SDK (alloy.js): every promise of alloy(...) is kept, with no offers and no identity; the
// page that the pre-hiding snippet hides is shown at once.
(function (w, d) {
  'use strict';
  var style = d.getElementById('alloy-prehiding');
  function answer(args) {
    var options = args[1] || {};
    return {
      propositions: [], decisions: [], inferences: [], destinations: [], identity: { ECID: '' }, edge: {},
      url: options.url, libraryInfo: { version: '0', commands: [], configs: {} }
    };
  }
  function run(call) { call[0](answer(call[2])); } // [resolve, reject, arguments of alloy]
  function settled(v) {
    if (w.Promise) return w.Promise.resolve(v);
    return { then: function (f) { if (f) setTimeout(f, 0, v); return this; }, 'catch': function () { return this; } };
  }
  (w.__alloyNS || ['alloy']).forEach(function (name) {
    var alloy = w[name] = w[name] || function () { return settled(answer(arguments)); };
    var waiting = alloy.q && alloy.q.splice ? alloy.q.splice(0) : [];
    alloy.q = { push: function () { [].forEach.call(arguments, run); return 0; } };
    waiting.forEach(run);
  });
  if (style) style.parentNode.removeChild(style);
})(window, document);
