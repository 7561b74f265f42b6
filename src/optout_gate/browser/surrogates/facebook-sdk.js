// Stands in for the Facebook SDK (sdk.js): no FB call throws. fbAsyncInit runs; login, logout, getLoginStatus, api, ui
// and XFBML.parse call back: nobody is logged in, nothing is found.
(function (w) {
  'use strict';
  var FB = w.FB = w.FB || {}, waiting = FB.__buffer && FB.__buffer.calls || [], ran;
  if (FB.XFBML) return;
  function none() {}
  function callback(answer) {
    return function () {
      [].forEach.call(arguments, function (f) { if (typeof f === 'function') setTimeout(f, 0, answer); });
    };
  }
  function start() { // once; the page may define fbAsyncInit after an early cached copy of this file
    if (!ran && typeof w.fbAsyncInit === 'function') ran = setTimeout(w.fbAsyncInit, 0);
  }
  FB.init = none;
  FB.login = FB.logout = FB.getLoginStatus = callback({ status: 'unknown', authResponse: null });
  FB.getAuthResponse = FB.getAccessToken = function () { return null; };
  FB.getUserID = function () { return ''; };
  FB.api = callback({ error: { message: 'Opted out', type: 'OAuthException', code: 190 } });
  FB.ui = callback({ error_code: 4201, error_message: 'Opted out' }); // 4201: the person closed the dialog
  FB.XFBML = { parse: callback() };
  FB.Event = { subscribe: none, unsubscribe: none, clear: none };
  FB.AppEvents = {
    logEvent: none, logPurchase: none, logPageView: none, activateApp: none, setUserID: none, clearUserID: none,
    updateUserProperties: none, EventNames: {}, ParameterNames: {}
  };
  FB.CustomerChat = { show: none, hide: none, showDialog: none, hideDialog: none, update: none };
  waiting.splice(0).forEach(function (call) {
    var path = String(call[0]).split('.'), f = path.reduce(function (o, key) { return o && o[key]; }, FB);
    if (typeof f === 'function') f.apply(FB, call[1] || []);
  });
  start();
  w.addEventListener('load', start);
})(window);
