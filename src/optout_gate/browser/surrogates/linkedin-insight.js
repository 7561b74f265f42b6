// Stands in for the LinkedIn Insight Tag: lintrk(...) takes every call; the callback of lintrk('track', {callback})
// and a function as third argument fire.
(function (w) {
  'use strict';
  var lintrk = w.lintrk = w.lintrk || function () { lintrk.q.push([].slice.call(arguments)); };
  var waiting = lintrk.q && lintrk.q.splice ? lintrk.q.splice(0) : [];
  function run(call) {
    var f = call[2] || call[1] && call[1].callback;
    if (typeof f === 'function') setTimeout(f, 0);
  }
  w._linkedin_data_partner_ids = w._linkedin_data_partner_ids || [];
  w.ORIBILI = w.ORIBILI || { track: function () {} };
  lintrk.q = { push: function () { [].forEach.call(arguments, run); return 0; } };
  waiting.forEach(run);
})(window);
