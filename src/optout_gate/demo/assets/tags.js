// The site's own copy of a tag manager's container, as sites serve it to make it faster. None of the hosts that it
// calls stands in it: a container holds them in pieces, as data of its tags, and joins them when a tag fires.
(function () {
  var tags = [
    { kind: 'script', at: ['connect', 'facebook', 'net'], path: 'en_US/fbevents.js' },
    { kind: 'script', at: ['analytics', 'tiktok', 'com'], path: 'i18n/pixel/events.js?sdkid=DEMO0000000000000000' },
    { kind: 'script', at: ['static', 'hotjar', 'com'], path: 'c/hotjar-0000000.js?sv=6' },
    { kind: 'pixel', at: ['px', 'ads', 'linkedin', 'com'], path: 'collect/?pid=0000000&fmt=gif' },
    { kind: 'pixel', at: ['ct', 'pinterest', 'com'], path: 'v3/?event=pagevisit&tid=0000000000000' },
    { kind: 'markup', at: ['0000000', 'fls', 'doubleclick', 'net'], path: 'activityi;src=0000000;type=demo;cat=demo' }
  ];
  var fire = {
    script: function (url) {
      var first = document.getElementsByTagName('script')[0], tag = document.createElement('script');
      tag.async = true;
      tag.src = url;
      first.parentNode.insertBefore(tag, first);
    },
    pixel: function (url) { new Image().src = url; },
    markup: function (url) {
      var box = document.createElement('div');
      box.innerHTML = '<ifr' + 'ame src="' + url + '" width="1" height="1" style="display:none"></iframe>';
      document.body.appendChild(box);
    }
  };
  tags.forEach(function (tag) { fire[tag.kind](['https:', '', tag.at.join('.'), tag.path].join('/')); });
})();
