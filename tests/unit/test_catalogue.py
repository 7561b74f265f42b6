"""The built-in catalogue as data: what its files promise, and how much of the web's trackers it knows.

The matching itself is tested beside the matcher. Here the question is whether the entries can be trusted: that none
bites a host which pages need or people link to, and that little of what third-party-web has seen is unknown.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from optout_gate.documents import parse, validate
from optout_gate.trackers.catalog import Catalog, builtin
from optout_gate.trackers.purposes import DENIABLE, Purpose
from optout_gate.trackers.vendor import CatalogueFile, Vendor


def _words(text: str) -> list[str]:
    return text.split()


CATALOGUE = files("optout_gate.trackers") / "catalogue"
NAMES = sorted(each.name for each in CATALOGUE.iterdir() if each.name.endswith(".yaml"))
LONGTAIL = "longtail.yaml"
VENDORS: dict[str, tuple[Vendor, ...]] = {
    name: validate(CatalogueFile, parse((CATALOGUE / name).read_text("utf-8"), name)).vendors for name in NAMES
}
EVERY = [vendor for vendors in VENDORS.values() for vendor in vendors]
DESCRIBED = [vendor for name, vendors in VENDORS.items() if name != LONGTAIL for vendor in vendors]
DENIED = [vendor for vendor in EVERY if DENIABLE.intersection(vendor.purposes)]

SURROGATES = _words(
    """
    ab-tasty adobe-alloy adobe-analytics adobe-launch adobe-target adsense amazon-apstag amplitude braze chartbeat
    clarity comscore contentsquare criteo drift facebook-sdk fullstory generic google-analytics google-ima
    google-optimize google-publisher-tag google-tag google-tag-manager heap hotjar hubspot intercom klaviyo
    linkedin-insight logrocket marketo matomo meta-pixel microsoft-uet mixpanel mouseflow nielsen optimizely outbrain pinterest-tag
    posthog prebid qualtrics quantcast quantum-metric reddit-pixel segment snap-pixel tealium tiktok-pixel
    trade-desk twitter-widgets vwo x-pixel
    """
)

# Hosts that people link to, or that serve pages, files, forms, payments and players. A vendor that a policy may deny
# must not claim one of them whole, nor a host above it; its tracker there is named by path.
NEEDED_HOSTS = _words(
    """
    www.facebook.com m.facebook.com scontent.xx.fbcdn.net www.instagram.com www.threads.net www.whatsapp.com
    twitter.com x.com t.co pbs.twimg.com abs.twimg.com www.linkedin.com media.licdn.com www.tiktok.com
    www.pinterest.com i.pinimg.com www.reddit.com i.redd.it www.redditstatic.com www.snapchat.com www.tumblr.com
    disqus.com vk.com ok.ru www.quora.com nextdoor.com line.me www.flickr.com
    www.google.com google.com accounts.google.com analytics.google.com tagmanager.google.com maps.google.com
    play.google.com www.gstatic.com fonts.gstatic.com fonts.googleapis.com ajax.googleapis.com maps.googleapis.com
    storage.googleapis.com www.youtube.com www.youtube-nocookie.com i.ytimg.com player.vimeo.com fast.wistia.net
    www.bing.com www.microsoft.com learn.microsoft.com clarity.microsoft.com www.msn.com outlook.office365.com
    login.microsoftonline.com example.azureedge.net example.blob.core.windows.net az416426.vo.msecnd.net
    www.apple.com www.yahoo.com s.yimg.com www.aol.com yandex.ru yastatic.net www.baidu.com mail.ru www.naver.com
    t1.daumcdn.net www.seznam.cz www.amazon.com m.media-amazon.com d111111abcdef8.cloudfront.net
    s3.amazonaws.com www.adobe.com use.typekit.net s7d1.scene7.com www.hubspot.com app.hubspot.com js.hsforms.net
    www.salesforce.com webto.salesforce.com example.my.salesforce.com example.force.com go.pardot.com
    secure.p01.eloqua.com www.intercom.com www.drift.com www.zendesk.com www.mailchimp.com
    example.us1.list-manage.com www.klaviyo.com www.braze.com segment.com mixpanel.com amplitude.com
    www.optimizely.com www.qualtrics.com example.qualtrics.com www.surveymonkey.com plausible.io sentry.io
    newrelic.com www.datadoghq.com www.dynatrace.com www.cloudflare.com cdnjs.cloudflare.com
    challenges.cloudflare.com cdn.jsdelivr.net unpkg.com code.jquery.com github.com raw.githubusercontent.com
    wordpress.com i0.wp.com s0.wp.com cdn.shopify.com example.myshopify.com www.wix.com static.wixstatic.com
    www.squarespace.com unbounce.com www.bigcommerce.com js.stripe.com www.paypal.com pay.google.com x.klarnacdn.net
    www.recaptcha.net hcaptcha.com cdn.cookielaw.org consent.cookiebot.com sdk.privacy-center.org cmp.osano.com
    fundingchoicesmessages.google.com www.ebay.com open.spotify.com w.soundcloud.com www.dailymotion.com
    example.co.uk example.com.au example.net.pl example.de.com
    """
)


def test_the_catalogue_describes_at_least_300_vendors() -> None:
    assert len(DESCRIBED) >= 300


def test_no_vendor_is_described_twice() -> None:
    assert [each for each, count in Counter(vendor.vendor for vendor in EVERY).items() if count > 1] == []


def test_no_host_is_claimed_whole_by_two_vendors() -> None:
    assert [each for each, count in Counter(host for each in EVERY for host in each.domains).items() if count > 1] == []


def test_a_host_for_every_suffix_is_a_single_label() -> None:
    """The matcher looks such names up by the one label before the suffix."""
    hosts = [host for each in EVERY for host in (*each.domains, *(p.partition("/")[0] for p in each.patterns))]
    assert [host for host in hosts if host.endswith(".*") and host.count(".") > 1] == []


def test_no_path_is_claimed_by_two_vendors() -> None:
    paths = Counter(pattern for vendor in EVERY for pattern in vendor.patterns)
    assert [each for each, count in paths.items() if count > 1] == []


def test_no_cookie_is_said_to_be_of_two_vendors() -> None:
    cookies = Counter(name for vendor in EVERY for name in vendor.cookies)
    assert [each for each, count in cookies.items() if count > 1] == []


def test_every_described_vendor_can_be_recognised() -> None:
    blind = [each.vendor for each in EVERY if not (each.domains or each.patterns or each.inline or each.cookies)]
    assert blind == []


@pytest.mark.parametrize("host", NEEDED_HOSTS)
def test_no_vendor_that_may_be_denied_claims_a_host_that_pages_need(host: str) -> None:
    above = {".".join(host.split(".")[start:]) for start in range(host.count(".") + 1)}
    names = {f"{each.partition('.')[0]}.*" for each in above}
    assert [each.vendor for each in DENIED if not (above | names).isdisjoint(each.domains)] == []


@pytest.mark.parametrize(
    "url",
    [
        "www.google.com/recaptcha/api.js",
        "www.gstatic.com/recaptcha/releases/x/recaptcha__en.js",
        "challenges.cloudflare.com/turnstile/v0/api.js",
        "maps.googleapis.com/maps/api/js?key=x",
        "www.google.com/maps/embed?pb=x",
        "www.google.de/maps/embed?pb=x",
        "fonts.googleapis.com/css2?family=Inter",
        "www.youtube.com/embed/x",
        "js.stripe.com/v3/",
        "cdn.cookielaw.org/scripttemplates/otSDKStub.js",
        "js.hsforms.net/forms/v2.js",
        "www.facebook.com/some.clinic",
        "www.facebook.com/trending",
        "www.linkedin.com/company/acme",
        "twitter.com/intent/tweet?text=x",
        "www.google.com/search?q=x",
        "go.pardot.com/l/1/2019-01-01/form",
        "example.us1.list-manage.com/subscribe/post?u=x",
        "cdn.jsdelivr.net/npm/vue@3",
    ],
)
def test_what_a_page_is_made_of_is_nobodys_that_may_be_denied(url: str) -> None:
    rule = _recognised(builtin(), url)
    assert rule is None or DENIABLE.isdisjoint(rule.purposes)


@pytest.mark.parametrize(
    ("url", "vendor"),
    [
        ("www.googletagmanager.com/gtm.js?id=GTM-X", "google-tag-manager"),
        ("www.googletagmanager.com/ns.html?id=GTM-X", "google-tag-manager"),
        ("www.googletagmanager.com/gtag/js?id=G-X", "google-tag"),
        ("region1.google-analytics.com/g/collect?v=2", "google-analytics"),
        ("stats.g.doubleclick.net/j/collect", "google-analytics"),
        ("www.google.co.uk/ads/ga-audiences?v=1", "google-analytics"),
        ("www.google.com.au/pagead/1p-user-list/1/", "google-ads"),
        ("securepubads.g.doubleclick.net/tag/js/gpt.js", "google-publisher-tag"),
        ("pagead2.googlesyndication.com/pagead/js/adsbygoogle.js?client=x", "adsense"),
        ("connect.facebook.net/en_US/fbevents.js", "meta-pixel"),
        ("connect.facebook.net/en_US/sdk.js", "facebook-sdk"),
        ("www.facebook.com/tr?id=1&ev=PageView", "meta-pixel"),
        ("www.facebook.com/tr/", "meta-pixel"),
        ("www.facebook.com/plugins/like.php?href=x", "facebook-sdk"),
        ("www.facebook.com/v18.0/plugins/page.php", "facebook-sdk"),
        ("static.ads-twitter.com/uwt.js", "x-pixel"),
        ("t.co/i/adsct?bci=1", "x-pixel"),
        ("platform.twitter.com/widgets.js", "twitter-widgets"),
        ("px.ads.linkedin.com/collect/?pid=1", "linkedin-insight"),
        ("snap.licdn.com/li.lms-analytics/insight.min.js", "linkedin-insight"),
        ("analytics.tiktok.com/i18n/pixel/events.js", "tiktok-pixel"),
        ("s.pinimg.com/ct/core.js", "pinterest-tag"),
        ("ct.pinterest.com/v3/?tid=1", "pinterest-tag"),
        ("sc-static.net/scevent.min.js", "snap-pixel"),
        ("www.redditstatic.com/ads/pixel.js", "reddit-pixel"),
        ("bat.bing.com/bat.js", "microsoft-uet"),
        ("www.clarity.ms/tag/abc", "clarity"),
        ("static.hotjar.com/c/hotjar-1.js", "hotjar"),
        ("edge.fullstory.com/s/fs.js", "fullstory"),
        ("assets.adobedtm.com/launch-x.min.js", "adobe-launch"),
        ("acme.sc.omtrdc.net/b/ss/acme/1/JS-2.0/s1", "adobe-analytics"),
        ("acme.tt.omtrdc.net/rest/v1/delivery", "adobe-target"),
        ("dpm.demdex.net/id?d_visid_ver=5", "adobe-audience-manager"),
        ("tags.tiqcdn.com/utag/acme/main/prod/utag.js", "tealium"),
        ("cdn.segment.com/analytics.js/v1/x/analytics.min.js", "segment"),
        ("c.amazon-adsystem.com/aax2/apstag.js", "amazon-apstag"),
        ("browser-intake-datadoghq.com/api/v2/replay?ddsource=browser", "datadog-session-replay"),
        ("browser-intake-datadoghq.com/api/v2/rum?ddsource=browser", "datadog-rum"),
        ("mc.yandex.ru/metrika/tag.js", "yandex-metrica"),
        ("js.hs-scripts.com/1.js", "hubspot"),
        ("www.google.com/recaptcha/api.js", "recaptcha"),
        ("maps.google.com/maps/api/js", "google-maps"),
    ],
)
def test_a_url_as_sites_use_it_is_recognised(url: str, vendor: str) -> None:
    rule = _recognised(builtin(), url)
    assert rule is not None
    assert rule.vendor == vendor


def test_what_keeps_pages_working_is_never_denied_by_halves() -> None:
    """A vendor that is partly functional would be taken away with its other half; such halves are two vendors."""
    kept = frozenset(Purpose) - DENIABLE
    assert [each.vendor for each in DENIED if kept.intersection(each.purposes)] == []


def test_no_cookie_of_a_denied_vendor_is_one_that_security_or_function_needs() -> None:
    needed = [name for each in EVERY if DENIABLE.isdisjoint(each.purposes) for name in each.cookies]
    denied = [name for each in DENIED for name in each.cookies]
    assert [(a, b) for a in needed for b in denied if _same_cookie(a, b)] == []


@pytest.mark.parametrize(
    "name",
    _words(
        """
        session sessionid PHPSESSID JSESSIONID csrftoken XSRF-TOKEN cart wc_cart_hash_1 laravel_session connect.sid
        __client_uat __clerk_db_jwt wp-settings-1 wordpress_logged_in_1 ASP.NET_SessionId OptanonConsent usprivacy
        __gpp CookieConsent cf_clearance __stripe_mid _shopify_essential lang locale theme user token auth uid sid
        """
    ),
)
def test_a_cookie_that_sites_live_on_is_nobodys_that_may_be_denied(name: str) -> None:
    rule = builtin().by_cookie(name)
    assert rule is None or DENIABLE.isdisjoint(rule.vendor.purposes)


def test_a_wildcard_stands_only_at_the_end_of_a_name_and_leaves_three_characters() -> None:
    names = [name for each in EVERY for name in (*each.cookies, *each.storage)]
    assert [name for name in names if not re.match(r"[^*]{3,}\*?\Z|[^*]+\Z", name)] == []


def test_what_a_stopped_fetch_ends_with_is_json_and_said_of_a_host_that_is_denied_by_its_own_name() -> None:
    said = [(each, host) for each in EVERY for host in each.fetched]
    assert said
    for vendor, host in said:
        json.loads(vendor.fetched[host])
        assert host in vendor.domains
        assert not any(host.endswith(f".{other}") for other in vendor.domains)


def test_every_surrogate_is_one_that_exists() -> None:
    assert {each.surrogate for each in EVERY} - {None} - set(SURROGATES) == set()


def test_every_global_is_a_name_that_a_page_can_write() -> None:
    names = [name for each in EVERY for name in each.globals]
    assert [name for name in names if not re.fullmatch(r"[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*", name)] == []


def test_what_runs_before_a_restricted_vendor_is_one_line_of_plain_script() -> None:
    lines = [each.restricted.before for each in EVERY if each.restricted]
    assert [text for text in lines if "\n" in text or "</" in text or "=>" in text or "`" in text] == []
    assert [text for text in lines if text and not text.endswith(";")] == []


@pytest.mark.parametrize(
    "vendor",
    _words(
        """
        hotjar fullstory clarity logrocket mouseflow smartlook contentsquare glassbox quantum-metric heap inspectlet
    lucky-orange sessioncam decibel crazy-egg posthog openreplay datadog-session-replay dynatrace medallia uxcam
        """
    ),
)
def test_a_recorder_is_known_as_one(vendor: str) -> None:
    assert Purpose.SESSION_REPLAY in builtin().vendors[vendor].purposes


@pytest.mark.parametrize(
    ("script", "vendor"),
    [
        pytest.param(
            "(function(w,d,s,l,i){w[l]=w[l]||[];w[l].push({'gtm.start':new Date().getTime(),event:'gtm.js'});"
            "var f=d.getElementsByTagName(s)[0],j=d.createElement(s);j.async=true;j.src='/metrics/'+i;"
            "f.parentNode.insertBefore(j,f);})(window,document,'script','dataLayer','X');",
            "google-tag-manager",
            id="gtm-from-the-sites-own-host",
        ),
        pytest.param(
            "var _paq=window._paq=window._paq||[];_paq.push(['trackPageView']);(function(){var u='/stats/';"
            "_paq.push(['setTrackerUrl',u+'m.php']);_paq.push(['setSiteId','1']);})();",
            "matomo",
            id="matomo-on-the-sites-own-host",
        ),
        pytest.param(
            ";(function(p,l,o,w,i,n,g){if(!p[i]){p.GlobalSnowplowNamespace=p.GlobalSnowplowNamespace||[];"
            "n=l.createElement(o);n.src=w;g.parentNode.insertBefore(n,g)}})(window,document,'script','/sp.js','sp');",
            "snowplow",
            id="snowplow-on-the-sites-own-host",
        ),
        pytest.param(
            "(function(g,b,d,f){(function(a,c,d){if(a){var e=b.createElement('style');e.id=c;e.innerHTML=d;"
            "a.appendChild(e)}})(b.head,'at-body-style',d);setTimeout(function(){},f)})(window,document,'body {opacity: 0 !important}',3E3);",
            "adobe-target",
            id="the-pre-hiding-of-target",
        ),
        pytest.param(
            "window.NREUM||(NREUM={});NREUM.loader_config={accountID:'1',licenseKey:'x',applicationID:'2'};",
            "new-relic",
            id="new-relic-pasted-into-the-page",
        ),
        pytest.param(
            "var _gaq=_gaq||[];_gaq.push(['_setAccount','UA-1']);(function(){var ga=document.createElement('script');"
            "ga.src=('https:'==document.location.protocol?'https://ssl':'http://www')+'.google-analytics.com/ga.js';})();",
            "google-analytics",
            id="a-host-written-in-halves",
        ),
    ],
)
def test_an_inline_script_that_names_no_whole_host_is_recognised_by_its_shape(script: str, vendor: str) -> None:
    rule = builtin().by_script(script)
    assert rule is not None
    assert rule.vendor.vendor == vendor


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("window.dataLayer=window.dataLayer||[];dataLayer.push({event:'order',total:3});", id="data-layer"),
        pytest.param("window.__STATE__={'gtm':'GTM-X','analytics':{'matomo':{'siteId':1}}};", id="configuration"),
        pytest.param("document.body.classList.add('async-hide-menu');", id="a-class-that-sounds-alike"),
        pytest.param(
            "setTimeout(function(){$('.chat-body-style').css('opacity: 0')},9);", id="a-name-that-holds-a-fingerprint"
        ),
        pytest.param("if(window.posthog){posthog.capture('x')}if(window.NREUM){newrelic.noticeError(e)}", id="calls"),
        pytest.param(
            "gtag('event','purchase',{value:1});fbq('track','Purchase');_paq.push(['trackPageView']);", id="use"
        ),
    ],
)
def test_a_pages_own_script_bears_no_fingerprint(script: str) -> None:
    assert builtin().by_script(script) is None


def test_tracking_companies_are_known_by_occurrences() -> None:
    """Of all sightings of companies in tracking categories, 99.5 % or more are of companies whose every host is known.

    Known means: the catalogue speaks of the host, of one above it or of one below it, or it is listed as no tracker.
    """
    seen = unknown = 0
    missed: list[str] = []
    claims = _Claims()
    for name, occurrences, hosts in _occurrences():
        seen += occurrences
        strange = [host for host in hosts if not claims.know(host)]
        if strange:
            unknown += occurrences
            missed.append(f"{name} ({occurrences:,}): {' '.join(strange)}")
    assert seen > 30_000_000
    assert unknown <= seen * 0.005, "\n".join(missed)


def test_a_reason_stands_beside_every_host_that_is_no_tracker() -> None:
    groups = _not_trackers()
    assert [group for group in groups if not group["reason"] or not group["hosts"]] == []
    hosts = Counter(host for group in groups for host in group["hosts"])
    assert [host for host, count in hosts.items() if count > 1] == []


def test_nobody_who_may_be_denied_claims_a_host_that_is_listed_as_no_tracker() -> None:
    listed = {host for group in _not_trackers() for host in group["hosts"]}
    assert [host for each in DENIED for host in each.domains if host in listed] == []


def test_the_long_tail_keeps_clear_of_what_is_described() -> None:
    """Fails when a vendor was described and the long tail not made anew: scripts/generate-longtail."""
    described = _Claims(longtail=False)
    stale = [host for each in VENDORS[LONGTAIL] for host in each.domains if described.know(host)]
    assert stale == []


def test_the_entry_that_the_documentation_shows_is_a_good_one() -> None:
    page = (Path(__file__).parents[2] / "docs/catalogue.md").read_text("utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    shown = validate(CatalogueFile, parse(example, "docs/catalogue.md")).vendors[0]
    assert shown.vendor in builtin().vendors


class _Claims:
    """Hosts that the catalogue speaks of, whole or by path, or that are listed as no trackers."""

    def __init__(self, *, longtail: bool = True) -> None:
        vendors = EVERY if longtail else DESCRIBED
        self.hosts = {host for each in vendors for host in each.domains}
        self.hosts |= {pattern.partition("/")[0] for each in vendors for pattern in each.patterns}
        self.hosts |= {host for group in _not_trackers() for host in group["hosts"]}
        self.above = {above for host in self.hosts for above in _upward(host)}

    def know(self, host: str) -> bool:
        return host in self.above or any(
            each in self.hosts or f"{each.partition('.')[0]}.*" in self.hosts for each in _upward(host)
        )


def _upward(host: str) -> Iterator[str]:
    labels = host.split(".")
    for start in range(len(labels) - 1):
        yield ".".join(labels[start:])


def _occurrences() -> Iterator[tuple[str, int, list[str]]]:
    table = Path(__file__).parent / "data/third-party-web-occurrences.tsv"
    for line in table.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            name, _, occurrences, hosts = line.split("\t")
            yield name, int(occurrences), hosts.split()


def _not_trackers() -> list[dict[str, list[str]]]:
    text = (CATALOGUE / "longtail" / "not-trackers.yaml").read_text("utf-8")
    groups: list[dict[str, list[str]]] = yaml.safe_load(text)["not_trackers"]
    return groups


def _recognised(catalog: Catalog, url: str) -> Vendor | None:
    host, slash, path = url.partition("/")
    rule = catalog.by_url(host, slash + path)
    return rule.vendor if rule else None


def _same_cookie(one: str, other: str) -> bool:
    """Whether two names, either of which may end in ``*``, can be the same cookie's."""
    if one.endswith("*") and other.endswith("*"):
        return one[:-1].startswith(other[:-1]) or other[:-1].startswith(one[:-1])
    if one.endswith("*"):
        return other.startswith(one[:-1])
    return one.startswith(other[:-1]) if other.endswith("*") else one == other
