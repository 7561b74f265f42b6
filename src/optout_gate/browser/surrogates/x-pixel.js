// Stands in for the X (Twitter) pixel (uwt.js): twq(...) takes every call. No callback waits.
(function (w) {
  'use strict';
  var twq = w.twq = w.twq || function () {};
  twq.exe = function () {}; // the bootstrap hands it every later call
  twq.queue = [];
  twq.version = twq.version || '1.1';
})(window);
