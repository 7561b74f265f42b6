// Stands in for the Drift chat: every method of drift and drift.api takes its call. It never gets ready, so that a page's
// other ways to get in touch stay; no callback waits.
(function (w) {
  'use strict';
  var drift = w.drift = w.driftt = w.drift || w.driftt || [];
  function none() {}
  function fill(o, verbs) { verbs.split(' ').forEach(function (verb) { o[verb] = none; }); return o; }
  fill(drift, 'identify config track reset debug show ping page hide off on once load setUserAttributes');
  drift.api = fill({}, 'openChat hideChat toggleChat showWelcomeMessage hideWelcomeMessage showWelcomeOrAwayMessage ' +
    'hideWelcomeOrAwayMessage startInteraction ' +
    'startVideoGreeting setUserAttributes showAwayMessage hideAwayMessage goToNewConversation');
  drift.api.sidebar = fill({}, 'open close toggle');
  drift.api.widget = fill({}, 'show hide');
  drift.init = none;
  if (drift.splice) drift.splice(0);
  drift.push = function () { return 0; };
})(window);
