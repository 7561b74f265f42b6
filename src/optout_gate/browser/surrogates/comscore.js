// Stands in for Comscore (beacon.js): _comscore.push, COMSCORE.beacon, COMSCORE.purge and udm_ take every call. No
// callback waits.
(function (w) {
  'use strict';
  var q = w._comscore = w._comscore || [], C = w.COMSCORE = w.COMSCORE || {};
  function none() {}
  C.beacon = none;
  C.purge = function () { return []; };
  w.udm_ = w.udm_ || none;
  if (q.splice) q.splice(0);
  q.push = function () { return 0; };
})(window);
