// Stands in for Hotjar: hj(...) takes every call. No callback waits.
(function (w) {
  'use strict';
  var hj = w.hj = w.hj || function () {};
  hj.q = { push: function () { return 0; } }; // the bootstrap's stub pushes every later call here
  w._hjSettings = w._hjSettings || {};
})(window);
