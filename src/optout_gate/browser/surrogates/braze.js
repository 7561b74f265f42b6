// Stands in for the Braze Web SDK: no function of braze throws; callbacks of requestImmediateDataFlush, getDeviceId
// and the refusal of requestPushPermission fire, also those waiting in brazeQueue.
(function (w) {
  'use strict';
  var b = w.braze = w.appboy = w.braze || w.appboy || {}, q = w.brazeQueue || [], waiting = q.splice(0);
  function yes() { return true; }
  function no() { return false; }
  function later(f, a) { if (typeof f === 'function') setTimeout(f, 0, a); }
  function run(args) { // the bootstrap queues bare arguments; the stub's name tells which
    var name = args && args.callee && args.callee.name;
    if (/Flush$|^getDevice|PushPermission$/.test(name)) b[name].apply(b, args);
  }
  function fill(o, names, f) { names.split(' ').forEach(function (n) { o[n] = f; }); return o; }
  fill(b, 'initialize openSession changeUser logCustomEvent logPurchase wipeData destroy disableSDK enableSDK ' +
    'showInAppMessage requestContentCardsRefresh automaticallyShowInAppMessages toggleLogging isDisabled', yes);
  fill(b, 'subscribeToInAppMessage subscribeToContentCardsUpdates removeSubscription', String);
  fill(b, 'isPushSupported isPushBlocked isPushPermissionGranted isInitialized', no);
  fill(b, 'requestImmediateDataFlush getDeviceId', function (f) { later(f, ''); });
  b.requestPushPermission = function (granted, denied) { later(denied, false); };
  b.User = b.User || function () {};
  ('FirstName LastName Email Country Gender DateOfBirth HomeCity Language PhoneNumber CustomUserAttribute LastKnownLocation ' +
    'EmailNotificationSubscriptionType PushNotificationSubscriptionType').split(' ').forEach(function (what) {
    b.User.prototype['set' + what] = yes;
  });
  fill(b.User.prototype, 'addAlias addToCustomAttributeArray removeFromCustomAttributeArray ' +
    'incrementCustomUserAttribute addToSubscriptionGroup', yes);
  b.User.Genders = b.User.Genders || {};
  b.getUser = function () { return new b.User(); };
  if (w.brazeQueue) q.push = run;
  waiting.forEach(run);
})(window);
