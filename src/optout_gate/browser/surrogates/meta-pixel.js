// Stands in for the Meta Pixel (fbevents.js): fbq(...) and _fbq(...) take every call. No callback waits.
(function (w) {
  'use strict';
  var fbq = w.fbq = w.fbq || w._fbq || function () {};
  fbq.callMethod = function () {}; // the bootstrap hands it every later call
  fbq.getState = fbq.getState || function () { return { pixels: [] }; };
  fbq.queue = [];
  fbq.push = fbq;
  fbq.loaded = true;
  fbq.version = fbq.version || '2.0';
  w._fbq = w._fbq || fbq;
})(window);
