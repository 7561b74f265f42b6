"""Ordinary code runs under the guard as it runs without it: libraries, native look, a page's own patches.

Every check runs in two loads of the same page, plain and guarded, and compares what came out.
"""

# The JavaScript keeps its lines: cut up, it could not be read or tried in a console.

import json
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from optout_gate.rewrite.guard import GuardConfig
from support.guard_site import TRACKER, Site, chromium
from support.npm import npm_available, npm_file

pytestmark = pytest.mark.browser

CONF = GuardConfig(hosts=(TRACKER, "denied.test"), cookies=("_ga*",), storage=("_hj*",))

LIBRARIES = {
    "/react.js": ("react", "18.3.1", "umd/react.development.js"),
    "/react-dom.js": ("react-dom", "18.3.1", "umd/react-dom.development.js"),
    "/vue.js": ("vue", "3.5.13", "dist/vue.global.js"),
    "/jquery.js": ("jquery", "3.7.1", "dist/jquery.js"),
    "/htmx.js": ("htmx.org", "1.9.12", "dist/htmx.js"),
    "/video.js": ("video.js", "8.24.1", "dist/video.js"),
    "/leaflet.js": ("leaflet", "1.9.4", "dist/leaflet.js"),
    "/altcha.js": ("altcha", "3.2.2", "dist/main/altcha.min.js"),
}

USES = {
    "react": """<div id=root><main><h1 style="background-image:url(&quot;/e.gif&quot;)">Cart</h1><ul><li>a</li></ul></main></div>
<script src=/react.js></script><script src=/react-dom.js></script><script>
const h = React.createElement, log = [];
console.error = (...a) => log.push('console.error ' + a[0]);
function App() {
  const [items, set] = React.useState(['a']), [html, setHtml] = React.useState(null), frame = React.useRef();
  React.useEffect(() => { setTimeout(() => { set(['b', 'a', 'c']); setHtml('<b>bold &amp; <img src="/e.gif" alt="x"></b>') }, 20) }, []);
  React.useEffect(() => { if (html) setTimeout(() => done({html: document.getElementById('root').innerHTML, log,
    frame: frame.current.contentDocument.body !== null}), 50) }, [html]);
  return h('main', null, h('h1', {style: {backgroundImage: 'url("/e.gif")'}}, 'Cart'),
    h('ul', null, items.map(i => h('li', {key: i}, i))),
    html && h('div', {dangerouslySetInnerHTML: {__html: html}}), html && h('iframe', {ref: frame, src: '/frame.html', title: 'f'}),
    html && ReactDOM.createPortal(h('p', {id: 'portal'}, 'portal'), document.body),
    html && h('svg', null, h('use', {xlinkHref: '#i'})), html && h('img', {srcSet: '/e.gif 2x', alt: ''}));
}
ReactDOM.hydrateRoot(document.getElementById('root'), h(App));
</script>""",
    "vue": """<div id=app><p v-for="i in items" :key="i" :style="{background: 'url(/e.gif)', color: i}">{{ i }}</p>
<div v-html="html"></div><a :href="link" :ping="null">x</a><component-x></component-x><input v-model="text"></div>
<script src=/vue.js></script><script>
const log = []; console.warn = (...a) => log.push('' + a[0]);
const app = Vue.createApp({ data: () => ({items: ['red'], html: '', link: '/a', text: 't'}), mounted() {
  setTimeout(() => { this.items.unshift('green'); this.html = '<i style="cursor:pointer">&lt;</i>'; this.link = 'https://example.com/' }, 20);
  setTimeout(() => done({html: document.getElementById('app').innerHTML, log}), 120) } });
app.component('component-x', {template: '<section><slot>slot</slot><teleport to="body"><em>tele</em></teleport></section>'});
app.mount('#app');
</script>""",
    "jquery": """<div id=a></div><script src=/jquery.js></script><script>
const log = [];
$('#a').html('<p class=x>one</p><script>log.push("ran inline")<\\/script>').append($('<img>', {src: '/e.gif', alt: ''}))
  .css('background-image', 'url(/e.gif)').find('.x').text('two').attr('title', 't').data('k', 1).on('click', () => log.push('click')).trigger('click');
$.getScript('/lib.js').then(() => $.getJSON('/data.json')).then(j => { log.push(j.answer);
  return $.ajax({url: '/none', dataType: 'json'}).catch(x => log.push(x.status)) }).then(() => $('#a').load('/frame.html p', () =>
  done({html: $('#a')[0].outerHTML, log, lib: self.lib, parsed: $.parseHTML('<td>x</td><script>1<\\/script>').length,
    xml: $($.parseXML('<r><e a="1"/></r>')).find('e').attr('a')})));
</script>""",
    "htmx": """<div id=a hx-get=/fragment.html hx-trigger=load hx-target=#b></div><div id=b></div>
<script src=/htmx.js></script><script>
document.body.addEventListener('htmx:afterSettle', () => setTimeout(() => done({html: document.getElementById('b').innerHTML, ran: self.ran}), 30));
</script>""",
    "map": """<div id=map style="width:300px;height:300px"></div><script src=/leaflet.js></script><script>
const m = L.map('map', {zoomAnimation: false, fadeAnimation: false}).setView([0, 0], 2), t = L.tileLayer('/e.gif?{z}/{x}/{y}').addTo(m);
L.marker([0, 0], {icon: L.icon({iconUrl: '/e.gif'})}).addTo(m).bindPopup('<b>here</b>').openPopup();
t.on('load', () => done({tiles: document.querySelectorAll('.leaflet-tile-loaded').length, popup: document.querySelector('.leaflet-popup-content').innerHTML}));
</script>""",
    # It solves its puzzle in workers from blobs, in a frame.
    "captcha": """<link rel=modulepreload href=/altcha.js><div id=c></div><script>
const f = document.createElement('iframe'); f.src = '/captcha.html'; f.setAttribute('sandbox', 'allow-scripts allow-same-origin');
addEventListener('message', e => done({solved: e.data, same: e.source === f.contentWindow, html: f.outerHTML}));
document.getElementById('c').append(f);
</script>""",
    "player-library": """<video id=p class=video-js controls width=320 height=180 poster="/e.gif"></video>
<script src=/video.js></script><script>
const p = videojs('p', {controls: true, preload: 'none'});
p.ready(() => { p.addRemoteTextTrack({kind: 'captions', src: '/none.vtt', label: 'en'}, false); p.poster('/e.gif?2');
  p.src({src: '/none.mp4', type: 'video/mp4'});
  p.on('volumechange', () => p.muted() && done({poster: p.poster(), source: p.currentSource().src, tracks: p.remoteTextTracks().length,
    parts: [...document.querySelectorAll('#p *')].map(e => e.localName + '.' + [...e.classList].sort().join('.')).sort() }));
  p.muted(true) });
</script>""",
    "player": """<video id=v controls></video><script>
const v = document.getElementById('v'), ms = new MediaSource(), log = [];
ms.addEventListener('sourceopen', () => { log.push(ms.readyState);
  const tt = v.addTextTrack('captions', 'c', 'en'); tt.addCue(new VTTCue(0, 1, 'hi'));
  v.poster = '/e.gif'; v.disablePictureInPicture = true;
  URL.revokeObjectURL(v.src); done({log, cues: tt.cues.length, poster: v.getAttribute('poster'), blob: v.src.slice(0, 5)}) });
v.src = URL.createObjectURL(ms);
</script>""",
}

PUZZLE = {
    "algorithm": "SHA-256",
    "challenge": sha256(b"salt" + b"421").hexdigest(),
    "salt": "salt",
    "maxnumber": 1000,
    "signature": "signed",
}
CAPTCHA = f"""<script type=module src=/altcha.js></script><script>
addEventListener('verified', e => {{ const {{ took, ...solved }} = JSON.parse(atob(e.detail.payload));
  parent.postMessage({{...solved, form: new FormData(document.forms[0]).has('altcha')}}, '*') }}, true);
</script><form><altcha-widget auto=onload challenge='{json.dumps(PUZZLE)}'></altcha-widget></form>"""

# Each is evaluated in both pages; the answers must be equal. Nothing here names the guard.
LOOKS = [
    "fetch.toString()",
    "Function.prototype.toString.call(fetch)",
    "Function.prototype.toString.toString()",
    "Function.prototype.toString.name + Function.prototype.toString.length",
    "'' + WebSocket + Image + Audio + Worker + Blob",
    "[fetch.name, fetch.length, XMLHttpRequest.prototype.open.length, WebSocket.name, WebSocket.length, Worker.length]",
    "Object.getOwnPropertyNames(fetch).concat('prototype' in fetch)",
    "['fetch', 'open', 'WebSocket', 'Blob', 'Worker'].map(n => { let d = Object.getOwnPropertyDescriptor(window, n);"
    "return [d.writable, d.enumerable, d.configurable] })",
    "(d => [d.get.toString(), d.set.toString(), d.set.name, d.enumerable, d.configurable])(Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, 'src'))",
    "(d => [d.get.toString(), d.get.name])(Object.getOwnPropertyDescriptor(HTMLIFrameElement.prototype, 'contentWindow'))",
    "(d => [d.get.toString(), d.set.toString()])(Object.getOwnPropertyDescriptor(Document.prototype, 'cookie'))",
    "WebSocket.prototype.constructor === WebSocket && Blob.prototype.constructor === Blob && Worker.prototype.constructor === Worker",
    "[new Blob(['x']) instanceof Blob, new Image() instanceof HTMLImageElement, new Audio() instanceof HTMLAudioElement]",
    "(class Own extends WebSocket { hello() { return 1 } }).name",
    "(() => { class B extends Blob { twice() { return this.size * 2 } } let b = new B(['abc'], {type: 'text/plain'});"
    "return [b.twice(), b instanceof B, b instanceof Blob, b.constructor === B, Object.prototype.toString.call(b)] })()",
    "(() => { try { WebSocket('ws://localhost/') } catch (e) { return [e.name, e.message, e.constructor === TypeError] } })()",
    "(() => { try { new WebSocket() } catch (e) { return [e.name, e.message] } })()",
    "(() => { try { new WebSocket('nonsense://x') } catch (e) { return [e.name, e.message] } })()",
    "(() => { try { XMLHttpRequest.prototype.open.call({}, 'GET', '/') } catch (e) { return [e.name, e.message] } })()",
    "(() => { try { new XMLHttpRequest().open('GET') } catch (e) { return [e.name, e.message] } })()",
    "(() => { try { document.createElement('p').setAttribute('1 2', 'x') } catch (e) { return [e.name, e.message] } })()",
    "(() => { try { document.createElement('p').setAttribute('a') } catch (e) { return [e.name, e.message] } })()",
    "(() => { try { new Worker('http://other.test/w.js') } catch (e) { return e.name } })()",
    "(() => { try { Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, 'src').set.call({}, 'x') } catch (e) { return e.name } })()",
    "(() => { try { document.body.appendChild(null) } catch (e) { return [e.name, e.message] } })()",
    "(() => { try { document.createElement('style').appendChild(null) } catch (e) { return [e.name, e.message] } })()",
    "(() => { try { navigator.sendBeacon() } catch (e) { return [e.name, e.message] } })()",
    "fetch().catch(e => [e.name, e.message])",
    "fetch('http://').catch(e => [e.name, e.message])",
    "fetch({toString() { throw new RangeError('own') }}).catch(e => [e.name, e.message])",
    "(() => { let n = 0; fetch({toString() { n++; return '/e.gif' }}); return n })()",
    "(() => { let n = 0, i = new Image(); i.setAttribute({toString() { n += 10; return 'src' }}, {toString() { n++; return '/e.gif' }}); return n })()",
    "(() => { let p = document.createElement('p'); p.innerHTML = null; p.textContent = null; p.innerHTML += undefined; return p.innerHTML })()",
    "(() => { let s = document.createElement('p').style; s.background = 'red'; s.background = null; s.backgroundImage = 'url(/e.gif)';"
    "s.cssText += ';color:blue'; return [s.cssText, s.backgroundImage, s['background-image'], s.length, 'mask' in s] })()",
    "(() => { let s = document.createElement('p').style, k = []; for (let n in s) k.push(n); return [k.length, new Set(k).size === k.length] })()",
    "Object.keys(document.createElement('p').style).length",
    "(() => { let p = document.createElement('div'); p.innerHTML = '<a href=\"http://denied.test/\">x</a><p data-src=\"http://denied.test/\" title=\\'a\"b\\'>"
    "&nbsp;&lt;</p><!-- http://denied.test --><textarea><img src=http://denied.test/></textarea><x-y src=//denied.test></x-y>'; return p.innerHTML })()",
    "(() => { let a = document.createElement('a'); a.href = 'http://denied.test/x'; return [a.href, a.hostname] })()",
    "(() => { let i = document.createElement('iframe'); i.srcdoc = ''; document.body.append(i); let r = i.contentWindow.length; i.remove(); return r })()",
    "(() => { let o = HTMLElement.prototype, n = []; for (let k of ['append', 'innerHTML', 'textContent']) n.push(Object.hasOwn(o, k)); return n })()",
    "Object.getOwnPropertyNames(HTMLImageElement.prototype).join()",
    "Object.getOwnPropertyNames(Element.prototype).join()",
    "Object.getOwnPropertyNames(Node.prototype).join()",
    "Object.getOwnPropertyNames(window).filter(n => !/^(__gpp|__uspapi|dataLayer|RUN|runCases)$/.test(n)).length",
    "document.currentScript === null && document.querySelectorAll('iframe').length",
    "(() => { let seen = 0, p = document.createElement('p'); document.body.append(p); p.addEventListener('submit', () => seen++);"
    "p.dispatchEvent(new Event('submit', {bubbles: true})); p.remove(); return seen })()",
    "new Promise(r => { let f = document.createElement('iframe'); f.onload = () => { r(f.contentDocument.documentElement.textContent); f.remove() };"
    "f.src = URL.createObjectURL(new Blob(['<html xmlns=\"http://www.w3.org/1999/xhtml\"><body>1 &amp;&amp; 2</body></html>'], {type: 'application/xhtml+xml'}));"
    "document.body.append(f) })",
    # A page's own patches on top are called, and reach the native through the guard.
    "(() => { let f = fetch, seen = []; window.fetch = function (u) { seen.push(u); return f.apply(this, arguments) };"
    "return fetch('/e.gif').then(r => { window.fetch = f; return [seen, r.status] }) })()",
    "(() => { let p = XMLHttpRequest.prototype, o = p.open, seen = []; p.open = function (m, u) { seen.push(u); return o.apply(this, arguments) };"
    "let x = new XMLHttpRequest(); x.open('GET', '/e.gif', false); x.send(); p.open = o; return [seen, x.status] })()",
    "(() => { let p = Element.prototype, o = p.setAttribute, n = 0; p.setAttribute = function () { n++; return o.apply(this, arguments) };"
    "let e = document.createElement('img'); e.setAttribute('src', '/e.gif'); p.setAttribute = o; return [n, e.getAttribute('src')] })()",
    "(() => { let o = Object.getOwnPropertyDescriptor(HTMLScriptElement.prototype, 'src'), seen = [];"
    "Object.defineProperty(HTMLScriptElement.prototype, 'src', {...o, set(v) { seen.push(v); o.set.call(this, v) }});"
    "let s = document.createElement('script'); s.src = '/empty.js'; Object.defineProperty(HTMLScriptElement.prototype, 'src', o);"
    "return [seen, s.getAttribute('src')] })()",
    'new Promise(r => { let w = new Worker(URL.createObjectURL(new Blob([\'"use strict"; onmessage = e => postMessage([e.data * 2,'
    "(function () { return this === undefined })(), self.constructor.name, typeof importScripts])']))); w.onmessage = e => r(e.data); w.postMessage(21) })",
    "new Promise(r => { let w = new Worker('/broken.js'); w.onerror = e => { e.preventDefault(); r([e.lineno, e.message]) } })",
    "(() => { let b = new Blob(['<p>download'], {type: 'text/html'}); return fetch(URL.createObjectURL(b)).then(r => r.text()) })()",
    "(() => { let f = document.createElement('iframe'); document.body.append(f); let d = f.contentDocument; d.open();"
    "d.write('<p>a'); d.write('<scr' + 'ipt>parent.wrote = 1</scr' + 'ipt><plaintext>'); d.close(); f.remove(); return wrote })()",
    "(() => { let s = document.createElement('style'); s.append('p{color:red}'); s.append('b{color:red}'); document.head.append(s);"
    "let r = [s.sheet.cssRules.length, s.childNodes.length]; s.remove(); return r })()",
]


@pytest.fixture(scope="module")
def sites() -> Iterator[tuple[Site, Site]]:
    pair = Site(None), Site(CONF)
    for site in pair:
        site.pages["/data.json"] = ("application/json", b'{"answer": 42}')
        site.pages["/lib.js"] = ("text/javascript", b"self.lib = 1;")
        site.pages["/broken.js"] = (
            "text/javascript",
            (site.pages["/worker.js"][1].partition(b"\nself.runCases")[0] if site.head else b"") + b"\n\nnowhere();",
        )
        site.pages["/fragment.html"] = (
            "text/html",
            b"<p class=new onclick='1'>swapped</p><script>self.ran = 1</script><img src=/e.gif alt=''>",
        )
        site.pages["/captcha.html"] = ("text/html", site.document(CAPTCHA.encode()))
    yield pair
    for site in pair:
        site.close()


@pytest.fixture(scope="module")
def pages(sites: tuple[Site, Site]) -> Iterator[tuple[Page, Page]]:
    with chromium() as browser:
        plain, guarded = (opened(browser, site, "/") for site in sites)
        yield plain, guarded


def note(errors: list[str], error: Exception) -> None:
    errors.append(str(error))


def opened(browser: Browser, site: Site, path: str) -> Page:
    page = browser.new_context().new_page()
    page.goto(site.address + path)
    return page


@pytest.mark.parametrize("look", LOOKS)
def test_what_code_can_see_is_as_native(look: str, pages: tuple[Page, Page]) -> None:
    plain, guarded = (page.evaluate(f"() => {look}") for page in pages)
    assert guarded == plain
    assert plain is not None


@pytest.mark.parametrize("library", USES)
def test_a_library_runs_as_without_the_guard(library: str, sites: tuple[Site, Site], pages: tuple[Page, Page]) -> None:
    if not npm_available():
        pytest.skip("npm is not installed, so published libraries cannot be fetched")
    results: list[Any] = []
    for site, page in zip(sites, pages, strict=True):
        for path, (package, version, file) in LIBRARIES.items():
            if path in USES[library]:
                site.pages[path] = ("text/javascript", npm_file(package, version, file))
        start = "<script>self.result = new Promise(r => self.done = r)</script>"
        site.pages[f"/{library}"] = ("text/html", site.document((start + USES[library]).encode()))
        errors: list[str] = []
        use = page.context.new_page()
        use.on("pageerror", partial(note, errors))
        use.goto(site.address + f"/{library}")
        result = use.evaluate("Promise.race([result, new Promise(r => setTimeout(r, 8000, 'nothing came'))])")
        results.append((result, errors))
        use.close()
    plain, guarded = results
    assert plain[0] != "nothing came"
    assert guarded == plain
    assert plain[1] == []
