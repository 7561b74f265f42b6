// Stands in for gtag.js: gtag() and dataLayer accept every call. event_callback, eventCallback, functions in dataLayer
// and gtag('get', id, field, cb) fire once each; Optimize's hiding (dataLayer.hide) is released.
(function (w, d) {
  'use strict';
  var address = (d.currentScript || {}).src || '';
  var id = (address.match(/[?&#]id=([^&#]+)/) || [])[1], name = (address.match(/[?&#]l=([^&#]+)/) || [])[1] || 'dataLayer';
  var layer = w[name] = w[name] || [], push = layer.push, hide = layer.hide;
  var model = { get: function () {}, set: function () {}, reset: function () {} };
  function later(f, a, self) { if (typeof f === 'function') setTimeout(function () { f.call(self, a); }, 0); }
  function read(item) {
    if (!item) return;
    later(item, undefined, model);
    later(item.eventCallback, id);
    if (item[0] === 'get') later(item[3], '');
    else if (typeof item === 'object') [].forEach.call(item, function (part) { if (part) later(part.event_callback); });
  }
  if (!w.gtag) w.gtag = function () { layer.push(arguments); };
  w.google_tag_manager = w.google_tag_manager || {};
  if (id) w.google_tag_manager[id] = w.google_tag_manager[id] || { dataLayer: model };
  if (hide && hide.end) hide.end();
  if (push.standIn) return; // google-tag or google-tag-manager has this layer already
  layer.push = function () {
    var length = push.apply(layer, arguments);
    [].forEach.call(arguments, read);
    return length;
  };
  layer.push.standIn = true;
  layer.slice(0).forEach(read);
})(window, document);
