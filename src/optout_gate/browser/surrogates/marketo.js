// Stands in for Marketo's Munchkin, which its snippet starts when the script has loaded: Munchkin and its older names
// take every call. No callback waits.
(function (w) {
  'use strict';
  function none() {}
  var m = w.Munchkin = w.Munchkin || {};
  m.init = m.createTrackingCookie = m.munchkinFunction = none;
  w.mktoMunchkin = w.mktoMunchkin || none;
  w.mktoMunchkinFunction = w.mktoMunchkinFunction || none;
})(window);
