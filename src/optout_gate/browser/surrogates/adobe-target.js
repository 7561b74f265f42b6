// Stands in for Adobe Target (at.js): getOffer, trackEvent call success, promises are kept, mbox... functions exist; the
// events for "loaded" and "nothing to render" fire once; the page that a pre-hiding snippet hides is shown at once.
(function (w, d) {
  'use strict';
  var adobe = w.adobe = w.adobe || {}, target = adobe.target = adobe.target || {}, names = {};
  function none() {}
  function settled(v) {
    return w.Promise ? w.Promise.resolve(v) : { then: function (f) { if (f) setTimeout(f, 0, v); return this; } };
  }
  function success(o) { if (o && typeof o.success === 'function') setTimeout(o.success, 0, []); }
  function tell(type) {
    var event = d.createEvent('CustomEvent');
    event.initCustomEvent(type, true, false, {});
    d.dispatchEvent(event);
  }
  ['at-body-style', 'at-makers-style', 'alloy-prehiding'].forEach(function (id) {
    var style = d.getElementById(id);
    if (style) style.parentNode.removeChild(style);
  });
  if (target.VERSION) return;
  ('library-loaded request-start request-succeeded request-failed content-rendering-start content-rendering-succeeded ' +
    'content-rendering-failed content-rendering-no-offers content-rendering-redirect').split(' ').forEach(function (n) {
    names[n.toUpperCase().replace(/-/g, '_')] = 'at-' + n;
  });
  target.VERSION = '0';
  target.event = names;
  target.getOffer = target.trackEvent = success;
  target.getOffers = target.applyOffers = function () { return settled({ execute: {}, prefetch: {} }); };
  target.applyOffer = target.triggerView = target.sendNotifications = target.registerExtension = target.init = none;
  ['mboxCreate', 'mboxDefine', 'mboxUpdate'].forEach(function (n) { w[n] = w[n] || none; });
  setTimeout(tell, 0, names.LIBRARY_LOADED);
  setTimeout(tell, 0, names.CONTENT_RENDERING_NO_OFFERS);
})(window, document);
