// Stands in for PostHog: every method of posthog takes its call; loaded of init(), onFeatureFlags(cb), getSurveys(cb) and
// their like fire: no flag is set, no survey found.
(function (w) {
  'use strict';
  var root = w.posthog = w.posthog || [], inits = root._i || [];
  function none() {}
  function later(f, a, b) { if (typeof f === 'function') setTimeout(f, 0, a, b); return none; }
  function list(f) { later(f, [], {}); return none; }
  function live(o) {
    var waiting = o.splice ? o.splice(0) : [];
    function run(item) { if (item && o[item[0]]) o[item[0]].apply(o, item.slice(1)); }
    ('capture register register_once register_for_session unregister identify alias reset group resetGroups debug ' +
      'setPersonProperties setPersonPropertiesForFlags setGroupPropertiesForFlags reloadFeatureFlags set_config ' +
      'startSessionRecording stopSessionRecording opt_in_capturing opt_out_capturing captureException on onSessionId ' +
      'getFeatureFlag getFeatureFlagPayload isFeatureEnabled get_property updateEarlyAccessFeatureEnrollment')
      .split(' ').forEach(function (verb) { o[verb] = none; });
    o.onFeatureFlags = o.getSurveys = o.getActiveMatchingSurveys = o.getEarlyAccessFeatures = list;
    o.get_distinct_id = o.get_session_id = o.get_session_replay_url = function () { return ''; };
    o.has_opted_in_capturing = function () { return false; };
    o.has_opted_out_capturing = function () { return true; };
    o.people = { set: none, set_once: none };
    o.featureFlags = { override: none, getFlags: function () { return []; } };
    o.init = start;
    o.push = function () { [].forEach.call(arguments, run); return 0; };
    waiting.forEach(run);
    return o;
  }
  function start(key, config, name) {
    var o = name && name !== 'posthog' ? root[name] = live(root[name] || []) : root;
    later(config && config.loaded, o);
    return o;
  }
  live(root);
  inits.splice(0).forEach(function (item) { start.apply(w, item); });
})(window);
