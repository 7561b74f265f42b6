// Stands in for the Google IMA SDK (ima3.js): requestAds() answers with AD_ERROR so that the player plays its video.
(function (w) {
  'use strict';
  var g = w.google = w.google || {}, ima = g.ima = g.ima || {};
  function none() {}
  function kind(methods) {
    function K() {}
    methods.split(' ').forEach(function (m) { K.prototype[m] = none; });
    return K;
  }
  function types(names) {
    var t = {};
    names.split(' ').forEach(function (n) {
      t[n] = n.toLowerCase().replace(/_(.)/g, function (m, c) { return c.toUpperCase(); });
    });
    return { Type: t };
  }
  if (ima.VERSION) return;
  ima.VERSION = '3';
  ima.ImaSdkSettings = kind('setLocale setVpaidMode setNumRedirects setPlayerType setPlayerVersion setPpid ' +
    'setAutoPlayAdBreaks setDisableCustomPlaybackForIOS10Plus setCookiesEnabled');
  ima.ImaSdkSettings.VpaidMode = { DISABLED: 0, ENABLED: 1, INSECURE: 2 };
  ima.settings = new ima.ImaSdkSettings();
  ima.AdDisplayContainer = kind('initialize destroy');
  ima.AdsRequest = kind('setAdWillAutoPlay setAdWillPlayMuted');
  ima.AdsRenderingSettings = none;
  ima.ViewMode = types('NORMAL FULLSCREEN').Type;
  ima.AdErrorEvent = types('AD_ERROR');
  ima.AdsManagerLoadedEvent = types('ADS_MANAGER_LOADED');
  ima.AdEvent = types('ALL_ADS_COMPLETED CLICK COMPLETE CONTENT_PAUSE_REQUESTED CONTENT_RESUME_REQUESTED LOADED ' +
    'PAUSED STARTED');
  ima.AdsLoader = function () {
    var heard = [], error = { getMessage: String, getErrorCode: Number, getType: String };
    this.addEventListener = function (type, f) { if (/adError/.test(type)) heard.push(f); };
    this.removeEventListener = this.contentComplete = this.destroy = none;
    this.getSettings = function () { return ima.settings; };
    this.requestAds = function (request, context) {
      setTimeout(function () {
        heard.forEach(function (f) {
          setTimeout(f, 0, { getError: function () { return error; }, getUserRequestContext: function () { return context; } });
        });
      }, 0);
    };
  };
})(window);
