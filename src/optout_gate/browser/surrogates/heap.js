// Stands in for Heap: every method of heap takes its call; what waits in heapReadyCb runs.
(function (w) {
  'use strict';
  var heap = w.heap = w.heap || [], ready = w.heapReadyCb || [], waiting = ready.splice ? ready.splice(0) : [];
  function none() {}
  function run(item) {
    var f = item && item.fn || item;
    if (typeof f === 'function') setTimeout(f, 0);
  }
  ('addEventProperties addUserProperties addAccountProperties clearEventProperties identify resetIdentity track load init ' +
    'removeEventProperty setEventProperties unsetEventProperty startTracking stopTracking enableTracking disableTracking ' +
    'addAdapter addTransformer addTransformerFn onReady').split(' ').forEach(function (verb) { heap[verb] = none; });
  heap.getUserId = heap.getSessionId = heap.getIdentity = heap.getEnvironmentId = function () { return ''; };
  heap.onReady = run;
  heap.appid = heap.appid || '';
  heap.userId = '';
  heap.loaded = true;
  if (heap.splice) heap.splice(0);
  heap.push = function () { return 0; };
  w.heapReadyCb = ready;
  ready.push = function () { [].forEach.call(arguments, run); return 0; };
  waiting.forEach(run);
})(window);
