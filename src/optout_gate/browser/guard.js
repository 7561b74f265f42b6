// The guard: holds the visitor's opt-out up inside the page, against whatever scripts load later.
//
// G(win, conf) runs four ways: as the first script of a document, as the first line of a worker, in front
// of srcdoc/data/blob documents, and by direct call on same-origin windows that scripts open (then `up`
// carries what the parent's run shares). It asks one question, bad(url), at every place where a URL can
// become a request; it never looks for elements after the fact, because an image fetches before any
// MutationObserver hears of it.
//
// House rules of this file. The server folds it to one line and shortens its local names (rewrite/fold.py): a
// comment has its line to itself, a statement ends in ';' or '}', a key has its colon right behind it and a
// conditional's ':' a space before it, a regular expression follows an operator or a bracket; no template literals,
// no keys without values, ASCII only, no literal end tag of script.
// Natives are captured before page code can replace them, and no decision calls a method that the page
// could have replaced. Nothing here may throw into the page what the native would not.
//
// conf (written by rewrite/guard.py): t hosts, 'host/path' rules, 'host/' of those that have some, '=cookie' and '#key' names
// as a filter (rewrite/hashed.py), m its seed, l the lengths of the names that end in '*', w whether a name with rules ends
// in '.*' (1), or also a host (2); p the other path rules ' host /pa*th !/path host /path* ', where '!' stays open although
// something above it is denied; u the stand-in's
// address, up to the rule; f with what JSON a fetch of a rule's host ends; r report URL; n share of pages that report; g set globalPrivacyControl; x strict; o the site's own host, where
// the realm's address does not say it; k addresses of workers are marked, likewise.
(function G(win, conf, up) {
  'use strict';
  var MARK = win.Symbol.for('optout-gate');
  // The hosts of modules may have come before the guard; then they wait here.
  var early = win[MARK];
  // A blank frame's window is reused by its first document: the prototypes stay, the document's listeners go.
  // And a framework that fetches whole pages and swaps them in (Turbo) runs the scripts of each in this window.
  if (typeof early === 'function') { early(up || win.document); return; }

  var DEAD = 'about:invalid', MARKED = '_optout=worker', XHTML = 'http://www.w3.org/1999/xhtml';
  var doc = win.document,
    Obj = win.Object, apply = win.Reflect.apply, construct = win.Reflect.construct,
    desc = Obj.getOwnPropertyDescriptor, define = Obj.defineProperty, create = Obj.create, protoOf = Obj.getPrototypeOf, assign = Obj.assign,
    isArray = win.Array.isArray, listOf = win.Array.from,
    un = win.Function.prototype.bind.bind(win.Function.prototype.call),
    StringP = win.String.prototype, atob_ = win.atob, btoa_ = win.btoa,
    exec = un(win.RegExp.prototype.exec), slice = un(StringP.slice), indexOf = un(StringP.indexOf),
    split = un(StringP.split), lower = un(StringP.toLowerCase), upper = un(StringP.toUpperCase), keysOf = Obj.keys,
    URL_ = win.URL, RegExp_ = win.RegExp, Promise_ = win.Promise, reject = Promise_.reject, resolve = Promise_.resolve, String_ = win.String, Date_ = win.Date, now = Date_.now, TypeError_ = win.TypeError, DOMException_ = win.DOMException,
    Blob_ = win.Blob, Response_ = win.Response, blobURL = URL_.createObjectURL, setTimeout_ = win.setTimeout, later = un(setTimeout_), evaluate = win.eval,
    encode = win.encodeURIComponent, decode = win.decodeURIComponent, parse = win.JSON.parse, quote = win.JSON.stringify,
    charCode = un(StringP.charCodeAt), imul = win.Math.imul, fromPoint = String_.fromCodePoint,
    weakGet = un(win.WeakMap.prototype.get), weakSet = un(win.WeakMap.prototype.set),
    listen = un(win.EventTarget.prototype.addEventListener),
    nothing = function () {};

  function getter(face, name) {
    var d = win[face] && desc(win[face].prototype, name);
    return d && d.get ? un(d.get) : nothing;
  }
  var href = getter('URL', 'href'), hrefHost = getter('URL', 'hostname'), hrefScheme = getter('URL', 'protocol'),
    hrefPath = getter('URL', 'pathname'), hrefQuery = getter('URL', 'search'),
    baseURI = getter('Node', 'baseURI'), parentNode = getter('Node', 'parentNode'),
    textContent = getter('Node', 'textContent'), localName = getter('Element', 'localName'),
    frameDocument = getter('HTMLIFrameElement', 'contentDocument'),
    targetOf = getter('Event', 'target');
  // A page may fire an event of any name and kind at anything, and a getter of one interface throws for another's.
  function tried(get, o) { try { return get(o); } catch (e) { return null; } }
  function tagOf(el) { return lower(tried(localName, el) || ''); }

  function remembering(most, make) {
    var kept = create(null), count = 0;
    return function (key, more) {
      if (kept[key] === undefined) {
        if (++count > most) { kept = create(null); count = 0; }
        kept[key] = make(key, more);
      }
      return kept[key];
    };
  }

  // ---- What every run in this page shares: the rules, the report, what wrapped functions say they are.
  var own = up || (function () {
    var counts = create(null), waiting = 0, sampled = win.Math.random() < conf.n,
      beacon = win.Navigator && win.Navigator.prototype.sendBeacon, fetch_ = win.fetch, nav = win.navigator;
    function flush() {
      var body = '', k;
      // By hand: a page's Array.prototype.toJSON (it exists) must not shape the report.
      for (k in counts) body += (body && ',') + k + counts[k] + ']';
      counts = create(null);
      waiting = 0;
      if (!body) return;
      body = '{"v":1,"events":[' + body + ']}';
      try {
        if (beacon) apply(beacon, nav, [conf.r, body]);
        else apply(fetch_, win, [conf.r, { method: 'POST', body: body, keepalive: true, credentials: 'omit', mode: 'no-cors' }]);
      } catch (e) { nothing(); }
    }
    function tell(what, rule, channel) {
      var k = '["' + what + '",' + quote(rule) + ',"' + channel + '",';
      if (!sampled) return;
      counts[k] = (counts[k] || 0) + 1;
      // A worker is not told when its page is left.
      if (!waiting) waiting = later(win, flush, doc ? 2000 : 100);
    }
    var o = { tell: tell, flush: flush, natives: new win.WeakMap() };
    o.denied = function (name) {
      var t = conf.t, n = t.length / 3, h = conf.m, i, at, v;
      function digit(place) {
        at = charCode(t, h % n + place);
        return at > 124 ? 31 : at - 61;
      }
      for (i = 0; i < name.length; i++) h = imul(h ^ charCode(name, i), 16777619);
      v = h >>> 15;
      for (i = 0; i < 5; i++) {
        h = imul(h ^ h >>> 15, 739982445) >>> 0;
        v ^= digit(0) << 11 | digit(n) << 5 | digit(2 * n);
      }
      return !v;
    };
    // What is known of a name: whether it is denied whole, and its rules. A name is looked up once a page.
    o.about = remembering(2000, function (name, whole) {
      var at = indexOf(conf.p, ' ' + name + ' ');
      return {
        all: whole && o.denied(name),
        paths: o.denied(name + '/'),
        rules: at >= 0 && split(exec(/^(?:[!\/]\S+ )+/, slice(conf.p, at + name.length + 2))[0], ' ')
      };
    });
    // The site's own host and what stands under it are never a third party.
    o.mine = conf.o || win.location.hostname;
    if (indexOf(o.mine, 'www.') === 0) o.mine = slice(o.mine, 4);
    var script = doc && doc.currentScript;
    o.base = win.location.href;
    o.script = script;
    o.me = script && script.src || '';
    // A page's <base> leads elsewhere, blob and data realms resolve nothing against the site, nor does a frame apart from it.
    for (var k in { r: 1, u: 1 }) conf[k] = href(new URL_(conf[k], o.me || o.base));
    o.nonce = script && script.nonce || '';
    o.marks = conf.k || (script ? script.hasAttribute('data-marks') : indexOf(o.base, MARKED) > 0);
    o.modules = o.me ? script.getAttribute('data-modules') : null;
    // The site's own name may hold the word, too.
    o.hosts = o.modules === null ? '' : swap(/guard(?=\.js\?)/g, o.me, function () { return 'modules'; });
    return o;
  })();
  var natives = own.natives, denied = own.denied;
  function stop(rule, channel) { own.tell('blocked', rule, channel); return rule; }

  // ---- bad(url): the rule that denies it, or ''. Whose rule that is, the gate knows.
  // A rule ends on a boundary: /tr is /tr, /tr/ and /tr?id=1, not /trending.
  function pathRule(name, found, target) {
    var i, rule, open, rules = found.rules;
    if (target === true) return '+';
    for (i = 2; found.paths && i < 64 && target[i - 1]; i++) {
      rule = name + slice(target, 0, i);
      if (!exec(/[\w-]/, target[i] || '') && denied(rule)) return rule;
    }
    for (i = 0; rules && rules[i]; i++) {
      open = rules[i][0] === '!';
      rule = slice(rules[i], +open);
      if (exec(new RegExp_('^' + swap(/[.*+?^${}()|[\]\\]/g, rule, function (m) { return m[0] === '*' ? '.*' : '\\' + m[0]; }) +
        (exec(/[a-z\d]$/i, rule) ? '(?![\\w-])' : '')), target)) return open ? '-' : name + rule;
    }
    return '';
  }
  function walk(host, end, target) {
    var v, at, found, name;
    for (;;) {
      at = indexOf(host, '.');
      // No host of the filter has one label alone, and most have no '.*'.
      name = host + end;
      found = own.about(name, end ? conf.w > 1 : at > 0);
      v = (found.paths || found.rules) && pathRule(name, found, target) || (found.all ? name : '');
      if (v || at < 0) return v;
      host = slice(host, at + 1);
    }
  }
  // `target` is the path and query, or true when any rule of the host counts.
  function ruleOf(host, target) {
    host = lower(host);
    if (host[host.length - 1] === '.') host = slice(host, 0, -1);
    if (own.mine && (host === own.mine || slice(host, -own.mine.length - 1) === '.' + own.mine)) return '';
    // name.* is name under any public suffix: one label, or two of which the first is as in co.uk.
    function under(suffix) {
      var m = exec(suffix, host);
      return m ? walk(m[1], '.*', target) : '';
    }
    var v = walk(host, '', target) || conf.w && (under(/^(.+?)\.[^.]+$/) || under(/^(.+?)\.(?:ac|com?|edu|gob|gov|net?|org?)\.[^.]+$/));
    return v === '-' ? '' : v || '';
  }
  function ruling(url) {
    var u = exec(/^(?:stun|turn)s?:([^:?]+)/i, url);
    if (u) return ruleOf(u[1], '/');
    try {
      u = new URL_(url, doc ? baseURI(win.document) : win.location.href);
      return exec(/^(?:http|ws)s?:$/, hrefScheme(u)) ? ruleOf(hrefHost(u), hrefPath(u) + hrefQuery(u)) : '';
    } catch (e) { return ''; }
  }
  var remembered = remembering(1000, ruling);
  function bad(url) {
    // Only a scheme or two slashes can leave this host; URL parsers drop tabs and newlines wherever they stand.
    return !exec(/^[\0- ]*(?:[\\\/][\t\r\n]*[\\\/]|[a-z][\w+.\t\r\n-]*:)/i, url) ? '' : (url.length < 2048 ? remembered : ruling)(url);
  }
  function safe(url, channel, dead) {
    var v = bad(url);
    if (v) stop(v, channel);
    return v ? dead : url;
  }
  function saving(channel, dead) { return function (s) { return safe(s, channel, dead); }; }
  function safeScript(url, channel) {
    var v = bad(url), query = v && exec(/\?([^#]*)/, url);
    // The gate knows whether the vendor has a stand-in; where it has none, the script fails as from a server that is down.
    // What the page asked for stays with the stand-in, which may define a container by its name, and is not sent.
    return v ? conf.u + encode(stop(v, channel)) + (query ? '#' + query[1] : '') : url;
  }

  // ---- Text that holds URLs: cleaners give back the very string when there is nothing to do.
  function swap(re, s, fn) {
    var out = '', at = 0, m, t;
    re.lastIndex = 0;
    while ((m = exec(re, s))) {
      t = fn(m);
      if (t !== m[0]) { out += slice(s, at, m.index) + t; at = m.index + m[0].length; }
      if (!m[0]) re.lastIndex++;
    }
    return at ? out + slice(s, at) : s;
  }
  // The quick screen: true when no denied host can be in this text, however it is written.
  function clear(s) {
    var re = /[\\\/]{2}([^\\\/?#"'\s<>),]*)([\t\r\n]?)/g, m;
    if (exec(/(?:https?|wss?):(?!\/\/)|[\\\/][\t\r\n]+[\\\/]/i, s)) return false;
    while ((m = exec(re, s))) {
      if (m[1] && (m[2] || exec(/[^\w.:-]/, m[1]) || ruleOf(split(m[1], ':')[0], true))) return false;
    }
    return true;
  }
  function point(n) { return fromPoint(n > 0x10ffff ? 0x10ffff : +n); }
  function unescapeCss(s) {
    return swap(/\\(?:([\da-f]{1,6})\s?|\r?\n|([^]))/gi, s, function (m) {
      return m[1] ? point('0x' + m[1]) : m[2] || '';
    });
  }
  function css(s) {
    var escaped = indexOf(s, '\\') >= 0, t;
    if (!escaped && clear(s)) return s;
    function run(text) {
      // A string is a URL in @import and image-set; in 'content' it is text for people.
      var re = /(content\s*:[^;}]*)|url\(\s*(?:"([^"]*)"|'([^']*)'|([^)]*?))\s*\)|"([^"]*)"|'([^']*)'/gi;
      return swap(re, text, function (m) {
        if (m[1]) return indexOf(m[1], '(') < 0 ? m[0] : 'content' + run(slice(m[1], 7));
        var url = m[2] || m[3] || m[4] || m[5] || m[6] || '',
          v = bad(indexOf(url, '\\') < 0 ? url : unescapeCss(url));
        if (v) stop(v, 'css');
        return !v ? m[0] : slice(lower(m[0]), 0, 3) === 'url' ? 'url("' + DEAD + '")' : '"' + DEAD + '"';
      });
    }
    s = run(s);
    if (!escaped) return s;
    // An escaped keyword, as in \75rl(: what the text means is cleaned, when it differs from what it says.
    t = unescapeCss(s);
    return run(t) === t ? s : run(t);
  }
  function srcset(s) {
    return clear(s) ? s : swap(/\S*[^\s,]/g, s, function (m) { return safe(m[0], 'img', DEAD); });
  }
  function pings(s) {
    return clear(s) ? s : swap(/\S+/g, s, function (m) { return safe(m[0], 'ping', ''); });
  }
  // Modules, import maps and speculation rules name URLs in quotes.
  function scriptText(s) {
    if (clear(s) && !exec(/\\/, s)) return s;
    if (exec(/^\s*\{\s*"/, s)) {
      return swap(/"((?:[^"\\]|\\[^])*)"/g, s, function (m) {
        try { return safe(parse(m[0]), 'script', '') ? m[0] : '"' + DEAD + '"'; } catch (e) { return m[0]; }
      });
    }
    return swap(/(\b(?:from|import)\s*\(?\s*)(?:"([^"\n]*)"|'([^'\n]*)')/g, s, function (m) {
      return bad(m[2] || m[3] || '') ? m[1] + '"' + safe(m[2] || m[3], 'import', DEAD) + '"' : m[0];
    });
  }

  // ---- The guard in front of what starts a realm of its own.
  var line = '';
  function prologue() {
    var c = assign({}, conf), k;
    if (line) return line;
    c.o = own.mine;
    if (own.marks) c.k = 1;
    for (k in c) line += (line && ',') + k + ':' + quote(c[k]);
    line = '(' + own.text + ')(self,{' + swap(/</g, line, function () { return '\\u003c'; }) + '});';
    return line;
  }
  function escaped(m) { return m[0] === '&' ? '&amp;' : m[0] === '<' ? '&lt;' : '&quot;'; }
  // Both elements of the gate, as HTML and XML read them.
  function elements(xml) {
    var tag = '<' + 'script xmlns="' + XHTML + '"' + (own.nonce ? ' nonce="' + own.nonce + '"' : ''), end = '</' + 'script>';
    return (own.hosts && tag + ' async="" src="' + own.hosts + '">' + end) +
      tag + (own.hosts && ' data-modules=""') + (own.marks ? ' data-marks=""' : '') + (own.me ? ' src="' + own.me + '">' : '>' + (xml ? swap(/[&<]/g, prologue(), escaped) : prologue())) + end;
  }
  function page(s) {
    // Behind the doctype, or the document would fall into quirks mode.
    var m = exec(/^(?:\s|<!-[-][^]*?-->)*(?:<!doctype[^>]*>)?/i, s)[0];
    return m + elements(false) + html(slice(s, m.length));
  }
  // XML is read and written again, since no text in front of it would keep it well-formed.
  function documentText(s, type) {
    if (exec(/^\s*text\/html/i, type)) return page(s);
    if (!exec(/^\s*(?:(?:text|application)\/xml|[^;]*\+xml)\s*(?:;|$)/i, type) || !exec(/1999\/xhtml|2000\/svg/, s)) return s;
    var kind = exec(/svg|xhtml/i, type), read = new DOMParser_(), written = new XMLSerializer_(), at;
    read = apply(parseXml, read, [s, kind ? (lower(kind[0]) === 'svg' ? 'image/svg+xml' : 'application/xhtml+xml') : 'text/xml']);
    if (allIn(read, 'parsererror')[0]) return s;
    s = serialize(written, tree(read));
    // The first '>' of an element that is written ends its start tag. One without content runs nothing.
    at = indexOf(s, '>', indexOf(s, serialize(written, rootElement(read)))) + 1;
    return s[at - 2] === '/' ? s : slice(s, 0, at) + elements(true) + slice(s, at);
  }
  function workerText(s) {
    // A directive counts only as the very first statement, so it moves ahead of the guard.
    var strict = exec(/^(?:\s|\/\/.*\n|\/\*[^]*?\*\/)*(['"])use strict\1/, s);
    return (strict ? '"use strict";' : '') + prologue() + scriptText(s);
  }
  // Blobs stay as the page made them (a download must not change) until their URL becomes a frame or worker.
  var blobs = create(null), made = create(null), texts = new win.WeakMap();
  function guardedBlob(url, clean) {
    var b = blobs[url], key = (clean === workerText ? 'w ' : 'p ') + url, text, came, type;
    if (!b || made[key]) return made[key] || url;
    came = weakGet(texts, b);
    type = blobType(b);
    if (came !== undefined) text = clean(came, type);
    else if (clean === workerText) text = prologue();
    // Only what is surely HTML: in front of a PDF or of XML the guard would break it.
    else if (exec(/^text\/html/i, type)) text = '<!doctype html>' + page('');
    if (text === came) return url;
    return (made[key] = apply(blobURL, URL_, [new Blob_(came === undefined ? [text, b] : [text], { type: type })]));
  }
  var blobType = getter('Blob', 'type');
  function guardedData(url, clean) {
    var m = exec(/^[\0- ]*data:([^,]*?)(;\s*base64\s*)?,([^#]*)/i, url), text, came;
    if (!m) return url;
    try {
      came = m[2] ? atob_(decode(m[3])) : decode(m[3]);
      text = clean(came, m[1]);
      return text === came ? url : 'data:' + m[1] + (m[2] ? ';base64,' + encode(btoa_(text)) : ',' + encode(text));
    } catch (e) { return url; }
  }
  function frameURL(url, tag) {
    var m = exec(/^[\0- ]*(javascript|data|blob):/i, url);
    if (!m) return safe(url, tag, exec(/frame/, tag) ? 'about:blank' : DEAD);
    m = lower(m[1]);
    if (m === 'blob') return guardedBlob(url, documentText);
    return m === 'data' ? guardedData(url, documentText) : 'javascript:' + evaluated(slice(url, indexOf(url, ':') + 1));
  }
  // A string that the code comes to is a document of its own. It can be read where the page may evaluate text.
  function evaluated(code) {
    var s = code;
    try {
      s = decode(swap(/[\t\r\n]+/g, code, function () { return ''; }));
      if (!exec(/^\s*(?:void\s*\(?\s*0\s*\)?|false|true|''|"")?\s*;?\s*$/, s)) {
        if (own.evals === undefined) { own.evals = 0; own.evals = evaluate('1'); }
        if (own.evals) code = encode('self[Symbol.for("optout-gate")]((0,eval)(' + quote(s) + '))');
      }
    } catch (e) { nothing(); }
    return encode(prologue()) + code;
  }
  function dataScript(url) { return guardedData(url, scriptText); }
  function workerURL(url) {
    var v = bad(url);
    // Another host's script is refused with an exception anyway, whoever that host is; a server that is down is not.
    if (v) stop(v, 'worker');
    if (exec(/^[\0- ]*data:/i, url)) return guardedData(url, workerText);
    if (!own.marks || exec(/^[\0- ]*blob:/i, url)) return guardedBlob(url, workerText);
    // The browser will not say that it asks for a worker, so the address does.
    v = exec(/^([^#]*)([^]*)$/, url);
    return v[1] + (indexOf(v[1], '?') < 0 ? '?' : '&') + MARKED + v[2];
  }

  // ---- attr(): one table for properties, setAttribute and its kin, Attr values and HTML text.
  // Kinds by 'tag attribute', '* attribute' for any tag, and 'attribute' for the first row that has it.
  var KINDS = create(null), CLEANERS = {
    // An empty sheet loads: React's promise of a sheet has nobody who catches its failure, and loaders of sheets wait for it.
    url: function (s, tag) { return safe(s, tag, tag === 'base' ? '' : tag === 'link' ? 'data:text/css,' : DEAD); },
    script: function (s) { return safeScript(dataScript(s), 'script'); },
    frame: frameURL,
    set: srcset,
    ping: pings,
    css: css,
    page: page,
    steps: function (s, tag) { return swap(/[^;]+/g, css(s), function (m) { return safe(m[0], tag, DEAD); }); },
    refresh: function (s) {
      return swap(/^[\s\d.]+[;,\s]\s*(?:url\s*=\s*)?["']?([^"']*)/gi, s, function (m) { return safe(m[1], 'navigate', '') === m[1] ? m[0] : ''; });
    }
  };
  // An Attr that belongs to no element yet ('attr' in place of the tag) is judged by its name alone.
  function attr(tag, name, s) {
    var kind = KINDS[tag + ' ' + name] || KINDS['* ' + name] || tag === 'attr' && KINDS[name];
    return kind ? CLEANERS[kind](s, tag) : s;
  }

  // ---- html(): start tags are read as the standard's tokeniser reads them, and only they are edited.
  var TAG = /<(?:!--|(\/?)([a-z][^\s\/>]*))/gi,
    ATTR = /[\s\/]*(?:(>)|([^\s\/>][^\s\/>=]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"'][^\s>]*))?)?)/y,
    RAW = /^(?:script|style|textarea|title|xmp|iframe|noembed|noframes|noscript|plaintext)$/;
  // Names, each in front of its character.
  var NAMED = ' colon:sol/bsol\\period.tab\tnewline\namp&lt<gt>quot"apos\'num#quest?commat@percnt%lowbar_equals=comma,lpar(rpar)semi;';
  function characters(s) {
    return swap(/&(?:#x([\da-f]+);?|#(\d+);?|([a-z]+);|(amp|lt|gt|quot)(?![\w=]))/gi, s, function (m) {
      var name = m[3] || m[4];
      return name ? (exec(new RegExp_('[^a-z]' + name + '([^a-z])', 'i'), NAMED) || [0, m[0]])[1] : point(m[1] ? '0x' + m[1] : m[2]);
    });
  }
  function rawText(tag, s) { return tag === 'style' ? css(s) : tag === 'script' ? scriptText(s) : s; }
  // `st` is the state of document.write, whose text comes in pieces: an unfinished tag is held back until
  // the rest of it comes, because half a tag cannot be judged.
  function html(s, st) {
    var out = '', at = 0, raw = '', foreign = false, m, a, tag, name, value, next, pos, text, done, c;
    if (st) { s = st.held + s; raw = st.raw; st.held = ''; }
    else if (clear(s) && !exec(/[&\\]|srcdoc|javascript:|data:|blob:/i, s)) return s;
    for (;;) {
      if (raw) {
        m = raw === 'plaintext' ? null : exec(raw === '!--' ? /--!?>/ : new RegExp_('</' + raw + '[\\s/>]', 'i'), slice(s, at));
        if (!m && st && raw !== '!--' && raw !== 'plaintext') { st.held = slice(s, at); st.raw = raw; return out; }
        if (st) st.raw = m ? '' : raw;
        text = m ? slice(s, at, at + m.index) : slice(s, at);
        out += rawText(raw, text);
        at += text.length;
        if (!m) return out;
        if (raw === '!--') { out += m[0]; at += m[0].length; }
        raw = '';
        continue;
      }
      TAG.lastIndex = at;
      m = exec(TAG, s);
      if (!m) {
        text = slice(s, at);
        a = st && exec(/<[!\/]?-?$/, text);
        if (a) { st.held = a[0]; text = slice(text, 0, a.index); }
        return out + text;
      }
      if (m[0] === '<!' + '--') { out += slice(s, at, m.index + 2); at = m.index + 2; raw = '!--'; continue; }
      tag = lower(m[2]);
      pos = m.index + m[0].length;
      out += slice(s, at, m.index);
      text = m[0];
      done = false;
      for (;;) {
        ATTR.lastIndex = pos;
        a = exec(ATTR, s);
        if (!a) break;
        next = pos + a[0].length;
        if (a[1]) { text += a[0]; pos = next; done = true; break; }
        c = s[next];
        // Ran out of text, or into a quote that never closes.
        if (next >= s.length || ((c === '"' || c === "'") && exec(/=\s*$/, a[0]))) break;
        value = a[3] || a[4] || a[5];
        name = lower(a[2]);
        if (slice(name, 0, 6) === 'xlink:') name = slice(name, 6);
        if (value && !m[1] && KINDS[name]) {
          value = characters(value);
          c = attr(tag, name, value);
          if (c !== value) {
            c = swap(/[&"<]/g, c, escaped);
            a[0] = ' ' + a[2] + '="' + c + '"';
          }
        }
        text += a[0];
        pos = next;
      }
      if (!done) { if (st) st.held = slice(s, m.index); else out += slice(s, m.index); return out; }
      out += text;
      at = pos;
      if (tag === 'svg' || tag === 'math') foreign = !m[1] && !exec(/\/>$/, a[0]);
      else if (foreign && !m[1] && (tag === 'style' || tag === 'script')) {
        // Inside svg this is ordinary text to the tokeniser, and still a style sheet to the browser.
        next = indexOf(s, '<', at);
        if (next > at) { out += rawText(tag, slice(s, at, next)); at = next; }
      } else if (!foreign && !m[1] && exec(RAW, tag)) raw = tag;
    }
  }

  // ---- Wrapping natives so that they look untouched.
  function wrap(f, fn) {
    var p = new win.Proxy(f, { apply: fn });
    weakSet(natives, p, f);
    return p;
  }
  function put(owner, name, d) { try { define(owner, name, d); } catch (e) { nothing(); } }
  function proto(name) { return win[name] && win[name].prototype; }
  // Puts fn(native, self, args) in front of functions (`value`) or accessors (`get`, `set`) of an interface, by its
  // name, or of an object.
  function standing(part) {
    return function (owner, names, fn) {
      if (typeof owner === 'string') owner = proto(owner);
      names = split(names, ' ');
      for (var i = 0, d; names[i]; i++) {
        d = owner && desc(owner, names[i]);
        if (d && typeof d[part] === 'function') { d[part] = wrap(d[part], fn); put(owner, names[i], d); }
      }
    };
  }
  var method = standing('value'), setter = standing('set'), reader = standing('get');
  function constructor(names, fn, done) {
    split(names, ' ').forEach(function (name) {
      var C = win[name], d = desc(win, name);
      if (!C || !d) return;
      d.value = new win.Proxy(C, { construct: function (f, args, nt) { fn(args); f = construct(f, args, nt); if (done) done(f, args); return f; } });
      weakSet(natives, d.value, C);
      put(win, name, d);
      put(C.prototype, 'constructor', { value: d.value, writable: true, enumerable: false, configurable: true });
    });
  }
  // An argument becomes a string once (its toString may answer differently the second time). Trusted Types
  // objects pass as they came when nothing changed, or else are made anew under our own policy; true when the
  // page's CSP lets us make none, and the call is better left out.
  var tt = win.trustedTypes, policy;
  function kindOf(o) {
    return !tt || typeof o !== 'object' || !o ? '' : tt.isHTML(o) ? 'HTML' : tt.isScript(o) ? 'Script' : tt.isScriptURL(o) ? 'ScriptURL' : '';
  }
  function trusted(kind, s) {
    // Asked for once: a policy that is refused is a violation, and the site hears of it.
    if (policy === undefined) {
      policy = null;
      policy = tt.createPolicy('optout-gate', { createHTML: String_, createScript: String_, createScriptURL: String_ });
    }
    return policy['create' + kind](s);
  }
  function arg(args, i, fn) {
    var o = args[i], kind, s, t;
    if (i >= args.length || o === null || o === undefined || typeof o === 'symbol') return;
    kind = kindOf(o);
    s = typeof o === 'string' ? o : '' + o;
    t = fn(s);
    args[i] = t === s && kind ? o : t;
    if (t === s || !kind) return;
    try {
      args[i] = trusted(kind, t);
    } catch (e) { args[i] = tt['empty' + kind] || o; return kind === 'ScriptURL'; }
  }
  function changing(i, clean) { return function (args) { arg(args, i, clean); }; }
  function both(change) { return function (f, self, args) { change(args); return apply(f, self, args); }; }
  // As both(changing()), for what is called often.
  function rewriting(i, clean) { return function (f, self, args) { arg(args, i, clean); return apply(f, self, args); }; }
  function failed(error) { return apply(reject, Promise_, [error]); }
  // A copy of plain objects and arrays with every string passed through fn; the same object if nothing changed.
  function scrub(o, fn) {
    var copy, k, t;
    if (typeof o === 'string') return fn(o);
    if (!o || typeof o !== 'object') return o;
    t = protoOf(o);
    if (!isArray(o) && t && desc(t, 'hasOwnProperty') === undefined) return o;
    for (k in o) {
      t = scrub(o[k], fn);
      if (t !== o[k]) { copy = copy || assign(isArray(o) ? [] : {}, o); copy[k] = t; }
    }
    return copy || o;
  }
  function scrubbing(i, channel, dead) {
    return function (args) { if (i < args.length) args[i] = scrub(args[i], saving(channel, dead)); };
  }

  var FTS = proto('Function');
  method(FTS, 'toString', function (f, self, args) {
    var o = typeof self === 'function' && weakGet(natives, self);
    return typeof o === 'string' ? o : apply(f, o || self, args);
  });
  function native(f, name) { weakSet(natives, f, 'function ' + name + '() { [native code] }'); return f; }

  // ---- Requests that script makes by itself. In workers these are not own properties of self.
  function home(name) {
    var o = win;
    while (o && !desc(o, name)) o = protoOf(o);
    return o;
  }
  var requestURL = getter('Request', 'url');
  // The rule that denies the address which is the first argument: a Request, or what becomes a string here, once.
  function addressed(args) {
    var url;
    if (!args.length) return '';
    if (typeof args[0] === 'object' && args[0]) url = tried(requestURL, args[0]);
    return bad(url || (args[0] = '' + args[0]));
  }
  // A call that ends otherwise where a rule denies it: with `ending` in place of the native.
  function refusing(channel, asked, ending) {
    return function (f, self, args) {
      var v = asked(args, self);
      return v ? ending(stop(v, channel)) : apply(f, self, args);
    };
  }
  // What throws becomes a rejection, as of any function that returns a promise.
  function promising(fn) {
    return function (f, self, args) { try { return fn(f, self, args); } catch (e) { return failed(e); } };
  }
  function notFetched() { throw new TypeError_('Failed to fetch'); }
  var fetching = promising(refusing('fetch', addressed, notFetched));
  method(home('fetch'), 'fetch', promising(refusing('fetch', addressed, function (v) {
    return conf.f[v] ? apply(resolve, Promise_, [new Response_(conf.f[v])]) : notFetched();
  })));
  method('Cache', 'add', fetching);
  method('Cache', 'addAll', promising(refusing('fetch', function (args) {
    var list = args.length ? args[0] = listOf(args[0]) : [], v = '', i, one;
    for (i = 0; i < list.length && !v; i++) {
      v = addressed(one = [list[i]]);
      list[i] = one[0];
    }
    return v;
  }, notFetched)));
  method(home('fetchLater'), 'fetchLater', refusing('fetch', addressed, function () {
    return create(proto('FetchLaterResult') || null, { activated: { value: false } });
  }));
  method('Worklet', 'addModule', promising(refusing('worker', function (args) {
    arg(args, 0, dataScript);
    return addressed(args);
  }, function () { throw new DOMException_("Unable to load a worklet's module.", 'AbortError'); })));
  // Not about:invalid, on which a synchronous request in a worker never ends in Firefox.
  method('XMLHttpRequest', 'open', rewriting(1, saving('xhr', 'blob:invalid')));
  method('Navigator', 'sendBeacon', refusing('beacon', addressed, function () { return true; }));
  method(home('importScripts'), 'importScripts', function (f, self, args) {
    for (var i = 0; i < args.length; i++) arg(args, i, function (s) { return safeScript(s, 'import'); });
    return apply(f, self, args);
  });
  constructor('WebSocket WebSocketStream', changing(0, saving('websocket', 'wss://x.invalid:9/')));
  constructor('WebTransport', changing(0, saving('webtransport', 'https://x.invalid:9/')));
  constructor('EventSource', changing(0, saving('eventsource', DEAD)));
  constructor('Worker SharedWorker', changing(0, workerURL));
  constructor('RTCPeerConnection', scrubbing(0, 'rtc', 'stun:x.invalid'));
  if (win.webkitRTCPeerConnection) put(win, 'webkitRTCPeerConnection', desc(win, 'RTCPeerConnection'));
  method('RTCPeerConnection', 'setConfiguration', both(scrubbing(0, 'rtc', 'stun:x.invalid')));
  constructor('FontFace', function (args) { if (typeof args[1] === 'string') args[1] = css(args[1]); });
  constructor('Notification', scrubbing(1, 'img', DEAD));
  method('ServiceWorkerRegistration', 'showNotification', both(scrubbing(1, 'img', DEAD)));
  method(URL_, 'createObjectURL', function (f, self, args) {
    var b = args[0], url, text, clean;
    try {
      // A script's literal imports run before anything that could be asked: in workers, worklets and frames no map fails them.
      text = exec(/script/i, blobType(b)) && weakGet(texts, b);
      clean = text && scriptText(text);
      if (clean !== text) {
        args[0] = b = new Blob_([clean], { type: blobType(b) });
        weakSet(texts, b, clean);
      }
    } catch (e) { b = null; }
    url = apply(f, self, args);
    if (b) blobs[url] = b;
    return url;
  });
  method(URL_, 'revokeObjectURL', function (f, self, args) {
    delete blobs[args[0]];
    return apply(f, self, args);
  });
  constructor('Blob', nothing, function (b, args) {
    var parts = args[0], i, s = '';
    if (!isArray(parts) || !exec(/^$|html|script|xml/i, blobType(b))) return;
    for (i = 0; i < parts.length; i++) {
      if (typeof parts[i] !== 'string') return;
      s += parts[i];
    }
    weakSet(texts, b, s);
  });

  // ---- The signal itself, and what a denied vendor would leave behind.
  function voiced(name, d) {
    native(d.get, 'get ' + name);
    if (d.set) native(d.set, 'set ' + name);
    return d;
  }
  if (conf.g && win.navigator.globalPrivacyControl !== true) {
    (function (owner) {
      // Also over the accessor of a browser that says false.
      put(owner, 'globalPrivacyControl', voiced('globalPrivacyControl', desc({ get globalPrivacyControl() { return true; } }, 'globalPrivacyControl')));
    })(proto('Navigator') || proto('WorkerNavigator'));
  }
  var lengths = split(conf.l, ' ');
  function badName(n) {
    if (denied(n)) return n;
    for (var i = 0; lengths[i] <= n.length; i++) {
      var start = slice(n, 0, lengths[i]) + '*';
      if (denied(start)) return start;
    }
    return '';
  }
  function badCookie(n) { return badName('=' + n); }
  function badKey(n) { return badName('#' + n); }
  setter('Document', 'cookie', refusing('cookie', function (args) {
    var s = args[0] = '' + args[0], v = badCookie(exec(/^\s*([^=;]*?)\s*(?:[=;]|$)/, s)[1]), m;
    // Taking a cookie away is always allowed.
    m = v && exec(/;\s*(?:max-age\s*=\s*(?:-|0\s*(?:;|$))|expires\s*=\s*([^;]*))/i, s);
    return m && (!m[1] || new Date_(m[1]) < now()) ? '' : v;
  }, nothing));
  method('CookieStore', 'set', refusing('cookie', function (args) {
    var o = args[0];
    return badCookie('' + (o && typeof o === 'object' ? o.name : o));
  }, function () { return apply(resolve, Promise_, []); }));
  method('Storage', 'setItem', refusing('storage', function (args) {
    arg(args, 0, String_);
    return args.length > 1 && badKey(args[0]);
  }, nothing));
  // ---- A hole shows as a leak: what was really requested is held against the decision.
  function sweep() {
    if (!win.PerformanceObserver) return;
    try {
      new win.PerformanceObserver(function (list) {
        list.getEntries().forEach(function (e) {
          var v = bad(e.name);
          if (v) own.tell('leaked', v, (exec(/^[a-z]+$/, e.initiatorType) || ['other'])[0]);
        });
      }).observe({ type: 'resource', buffered: true });
      tidy();
    } catch (e) { nothing(); }
  }
  // Keys set as properties (localStorage._x = 1) pass no method.
  function tidy() {
    try { keysOf(win.localStorage).forEach(function (k) { if (badKey(k)) win.localStorage.removeItem(k); }); } catch (e) { nothing(); }
  }
  put(win, MARK, { value: nothing, configurable: true });
  own.text = own.text || apply(win.Function.prototype.toString, G, []);
  if (!doc) { sweep(); return; }

  // ==== From here on: documents only.
  var ElementP = proto('Element'), NodeP = proto('Node'), DocumentP = proto('Document'),
    setData = desc(proto('CharacterData'), 'data').set, getData = desc(proto('CharacterData'), 'data').get,
    setText = desc(NodeP, 'textContent').set, setScript = desc(proto('HTMLScriptElement'), 'text').set, attrValue = desc(proto('Attr'), 'value'),
    attrName = getter('Attr', 'localName'), ownerElement = getter('Attr', 'ownerElement'),
    allIn = un(DocumentP.querySelectorAll),
    nodeName = getter('Node', 'nodeName'), rootOf = un(NodeP.getRootNode), attributeOf = un(ElementP.getAttribute), give = un(ElementP.setAttribute),
    firstChild = getter('Node', 'firstChild'), nextSibling = getter('Node', 'nextSibling'), insertIn = un(NodeP.insertBefore), takeFrom = un(NodeP.removeChild),
    createIn = un(DocumentP.createElementNS), rootElement = getter('Document', 'documentElement'),
    DOMParser_ = win.DOMParser, XMLSerializer_ = win.XMLSerializer, serialize = un(XMLSerializer_.prototype.serializeToString),
    rangeStart = getter(win.NodeRange ? 'NodeRange' : 'AbstractRange', 'startContainer'), eventType = getter('Event', 'type'), parseXml = proto('DOMParser').parseFromString,
    attributes = getter('Element', 'attributes'), nodeType = getter('Node', 'nodeType');

  // ---- Elements: properties and attributes.
  function reflected(name) {
    return function (f, self, args) {
      if (!arg(args, 0, function (s) { return attr(tagOf(self), name, s); })) apply(f, self, args);
    };
  }
  // A row: interface (HTML...Element; '-' for none), =tags where its own name is not the tag's, properties, :kind of what
  // is no plain URL.
  [
    'Image=img src srcset:set attributionSrc:ping', 'Input src', 'Media=audio,video src', 'Video poster', 'Source src srcset:set',
    'Track src', 'Embed src:frame', 'Frame src:frame', 'IFrame src:frame srcdoc:page', 'Object data:frame',
    'Link href imageSrcset:set', 'Base href', 'Script src:script href:script attributionSrc:ping', 'Body background',
    'Anchor=a ping:ping attributionSrc:ping', 'Area ping:ping attributionSrc:ping', 'Meta content:refresh',
    '-=image src href', '-=use,feimage,mpath,textpath,pattern,filter,lineargradient,radialgradient href',
    '-=table,thead,tbody,tfoot,tr,td,th background', '-=set,animate to:steps from:steps by:steps values:steps',
    '-=* style:css fill:css stroke:css filter:css mask:css clip-path:css cursor:css marker:css marker-start:css marker-mid:css marker-end:css'
  ].forEach(function (row) {
    var words = split(row, ' '), face = split(words[0], '='), tags = split(face[1] || lower(face[0]), ','), owner = proto('HTML' + face[0] + 'Element'), i, j, pair, name;
    for (i = 1; words[i]; i++) {
      pair = split(words[i] + ':url', ':');
      name = lower(pair[0]);
      KINDS[name] = KINDS[name] || pair[1];
      for (j = 0; tags[j]; j++) KINDS[tags[j] + ' ' + name] = pair[1];
      setter(owner, pair[0], reflected(name));
    }
  });
  setter('SVGAnimatedString', 'baseVal', rewriting(0, saving('image', DEAD)));
  method(ElementP, 'setAttribute', function (f, self, args) {
    var name = args.length > 1 ? lower(args[0] = '' + args[0]) : '';
    if (!KINDS[name] || !arg(args, 1, function (s) { return attr(tagOf(self), name, s); })) return apply(f, self, args);
  });
  method(ElementP, 'setAttributeNS', function (f, self, args) {
    var name = args.length > 2 ? lower(args[1] = '' + args[1]) : '', at = indexOf(name, ':');
    name = slice(name, at + 1);
    if (!KINDS[name] || !arg(args, 2, function (s) { return attr(tagOf(self), name, s); })) return apply(f, self, args);
  });
  function attrNode(node, tag) {
    var name, s, t;
    try {
      name = lower(attrName(node));
      if (!KINDS[name]) return;
      s = apply(attrValue.get, node, []);
      t = attr(tag, name, s);
      if (t !== s) apply(attrValue.set, node, [t]);
    } catch (e) { nothing(); }
  }
  method(ElementP, 'setAttributeNode setAttributeNodeNS', function (f, self, args) { attrNode(args[0], tagOf(self)); return apply(f, self, args); });
  method('NamedNodeMap', 'setNamedItem setNamedItemNS', function (f, self, args) { attrNode(args[0], 'attr'); return apply(f, self, args); });
  function revalued(f, self, args) {
    var el = ownerElement(self), name = lower(attrName(self));
    if (el && KINDS[name]) arg(args, 0, function (s) { return attr(tagOf(el), name, s); });
    apply(f, self, args);
  }
  setter('Attr', 'value', revalued);

  // ---- Text of style and script elements, and of instructions that name a style sheet.
  function isText(el) { return exec(/(?:^|:)(?:style|script)$/i, nodeName(el)); }
  function pieceOf(el, s) {
    // Two harmless halves may make one import: the end of what stands there is read together with the new part.
    var tag = tagOf(el), before = textContent(el) || '', t = rawText(tag, s);
    before = slice(before, -300);
    return rawText(tag, before + t) === before + t ? t : '';
  }
  function pieces(el, args) {
    var i, s, t;
    if (!el || !isText(el)) return;
    for (i = 0; i < args.length; i++) {
      if (typeof args[i] === 'string') args[i] = pieceOf(el, args[i]);
      else if (args[i] && nodeType(args[i]) !== 1) {
        s = textContent(args[i]) || '';
        t = s && pieceOf(el, s);
        if (t !== s) apply(setText, args[i], [t]);
      }
    }
  }
  function inside(f, self, args) { pieces(self, args); return apply(f, self, args); }
  function beside(f, self, args) { pieces(parentNode(self), args); return apply(f, self, args); }
  method(NodeP, 'appendChild insertBefore replaceChild', inside);
  method(ElementP, 'append prepend replaceChildren moveBefore', inside);
  method(ElementP, 'before after replaceWith', beside);
  method('CharacterData', 'before after replaceWith', beside);
  method('Range', 'insertNode', function (f, self, args) {
    var at = rangeStart(self);
    pieces(nodeType(at) === 3 ? parentNode(at) : at, args);
    return apply(f, self, args);
  });
  method(ElementP, 'insertAdjacentText', function (f, self, args) {
    if (isText(self)) arg(args, 1, function (s) { return pieceOf(self, s); });
    return apply(f, self, args);
  });
  function written(f, self, args) {
    if (isText(self)) arg(args, 0, function (s) { return rawText(tagOf(self), s); });
    apply(f, self, args);
  }
  setter('HTMLElement', 'innerText', written);
  setter('HTMLScriptElement', 'text textContent innerText', written);
  // In the quotes of an instruction stand references to characters.
  function instruction(s) { var t = characters(s); return css(t) === t ? s : css(t); }
  function dataOf(node, s) {
    var el = parentNode(node);
    return nodeType(node) === 7 ? instruction(s) : el && isText(el) ? rawText(tagOf(el), s) : s;
  }
  function renewed(f, self, args) {
    if (typeof args[0] === 'string' && exec(/url|import|src|['"]/i, args[0])) args[0] = dataOf(self, args[0]);
    apply(f, self, args);
  }
  setter('CharacterData', 'data', renewed);
  setter(NodeP, 'nodeValue textContent', function (f, self, args) {
    var type = nodeType(self);
    (type === 1 ? written : type === 2 ? revalued : type === 9 || type === 11 ? apply : renewed)(f, self, args);
  });
  method(DocumentP, 'createProcessingInstruction', rewriting(1, instruction));
  // The whole that the change would make is judged, since the browser reads the sheet anew at once.
  split('appendData insertData replaceData', ' ').forEach(function (name, n) {
    method('CharacterData', name, function (f, self, args) {
      var s, t, at;
      if (args.length > n) {
        s = apply(getData, self, []);
        at = n ? args[0] >>> 0 : s.length;
        t = slice(s, 0, at) + (args[n] = '' + args[n]) + slice(s, at + (n > 1 ? args[1] >>> 0 : 0));
        if (dataOf(self, t) !== t) args[n] = '';
      }
      return apply(f, self, args);
    });
  });

  // ---- Markup made by script.
  setter(ElementP, 'innerHTML', function (f, self, args) {
    if (isText(self)) written(f, self, args);
    else { arg(args, 0, html); apply(f, self, args); }
  });
  setter(ElementP, 'outerHTML', rewriting(0, html));
  setter('ShadowRoot', 'innerHTML', rewriting(0, html));
  // In a style element markup is text.
  function markup(i) {
    return function (f, self, args) {
      arg(args, i, function (s) { return isText(self) ? pieceOf(self, s) : html(s); });
      return apply(f, self, args);
    };
  }
  method(ElementP, 'insertAdjacentHTML', markup(1));
  method(ElementP, 'setHTMLUnsafe setHTML', markup(0));
  method('ShadowRoot', 'setHTMLUnsafe setHTML', rewriting(0, html));
  method('Range', 'createContextualFragment', rewriting(0, html));
  method(win.Document, 'parseHTMLUnsafe parseHTML', rewriting(0, html));
  // A tree that was built by a parser we cannot stand in front of (XML, XSLT), before any of it loads.
  function tree(root) { tried(cleanNode, root); return root; }
  function cleanNode(node) {
    var type = nodeType(node), list = type === 1 ? attributes(node) : [], i, s, child;
    for (i = 0; list[i]; i++) attrNode(list[i], tagOf(node));
    if (isText(node)) {
      s = textContent(node);
      if (rawText(tagOf(node), s) !== s) apply(setText, node, [rawText(tagOf(node), s)]);
    } else if (type === 7) apply(setData, node, [instruction(apply(getData, node, []))]);
    for (child = firstChild(node); child; child = nextSibling(child)) cleanNode(child);
  }
  method('DOMParser', 'parseFromString', function (f, self, args) {
    if (args[1] === 'text/html') arg(args, 0, html);
    return args[1] === 'text/html' ? apply(f, self, args) : tree(apply(f, self, args));
  });
  method('XSLTProcessor', 'importStylesheet', function (f, self, args) { tree(args[0]); return apply(f, self, args); });
  method('XSLTProcessor', 'transformToFragment transformToDocument', function (f, self, args) { return tree(apply(f, self, args)); });
  var writing = new win.WeakMap(), write = DocumentP.write, readyState = getter('Document', 'readyState');
  function writer(end) {
    return function (f, self, args) {
      var st = weakGet(writing, self), joined = '', kind = '', i, one = args.length === 1 && args[0];
      // Writing to a finished document opens a new one.
      if (!st || readyState(self) !== 'loading') weakSet(writing, self, st = { held: '', raw: '' });
      for (i = 0; i < args.length; i++) { kind = kind || kindOf(args[i]); joined += args[i]; }
      args = [kind && kind === kindOf(one) && !end ? one : joined + end];
      arg(args, 0, function (s) { return html(s, st); });
      apply(write, self, args);
      if (self === win.document) attach();
    };
  }
  method(DocumentP, 'write', writer(''));
  method(DocumentP, 'writeln', writer('\n'));
  method(DocumentP, 'close', function (f, self, args) {
    var st = weakGet(writing, self);
    if (st && st.held && st.raw) apply(write, self, [rawText(st.raw, st.held)]);
    weakSet(writing, self, { held: '', raw: '' });
    return apply(f, self, args);
  });
  method(DocumentP, 'open', function (f, self, args) {
    // With three arguments it is another name of window.open.
    if (args.length > 2) return opened(f, self, args);
    var r = apply(f, self, args);
    weakSet(writing, self, { held: '', raw: '' });
    // Opening a document drops its listeners.
    if (self === win.document) attach();
    return r;
  });
  method(DocumentP, 'execCommand', function (f, self, args) {
    var cmd = lower('' + args[0]);
    if (cmd === 'inserthtml') arg(args, 2, html);
    if (cmd === 'insertimage') arg(args, 2, saving('img', DEAD));
    return apply(f, self, args);
  });

  // ---- Style sheets. Where a declaration has no accessors for its properties, one that we define wins; else it is wrapped.
  var StyleP = proto('CSSStyleDeclaration'), OwnStyleP = proto('CSSStyleProperties') || proto('CSS2Properties') || StyleP, setProperty = StyleP.setProperty, getProperty = StyleP.getPropertyValue;
  var styled = rewriting(0, css);
  method('CSSStyleSheet', 'insertRule replace replaceSync', styled);
  method('CSSGroupingRule', 'insertRule', styled);
  method('CSSStyleRule', 'insertRule', styled);
  method('CSSKeyframesRule', 'appendRule', styled);
  method('CSSStyleSheet', 'addRule', rewriting(1, css));
  method(StyleP, 'setProperty', rewriting(1, css));
  method(win.CSSStyleValue, 'parse parseAll', rewriting(1, css));
  setter(StyleP, 'cssText', styled);
  // The setter of `style` sets the text of what its getter gives (Web IDL, PutForwards), as script would.
  method('StylePropertyMap', 'set append', function (f, self, args) {
    for (var i = 1; i < args.length; i++) {
      var s = '' + args[i], t = css(s);
      if (t !== s) args[i] = t;
    }
    return apply(f, self, args);
  });
  function keyframes(i) {
    return function (args) { args[i] = scrub(args[i], css); };
  }
  method(ElementP, 'animate', both(keyframes(0)));
  method('KeyframeEffect', 'setKeyframes', both(keyframes(0)));
  constructor('KeyframeEffect', keyframes(1));
  method(win.CSS, 'registerProperty', both(keyframes(0)));
  var sample = doc.documentElement.style, lacking = {};
  function restyled(dashed) {
    // Descriptors of fonts are properties of their rule alone.
    if (dashed !== 'src' && !(dashed in sample)) return;
    var words = split(dashed, '-'), humps = words[0], i, found = desc({
      get x() { return apply(getProperty, this, [dashed]); },
      set x(v) { apply(setProperty, this, [dashed, v === null ? '' : css('' + v)]); }
    }, 'x');
    for (i = 1; i < words.length; i++) humps += upper(words[i][0]) + slice(words[i], 1);
    // for-in does not show the dashed names in browsers.
    found.enumerable = false;
    [dashed, humps, slice(humps, 0, 6) === 'Webkit' ? 'w' + slice(humps, 1) : humps].forEach(function (name) {
      if (desc(OwnStyleP, name)) setter(OwnStyleP, name, styled);
      else lacking[name] = voiced(name, found);
    });
  }
  split('background background-image border-image border-image-source list-style list-style-image cursor content filter backdrop-filter ' +
    'mask mask-image mask-border mask-border-source clip-path shape-outside offset-path offset fill stroke marker marker-start marker-mid marker-end ' +
    'src mask-box-image mask-box-image-source box-reflect', ' ').forEach(function (name) {
    restyled(name);
    restyled('-webkit-' + name);
  });
  Obj.defineProperties(OwnStyleP, lacking);

  // ---- Rarer ways to name a server.
  constructor('MediaMetadata', scrubbing(0, 'img', DEAD));
  setter('MediaMetadata', 'artwork', both(scrubbing(0, 'img', DEAD)));
  // With no method left the constructor would throw; one that nobody offers makes canMakePayment say no.
  constructor('PaymentRequest', scrubbing(0, 'payment', 'https://x.invalid/'));
  constructor('FencedFrameConfig', scrubbing(0, 'iframe', 'https://x.invalid/'));
  constructor('Audio', changing(0, saving('audio', DEAD)));
  method('CredentialsContainer', 'get', function (f, self, args) {
    var asked = args[0] && args[0].identity;
    if (!asked || scrub(asked, saving('credentials', '')) === asked) return apply(f, self, args);
    return failed(new DOMException_('Error retrieving a token.', 'NetworkError'));
  });

  // ---- Realms. A blank frame fires load while it is being inserted, before the script that inserts it goes on.
  var defaultView = getter('Document', 'defaultView'), objectDocument = getter('HTMLObjectElement', 'contentDocument'), innerDocument = getter('HTMLFrameElement', 'contentDocument');
  function adopt(child) {
    try { if (child && child !== win && child.document) G(child, conf, own); } catch (e) { nothing(); }
  }
  function adoptFrame(el) {
    var d = tried(frameDocument, el);
    if (d) {
      adopt(defaultView(d));
      if (conf.x) brake(el, defaultView(d));
    }
  }
  ['IFrame', 'Frame', 'Object'].forEach(function (face) {
    reader('HTML' + face + 'Element', 'contentWindow contentDocument', function (f, self, args) {
      var r = apply(f, self, args);
      if (face === 'IFrame') adoptFrame(self);
      else if (r) adopt(tried(defaultView, r) || r);
      return r;
    });
  });
  method(win, 'open', opened);
  function opened(f, self, args) {
    var w;
    if (args[0] !== undefined && !exec(/^_(?:self|top|parent)$/i, '' + args[1])) {
      arg(args, 0, function (s) { return bad(s) ? safe(s, 'open', 'about:blank') : frameURL(s, 'iframe'); });
    }
    w = apply(f, self, args);
    if (w) adopt(w);
    return w;
  }
  // Strict: a blank frame that is sent away by its location is taken out and put back, which cancels a navigation
  // that nothing can look into. It also cancels good ones; forms, links and src are exempt, since they are checked.
  var hands = 0, braked = new win.WeakMap();
  function brake(el, w) {
    if (weakGet(braked, w) || w.location.href !== 'about:blank') return;
    weakSet(braked, w, true);
    listen(w, 'beforeunload', function () {
      if (attributeOf(el, 'src') || attributeOf(el, 'srcdoc') !== null || now() - hands < 2000) return;
      var parent = parentNode(el), next = nextSibling(el);
      stop('unknown', 'navigate');
      takeFrom(parent, el);
      insertIn(parent, el, next);
    });
  }
  var formAction = getter('HTMLFormElement', 'action'), submitterOf = getter('SubmitEvent', 'submitter'), prevent = un(win.Event.prototype.preventDefault);
  function denies(form, submitter) {
    var said = submitter ? attributeOf(submitter, 'formaction') : null, url = said === null ? tried(formAction, form) : said;
    hands = now();
    return url && bad(url);
  }
  // A refused form stays where it is, as if the server had answered 204.
  method('HTMLFormElement', 'submit', refusing('form', function (args, self) { return denies(self, null); }, nothing));
  function onLoad(e) {
    var el = targetOf(e), tag = tagOf(el), d = tag === 'object' ? tried(objectDocument, el) : tag === 'frame' ? tried(innerDocument, el) : null;
    if (tag === 'iframe') adoptFrame(el);
    else if (d) adopt(defaultView(d));
  }
  // A click that script makes leads where window.open would: into a frame or another tab. The visitor's own are free.
  function leads(el) {
    var url = attributeOf(el, 'href') || attributeOf(el, 'xlink:href'), to = attributeOf(el, 'target') || '', framed = win !== win.top,
      elsewhere = framed ? !exec(/^_(?:top|parent)$/i, to) : to && !exec(/^_(?:self|top|parent)$/i, to);
    return url && elsewhere && bad(url);
  }
  function clicked(args, el) {
    var v = '';
    try {
      if (args.length && eventType(args[0]) !== 'click') return v;
      hear(rootOf(el));
      for (; el && !v; el = parentNode(el)) if (exec(/^a(?:rea)?$/, tagOf(el))) v = leads(el);
    } catch (e) { nothing(); }
    return v;
  }
  method('HTMLElement', 'click', refusing('open', clicked, nothing));
  method('EventTarget', 'dispatchEvent', refusing('open', clicked, function () { return false; }));
  method('HTMLFormElement', 'requestSubmit', function (f, self, args) { hear(rootOf(self)); return apply(f, self, args); });
  function preventing(e, channel, v) { if (v) { stop(v, channel); prevent(e); } }
  function onSubmit(e) { preventing(e, 'form', tagOf(targetOf(e)) === 'form' && denies(targetOf(e), tried(submitterOf, e))); }
  function onClick() { hands = now(); }
  function hear(root) {
    listen(root, 'load', onLoad, true);
    // Before any listener of the page, which could keep the event from the document.
    listen(root === win.document ? win : root, 'submit', onSubmit, true);
    if (conf.x) listen(root, 'click', onClick, true);
  }
  function attach(list, common) {
    if (typeof list === 'string') return page(list);
    if (isArray(list)) modules(list, common);
    else {
      hear(win.document);
      list = list && list.currentScript;
      if (list && list.src === own.me) list.remove();
    }
  }
  // load and submit do not leave a shadow tree.
  method(ElementP, 'attachShadow', function (f, self, args) {
    var root = apply(f, self, args);
    hear(root);
    return root;
  });
  // Frames are kept from denied hosts; where the visitor goes in the whole tab is left to the visitor, unless strict.
  var kept = win !== win.top || conf.x;
  method('Navigation', 'navigate', refusing('navigate', function (args) { return kept && addressed(args); }, function () {
    var p = failed(new DOMException_('Navigation was aborted', 'AbortError'));
    p.catch(nothing);
    return { committed: p, finished: p };
  }));
  if (kept && win.navigation) {
    var destination = getter('NavigateEvent', 'destination'), destinationURL = getter('NavigationDestination', 'url'), cancelable = getter('Event', 'cancelable');
    listen(win.navigation, 'navigate', function (e) {
      preventing(e, 'navigate', !e.userInitiated && cancelable(e) && bad(destinationURL(destination(e))));
    });
  }
  attach();
  put(win, MARK, { value: attach, configurable: true });
  function settle() { later(win, sweep, 0); }
  if (readyState(doc) === 'complete') settle();
  else listen(win, 'load', settle);
  if (up) return;
  listen(win, 'securitypolicyviolation', function (e) {
    var v = e.disposition === 'enforce' && bad(e.blockedURI);
    if (v) stop(v, 'csp');
  });
  // import() cannot be wrapped; an import map fails the modules of denied hosts instead. The hosts come in a script of
  // their own. Where the page shows that it has modules, it stands behind the guard and the page waits for it; else in
  // front, and nobody but the load event does. Our element says whether the page's policy lets us add a map, and what maps
  // the page has. A second one is merged since Chromium 133 (which also brought moveBefore); where the first one is the
  // only one, the page's own comes before ours. Chromium takes some 4 us for each host, so only the common ones are in it
  // at once, and the rest follows while the page idles.
  function denyModules(list) {
    var imports = {}, i, el = createIn(doc, XHTML, 'script'), root = rootElement(doc);
    for (i = 0; i < list.length; i++) {
      imports['https://' + list[i] + '/'] = DEAD + '/';
      if (indexOf(own.me || own.base, 'http:') === 0) imports['http://' + list[i] + '/'] = DEAD + '/';
    }
    give(el, 'type', 'importmap');
    if (own.nonce) give(el, 'nonce', own.nonce);
    imports = quote({ imports: imports });
    try { apply(setScript, el, [tt ? trusted('Script', imports) : imports]); } catch (e) { return; }
    takeFrom(root, insertIn(root, el, null));
  }
  var mapped = 0;
  function modules(list, common) {
    var idle = win.requestIdleCallback, script = doc.currentScript;
    if (script) script.remove();
    if (mapped++) return;
    function more() {
      denyModules(list.splice(0, 50));
      if (list.length) apply(idle, win, [more]);
    }
    if (win.chrome && ElementP.moveBefore) {
      denyModules(list.splice(0, common));
      if (list.length) apply(idle, win, [more]);
    } else if (own.modules !== 'own' && !doc.querySelector('script[type=importmap]')) denyModules(list.splice(0, common));
  }
  // Frameworks that hydrate the whole document count elements: nothing of ours stays among the page's.
  if (own.script) {
    // What asks for the hosts of modules stands in front, unless it has run.
    var before = own.modules === '' && own.script.previousElementSibling;
    if (before && tagOf(before) === 'script') before.remove();
    own.script.remove();
  }
  if (isArray(early)) modules(early[0], early[1]);
  listen(win, 'pagehide', own.flush);
  listen(win, 'pagehide', tidy);
  listen(doc, 'visibilitychange', own.flush);

  // ---- Consent interfaces say what the signal says. One that loads later is wrapped, never replaced.
  if (!conf.g) return;
  var GPP = 'DBABLA~BVQVAAAAAgA.YA';
  var NATIONAL = { Version: 1, SharingNotice: 1, SaleOptOutNotice: 1, SharingOptOutNotice: 1, TargetedAdvertisingOptOutNotice: 1,
    SensitiveDataProcessingOptOutNotice: 0, SensitiveDataLimitUseNotice: 0, SaleOptOut: 1, SharingOptOut: 1, TargetedAdvertisingOptOut: 1,
    SensitiveDataProcessing: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], KnownChildSensitiveDataConsents: [0, 0], PersonalDataConsents: 0,
    MspaCoveredTransaction: 2, MspaOptOutOptionMode: 0, MspaServiceProviderMode: 0, GpcSegmentType: 1, GpcSegmentIncluded: true, Gpc: true };
  function stricter(o) {
    var copy, k;
    if (!o || typeof o !== 'object') return o;
    copy = isArray(o) ? [] : {};
    for (k in o) {
      copy[k] = exec(/^(?:Sale|Sharing|TargetedAdvertising)OptOut$/, k) ? 1 : k === 'Gpc' ? true
        : k === 'gppString' ? GPP : k === 'applicableSections' ? [7] : k === 'parsedSections' ? { usnat: [NATIONAL] }
        : k === 'uspString' ? (exec(/^1[YN-][YN-][YN]$/i, o[k]) ? o[k].slice(0, 2) + 'Y' + o[k].slice(3) : '1YYN') : stricter(o[k]);
    }
    return copy;
  }
  function consent(name, answer) {
    var inner;
    // __gpp(command, callback, parameter); __uspapi(command, version, callback).
    var face = function (command, first, second) {
      var at = typeof first === 'function' ? 1 : 2, callback = arguments[at], rest, field = '' + second;
      if (typeof inner !== 'function') return answer(command, callback, second);
      rest = apply(win.Array.prototype.slice, arguments, [0]);
      if (typeof callback === 'function') {
        rest[at] = function (data, ok) {
          callback(command === 'getField' && exec(/OptOut$|Gpc$/, field) ? stricterField(field, data) : stricter(data), ok);
        };
      }
      return apply(inner, win, rest);
    };
    function stricterField(field, data) {
      var o = {}, key = field.slice(field.lastIndexOf('.') + 1);
      o[key] = data;
      return stricter(o)[key];
    }
    // For the mirror alone: what the platform itself says, and nothing until it is there.
    put(face, 'o', { get: function () { return inner || function () {}; } });
    put(win, name, { get: function () { return face; }, set: function (f) { if (f !== face) inner = f; }, enumerable: true, configurable: true });
  }
  var listeners = [];
  function ping() {
    return { gppVersion: '1.1', cmpStatus: 'loaded', cmpDisplayStatus: 'hidden', signalStatus: 'ready', supportedAPIs: ['7:usnat'], cmpId: 0,
      sectionList: [7], applicableSections: [7], gppString: GPP, parsedSections: { usnat: [NATIONAL] } };
  }
  function event(name, id, data) { return { eventName: name, listenerId: id, data: data, pingData: ping() }; }
  consent('__gpp', function (command, callback, parameter) {
    var data = null, ok = true, words = split('' + parameter, '.');
    if (!command || command === 'queue' || command === 'events') return [];
    if (typeof callback !== 'function') return;
    if (command === 'ping' || command === 'getGPPData') data = ping();
    else if (command === 'addEventListener') data = event('listenerRegistered', listeners.push(callback), true);
    else if (command === 'removeEventListener') data = event('listenerRemoved', parameter, !!listeners[parameter - 1]);
    else if (command === 'hasSection') data = parameter === 'usnat';
    else if (command === 'getSection') data = parameter === 'usnat' ? [NATIONAL] : null;
    else if (command === 'getField') data = words[0] === 'usnat' && NATIONAL[words[1]] !== undefined ? NATIONAL[words[1]] : null;
    else ok = false;
    callback(data, ok);
  });
  consent('__uspapi', function (command, callback) {
    if (typeof callback === 'function') callback(command === 'getUSPData' ? { version: 1, uspString: '1YYN' } : null, command === 'getUSPData');
  });
  // gtag's defaults must stand in the queue before any tag reads it; a later 'granted' comes out as 'denied'.
  var layer = win.dataLayer = win.dataLayer || [], push = layer.push;
  put(layer, 'push', { value: function () {
    var i, k, o;
    for (i = 0; i < arguments.length; i++) {
      o = arguments[i];
      if (o && o[0] === 'consent' && o[2] && typeof o[2] === 'object') {
        for (k in o[2]) if (exec(/^ad_|^analytics_|^personalization_/, k)) o[2][k] = 'denied';
      }
    }
    return apply(push, this, arguments);
  }, writable: true, enumerable: false, configurable: true });
  function gtag() { layer.push(arguments); }
  gtag('consent', 'default', { ad_storage: 'denied', ad_user_data: 'denied', ad_personalization: 'denied', analytics_storage: 'denied',
    personalization_storage: 'denied', functionality_storage: 'granted', security_storage: 'granted' });
  gtag('set', 'ads_data_redaction', true);
})
