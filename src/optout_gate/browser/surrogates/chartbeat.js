// Stands in for Chartbeat: pSUPERFLY and _cbq take every call; the style that hides headlines under test
// (chartbeat-flicker-control...) goes at once. No callback waits.
(function (w, d) {
  'use strict';
  var q = w._cbq = w._cbq || [], p = w.pSUPERFLY = w.pSUPERFLY || {};
  function none() {}
  ['virtualPage', 'activity', 'onClick', 'trackEvent', 'addEngagedSeconds', 'getUserId'].forEach(function (verb) {
    p[verb] = none;
  });
  w.pSUPERFLY_mab = w.pSUPERFLY_mab || { init: none };
  if (q.splice) q.splice(0);
  q.push = function () { return 0; };
  [].forEach.call(d.querySelectorAll('style[id^=chartbeat-flicker-control]'), function (s) { s.parentNode.removeChild(s); });
})(window, document);
