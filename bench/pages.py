"""Pages as sites really serve them, in two sizes, the same to the byte on every machine.

What a rewriter costs depends on what it must look at, not on length alone: a page of plain text flatters a streaming
rewriter, and one of nothing but tags flatters a search-and-replace. So these have what the home page of a shop or an
insurer has: a head with the tags of twelve vendors, navigation, headings, paragraphs, links, lists and tables, pictures
of the site's own, a few style attributes, JSON-LD, and the state that a framework prints for itself.
"""

import json
from collections.abc import Iterator
from itertools import count
from random import Random

SIZES = {"30 KB": 30_000, "119 KB": 119_000}
"""Name and length in bytes of the pages that are measured."""

DENIED_HOSTS = (
    "www.googletagmanager.com", "www.google-analytics.com", "connect.facebook.net", "www.facebook.com",
    "static.hotjar.com", "snap.licdn.com", "px.ads.linkedin.com", "bat.bing.com", "www.clarity.ms",
    "analytics.tiktok.com", "s.pinimg.com", "ct.pinterest.com", "dynamic.criteo.com", "cdn.segment.com",
    "edge.fullstory.com", "static.ads-twitter.com",
)  # fmt: skip
"""Every host in the page that is gone from it once a visitor's opt-out is honoured."""

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Plans and care near you</title>
<meta name="description" content="Find a plan, a doctor and a pharmacy near you.">
<link rel="canonical" href="/plans">
<link rel="icon" href="/favicon.ico">
<link rel="preload" href="/fonts/body.woff2" as="font" type="font/woff2" crossorigin>
<link rel="stylesheet" href="/assets/site.css?v=8f31">
<link rel="stylesheet" href="https://fonts.googleapis.com/css2?family=Inter:wght@400;600&amp;display=swap">
<link rel="preconnect" href="https://www.googletagmanager.com">
<link rel="dns-prefetch" href="//connect.facebook.net">
<style>
:root{--ink:#182430;--accent:#0a6}
body{margin:0;color:var(--ink);font:16px/1.5 Inter,system-ui,sans-serif}
.hero{background:url(/img/hero.jpg) center/cover}
.card:hover{box-shadow:0 2px 12px rgba(0,0,0,.12)}
</style>
<script>
(function(w,d,s,l,i){w[l]=w[l]||[];w[l].push({'gtm.start':new Date().getTime(),event:'gtm.js'});
var f=d.getElementsByTagName(s)[0],j=d.createElement(s),dl=l!='dataLayer'?'&l='+l:'';j.async=true;
j.src='https://www.googletagmanager.com/gtm.js?id='+i+dl;f.parentNode.insertBefore(j,f);
})(window,document,'script','dataLayer','GTM-EXAMPLE');
</script>
<script async src="https://www.googletagmanager.com/gtag/js?id=G-EXAMPLE"></script>
<script>
window.dataLayer=window.dataLayer||[];function gtag(){dataLayer.push(arguments)}
gtag('js',new Date());gtag('config','G-EXAMPLE',{send_page_view:true});
</script>
<script async src="https://www.google-analytics.com/analytics.js"></script>
<script>
!function(f,b,e,v,n,t,s){if(f.fbq)return;n=f.fbq=function(){n.callMethod?n.callMethod.apply(n,arguments):
n.queue.push(arguments)};if(!f._fbq)f._fbq=n;n.push=n;n.loaded=!0;n.version='2.0';n.queue=[];t=b.createElement(e);
t.async=!0;t.src=v;s=b.getElementsByTagName(e)[0];s.parentNode.insertBefore(t,s)}(window,document,'script',
'https://connect.facebook.net/en_US/fbevents.js');fbq('init','000000000000000');fbq('track','PageView');
</script>
<noscript><img height="1" width="1" style="display:none" alt=""
 src="https://www.facebook.com/tr?id=000000000000000&amp;ev=PageView&amp;noscript=1"></noscript>
<script>
(function(h,o,t,j,a,r){h.hj=h.hj||function(){(h.hj.q=h.hj.q||[]).push(arguments)};h._hjSettings={hjid:1000000,hjsv:6};
a=o.getElementsByTagName('head')[0];r=o.createElement('script');r.async=1;r.src=t+h._hjSettings.hjid+j+
h._hjSettings.hjsv;a.appendChild(r)})(window,document,'https://static.hotjar.com/c/hotjar-','.js?sv=');
</script>
<script>
_linkedin_partner_id="1000000";window._linkedin_data_partner_ids=window._linkedin_data_partner_ids||[];
window._linkedin_data_partner_ids.push(_linkedin_partner_id);
</script>
<script async src="https://snap.licdn.com/li.lms-analytics/insight.min.js"></script>
<noscript><img height="1" width="1" style="display:none" alt=""
 src="https://px.ads.linkedin.com/collect/?pid=1000000&fmt=gif"></noscript>
<script>
(function(w,d,t,r,u){var f,n,i;w[u]=w[u]||[],f=function(){var o={ti:"10000000"};o.q=w[u],w[u]=new UET(o),
w[u].push("pageLoad")},n=d.createElement(t),n.src=r,n.async=1,n.onload=n.onreadystatechange=function(){
var s=this.readyState;s&&s!=="loaded"&&s!=="complete"||(f(),n.onload=n.onreadystatechange=null)},
i=d.getElementsByTagName(t)[0],i.parentNode.insertBefore(n,i)})(window,document,"script","//bat.bing.com/bat.js","uetq");
</script>
<script>
(function(c,l,a,r,i,t,y){c[a]=c[a]||function(){(c[a].q=c[a].q||[]).push(arguments)};t=l.createElement(r);t.async=1;
t.src="https://www.clarity.ms/tag/"+i;y=l.getElementsByTagName(r)[0];y.parentNode.insertBefore(t,y);
})(window,document,"clarity","script","exampleid1");
</script>
<script>
!function(w,d,t){w.TiktokAnalyticsObject=t;var q=w[t]=w[t]||[];q.methods=["page","track","identify"];
q.load=function(e){var u="https://analytics.tiktok.com/i18n/pixel/events.js",o=d.createElement("script");
o.async=!0;o.src=u+"?sdkid="+e+"&lib="+t;d.head.appendChild(o)};q.load("EXAMPLEEXAMPLE000000")}(window,document,"ttq");
</script>
<script>
!function(e){if(!window.pintrk){window.pintrk=function(){window.pintrk.queue.push([].slice.call(arguments))};
var n=window.pintrk;n.queue=[],n.version="3.0";var t=document.createElement("script");t.async=!0,t.src=e;
document.head.appendChild(t)}}("https://s.pinimg.com/ct/core.js");pintrk('load','2600000000000');pintrk('page');
</script>
<noscript><img height="1" width="1" alt="" src="https://ct.pinterest.com/v3/?event=init&tid=2600000000000&noscript=1">
</noscript>
<script async src="//dynamic.criteo.com/js/ld/ld.js?a=10000"></script>
<script>
!function(){var a=window.analytics=window.analytics||[];a.load=function(k){var t=document.createElement("script");
t.async=!0;t.src="https://cdn.segment.com/analytics.js/v1/"+k+"/analytics.min.js";document.head.appendChild(t)};
a.load("exampleexampleexample");}();
</script>
<script>window['_fs_host']='fullstory.com';window['_fs_script']='edge.fullstory.com/s/fs.js';window['_fs_org']='EXMPL';
(function(d,s){var o=d.createElement('script');o.async=1;o.src='https://'+s;d.head.appendChild(o)})(document,_fs_script);
</script>
<script src="https://static.ads-twitter.com/uwt.js" defer></script>
"""

_TOP = """</head>
<body>
<noscript><iframe src="https://www.googletagmanager.com/ns.html?id=GTM-EXAMPLE" height="0" width="0"
 style="display:none;visibility:hidden"></iframe></noscript>
<header class="top"><a class="logo" href="/"><img src="/img/logo.svg" alt="Home" width="140" height="32"></a>
<nav aria-label="Main"><ul>
<li><a href="/plans">Plans</a></li><li><a href="/doctors">Doctors</a></li><li><a href="/pharmacy">Pharmacy</a></li>
<li><a href="/wellness">Wellness</a></li><li><a href="/help">Help</a></li><li><a href="/login">Log in</a></li>
</ul></nav>
<form action="/search" role="search"><input type="search" name="q" aria-label="Search"><button>Search</button></form>
</header>
<main id="content">
<section class="hero" style="background-image:url('/img/hero-wide.jpg')"><h1>Care that is near you</h1></section>
"""

_VOCABULARY = (
    "plan care doctor visit cost coverage network pharmacy member monthly premium deductible clinic nurse family "
    "wellness annual check record appointment specialist referral claim benefit dental vision travel support local "
    "the a of and to in for with your our is are on at by from as it that when how where every each new"
)
_WORDS = _VOCABULARY.split()


def page(size: int) -> bytes:
    """Return a page of exactly ``size`` bytes, at least 16,000, in UTF-8."""
    top = _HEAD + "".join(_state(size)) + _TOP
    bottom = _bottom()
    parts = [top]
    left = size - len(top.encode()) - len(bottom.encode())
    for section in _sections(Random(size)):
        length = len(section.encode())
        if length > left:
            break
        parts.append(section)
        left -= length
    if left < len("<!---->"):
        raise ValueError(f"no page of {size} bytes can be put together")
    parts += [f"<!--{'.' * (left - len('<!---->'))}-->", bottom]
    return "".join(parts).encode()


def sections(seed: int) -> Iterator[bytes]:
    """Yield pieces of a page's main part without end, for a page that never ends."""
    for section in _sections(Random(seed)):
        yield section.encode()


def _sections(random: Random) -> Iterator[str]:
    """Yield the sections of the main part: each some 4 KB, with four pictures and a dozen links."""
    for number in count(1):
        yield f'<section id="s{number}" class="band"><h2>{_sentence(random, 5)}</h2>\n'
        yield f"<p>{_paragraph(random, 55)}</p>\n"
        yield f'<p>{_paragraph(random, 60)} <a href="/articles/{number}">Read on…</a></p>\n'
        for card in range(4):
            yield _card(random, number * 4 + card)
        yield '<ul class="links">\n'
        for _ in range(5):
            yield f'<li><a class="more" href="/{random.choice(_WORDS)}/{random.choice(_WORDS)}">{_sentence(random, 4)}</a></li>\n'
        yield "</ul>\n"
        yield f"<table><tr><th>{_sentence(random, 2)}</th><th>{_sentence(random, 2)}</th></tr>\n"
        for _ in range(3):
            yield f"<tr><td>{_sentence(random, 3)}</td><td>${random.randrange(10, 900)}.00</td></tr>\n"
        yield "</table>\n"
        if number % 3 == 0:
            yield f'<div class="note" style="margin-top:{random.randrange(4, 40)}px"><p>{_paragraph(random, 30)}</p></div>\n'
        yield "</section>\n"


def _card(random: Random, number: int) -> str:
    picture = f"/img/cards/{number}"
    sizes = f' srcset="{picture}-400.jpg 400w, {picture}-800.jpg 800w"' if number % 4 == 0 else ""
    return (
        f'<article class="card"><a href="/cards/{number}"><img src="{picture}.jpg"{sizes} alt="{_sentence(random, 3)}" '
        f'width="400" height="260" loading="lazy"></a>\n'
        f"<h3>{_sentence(random, 4)}</h3><p>{_paragraph(random, 44)}</p>"
        f'<span class="tag">{random.choice(_WORDS)}</span></article>\n'
    )


def _sentence(random: Random, words: int) -> str:
    return " ".join(random.choices(_WORDS, k=words)).capitalize()


def _paragraph(random: Random, words: int) -> str:
    return ". ".join(_sentence(random, 11) for _ in range(max(1, words // 11))) + ". Café — naïve."


def _state(size: int) -> Iterator[str]:
    """Yield JSON-LD and a framework's state, some twelfth of the page together."""
    linked = {"@context": "https://schema.org", "@type": "MedicalOrganization", "name": "Plans and care", "url": "/"}
    yield f'<script type="application/ld+json">{json.dumps(linked)}</script>\n'
    random = Random(size + 1)
    plans = [
        {"id": number, "name": _sentence(random, 3), "price": random.randrange(50, 900), "href": f"/plans/{number}"}
        for number in range(size // 1_000)
    ]
    yield f"<script>window.__STATE__={json.dumps({'plans': plans}, separators=(',', ':'))};</script>\n"


def _bottom() -> str:
    return """</main>
<footer><p>Follow us: <a href="https://social.example/us">Social</a></p><p><a href="/privacy">Your privacy choices</a></p>
<p>© Plans and care</p></footer>
<script src="/assets/app.js?v=8f31" type="module"></script>
<script>document.querySelectorAll('a.more').forEach(function(a){a.addEventListener('click',function(){
window.gtag&&gtag('event','select_content',{link:a.pathname})})});</script>
</body>
</html>
"""
