// Stands in for AdSense (adsbygoogle.js): adsbygoogle.push() takes every request and marks the places as unfilled;
// onReady of adConfig and adBreakDone of adBreak fire.
(function (w, d) {
  'use strict';
  var ads = w.adsbygoogle = w.adsbygoogle || [], waiting = ads.splice ? ads.splice(0) : [];
  function later(f, a) { if (typeof f === 'function') setTimeout(function () { f(a); }, 0); }
  function request(o) {
    [].forEach.call(d.querySelectorAll('ins.adsbygoogle:not([data-ad-status])'), function (place) {
      place.setAttribute('data-adsbygoogle-status', 'done');
      place.setAttribute('data-ad-status', 'unfilled');
    });
    later(o && o.onReady);
    later(o && o.adBreakDone, { breakType: o && o.type, breakName: o && o.name, breakStatus: 'notReady' });
  }
  ads.loaded = true;
  ads.push = function () { [].forEach.call(arguments, request); return 0; };
  waiting.forEach(request);
})(window, document);
