// Stands in for Mouseflow: _mfq takes every push and runs functions; no method of mouseflow throws.
(function (w) {
  'use strict';
  var q = w._mfq = w._mfq || [], waiting = q.splice ? q.splice(0) : [];
  var m = w.mouseflow = w.mouseflow || {};
  function run(item) { if (typeof item === 'function') setTimeout(item, 0, m); }
  ('start stop newPageView setVariable identify tag star formSubmitAttempt formSubmitSuccess formSubmitFailure ' +
    'activateFeedback').split(' ').forEach(function (verb) { m[verb] = function () {}; });
  m.getSessionId = m.getPageViewId = function () { return ''; };
  m.isRecording = m.isReturningUser = function () { return false; };
  q.push = function () { [].forEach.call(arguments, run); return 0; };
  waiting.forEach(run);
})(window);
