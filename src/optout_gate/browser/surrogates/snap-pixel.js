// Stands in for the Snap Pixel (scevent.min.js): snaptr(...) takes every call. No callback waits.
(function (w) {
  'use strict';
  var snaptr = w.snaptr = w.snaptr || function () {};
  snaptr.handleRequest = function () {}; // the bootstrap hands it every later call
  snaptr.queue = [];
  snaptr.loaded = true;
  snaptr.version = snaptr.version || '1.0';
  w._snaptr = w._snaptr || snaptr;
})(window);
