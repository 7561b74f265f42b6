// Stands in for the Reddit Pixel (pixel.js): rdt(...) takes every call. No callback waits.
(function (w) {
  'use strict';
  var rdt = w.rdt = w.rdt || function () {};
  rdt.sendEvent = function () {}; // the bootstrap hands it every later call
  rdt.callQueue = [];
})(window);
