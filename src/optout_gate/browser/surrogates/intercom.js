// Stands in for the Intercom messenger: Intercom(...) takes every call. It never opens, so no listener fires.
(function (w) {
  'use strict';
  var Intercom = w.Intercom = w.Intercom || function () {};
  Intercom.c = function () {}; // the bootstrap hands it every later call
  Intercom.q = [];
  Intercom.booted = false;
})(window);
