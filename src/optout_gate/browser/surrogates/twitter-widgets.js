// Stands in for X (Twitter) widgets.js: twttr.ready(cb) and the listener of "loaded" fire, the promises of
// twttr.widgets are kept without an element.
(function (w) {
  'use strict';
  var t = w.twttr = w.twttr || {}, waiting = t._e || [];
  function none() {}
  function settled(v) {
    return w.Promise ? w.Promise.resolve(v) : { then: function (f) { if (f) setTimeout(f, 0, v); return this; } };
  }
  function widget(parent, target, options) {
    [].forEach.call(arguments, function (f) { if (typeof f === 'function') setTimeout(f, 0); });
    return settled();
  }
  t.widgets = t.widgets || { load: widget };
  ('Tweet TweetEmbed Timeline ShareButton FollowButton HashtagButton MentionButton Video Moment GridFromCollection')
    .split(' ').forEach(function (kind) { t.widgets['create' + kind] = widget; });
  t.events = t.events || {
    bind: function (type, f) { if (type === 'loaded' && typeof f === 'function') setTimeout(f, 0, { widgets: [] }); },
    unbind: none
  };
  t.conversion = t.conversion || { trackPid: none };
  t.ready = function (f) {
    if (typeof f === 'function') setTimeout(f, 0, t);
    return settled(t);
  };
  t.init = true;
  t._e = [];
  waiting.forEach(function (f) { t.ready(f); });
})(window);
