// Stands in for Klaviyo (klaviyo.js): klaviyo, _klOnsite and _learnq take every call; a callback that comes last among
// arguments fires; promises are kept; isIdentified() is false.
(function (w) {
  'use strict';
  var k = w.klaviyo = w.klaviyo || [], learn = w._learnq = w._learnq || [], site = w._klOnsite = w._klOnsite || [];
  function answer(verb, last) {
    var value = verb === 'isIdentified' ? false : undefined;
    if (typeof last === 'function') setTimeout(last, 0, value);
    return w.Promise ? w.Promise.resolve(value) : undefined;
  }
  function run(item) {
    if (typeof item === 'function') setTimeout(item, 0);
    else if (item && item.length > 1) answer(item[0], item[item.length - 1]);
  }
  function live(q) {
    var waiting = q.splice ? q.splice(0) : [];
    q.push = function () { [].forEach.call(arguments, run); return 0; };
    waiting.forEach(run);
  }
  ('account identify track trackViewedItem openForm isIdentified getTrackingConsent cacheEvent').split(' ')
    .forEach(function (verb) {
      learn[verb] = k[verb] = function () { return answer(verb, arguments[arguments.length - 1]); };
    });
  learn.isIdentified = function () { return false; };
  live(site);
  live(learn);
  if (k !== site && k !== learn) k.push = function () { return site.push.apply(site, arguments); };
})(window);
