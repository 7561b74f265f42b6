// Stands in for The Trade Desk's universal pixel (up_loader.js), which pages call as soon as its tag is over: what
// ttd_dom_ready is given runs once the document is there, and the pixel's init does nothing.
(function (w, d) {
  'use strict';
  function none() {}
  w.TTDUniversalPixelApi = w.TTDUniversalPixelApi || function () { this.init = none; };
  w.ttd_dom_ready = function (f) {
    if (typeof f !== 'function') return;
    if (d.readyState === 'loading') d.addEventListener('DOMContentLoaded', function () { f(); });
    else setTimeout(f, 0);
  };
})(window, document);
