// Stands in for Adobe Launch and DTM: no _satellite method throws, getVar() is undefined; the page that a pre-hiding
// snippet hides is shown at once. No callback waits.
(function (w, d) {
  'use strict';
  var s = w._satellite = w._satellite || {};
  function none() {}
  function some(names) {
    var o = {};
    names.split(' ').forEach(function (name) { o[name] = none; });
    return o;
  }
  function fill(o) { Object.keys(o).forEach(function (name) { if (!s[name]) s[name] = o[name]; }); }
  fill(some('track getVar setVar pageBottom notify getVisitorId setDebug readCookie setCookie removeCookie'));
  fill({
    logger: some('log info warn error debug deprecation'), cookie: some('get set remove'),
    buildInfo: {}, company: {}, property: {}, environment: {}
  });
  ['alloy-prehiding', 'at-body-style', 'at-makers-style'].forEach(function (id) {
    var style = d.getElementById(id);
    if (style) style.parentNode.removeChild(style);
  });
})(window, document);
