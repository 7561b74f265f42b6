// Stands in for Matomo (matomo.js, piwik.js): _paq takes every call; functions in _paq, callbacks that come last among
// arguments, matomoAsyncInit and piwikAsyncInit fire.
(function (w) {
  'use strict';
  var q = w._paq = w._paq || [], waiting = q.splice ? q.splice(0) : [], tracker = {}, M = w.Matomo || w.Piwik;
  function none() {}
  function one() { return tracker; }
  function later(f, self) { if (typeof f === 'function') setTimeout(function () { f.call(self); }, 0); }
  function call() { later(arguments[arguments.length - 1]); }
  function run(item) {
    if (typeof item === 'function') return later(item, tracker);
    if (!item || !item.length) return;
    if (typeof item[0] === 'function') later(item[0], tracker);
    else if (/^track/.test(item[0])) later(item[item.length - 1]);
  }
  ('trackPageView trackEvent trackGoal trackLink trackSiteSearch trackEcommerceOrder trackEcommerceCartUpdate ' +
    'addEcommerceItem setEcommerceView trackContentImpression enableLinkTracking setUserId resetUserId setCustomUrl ' +
    'setDocumentTitle setReferrerUrl setCustomDimension setCustomVariable setTrackerUrl setSiteId setConsentGiven ' +
    'rememberConsentGiven forgetConsentGiven requireConsent optUserOut forgetUserOptOut disableCookies ' +
    'setCustomRequestProcessing').split(' ').forEach(function (verb) { tracker[verb] = /^track/.test(verb) ? call : none; });
  tracker.getVisitorId = tracker.getUserId = tracker.getTrackerUrl = tracker.getSiteId = function () { return ''; };
  tracker.hasConsent = function () { return false; };
  tracker.isUserOptedOut = function () { return true; };
  q.push = function () { [].forEach.call(arguments, run); return 0; };
  if (!M) {
    M = { getTracker: one, getAsyncTracker: one, addTracker: one, on: none, off: none, trigger: none, addPlugin: none };
    M.initialized = true;
    later(w.matomoAsyncInit);
    later(w.piwikAsyncInit);
  }
  w.Matomo = w.Piwik = M;
  waiting.forEach(run);
})(window);
