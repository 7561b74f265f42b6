"""Every way to reach a third party from script that the guard is held to, one line of JavaScript each.

A case runs as a function in its realm. ``u(ending)`` makes the address, joined at run time so that no filter on text
could find it; ``d`` is the document, ``b`` its body, ``put(el)`` appends to the body, ``make(tag, attributes)``
creates, ``blank()`` inserts a blank frame and returns its window, ``quoted(s)`` writes a string as JavaScript,
``work(script, options)`` starts a worker from a blob, ``job(script)`` is a message that has a worker of the site run it. ``vendor``
is the first part of the host's name, and ``tell()`` says to the third party's server that something was kept.
Add a line before you add a branch to the guard.
"""

# One way out is one line, however long: cut up, the JavaScript could not be read or tried in a console.

from dataclasses import dataclass

PAGE, FRAME, WORKER = "page", "frame", "worker"
DOCUMENTS = (PAGE, FRAME)
EVERYWHERE = (PAGE, FRAME, WORKER)


@dataclass(frozen=True, slots=True)
class Channel:
    """One way out."""

    name: str
    js: str
    realms: tuple[str, ...] = DOCUMENTS
    stopped_by: str = "guard"
    open_because: str = ""
    """Why the guard cannot stop it; the test then demands that it does get out, so that the day it does not shows."""
    unprovable: str = ""
    """Why the third party sees nothing even without the guard."""
    raw: bool = False
    """It does not speak HTTP, so the call carries no id."""


def rows(stopped_by: str, realms: tuple[str, ...], *cases: tuple[str, str]) -> list[Channel]:
    return [Channel(name, js, realms, stopped_by) for name, js in cases]


CHANNELS: tuple[Channel, ...] = (
    *rows(
        "guard",
        EVERYWHERE,
        ("fetch", "fetch(u('txt')).catch(function(){})"),
        ("fetch of a Request", "fetch(new Request(u('txt'))).catch(function(){})"),
        ("fetch of a URL object", "fetch(new URL(u('txt'))).catch(function(){})"),
        ("fetch with keepalive", "fetch(u('txt'), {method:'POST', keepalive:true, body:'x'}).catch(function(){})"),
        ("fetch through Reflect", "Reflect.apply(fetch, self, [u('txt')]).catch(function(){})"),
        (
            "fetch, host in capitals and a final dot",
            "fetch(u('txt').replace(/localhost:/, 'LocalHost.:')).catch(function(){})",
        ),
        ("fetch, tab inside the address", "fetch(u('txt').replace('http', 'ht\\ttp')).catch(function(){})"),
        ("fetch, backslashes", "fetch(u('txt').replace('//', '\\\\\\\\')).catch(function(){})"),
        ("XMLHttpRequest", "var x = new XMLHttpRequest(); x.open('GET', u('txt')); x.send()"),
        (
            "XMLHttpRequest, synchronous",
            "var x = new XMLHttpRequest(); x.open('GET', u('txt'), false); try { x.send() } catch (e) {}",
        ),
        ("WebSocket", "new WebSocket(u('txt').replace('http', 'ws'))"),
        ("WebSocketStream", "new WebSocketStream(u('txt').replace('http', 'ws')).opened.catch(function(){})"),
        ("EventSource", "new EventSource(u('event'))"),
        ("Cache.add", "caches.open('c').then(function(c){ return c.add(u('txt')) }).catch(function(){})"),
        ("Cache.addAll", "caches.open('d').then(function(c){ return c.addAll([u('txt')]) }).catch(function(){})"),
        (
            "worker from a blob",
            "new Worker(URL.createObjectURL(new Blob(['fetch(' + quoted(u('txt')) + ')'], {type:'text/javascript'})))",
        ),
        (
            "worker from a blob, address revoked at once",
            "var a = URL.createObjectURL(new Blob(['fetch(' + quoted(u('txt')) + ')'], {type:'text/javascript'}));"
            "new Worker(a); URL.revokeObjectURL(a)",
        ),
        (
            "worker from a blob of bytes",
            "new Worker(URL.createObjectURL(new Blob([new TextEncoder().encode('fetch(' + quoted(u('txt')) + ')')])))",
        ),
        (
            "module worker from a blob",
            "new Worker(URL.createObjectURL(new Blob(['fetch(' + quoted(u('txt')) + ')'], {type:'text/javascript'})),"
            "{type:'module'})",
        ),
        (
            "module worker from a blob, static import",
            "new Worker(URL.createObjectURL(new Blob(['import ' + quoted(u('js'))], {type:'text/javascript'})),"
            "{type:'module'})",
        ),
        (
            "worker from a data: address",
            "new Worker('data:text/javascript,' + encodeURIComponent('fetch(' + quoted(u('txt')) + ')'))",
        ),
        (
            "worker from base64",
            "new Worker('data:text/javascript;base64,' + btoa('fetch(' + quoted(u('txt')) + ')'))",
        ),
        ("worker of the site", "new Worker('/worker.js').postMessage(job('fetch(' + quoted(u('txt')) + ')'))"),
        (
            "module worker of the site",
            "new Worker('/worker.js', {type:'module'}).postMessage(job('fetch(' + quoted(u('txt')) + ')'))",
        ),
        (
            "worker from a blob in a worker from a blob",
            "work('new Worker(URL.createObjectURL(new Blob([' + quoted('fetch(' + quoted(u('txt')) + ')') + '])))')",
        ),
        (
            "worker from a data: address in another",
            "new Worker('data:text/javascript,' + encodeURIComponent('new Worker(\"data:text/javascript,\" + encodeURIComponent(' + quoted('fetch(' + quoted(u('txt')) + ')') + '))'))",
        ),
        ("importScripts in a worker from a blob", "work('importScripts(' + quoted(u('js')) + ')')"),
        (
            "importScripts of a blob that calls importScripts",
            "work('importScripts(URL.createObjectURL(new Blob([' + quoted('importScripts(' + quoted(u('js')) + ')') + '])))')",
        ),
        (
            "module worker from a blob that imports a blob, static import",
            "work('import ' + quoted(URL.createObjectURL(new Blob(['import ' + quoted(u('js'))], {type:'text/javascript'}))), {type:'module'})",
        ),
        ("FontFace", "new FontFace('z', 'url(' + u('txt') + ')').load().catch(function(){})"),
        (
            "fetch of a cloned Request",
            "fetch(new Request(new Request(u('txt')), {method:'POST'}).clone()).catch(function(){})",
        ),
        ("fetch in a string for eval", "(0, eval)('fetch(' + quoted(u('txt')) + ').catch(function(){})')"),
        ("fetch in a string for setTimeout", "setTimeout('fetch(' + quoted(u('txt')) + ').catch(function(){})', 0)"),
        ("fetch in a string for Function", "new Function('a', 'fetch(a).catch(function(){})')(u('txt'))"),
    ),
    *rows(
        "guard",
        (WORKER,),
        ("importScripts", "try { importScripts(u('js')) } catch (e) {}"),
        ("importScripts of two", "try { importScripts('/empty.js', u('js')) } catch (e) {}"),
    ),
    *rows(
        "guard",
        DOCUMENTS,
        ("sendBeacon", "navigator.sendBeacon(u('txt'), 'x')"),
        (
            "shared worker from a blob",
            "new SharedWorker(URL.createObjectURL(new Blob(['fetch(' + quoted(u('txt')) + ')'])))",
        ),
        (
            "importScripts in a shared worker from a blob",
            "new SharedWorker(URL.createObjectURL(new Blob(['importScripts(' + quoted(u('js')) + ')'])))",
        ),
        ("fetchLater", "fetchLater(u('txt'), {activateAfter:0})"),
        (
            "fetch in a script element's text",
            "put(make('script', {text:'fetch(' + quoted(u('txt')) + ').catch(function(){})'}))",
        ),
        (
            "fetch on a message",
            "addEventListener('message', function(e){ if (e.data === id) fetch(u('txt')).catch(function(){}) }); postMessage(id, '*')",
        ),
        (
            "FedCM",
            "navigator.credentials.get({identity:{providers:[{configURL:u('txt'), clientId:'x'}]}}).catch(function(){})",
        ),
        ("new Image", "new Image().src = u('gif')"),
        ("img, src by property", "make('img').src = u('gif')"),
        ("img, src by setAttribute", "make('img').setAttribute('SRC', u('gif'))"),
        ("img, src by setAttributeNS", "make('img').setAttributeNS(null, 'src', u('gif'))"),
        (
            "img, src by setAttributeNode",
            "var a = d.createAttribute('src'); a.value = u('gif'); make('img').setAttributeNode(a)",
        ),
        (
            "img, src by NamedNodeMap",
            "var a = d.createAttribute('src'); a.value = u('gif'); make('img').attributes.setNamedItem(a)",
        ),
        ("img, src by Attr.value", "var i = make('img', {src:'/e.gif'}); i.attributes[0].value = u('gif')"),
        ("img, src by Attr.nodeValue", "var i = make('img', {src:'/e.gif'}); i.attributes[0].nodeValue = u('gif')"),
        (
            "img, src by Attr.textContent",
            "var i = make('img', {src:'/e.gif'}); i.attributes[0].textContent = u('gif')",
        ),
        (
            "img, src made by toggleAttribute",
            "var i = make('img'); i.toggleAttribute('src', true); i.attributes.src.value = u('gif')",
        ),
        (
            "link, href taken from an a",
            "var a = make('a', {href:u('css')}), l = make('link', {rel:'stylesheet'}); l.setAttributeNode(a.removeAttributeNode(a.attributes.href)); put(l)",
        ),
        (
            "table cell, background by setAttribute",
            "var t = put(make('table')); t.innerHTML = '<tr><td>x</td></tr>'; t.querySelector('td').setAttribute('background', u('gif'))",
        ),
        ("img, srcset", "make('img').srcset = '/e.gif 0.1x, ' + u('gif') + ' 1x'"),
        ("img, address without its scheme", "make('img').src = u('gif').slice(5)"),
        ("img, unencoded spaces around", "make('img').src = ' \\n' + u('gif') + ' '"),
        (
            "picture source",
            "var p = put(make('picture')); p.append(make('source', {srcset: u('gif')})); p.append(make('img'))",
        ),
        ("input of type image", "put(make('input', {type:'image'})).src = u('gif')"),
        ("video, src", "make('video').src = u('txt')"),
        ("video, poster", "put(make('video')).poster = u('gif')"),
        ("audio, src", "make('audio').src = u('txt')"),
        ("new Audio", "new Audio(u('txt'))"),
        ("audio, source element", "var a = put(make('audio')), s = make('source'); s.src = u('txt'); a.append(s)"),
        (
            "track",
            "var v = put(make('video', {crossorigin:''})); v.append(make('track', {default:'', src:u('vtt')})); v.textTracks[0].mode = 'showing'",
        ),
        ("embed, src", "var e = make('embed', {type:'text/html'}); e.src = u('html'); put(e)"),
        ("object, data", "var o = make('object'); o.data = u('html'); put(o)"),
        ("iframe, src before insertion", "var f = make('iframe'); f.src = u('html'); put(f)"),
        ("iframe, src after insertion", "put(make('iframe')).src = u('html')"),
        ("iframe, src by setAttribute", "put(make('iframe')).setAttribute('src', u('html'))"),
        ("script, src by property", "var s = make('script'); s.src = u('js'); put(s)"),
        (
            "script, src by setAttribute",
            "var s = make('script'); s.setAttribute('src', u('js')); b.insertBefore(s, null)",
        ),
        ("script, module", "var s = make('script', {type:'module'}); s.src = u('js'); put(s)"),
        (
            "script, src of SVG",
            "var s = d.createElementNS('http://www.w3.org/2000/svg', 'script'); s.setAttribute('href', u('js')); put(s)",
        ),
        ("link, style sheet", "var l = make('link', {rel:'stylesheet'}); l.href = u('css'); put(l)"),
        ("link, rel set last", "var l = put(make('link')); l.href = u('css'); l.rel = 'stylesheet'"),
        ("link, preload", "put(make('link', {rel:'preload', as:'fetch', crossorigin:'', href:u('txt')}))"),
        (
            "link, preload of an image set",
            "put(make('link', {rel:'preload', as:'image', imagesrcset:u('gif')+' 1x'}))",
        ),
        ("link, modulepreload", "put(make('link', {rel:'modulepreload', href:u('js')}))"),
        (
            "module script from a blob, static import",
            "put(make('script', {type:'module', src:URL.createObjectURL(new Blob(['import ' + quoted(u('js'))], {type:'text/javascript'}))}))",
        ),
        (
            "module script from a data: address, static import",
            "put(make('script', {type:'module', src:'data:text/javascript,' + encodeURIComponent('import ' + quoted(u('js')))}))",
        ),
        (
            "import() of a blob with a static import",
            "import(URL.createObjectURL(new Blob(['import ' + quoted(u('js'))], {type:'text/javascript'}))).catch(function(){})",
        ),
        ("link, prefetch", "put(make('link', {rel:'prefetch', href:u('txt')}))"),
        ("style, @import", "var s = make('style'); s.textContent = '@import ' + quoted(u('css')); put(s)"),
        (
            "style, @import in two text nodes",
            "var s = put(make('style')); s.append('@import url(' + u('css').slice(0, 9)); s.append(u('css').slice(9) + ');')",
        ),
        (
            "style, text node appended",
            "var s = put(make('style')); s.appendChild(d.createTextNode('@import url(' + u('css') + ')'))",
        ),
        (
            "style, text node changed",
            "var s = put(make('style')), t = d.createTextNode('x{}'); s.append(t); t.data = '@import ' + quoted(u('css'))",
        ),
        (
            "style, text node extended",
            "var s = put(make('style')), t = d.createTextNode('@import '); s.append(t); t.appendData(quoted(u('css')))",
        ),
        ("style, innerHTML", "put(make('style')).innerHTML = '@import ' + quoted(u('css'))"),
        (
            "style, insertAdjacentHTML",
            "put(make('style')).insertAdjacentHTML('beforeend', '@import ' + quoted(u('css')))",
        ),
        ("style, setHTMLUnsafe", "put(make('style')).setHTMLUnsafe('@import ' + quoted(u('css')))"),
        (
            "style, insertAdjacentText",
            "put(make('style')).insertAdjacentText('beforeend', '@import ' + quoted(u('css')))",
        ),
        (
            "style, text beside text",
            "var s = put(make('style')); s.append('/**/'); s.firstChild.before('@import ' + quoted(u('css')) + ';')",
        ),
        (
            "style, text in place of text",
            "var s = put(make('style')); s.textContent = 'x{}'; s.firstChild.replaceWith('@import ' + quoted(u('css')))",
        ),
        (
            "style, text beside an element",
            "var s = put(make('style')); s.append(make('b')); s.firstChild.after('@import ' + quoted(u('css')))",
        ),
        (
            "style, text by a Range",
            "var s = put(make('style')), r = d.createRange(); r.selectNodeContents(s); r.insertNode(d.createTextNode('@import ' + quoted(u('css'))))",
        ),
        (
            "style, fragment",
            "var f = d.createDocumentFragment(); f.append('@import ' + quoted(u('css'))); put(make('style')).append(f)",
        ),
        (
            "style, appendChild of Node.prototype",
            "var s = make('style'); Node.prototype.appendChild.call(s, d.createTextNode('@import ' + quoted(u('css')))); put(s)",
        ),
        (
            "style, textContent of Node.prototype",
            "var s = make('style'); Object.getOwnPropertyDescriptor(Node.prototype, 'textContent').set.call(s, '@import ' + quoted(u('css'))); put(s)",
        ),
        (
            "style, appendChild borrowed from a blank frame",
            "var s = make('style'); blank().Node.prototype.appendChild.call(s, d.createTextNode('@import ' + quoted(u('css')))); put(s)",
        ),
        (
            "style, under a prefix",
            "var s = d.createElementNS('http://www.w3.org/1999/xhtml', 'x:style'); s.append('@import ' + quoted(u('css'))); put(s)",
        ),
        (
            "xml-stylesheet instruction",
            "d.insertBefore(d.createProcessingInstruction('xml-stylesheet', 'type=\"text/css\" href=\"' + u('css') + '\"'), d.documentElement)",
        ),
        (
            "xml-stylesheet instruction, data set later",
            "var i = d.insertBefore(d.createProcessingInstruction('xml-stylesheet', ''), d.documentElement); i.data = 'type=\"text/css\" href=\"' + u('css') + '\"'",
        ),
        (
            "style, escaped keyword",
            "put(make('p')).className = 'esc'; put(make('style')).textContent = '.esc{background:\\\\75 rl(' + u('gif') + ')}'",
        ),
        (
            "style, escaped address",
            "put(make('p')).className = 'es2'; put(make('style')).textContent = '.es2{background:url(' + u('gif').replace(':', '\\\\3a ') + ')}'",
        ),
        ("style, image-set", "put(make('p')).style.cssText = 'background:image-set(' + quoted(u('gif')) + ' 1x)'"),
        (
            "style, @font-face",
            "put(make('style')).textContent = '@font-face{font-family:ff;src:url(' + u('txt') + ')} .ff{font-family:ff}'; put(make('p', {class:'ff'})).textContent = 'x'",
        ),
        ("style property, background", "put(make('p')).style.background = 'url(' + u('gif') + ')'"),
        ("style property, backgroundImage", "put(make('p')).style.backgroundImage = 'url(\"' + u('gif') + '\")'"),
        ("style property, dashed name", "put(make('li')).style['list-style-image'] = 'url(' + u('gif') + ')'"),
        (
            "style property, borderImage",
            "var p = put(make('p')); p.style.border = '9px solid'; p.style.borderImage = 'url(' + u('gif') + ') 1'",
        ),
        ("style property, content", "put(make('p')).style.content = 'url(' + u('gif') + ')'"),
        ("style property, maskImage", "put(make('p')).style.webkitMaskImage = 'url(' + u('gif') + ')'"),
        ("style.setProperty", "put(make('p')).style.setProperty('background-image', 'url(' + u('gif') + ')')"),
        (
            "custom property",
            "var p = put(make('p')); p.style.setProperty('--x', 'url(' + u('gif') + ')'); p.style.background = 'var(--x)'",
        ),
        (
            "custom property, registered with an image",
            "CSS.registerProperty({name:'--rp', syntax:'<image>', inherits:false, initialValue:'url(' + u('gif') + ')'}); put(make('p')).style.background = 'var(--rp)'",
        ),
        (
            "custom property, @property with an image",
            "put(make('style')).textContent = '@property --rq{syntax:\"<image>\";inherits:false;initial-value:url(' + u('gif') + ')}'; put(make('p')).style.background = 'var(--rq)'",
        ),
        (
            "custom property, string for image-set",
            "var p = put(make('p')); p.style.setProperty('--v', quoted(u('gif'))); p.style.background = 'image-set(var(--v) 1x)'",
        ),
        ("style.cssText", "put(make('p')).style.cssText = 'background:url(' + u('gif') + ')'"),
        ("style attribute", "put(make('p')).setAttribute('style', 'background:url(' + u('gif') + ')')"),
        ("style assigned", "put(make('p')).style = 'background:url(' + u('gif') + ')'"),
        (
            "style of a drawing assigned",
            "var s = put(d.createElementNS('http://www.w3.org/2000/svg', 'svg')); s.style = 'background:url(' + u('gif') + ')'",
        ),
        (
            "style of a rule assigned",
            "var p = put(make('p')), s = put(make('style', {text: ''})); p.id = id; s.textContent = '[id=' + quoted(id) + ']{color:red}'; "
            "s.sheet.cssRules[0].style = 'background:url(' + u('gif') + ')'",
        ),
        ("attributeStyleMap", "put(make('p')).attributeStyleMap.set('background-image', 'url(' + u('gif') + ')')"),
        (
            "attributeStyleMap, CSSUnparsedValue",
            "put(make('p')).attributeStyleMap.set('background-image', new CSSUnparsedValue(['url(' + u('gif') + ')']))",
        ),
        (
            "insertRule",
            "put(make('p')).className = 'ir'; var s = put(make('style')); s.sheet.insertRule('.ir{background:url(' + u('gif') + ')}')",
        ),
        (
            "addRule",
            "put(make('p')).className = 'ar'; var s = put(make('style')); s.sheet.addRule('.ar', 'background:url(' + u('gif') + ')')",
        ),
        (
            "nested insertRule",
            "put(make('p')).className = 'ni'; var s = put(make('style')); s.textContent = '@media all{}'; s.sheet.cssRules[0].insertRule('.ni{background:url(' + u('gif') + ')}')",
        ),
        (
            "rule.style",
            "put(make('p')).className = 'rs'; var s = put(make('style')); s.textContent = '.rs{}'; s.sheet.cssRules[0].style.backgroundImage = 'url(' + u('gif') + ')'",
        ),
        (
            "rule.style of @font-face",
            "var s = put(make('style')); s.textContent = '@font-face{font-family:fr}'; s.sheet.cssRules[0].style.setProperty('src', 'url(' + u('txt') + ')'); put(make('p', {style:'font-family:fr'})).textContent = 'x'",
        ),
        (
            "rule.style of a keyframe",
            "var s = put(make('style')); s.textContent = '@keyframes kf{from{} to{}}'; s.sheet.cssRules[0].cssRules[0].style.backgroundImage = 'url(' + u('gif') + ')'; put(make('p')).style.animation = 'kf 5s'",
        ),
        (
            "adoptedStyleSheets, replaceSync",
            "put(make('p')).className = 'as'; var s = new CSSStyleSheet; s.replaceSync('.as{background:url(' + u('gif') + ')}'); d.adoptedStyleSheets = [s]",
        ),
        (
            "adoptedStyleSheets, replace",
            "put(make('p')).className = 'ap'; var s = new CSSStyleSheet; s.replace('.ap{background:url(' + u('gif') + ')}'); d.adoptedStyleSheets.push(s)",
        ),
        (
            "adoptedStyleSheets, insertRule",
            "put(make('p')).className = 'ai'; var s = new CSSStyleSheet; d.adoptedStyleSheets.push(s); s.insertRule('.ai{background:url(' + u('gif') + ')}')",
        ),
        (
            "animate",
            "put(make('p')).animate([{backgroundImage:'url(' + u('gif') + ')'}, {backgroundImage:'none'}], 5000)",
        ),
        ("innerHTML, img", "put(make('div')).innerHTML = '<img src=' + u('gif') + '>'"),
        (
            "innerHTML, img before insertion",
            "make('div').innerHTML = '<b><img alt=\">\" src=\"' + u('gif') + '\"></b>'",
        ),
        (
            "innerHTML, character references",
            "put(make('div')).innerHTML = '<img src=\"' + u('gif').replace('http', '&#104;ttp').replace('://', '&colon;&sol;&sol;') + '\">'",
        ),
        (
            "innerHTML, backslashes",
            "put(make('div')).innerHTML = '<img src=' + u('gif').replace('//', '\\\\\\\\') + '>'",
        ),
        ("innerHTML, upper case and slashes", "put(make('div')).innerHTML = '<IMG/SRC=' + u('gif') + '>'"),
        (
            "innerHTML, after a comment with a quote",
            "put(make('div')).innerHTML = '<!-- \" --><img src=' + u('gif') + '><!-- \" -->'",
        ),
        (
            "innerHTML, after raw text",
            "put(make('div')).innerHTML = '<textarea><a b=\"</textarea><img src=' + u('gif') + '><a b=\">'",
        ),
        ("innerHTML, image element", "put(make('div')).innerHTML = '<image src=' + u('gif') + '>'"),
        (
            "innerHTML, style attribute",
            "put(make('div')).innerHTML = '<p style=\"background:url(' + u('gif') + ')\">x</p>'",
        ),
        ("innerHTML, style element", "put(make('div')).innerHTML = '<style>@import url(' + u('css') + ')</style>'"),
        (
            "innerHTML, table background",
            "put(make('div')).innerHTML = '<table><tr><td background=' + u('gif') + '>x</table>'",
        ),
        (
            "innerHTML, SVG image",
            "put(make('div')).innerHTML = '<svg><image xlink:href=' + u('gif') + ' width=9 height=9 /></svg>'",
        ),
        (
            "innerHTML, SVG style",
            "put(make('div')).innerHTML = '<svg><style>@import url(' + u('css') + ')</style></svg>'",
        ),
        (
            "innerHTML, SVG title",
            "put(make('div')).innerHTML = '<svg><title><img src=' + u('gif') + '></title></svg>'",
        ),
        ("innerHTML, iframe", "put(make('div')).innerHTML = '<iframe src=' + u('html') + '></iframe>'"),
        (
            "innerHTML, event handler",
            "put(make('div')).innerHTML = '<img src=/none onerror=\"this.onerror=null;this.src=' + quoted(u('gif')).replace(/\"/g, '&quot;') + '\">'",
        ),
        ("outerHTML", "var p = put(make('p')); p.outerHTML = '<img src=' + u('gif') + '>'"),
        ("insertAdjacentHTML", "b.insertAdjacentHTML('beforeend', '<img src=' + u('gif') + '>')"),
        ("setHTMLUnsafe", "put(make('div')).setHTMLUnsafe('<img src=' + u('gif') + '>')"),
        ("setHTML", "put(make('div')).setHTML('<img src=' + u('gif') + '>', {sanitizer:{}})"),
        (
            "declarative shadow root",
            "put(make('div')).setHTMLUnsafe('<div><template shadowrootmode=open><img src=' + u('gif') + '></template></div>')",
        ),
        (
            "shadow root, innerHTML",
            "put(make('div')).attachShadow({mode:'closed'}).innerHTML = '<img src=' + u('gif') + '>'",
        ),
        (
            "shadow root, element",
            "var i = make('img'); put(make('div')).attachShadow({mode:'closed'}).append(i); i.src = u('gif')",
        ),
        (
            "template",
            "var t = make('template'); t.innerHTML = '<img src=' + u('gif') + '>'; b.append(d.importNode(t.content, true))",
        ),
        ("createContextualFragment", "d.createRange().createContextualFragment('<img src=' + u('gif') + '>')"),
        (
            "createContextualFragment, script",
            "b.append(d.createRange().createContextualFragment('<script src=' + u('js') + '></scr' + 'ipt>'))",
        ),
        (
            "DOMParser",
            "b.append(new DOMParser().parseFromString('<img src=' + u('gif') + '>', 'text/html').body.firstChild)",
        ),
        (
            "DOMParser, XML",
            "b.append(new DOMParser().parseFromString('<svg xmlns=\"http://www.w3.org/2000/svg\"><image href=\"' + u('gif') + '\" width=\"9\" height=\"9\"/></svg>', 'image/svg+xml').documentElement)",
        ),
        ("parseHTMLUnsafe", "b.append(Document.parseHTMLUnsafe('<img src=' + u('gif') + '>').body.firstChild)"),
        (
            "inert document, innerHTML",
            "var x = d.implementation.createHTMLDocument(''); x.body.innerHTML = '<img src=' + u('gif') + '>'; b.append(d.adoptNode(x.body.firstChild))",
        ),
        (
            "inert document",
            "var i = d.implementation.createHTMLDocument('').createElement('img'); i.src = u('gif'); b.append(i)",
        ),
        (
            "XSLT",
            "var x = new XSLTProcessor; x.importStylesheet(new DOMParser().parseFromString('<xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\"><xsl:template match=\"/\"><img src=\"{concat(\\'ht\\', substring-after(\\'' + u('gif') + '\\', \\'ht\\'))}\"/></xsl:template></xsl:stylesheet>', 'text/xml')); b.append(x.transformToFragment(d.implementation.createDocument('', 'r', null), d))",
        ),
        (
            "execCommand",
            "var p = put(make('p', {contenteditable:''})); p.focus(); d.execCommand('insertHTML', false, '<img src=' + u('gif') + '>')",
        ),
        (
            "SVG image, setAttributeNS",
            "var s = put(d.createElementNS('http://www.w3.org/2000/svg', 'svg')), i = d.createElementNS('http://www.w3.org/2000/svg', 'image'); i.setAttributeNS('http://www.w3.org/1999/xlink', 'xlink:href', u('gif')); s.append(i)",
        ),
        (
            "SVG image, href.baseVal",
            "var s = put(d.createElementNS('http://www.w3.org/2000/svg', 'svg')), i = d.createElementNS('http://www.w3.org/2000/svg', 'image'); s.append(i); i.href.baseVal = u('gif')",
        ),
        (
            "SVG animate, one of several values",
            "put(make('div')).innerHTML = '<svg><image href=/e.gif width=9 height=9><animate attributeName=href values=\"/e.gif;' + u('gif') + '\" dur=\".1s\" fill=freeze /></image></svg>'",
        ),
        (
            "SVG set, by setAttribute",
            "var h = put(make('div')); h.innerHTML = '<svg><image href=/e.gif width=9 height=9><set attributeName=href /></image></svg>'; h.querySelector('set').setAttribute('to', u('gif'))",
        ),
        (
            "SVG set, of a style property",
            "put(make('div')).innerHTML = '<svg width=9 height=9><rect width=9 height=9><set attributeName=mask to=\"url(' + u('svg') + '#a)\" /></rect></svg>'",
        ),
        (
            "SVG mask attribute",
            "put(make('div')).innerHTML = '<svg width=9 height=9><rect width=9 height=9 mask=\"url(' + u('svg') + '#a)\" /></svg>'",
        ),
        (
            "SVG feImage",
            "var s = put(make('div')); s.innerHTML = '<svg><filter id=fi><feImage href=' + u('gif') + ' /></filter><rect width=9 height=9 filter=url(#fi) /></svg>'",
        ),
        (
            "a ping",
            "put(make('iframe', {name:'t5'})); var a = put(make('a', {href:'/e.gif', target:'t5', ping:u('txt')})); a.click()",
        ),
        (
            "form.submit",
            "put(make('iframe', {name:'t1'})); put(make('form', {action:u('html'), target:'t1'})).submit()",
        ),
        (
            "form.requestSubmit",
            "put(make('iframe', {name:'t2'})); put(make('form', {action:u('html'), target:'t2'})).requestSubmit()",
        ),
        (
            "formaction of a button",
            "put(make('iframe', {name:'t3'})); var f = put(make('form', {action:'/e.gif', target:'t3'})), k = make('button', {formaction:u('html')}); f.append(k); k.click()",
        ),
        (
            "form in a shadow tree",
            "put(make('iframe', {name:'t4'})); var r = put(make('div')).attachShadow({mode:'closed'}), f = make('form', {action:u('html'), target:'t4'}); r.append(f); f.requestSubmit()",
        ),
        (
            "submit event kept from the document",
            "addEventListener('submit', function(e){ if (e.target.target === 't6') e.stopImmediatePropagation() }, true); put(make('iframe', {name:'t6'})); put(make('form', {action:u('html'), target:'t6'})).requestSubmit()",
        ),
        (
            "form in a declarative shadow tree",
            "put(make('iframe', {name:'t7'})); var h = put(make('div')); h.setHTMLUnsafe('<div><template shadowrootmode=open><form target=t7></form></template></div>'); var f = h.firstChild.shadowRoot.firstChild; f.action = u('html'); f.requestSubmit()",
        ),
        (
            "button of a form in a declarative shadow tree",
            "put(make('iframe', {name:'t8'})); var h = put(make('div')); h.setHTMLUnsafe('<div><template shadowrootmode=open><form target=t8><button>x</button></form></template></div>'); var f = h.firstChild.shadowRoot.firstChild; f.action = u('html'); f.firstChild.click()",
        ),
        (
            "a, click into a frame",
            "put(make('iframe', {name:'t9'})); put(make('a', {href:u('html'), target:'t9'})).click()",
        ),
        (
            "a, click into a frame, of none in the document",
            "put(make('iframe', {name:'t10'})); make('a', {href:u('html'), target:'t10'}).click()",
        ),
        (
            "a, click into a frame, dispatched to a child",
            "put(make('iframe', {name:'t11'})); var a = put(make('a', {href:u('html'), target:'t11'})); a.append(make('b')); a.firstChild.dispatchEvent(new MouseEvent('click', {bubbles:true}))",
        ),
        (
            "a of SVG, click into a frame",
            "put(make('iframe', {name:'t12'})); var a = d.createElementNS('http://www.w3.org/2000/svg', 'a'); a.setAttribute('href', u('html')); a.setAttribute('target', 't12'); put(d.createElementNS('http://www.w3.org/2000/svg', 'svg')).append(a); a.dispatchEvent(new MouseEvent('click', {bubbles:true}))",
        ),
        (
            "area, click into a frame",
            "put(make('iframe', {name:'t13'})); put(make('area', {href:u('html'), target:'t13'})).click()",
        ),
        ("window.open into a frame", "put(make('iframe', {name:'t14'})); open(u('html'), 't14')"),
        (
            "document.open with three arguments",
            "var w = d.open(u('html'), '_blank', 'x'); setTimeout(function(){ w && w.close() }, 1500)",
        ),
        ("window.open", "var w = open(u('html')); setTimeout(function(){ w && w.close() }, 1500)"),
        (
            "window.open, then a request in it",
            "var w = open(''); w.fetch(u('txt')).catch(function(){}); setTimeout(function(){ w.close() }, 1500)",
        ),
        ("blank frame, fetch", "blank().fetch(u('txt')).catch(function(){})"),
        ("blank frame, Image", "new (blank().Image)().src = u('gif')"),
        ("blank frame, native borrowed", "blank().Element.prototype.setAttribute.call(make('img'), 'src', u('gif'))"),
        (
            "blank frame, setter borrowed",
            "Object.getOwnPropertyDescriptor(blank().HTMLImageElement.prototype, 'src').set.call(make('img'), u('gif'))",
        ),
        (
            "blank frame, by index",
            "put(make('iframe')); window[window.length - 1].fetch(u('txt')).catch(function(){})",
        ),
        (
            "blank frame, fetch kept after removal",
            "var w = blank(), F = w.XMLHttpRequest, x = new F(); x.open('GET', u('txt')); x.send()",
        ),
        (
            "blank frame in a frame",
            "var w = blank(); w.document.body.append(w.document.createElement('iframe')); w[0].fetch(u('txt')).catch(function(){})",
        ),
        (
            "blank frame in a shadow tree",
            "var f = make('iframe'), r = put(make('div')).attachShadow({mode:'closed'}); r.append(f); f.contentWindow.fetch(u('txt')).catch(function(){})",
        ),
        (
            "blank frame, innerHTML of an iframe",
            "put(make('div')).innerHTML = '<iframe></iframe>'; b.lastChild.firstChild.contentDocument.defaultView.fetch(u('txt')).catch(function(){})",
        ),
        ("blank frame, document.write", "var x = blank().document; x.write('<img src=' + u('gif') + '>'); x.close()"),
        (
            "document.write, tag in two pieces",
            "var x = blank().document; x.write('<img alt=\"a'); x.write('>\" src=' + u('gif') + '>'); x.close()",
        ),
        (
            "document.write, script",
            "var x = blank().document; x.writeln('<scr' + 'ipt src=' + u('js') + '></scr' + 'ipt>'); x.close()",
        ),
        (
            "document.write, inline script",
            "var x = blank().document; x.write('<script>new Image().src=' + quoted(u('gif')) + '</scr' + 'ipt>'); x.close()",
        ),
        (
            "document.open, then a frame",
            "var x = blank().document; x.open(); x.write('<body>'); x.body.append(x.createElement('iframe')); x.defaultView[0].fetch(u('txt')).catch(function(){}); x.close()",
        ),
        (
            "javascript: frame",
            "put(make('iframe', {src:'javascript:void new Image().__defineGetter__(0,()=>0)||void(new Image().src=' + quoted(u('gif')) + ')'}))",
        ),
        (
            "javascript: frame, markup",
            "put(make('iframe', {src:'javascript:' + quoted('<img src=' + u('gif') + '>')}))",
        ),
        (
            "javascript: frame, markup with a script",
            "put(make('iframe', {src:'javascript:' + quoted('<script>fetch(' + quoted(u('txt')) + ')</scr' + 'ipt>')}))",
        ),
        ("srcdoc, markup", "put(make('iframe')).srcdoc = '<!doctype html><img src=\"' + u('gif') + '\">'"),
        (
            "srcdoc, script",
            "put(make('iframe', {srcdoc:'<script>var a=' + quoted(u('gif')).replace('://', ':/\"+\"/') + ';new Image().src=a</scr' + 'ipt>'}))",
        ),
        (
            "srcdoc in innerHTML",
            "put(make('div')).innerHTML = '<iframe srcdoc=\"&lt;img src=' + u('gif') + '&gt;\"></iframe>'",
        ),
        (
            "data: frame",
            "put(make('iframe', {src:'data:text/html,' + encodeURIComponent('<script>new Image().src=' + quoted(u('gif')) + '</scr' + 'ipt>')}))",
        ),
        (
            "blob: frame",
            "put(make('iframe', {src:URL.createObjectURL(new Blob(['<!doctype html><img src=' + u('gif') + '>'], {type:'text/html'}))}))",
        ),
        (
            "blob: frame, script",
            "put(make('iframe', {src:URL.createObjectURL(new Blob(['<script>new Image().src=' + quoted(u('gif')) + '</scr' + 'ipt>'], {type:'text/html'}))}))",
        ),
        (
            "blob: frame, SVG",
            "put(make('iframe', {src:URL.createObjectURL(new Blob(['<svg xmlns=\"http://www.w3.org/2000/svg\"><image href=\"' + u('gif') + '\" width=\"9\" height=\"9\"/></svg>'], {type:'image/svg+xml'}))}))",
        ),
        (
            "blob: frame, script in SVG",
            "put(make('iframe', {src:URL.createObjectURL(new Blob(['<svg xmlns=\"http://www.w3.org/2000/svg\"><script>fetch(' + quoted(u('txt')) + ')</scr' + 'ipt></svg>'], {type:'image/svg+xml'}))}))",
        ),
        (
            "blob: frame, script in XHTML",
            "put(make('iframe', {src:URL.createObjectURL(new Blob(['<html xmlns=\"http://www.w3.org/1999/xhtml\"><head><script>fetch(' + quoted(u('txt')) + ')</scr' + 'ipt></head></html>'], {type:'application/xhtml+xml'}))}))",
        ),
        (
            "data: frame, script in SVG",
            "put(make('iframe', {src:'data:image/svg+xml,' + encodeURIComponent('<svg xmlns=\"http://www.w3.org/2000/svg\"><script>fetch(' + quoted(u('txt')) + ')</scr' + 'ipt></svg>')}))",
        ),
        (
            "frame of the site, fetch",
            "var f = make('iframe', {src:'/frame.html'}); f.onload = function(){ f.contentWindow.fetch(u('txt')).catch(function(){}) }; put(f)",
        ),
        (
            "location.replace of a frame of the site",
            "var f = make('iframe', {src:'/frame.html'}); f.onload = function(){ f.onload = null; f.contentWindow.location.replace(u('html')) }; put(f)",
        ),
        (
            "navigation.navigate of a frame of the site",
            "var f = make('iframe', {src:'/frame.html'}); f.onload = function(){ f.onload = null; var r = f.contentWindow.navigation.navigate(u('html')); r.committed.catch(function(){}); r.finished.catch(function(){}) }; put(f)",
        ),
        (
            "location of a frame of the site",
            "var f = make('iframe', {src:'/frame.html'}); f.onload = function(){ f.onload = null; f.contentWindow.location.href = u('html') }; put(f)",
        ),
        (
            "location of its own, in a frame of the site",
            "var f = make('iframe', {src:'/frame.html'}); f.onload = function(){ f.onload = null; f.contentWindow.eval('location=' + quoted(u('html'))) }; put(f)",
        ),
        (
            "meta refresh in a frame of the site",
            "var f = make('iframe', {src:'/frame.html'}); f.onload = function(){ f.onload = null; f.contentDocument.head.innerHTML = '<meta http-equiv=refresh content=\"0;url=' + u('html') + '\">' }; put(f)",
        ),
        ("worklet", "CSS.paintWorklet.addModule(u('js')).catch(function(){})"),
        ("worklet, audio", "new OfflineAudioContext(1, 1, 8000).audioWorklet.addModule(u('js')).catch(function(){})"),
        (
            "worklet from a blob, static import",
            "CSS.paintWorklet.addModule(URL.createObjectURL(new Blob(['import ' + quoted(u('js'))], {type:'text/javascript'}))).catch(function(){})",
        ),
        (
            "worklet from a data: address, static import",
            "CSS.paintWorklet.addModule('data:text/javascript,' + encodeURIComponent('import ' + quoted(u('js')))).catch(function(){})",
        ),
        ("document.cookie", "var n = vendor + '_a' + port; d.cookie = n + '=1'; if (d.cookie.includes(n)) tell()"),
        (
            "cookieStore",
            "var n = vendor + '_b' + port; cookieStore.set(n, '1').then(function(){ return cookieStore.get(n) }).then(function(c){ if (c) tell() })",
        ),
        (
            "localStorage",
            "var n = vendor + '_c' + port; localStorage.setItem(n, '1'); if (localStorage.getItem(n)) tell()",
        ),
        (
            "sessionStorage",
            "var n = vendor + '_c' + port; sessionStorage.setItem(n, '1'); if (sessionStorage.getItem(n)) tell()",
        ),
        (
            "page's own override of natives",
            "var w = blank(); w.String.prototype.indexOf = w.String.prototype.split = w.RegExp.prototype.exec = w.RegExp.prototype.test = function(){ return null }; w.fetch(u('txt')).catch(function(){})",
        ),
        ("module, import of a literal", "put(make('script', {type:'module', text:'import ' + quoted(u('js'))}))"),
    ),
    Channel(
        "RTCPeerConnection, TURN over TCP",
        "var p = new RTCPeerConnection({iceServers:[{urls:'turn:' + u('txt').split('/')[2] + '?transport=tcp', username:'x', credential:'x'}]}); p.createDataChannel('x'); p.createOffer().then(function(o){ p.setLocalDescription(o) })",
        (PAGE,),
        raw=True,
    ),
    *rows(
        "guard",
        (PAGE,),
        (
            "custom element",
            "customElements.define('x-x', class extends HTMLElement { connectedCallback() { this.innerHTML = '<img src=' + u('gif') + '>' } }); put(make('x-x'))",
        ),
        (
            "blank frame, navigation.navigate",
            "var r = blank().navigation.navigate(u('html')); r.committed.catch(function(){}); r.finished.catch(function(){})",
        ),
    ),
    *rows(
        "import map",
        (PAGE,),
        ("import()", "import(u('js')).catch(function(){})"),
        (
            "module, import of a joined address",
            "var a = u('js'); put(make('script', {type:'module', text:'import(' + quoted(a.slice(0, 9)) + '+' + quoted(a.slice(9)) + ').catch(()=>0)'}))",
        ),
    ),
    Channel(
        "speculation rules",
        'put(make(\'script\', {type:\'speculationrules\'})).textContent = \'{"prefetch":[{"source":"list","urls":[\' + quoted(u(\'html\')) + \'],"eagerness":"immediate"}]}\'',
        unprovable="Chromium prefetches nothing when its background networking is off, as in this run",
    ),
    Channel(
        "WebTransport",
        "new WebTransport(u('txt').replace('http', 'https')).ready.catch(function(){})",
        EVERYWHERE,
        unprovable="it speaks QUIC over UDP, which is off in this run",
    ),
    Channel(
        "import() in a worker",
        "import(u('js')).catch(function(){})",
        (WORKER,),
        open_because="import maps do not apply in workers and import() cannot be wrapped: a CSP stops it",
    ),
    Channel(
        "module worker from a blob, import() of a joined address",
        "var a = u('js'); work('import(' + quoted(a.slice(0, 9)) + '+' + quoted(a.slice(9)) + ')', {type:'module'})",
        EVERYWHERE,
        open_because="the same",
    ),
    Channel(
        "import() in a blank frame",
        "import(u('js')).catch(function(){})",
        (FRAME,),
        open_because="a blank frame has no import map; a CSP stops it",
    ),
    Channel(
        "frame of the site while it loads, by index",
        "put(make('iframe', {src:'/frame.html'})); "
        "window[window.length - 1].fetch(u('txt'), {keepalive: true}).catch(function(){})",
        open_because="until it has loaded no event tells of its first window; contentWindow is guarded, an index cannot be",
    ),
    Channel(
        "blank frame, markup from a javascript: location",
        "var w = blank(); w.location = 'javascript:' + quoted('<img src=' + u('gif') + '>')",
        DOCUMENTS,
        open_because="location cannot be wrapped and no event tells of it on a blank frame: a CSP stops it",
    ),
    Channel(
        "blank frame, its location",
        "var w = blank(); w.location.href = u('html')",
        DOCUMENTS,
        open_because="the same; stopped in strict mode by the brake, and by a CSP's frame-src",
    ),
    Channel(
        "a, click into a new tab",
        "make('a', {href:u('html'), target:'_blank'}).click()",
    ),
    Channel(
        "window.open, then its location",
        "var w = open(''); w.location = u('html'); setTimeout(function(){ w.close() }, 1500)",
        DOCUMENTS,
        open_because="a move of a whole tab, which the visitor sees; neither event nor CSP reaches it",
    ),
)
