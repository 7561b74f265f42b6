// Stands in for VWO (j.php, tag): VWO.push, event and visitor and the _vis_opt_... functions take every call; functions
// in _vis_opt_queue fire; the page that the SmartCode hides is shown at once.
(function (w, d) {
  'use strict';
  var code = w._vwo_code, style = d.getElementById('_vis_opt_path_hides'), VWO = w.VWO = w.VWO || [];
  function none() {}
  function live(name) {
    var q = w[name] = w[name] || [], waiting = q.splice ? q.splice(0) : [];
    function run(f) { if (typeof f === 'function') setTimeout(f, 0); }
    q.push = function () { [].forEach.call(arguments, run); return 0; };
    waiting.forEach(run);
  }
  clearTimeout(w._vwo_settings_timer);
  if (code && typeof code.finish === 'function') code.finish(); // without an argument it reports to nobody
  if (style && style.parentNode) style.parentNode.removeChild(style);
  if (VWO.splice) VWO.splice(0);
  VWO.push = function () { return 0; };
  VWO.event = VWO.visitor = none;
  w._vwo_exp = w._vwo_exp || {};
  w._vwo_exp_ids = w._vwo_exp_ids || [];
  ['_vis_opt_goal_conversion', '_vis_opt_register_conversion', '_vis_opt_revenue_conversion', '_vis_opt_pause']
    .forEach(function (name) { w[name] = w[name] || none; });
  live('_vis_opt_queue');
})(window, document);
