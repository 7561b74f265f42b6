// Stands in for Outbrain (outbrain.js, obtp.js): OBR.extern and obApi take every call; the callback of callRecs fires
// with an empty list.
(function (w) {
  'use strict';
  var OBR = w.OBR = w.OBR || {}, extern = OBR.extern = OBR.extern || {};
  var obApi = w.obApi = w.obApi || function () {};
  function none() {}
  function recs(data, f) { if (typeof f === 'function') setTimeout(f, 0, { doc: [], status: {}, settings: {} }); }
  ('callClick callLoadMore callWhatIs callUserZapping cancelRecs closeModal closeCard dispatchVideo init initialize ' +
    'loadDiv onOdbReturn reInitVideo recordVideo refreshWidget refreshSpecificWidget reloadWidget renderSpaWidgets ' +
    'researchWidget returnedError returnedHtmlData returnedIrdData returnedJsonData setOptOut widgetLoaded ' +
    'getCountOfRecs getStat').split(' ').forEach(function (verb) { extern[verb] = none; });
  extern.callRecs = recs;
  obApi.dispatch = none; // the bootstrap hands it every later call
  obApi.queue = [];
})(window);
