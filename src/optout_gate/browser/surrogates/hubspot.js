// Stands in for HubSpot (tracking, forms, chat): _hsq and _hsp take every call; functions pushed and
// addPrivacyConsentListener fire, all denied; hbspt and HubSpotConversations take theirs.
(function (w) {
  'use strict';
  function none() {}
  var denied = { allowed: false, categories: { necessary: true, analytics: false, advertisement: false, functionality: false } };
  function run(item) {
    if (typeof item === 'function') setTimeout(item, 0);
    else if (item && item[0] === 'addPrivacyConsentListener' && typeof item[1] === 'function') setTimeout(item[1], 0, denied);
  }
  function live(name) {
    var q = w[name] = w[name] || [], waiting = q.splice ? q.splice(0) : [];
    q.push = function () { [].forEach.call(arguments, run); return 0; };
    waiting.forEach(run);
  }
  live('_hsq');
  live('_hsp');
  w.hbspt = w.hbspt || {
    forms: { create: none }, cta: { load: none }, meetings: { create: none }, enqueueForm: none
  };
  w.HubSpotConversations = w.HubSpotConversations || {
    on: none, off: none, clear: none, resetAndReloadWidget: none, debug: none,
    widget: {
      load: none, open: none, close: none, remove: none, refresh: none,
      status: function () { return { loaded: false, pending: false }; }
    }
  };
})(window);
