// Stands in for Quantcast Measure (quant.js): _qevents and quantserve() take every call. No callback waits.
(function (w) {
  'use strict';
  var q = w._qevents = w._qevents || [];
  function none() {}
  if (q.splice) q.splice(0);
  q.push = function () { return 0; };
  w.quantserve = w.quantserve || none;
  w.__qc = w.__qc || { qpixelsent: [], event: none };
})(window);
