// Stands in for Google Optimize (optimize.js): the page it hides (dataLayer.hide, class async-hide) is shown at once;
// google_optimize.get() knows no experiment. No callback waits.
(function (w, root) {
  'use strict';
  var hide = w.dataLayer && w.dataLayer.hide;
  if (hide && hide.end) hide.end();
  root.className = root.className.replace(/(^|\s)async-hide(?=\s|$)/g, '');
  w.google_optimize = w.google_optimize || { get: function () {} };
})(window, document.documentElement);
