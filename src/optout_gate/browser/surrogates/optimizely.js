// Stands in for Optimizely: optimizely.push() takes every call, get() knows no experiment; listeners for "initialized"
// and "activated" and functions pushed fire; a page hidden until it loads is shown at once.
(function (w, d) {
  'use strict';
  var old = w.optimizely, waiting = old && old.splice ? old.splice(0) : [], o = w.optimizely = old || [];
  function nothing() { return {}; }
  function list() { return []; }
  var answers = {
    state: {
      getActiveExperimentIds: list, getVariationMap: nothing, getExperimentStates: nothing, getCampaignStates: nothing,
      getPageStates: nothing, getDecisionObject: function () { return null; }, getRedirectInfo: function () { return null; },
      isGlobalHoldback: function () { return false; }, getActivationId: function () { return ''; }
    },
    data: { experiments: {}, campaigns: {}, pages: {}, variations: {}, audiences: {} },
    visitor: { visitorId: '', custom: {}, first_session: true }, visitor_id: { randomId: '' }, session: {}
  };
  function run(item) {
    var filter = item && item.filter || {};
    if (typeof item === 'function') setTimeout(item, 0);
    else if (item && item.type === 'addListener' && /^(initialized|activated)$/.test(filter.name)) {
      if (typeof item.handler === 'function') setTimeout(item.handler, 0, { type: filter.type, name: filter.name, data: {} });
    }
  }
  o.get = function (what) { return answers[what]; };
  o.initialized = true;
  o.push = function () { [].forEach.call(arguments, run); return 0; };
  waiting.forEach(run);
  [d.documentElement, d.body].forEach(function (e) {
    if (e) e.className = e.className.replace(/(^|\s)(async-hide|optimizely-?(hid|load|pend)\S*)(?=\s|$)/g, '');
  });
  [].forEach.call(d.querySelectorAll('style[id*=optimizely]'), function (s) { s.parentNode.removeChild(s); });
})(window, document);
