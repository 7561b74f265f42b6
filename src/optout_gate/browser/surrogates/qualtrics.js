// Stands in for Qualtrics Site Intercept: QSI.API.load() is a kept promise, run and unload do nothing; the event
// qsi_js_loaded fires once.
(function (w, d) {
  'use strict';
  var QSI = w.QSI = w.QSI || {};
  function none() {}
  if (QSI.API) return;
  QSI.API = {
    load: function () {
      return w.Promise ? w.Promise.resolve() : { then: function (f) { if (f) setTimeout(f, 0); return this; } };
    },
    run: none, unload: none
  };
  setTimeout(function () {
    var event = d.createEvent('Event');
    event.initEvent('qsi_js_loaded', false, false);
    w.dispatchEvent(event);
  }, 0);
})(window, document);
