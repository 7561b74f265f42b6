// Stands in for AB Tasty (tag.js): abtasty.send and the ABTasty... functions take every call, no campaign runs; a page
// hidden until it loads is shown at once. No callback waits.
(function (w, d) {
  'use strict';
  function none() {}
  function empty() { return {}; }
  w.ABTasty = w.ABTasty || {
    eventState: {}, getTestsOnPage: empty, getAccountSettings: empty, getCampaignHistory: empty, consentReady: false
  };
  w.ABTastyData = w.ABTastyData || {};
  w.abtasty = w.abtasty || { send: none, pageView: none };
  ['ABTastyClickTracking', 'ABTastyPageView', 'ABTastyEvent', 'ABTastyReload', 'ABTastyStartTest'].forEach(function (name) {
    w[name] = w[name] || none;
  });
  [d.documentElement, d.body].forEach(function (e) {
    if (e) e.className = e.className.replace(/(^|\s)(async-hide|ab-?tasty-?(hid|load|flick|anti)\S*)(?=\s|$)/gi, '');
  });
  [].forEach.call(d.querySelectorAll('style[id*=abtasty],style[id*=ab-tasty]'), function (s) {
    s.parentNode.removeChild(s);
  });
})(window, document);
