// Stands in for Mixpanel: every method of mixpanel, of its people and its groups takes its call; loaded of init() and
// callbacks that come last among arguments fire.
(function (w) {
  'use strict';
  var root = w.mixpanel = w.mixpanel || [], inits = root._i || [];
  function call() {
    var f = arguments[arguments.length - 1];
    if (typeof f === 'function') setTimeout(f, 0);
  }
  function fill(o, verbs) { verbs.split(' ').forEach(function (verb) { o[verb] = call; }); return o; }
  function live(o) {
    var waiting = o.splice ? o.splice(0) : [];
    if (o.has_opted_out_tracking && o.has_opted_out_tracking()) return o;
    fill(o, 'disable time_event track track_pageview track_links track_forms track_with_groups add_group set_group ' +
      'remove_group register register_once unregister alias identify name_tag set_config reset opt_in_tracking ' +
      'opt_out_tracking clear_opt_in_out_tracking start_batch_senders');
    o.people = fill(o.people || {}, 'set set_once unset increment append union track_charge clear_charges delete_user remove');
    o.get_group = function () { return fill({}, 'set set_once union unset remove delete'); };
    o.get_distinct_id = function () { return ''; };
    o.get_property = o.get_config = function () {};
    o.has_opted_in_tracking = function () { return false; };
    o.has_opted_out_tracking = function () { return true; };
    o.init = function (token, config, name) { return start(token, config, name); };
    o.push = function () { [].forEach.call(arguments, run); return 0; };
    function run(item) { if (item && o[item[0]]) o[item[0]].apply(o, item.slice(1)); }
    waiting.forEach(run);
    return o;
  }
  function start(token, config, name) {
    var o = name && name !== 'mixpanel' ? root[name] = live(root[name] || []) : root;
    if (config && typeof config.loaded === 'function') setTimeout(config.loaded, 0, o);
    return o;
  }
  live(root);
  inits.splice(0).forEach(function (item) { start.apply(w, item); });
})(window);
