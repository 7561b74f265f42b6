// An SDK as a bundle carries it: it calls its vendors by the browser's own interfaces, and from a worker.
(function () {
  function to(path) {
    return 'https://' + Array.prototype.slice.call(arguments, 1).join('.') + '/' + path;
  }
  var event = JSON.stringify({ event: 'Page Viewed', page: location.pathname });
  window.juniperSdk = { failed: 0 };

  fetch(to('v1/p', 'api', 'segment', 'io'), { method: 'POST', body: event, mode: 'no-cors', keepalive: true })
    .catch(function () { window.juniperSdk.failed++; });

  var request = new XMLHttpRequest();
  request.onerror = function () { window.juniperSdk.failed++; };
  request.open('POST', to('track/', 'api', 'mixpanel', 'com'));
  request.send(event);

  navigator.sendBeacon(to('2/httpapi', 'api2', 'amplitude', 'com'), event);

  var worker = new Worker('/assets/sdk-worker.js');
  worker.onmessage = function (message) { window.juniperSdk.worker = message.data; };
  worker.postMessage(['heapanalytics', 'com']);
})();
