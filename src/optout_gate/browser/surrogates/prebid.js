// Stands in for Prebid.js: pbjs.que and pbjs.cmd run; bidsBackHandler of requestBids fires without a bid; getters answer
// with nothing.
(function (w) {
  'use strict';
  function none() {}
  function nothing() { return {}; }
  function list() { return []; }
  function settled(v) {
    return w.Promise ? w.Promise.resolve(v) : { then: function (f) { if (f) setTimeout(f, 0, v); return this; } };
  }
  function run(f) { try { f.call(w); } catch (e) { setTimeout(function () { throw e; }, 0); } }
  function live(name) {
    var pbjs = w[name] = w[name] || {};
    function fill(names, f) { names.split(' ').forEach(function (n) { pbjs[n] = f; }); }
    fill('addAdUnits removeAdUnit setConfig mergeConfig setBidderConfig setTargetingForGPTAsync setTargetingForAst renderAd ' +
      'markWinningBidAsUsed onEvent offEvent enableAnalytics aliasBidder registerBidAdapter triggerUserSyncs processQueue ' +
      'registerAnalyticsAdapter setBidderSequence clearAllAuctions', none);
    fill('getConfig getAdserverTargeting getAdserverTargetingForAdUnitCode getBidResponses getNoBids getUserIds ' +
      'getConsentMetadata', nothing);
    fill('getBidResponsesForAdUnitCode getNoBidsForAdUnitCode', function () { return { bids: [] }; });
    fill('getHighestCpmBids getAllWinningBids getAllPrebidWinningBids getEvents getUserIdsAsEids', list);
    fill('getUserIdsAsync refreshUserIds', function () { return settled({}); });
    pbjs.requestBids = function (o) {
      if (o && typeof o.bidsBackHandler === 'function') setTimeout(o.bidsBackHandler, 0, {}, false, '');
      return settled({ bids: {}, timedOut: false, auctionId: '' });
    };
    pbjs.adUnits = pbjs.adUnits || [];
    pbjs.libLoaded = true;
    ['que', 'cmd'].forEach(function (key) {
      var q = pbjs[key] = pbjs[key] || [], waiting = q.splice ? q.splice(0) : [];
      q.push = function () { [].forEach.call(arguments, run); return 0; };
      waiting.forEach(run);
    });
  }
  (w._pbjsGlobals || ['pbjs']).forEach(live);
})(window);
