// Stands in for Contentsquare (uxa): _uxa takes every push and runs functions; CS_CONF is empty. No callback waits.
(function (w) {
  'use strict';
  var q = w._uxa = w._uxa || [], waiting = q.splice ? q.splice(0) : [];
  function run(item) { if (typeof item === 'function') setTimeout(item, 0); }
  w.CS_CONF = w.CS_CONF || {};
  q.push = function () { [].forEach.call(arguments, run); return 0; };
  waiting.forEach(run);
})(window);
