// Stands in for the TikTok Pixel (events.js): every method of ttq takes its call; ttq.ready(cb) fires.
(function (w) {
  'use strict';
  var name = w.TiktokAnalyticsObject || 'ttq', ttq = w[name] = w[name] || [];
  function run(call) {
    if (call && call[0] === 'ready' && typeof call[1] === 'function') setTimeout(call[1], 0);
  }
  function live(q) {
    var waiting = q.splice ? q.splice(0) : [];
    q.push = function () { [].forEach.call(arguments, run); return 0; };
    waiting.forEach(run);
  }
  w.TiktokAnalyticsObject = name;
  ('page track identify debug on off once alias group enableCookie disableCookie holdConsent revokeConsent ' +
    'grantConsent load').split(' ').forEach(function (verb) { ttq[verb] = function () {}; });
  ttq.ready = function (f) { run(['ready', f]); };
  ttq.instance = function () { return ttq; };
  ttq.instances = function () { return []; };
  Object.keys(ttq._i || {}).forEach(function (id) { live(ttq._i[id]); });
  live(ttq);
})(window);
