// Stands in for Nielsen (v60.js, the Browser SDK, ggcmb): nol_t gives a tracker whose calls chain, NOLBUNDLE and NOLCMB
// instances take every call. No callback waits.
(function (w) {
  'use strict';
  var B = w.NOLBUNDLE = w.NOLBUNDLE || {}, C = w.NOLCMB = w.NOLCMB || {}, known = {};
  function none() {}
  function tracker() {
    var t = { pvar: {}, feat: {}, version: '6.0' };
    'record post do_sample invoke init event set add cmd trackClick'.split(' ').forEach(function (verb) {
      t[verb] = function () { return t; };
    });
    return t;
  }
  function instance(name) {
    return known[name] = known[name] || {
      ggInitialize: none, ggPM: none, trackEvent: none, processEvent: none, close: none, getUserOptOut: none,
    };
  }
  w.nol_t = w.nol_t || tracker;
  B.nlsQ = function (id, name) { return B[name] = instance(name); };
  Object.keys(B).forEach(function (name) { // made by the site's own snippet, which queues
    var made = B[name];
    if (made && made.ggPM) { made.ggPM = none; made.q = []; }
  });
  C.getInstance = C.getInstance || instance;
  w.nolcmb = w.nolcmb || C;
})(window);
