// Stands in for Tealium (utag.js): the callbacks of utag.view, link and track fire; nothing else throws.
(function (w) {
  'use strict';
  var utag = w.utag = w.utag || {};
  function none() {}
  function call() {
    [].forEach.call(arguments, function (f) {
      f = f && f.cb || f && f.cfg && f.cfg.cb || f; // track({event, data, cfg: {cb}})
      if (typeof f === 'function') setTimeout(f, 0);
    });
  }
  utag.view = utag.link = utag.track = call;
  utag.data = utag.data || w.utag_data || {};
  utag.cfg = utag.cfg || {};
  utag.gdpr = utag.gdpr || {
    getConsentState: function () { return -1; }, // "no consent"
    setConsentValue: none, setPreferencesValues: none, showConsentPrompt: none, showConsentPreferences: none
  };
  utag.loader = utag.loader || { EV: none, RD: none, GV: function (o) { return o || {}; } };
  utag.ut = utag.ut || {};
  utag.handler = utag.handler || { trigger: call };
  w.utag_data = w.utag_data || {};
})(window);
