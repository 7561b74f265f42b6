// Stands in for Amazon Publisher Services (apstag.js): the callbacks of fetchBids (no bids), init, dpa, rpa and upa fire,
// also those that wait in _Q; nothing else throws.
(function (w) {
  'use strict';
  var apstag = w.apstag = w.apstag || {}, waiting = apstag._Q && apstag._Q.splice ? apstag._Q.splice(0) : [];
  var verbs = { i: 'init', f: 'fetchBids', di: 'dpa', ri: 'rpa', ui: 'upa' };
  function none() {}
  function answer(value) {
    return function (options, f) {
      f = typeof f === 'function' ? f : options;
      if (typeof f === 'function') setTimeout(f, 0, value);
    };
  }
  function run(item) { if (apstag[verbs[item[0]]]) apstag[verbs[item[0]]].apply(apstag, item[1]); }
  apstag.fetchBids = answer([]);
  apstag.init = apstag.dpa = apstag.rpa = apstag.upa = answer();
  apstag.setDisplayBids = apstag.renderImp = apstag.debug = apstag.punt = none;
  apstag.targetingKeys = function () { return []; };
  apstag._Q = { push: run };
  waiting.forEach(run);
})(window);
