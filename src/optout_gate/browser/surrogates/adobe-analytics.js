// Stands in for Adobe Analytics (AppMeasurement, s_code) and its visitor id: t() and tl() send nothing; the done action
// of tl(), post-track callbacks and the visitor id callbacks fire.
(function (w) {
  'use strict';
  var after = [], visitor;
  function none() {}
  function empty() { return ''; }
  function later(f, a) { if (typeof f === 'function') setTimeout(f, 0, a); }
  function hit() { after.forEach(function (f) { later(f, ''); }); return ''; }
  function AppMeasurement() { this.version = '0'; }
  AppMeasurement.prototype = {
    t: hit, track: hit, sa: none, clearVars: none, loadModule: none, setAccount: none, registerPreTrackCallback: none,
    getValOnce: empty, apl: empty, Media: { open: none, play: none, stop: none, close: none, track: none },
    Util: { cookieRead: empty, cookieWrite: none, getQueryParam: empty, getIeVersion: none },
    registerPostTrackCallback: function (f) { after.push(f); },
    tl: function (link, type, name, overrides, done) {
      hit();
      if (done === 'navigate' && link && link.href) w.location.assign(link.href);
      else later(done);
    }
  };
  AppMeasurement.prototype.trackLink = AppMeasurement.prototype.tl;
  visitor = {
    getMarketingCloudVisitorID: function (f) { later(f, ''); return ''; },
    getVisitorValues: function (f) { later(f, {}); }, appendVisitorIDsTo: String, setCustomerIDs: none
  };
  w.AppMeasurement = w.AppMeasurement || AppMeasurement;
  w.s_gi = w.s_gi || function () { return w.s && w.s.tl ? w.s : new w.AppMeasurement(); };
  w.Visitor = w.Visitor || { getInstance: function () { return visitor; } };
  if (typeof w.s === 'undefined') w.s = new w.AppMeasurement();
})(window);
