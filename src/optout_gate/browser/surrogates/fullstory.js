// Stands in for FullStory (fs.js): FS(...) and its methods take every call; _fs_ready, observers of start, and the
// promises of ...Async calls are answered with an empty session.
(function (w) {
  'use strict';
  var name = w._fs_namespace || 'FS', FS = w[name], waiting;
  function none() {}
  function later(f, a) { if (typeof f === 'function') setTimeout(f, 0, a); }
  function settled(v) { return w.Promise ? w.Promise.resolve(v) : { then: function (f) { later(f, v); return this; } }; }
  // What a call answers: a session has no address, an observer can be disconnected.
  function call(verb, options, source, resolve) {
    var base = String(verb).replace(/Async$/, ''), start = base === 'observe' && options && options.type === 'start';
    var answer = base === 'getSession' ? '' : base === 'observe' ? { disconnect: none } : undefined;
    if (start) later(options.callback, { url: '' });
    later(resolve, answer);
    return base === verb ? answer : settled(answer);
  }
  function run(item) { call.apply(w, item); }
  if (typeof FS !== 'function') FS = w[name] = call;
  if (FS.getCurrentSession) return;
  waiting = FS.q && FS.q.splice ? FS.q.splice(0) : [];
  FS._api = call; // the bootstrap hands it every later call, or pushes to q
  FS.q = { push: run };
  ('identify setUserVars identifyAccount clearUserCookie setVars event anonymize shutdown restart log consent')
    .split(' ').forEach(function (verb) { FS[verb] = FS[verb] || none; });
  FS.getCurrentSession = FS.getCurrentSessionURL = function () { return ''; };
  w._fs_namespace = name;
  waiting.forEach(run);
  later(w._fs_ready);
})(window);
