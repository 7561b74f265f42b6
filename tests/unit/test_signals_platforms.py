"""Consent platforms' cookies as sites send them, and each one's trap."""

import base64
import gzip
import json
from urllib.parse import quote

import pytest

from optout_gate.signals import formats
from optout_gate.signals.cookies import pairs
from optout_gate.signals.statement import ADVERTISING_USES, Answer, merged

_LETTERS = {Answer.OUT: "o", Answer.IN: "i", Answer.UNKNOWN: "-"}


def said(cookie: str) -> str:
    """Sale, sharing, targeted advertising and analytics, a letter each: out, in, or nothing."""
    together = merged(reading.statement for reading in formats.read_cookies([cookie.encode()]))
    uses = (*ADVERTISING_USES, "analytics")
    return "".join(_LETTERS[getattr(together, use)] for use in uses)


def js(value: object) -> str:
    return quote(json.dumps(value, separators=(",", ":")), safe="-_.!~*'()")


def b64(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def fides(consent: dict[str, object], **more: object) -> dict[str, object]:
    return {"consent": consent, "identity": {"fides_user_device_id": "x"}, "fides_meta": {"version": "0.9.0"}, **more}


def squeezed(value: object) -> str:
    packed = gzip.compress(json.dumps(value).encode(), mtime=0)
    return "gzip:" + base64.urlsafe_b64encode(packed).decode().rstrip("=")


COOKIEBOT = (
    "{{stamp:%274xeq152kyW7v/zTQ==%27%2Cnecessary:true%2Cpreferences:false%2Cstatistics:{s}%2Cmarketing:{m}"
    "%2Cmethod:%27explicit%27%2Cver:1%2Cutc:1729950414219%2Cregion:%27us-06%27}}"
)
COOKIEYES = (
    "consentid:QlZ1,consent:yes,action:yes,necessary:yes,functional:no,analytics:{a},performance:{a},advertisement:{m}"
)
KETCH = {
    "analytics": {"status": "granted", "canonicalPurposes": ["analytics"]},
    "p1": {"status": "denied", "canonicalPurposes": ["behavioral_advertising"]},
}
SHOPIFY = {"con": {"CMP": {"a": "1", "m": "", "p": "", "s": "0"}}, "v": "2.1", "region": "USCA"}

TABLE = [
    # id, cookie, what it says, what the gate writes instead (None: leaves it)
    ("cookiebot-refused", f"CookieConsent={COOKIEBOT.format(s='false', m='false')}", "oooo", "same"),
    ("cookiebot-marketing-refused", f"CookieConsent={COOKIEBOT.format(s='true', m='false')}", "oooi", "same"),
    ("cookiebot-allowed", f"CookieConsent={COOKIEBOT.format(s='true', m='true')}", "iiii", COOKIEBOT.format(s="true", m="false")),
    ("cookiebot-minus-one-asks-nobody-here", "CookieConsent=-1", "----", None),
    ("cookiebot-zero-is-no-answer-yet", "CookieConsent=0", "----", None),
    ("somebody-elses-cookieconsent", "CookieConsent=true", "----", None),
    ("trustarc-level-0", "notice_preferences=0:", "oooo", "same"),
    ("trustarc-level-1", "notice_preferences=1:", "oooi", "same"),
    ("trustarc-level-2", "notice_preferences=2:", "iiii", "1:"),
    ("trustarc-level-encoded", "notice_preferences=2%3A", "iiii", "1%3A"),
    ("trustarc-all-levels", "notice_gdpr_prefs=0,1,2:", "iiii", "0,1:"),
    ("trustarc-some-levels", "notice_gdpr_prefs=0,1:", "oooi", "same"),
    ("trustarc-required-level", "notice_gdpr_prefs=0:", "oooo", "same"),
    ("trustarc-permit-all", "cmapi_cookie_privacy=permit 1,2,3", "iiii", "permit 1,2"),
    ("trustarc-permit-in-ibms-notation", "cmapi_cookie_privacy=permit_1|2|3", "iiii", "permit_1|2"),
    ("trustarc-permit-functional", "cmapi_cookie_privacy=permit%201%2C2", "oooi", "same"),
    ("trustarc-permit-required", "cmapi_cookie_privacy=permit 1 required", "oooo", "same"),
    ("trustarc-json", "cmapi_cookie_privacy=" + js({"f": True, "a": False}), "ooo-", "same"),
    ("trustarc-json-allowed", "cmapi_cookie_privacy=" + js({"f": True, "a": True}), "iii-", js({"f": True, "a": False})),
    ("trustarc-blocks-tags", "cmapi_gtm_bl=ga-ms-ua-ta-asp-bzi-sp-awct-cts", "oooo", None),
    ("trustarc-blocks-none", "cmapi_gtm_bl=", "----", None),
    ("osano-plain", "osano_consentmanager=" + js({"ESSENTIAL": "ACCEPT", "MARKETING": "DENY", "ANALYTICS": "ACCEPT"}), "oooi", "same"),
    ("osano-accepting-opt-out-is-opting-out", "osano_consentmanager=" + js({"MARKETING": "ACCEPT", "OPT_OUT": "ACCEPT"}), "ooi-", js({"MARKETING": "DENY", "OPT_OUT": "ACCEPT"})),
    ("osano-denying-opt-out-is-staying-in", "osano_consentmanager=" + js({"OPT_OUT": "DENY"}), "ii--", js({"OPT_OUT": "ACCEPT"})),
    ("osano-encrypted-cannot-be-read", "osano_consentmanager=G0mY8s3Rk2+abc/def==", "----", None),
    ("didomi-ads-disabled", "didomi_token=" + b64({"user_id": "u", "purposes": {"enabled": ["analytics"], "disabled": ["advertising_personalization"]}}), "oooi", None),
    ("didomi-all-enabled", "didomi_token=" + b64({"purposes": {"enabled": ["cookies", "advertising_personalization"], "disabled": []}}), "iii-", None),
    ("didomi-an-unknown-purpose-refused-counts", "didomi_token=" + b64({"purposes": {"enabled": ["cookies"], "disabled": ["custom-Xy"]}}), "ooo-", None),
    ("ketch-denied-by-canonical-purpose", "_ketch_consent_v1_=" + b64(KETCH), "oooi", None),
    ("ketch-percent-encoded-padding", "_ketch_consent_v1_=" + quote(b64(KETCH), safe=""), "oooi", None),
    ("ketch-older", "_swb_consent_=" + b64({"purposes": {"data_sales": {"allowed": "false"}, "analytics": {"allowed": "true"}}}), "o--i", None),
    ("ketch-saw-gpc", "gpcsignal=true", "ooo-", None),
    ("ketch-saw-no-gpc", "gpcsignal=false", "----", None),
    ("fides-refused", "fides_consent=" + js(fides({"data_sales_and_sharing": False})), "oo--", "same"),
    ("fides-opt-out-as-a-word", "fides_consent=" + js(fides({"data_sales": "opt_out", "analytics": "opt_in"})), "o--i", "same"),
    ("fides-acknowledged-is-no-answer", "fides_consent=" + js(fides({"data_sales": "acknowledge"})), "----", "same"),
    ("fides-allowed", "fides_consent_site=" + js(fides({"data_sales": True})), "i---", js(fides({"data_sales": False}))),
    ("fides-compressed", "fides_consent=" + squeezed(fides({"data_sales_and_sharing": False})), "oo--", None),
    ("fides-opt-out-inside-its-gpp-string", "fides_consent=" + js(fides({}, fides_string=",,DBABLA~BVQVAAAAAgA.YA,")), "ooo-", "same"),
    ("fides-gpp-string-allows", "fides_consent=" + js(fides({}, fides_string=",,DBABLA~BVQqAAAAAgA.QA,")), "iii-", js(fides({}, fides_string=",,DBABLA~BVQVAAAAAgA.YA,"))),
    ("transcend-refused", "tcm=" + js({"purposes": {"Advertising": False, "SaleOfInfo": False, "Analytics": True}, "confirmed": True}), "oooi", "same"),
    ("transcend-auto-is-undecided", "tcm=" + js({"purposes": {"Advertising": "Auto", "Analytics": "Auto"}}), "----", "same"),
    ("transcend-allowed", "tcm=" + js({"purposes": {"Advertising": True}}), "iii-", js({"purposes": {"Advertising": False}})),
    ("securiti-an-empty-map-is-a-refusal", "__privaci_cookie_consents=" + js({"consents": {}}), "oooo", None),
    ("securiti-one-refused", "__privaci_cookie_consents=" + js({"consents": {"12": 1, "13": 0}}), "ooo-", None),
    ("securiti-all-allowed", "__privaci_cookie_consents=" + js({"consents": {"12": 1, "13": 1}}), "iii-", None),
    ("civic-revoked", "CookieControl=" + js({"necessaryCookies": ["a"], "optionalCookies": {"analytics": "accepted", "marketing": "revoked"}}), "oooi", "same"),
    ("civic-accepted", "CookieControl=" + js({"optionalCookies": {"marketing": "accepted"}}), "iii-", js({"optionalCookies": {"marketing": "revoked"}})),
    ("cookieyes-refused", "cookieyes-consent=" + COOKIEYES.format(a="no", m="no"), "oooo", "same"),
    ("cookieyes-allowed", "cookieyes-consent=" + COOKIEYES.format(a="yes", m="yes"), "iiii", COOKIEYES.format(a="yes", m="no")),
    ("cookieyes-encoded", "cookieyes-consent=" + quote(COOKIEYES.format(a="yes", m="yes"), safe=""), "iiii", quote(COOKIEYES.format(a="yes", m="no"), safe="")),
    ("cookielawinfo", "cookielawinfo-checkbox-advertisement=no", "ooo-", "same"),
    ("cookielawinfo-allowed", "cookielawinfo-checkbox-advertisement=yes", "iii-", "no"),
    ("cookielawinfo-analytics", "cookielawinfo-checkbox-analytics=yes", "---i", None),
    ("complianz-deny", "cmplz_marketing=deny", "ooo-", "same"),
    ("complianz-allow", "cmplz_marketing=allow", "iii-", "deny"),
    ("complianz-statistics-allowed", "cmplz_statistics=allow", "---i", None),
    ("iubenda-refused", "_iub_cs-50053366=" + js({"timestamp": "2025-02-05", "purposes": {"1": True, "3": True, "4": True, "5": False}, "id": 50053366}), "oooi", "same"),
    ("iubenda-without-a-marketing-purpose", "_iub_cs-50053366=" + js({"purposes": {"1": True, "3": True, "4": True}}), "---i", "same"),
    ("iubenda-consent-for-everything", "_iub_cs-71185313=" + js({"consent": True, "id": 71185313}), "iiii", None),
    ("iubenda-refusal-of-everything", "_iub_cs-71185313=" + js({"consent": False}), "oooo", None),
    ("iubenda-us-true-is-allowed", "_iub_cs-90483436-uspr=" + js({"s": True, "sh": True, "adv": True}), "iii-", js({"s": False, "sh": False, "adv": False})),
    ("iubenda-us-refused", "_iub_cs-90483436-uspr=" + js({"s": False, "sh": True, "adv": True}), "oii-", js({"s": False, "sh": False, "adv": False})),
    ("cookiescript-rejected", "CookieScriptConsent=" + js({"action": "reject"}), "oooo", None),
    ("cookiescript-accepted-without-targeting", "CookieScriptConsent=" + js({"action": "accept", "categories": '["performance"]'}), "oooi", None),
    ("cookiescript-accepted", "CookieScriptConsent=" + js({"action": "accept", "categories": '["targeting","performance"]'}), "iiii", None),
    ("cookiefirst-refused", "cookiefirst-consent=" + js({"necessary": True, "performance": True, "functional": True, "advertising": False}), "oooi", "same"),
    ("cookiefirst-allowed", "cookiefirst-consent=" + js({"necessary": True, "advertising": True}), "iii-", js({"necessary": True, "advertising": False})),
    ("cookieinformation-refused", "CookieInformationConsent=" + js({"consents_approved": ["cookie_cat_necessary"], "consents_denied": ["cookie_cat_marketing"]}), "oooo", None),
    ("cookieinformation-approved", "CookieInformationConsent=" + js({"consents_approved": ["cookie_cat_statistic", "cookie_cat_marketing"]}), "iiii", None),
    ("axeptio-a-vendor-refused", "axeptio_cookies=" + js({"$$token": "t", "$$completed": True, "google_analytics": True, "facebook_pixel": False}), "oooi", None),
    ("axeptio-nobody-authorised", "axeptio_authorized_vendors=%2C%2C", "oooo", None),
    ("axeptio-somebody-authorised", "axeptio_authorized_vendors=%2Cgoogle_analytics%2C", "----", None),
    ("commanders-act-1-is-opted-out", "TC_PRIVACY=1@003%7C1%7C432@@@1667000000000@", "oooo", None),
    ("commanders-act-0-is-opted-in", "TC_PRIVACY=0@002%7C30%7C3095@1,2,3@@1667000000000@", "iiii", None),
    ("tealium-consent-false", "CONSENTMGR=consent:false%7Cts:1628873490170", "oooo", "same"),
    ("tealium-consent-true", "CONSENTMGR=dns:false%7Cconsent:true%7Cts:1628873490170", "iiii", "dns:true%7Cconsent:false%7Cts:1628873490170"),
    ("tealium-do-not-sell", "CONSENTMGR=dns:true|consent:true|ts:1|c1:1|c3:1", "ooii", "dns:true|consent:true|ts:1|c1:1|c3:0"),
    ("tealium-1-is-allowed", "CONSENTMGR=consent:true|ts:1|c1:1|c3:0", "oooi", "same"),
    ("tealium-optoutmulti-1-is-opted-out", "OPTOUTMULTI=0:0%7Cc1:0%7Cc3:1", "oooi", "0:1%7Cc1:0%7Cc3:1"),
    ("tealium-optoutmulti-0-is-allowed", "OPTOUTMULTI=c1:0|c3:0", "iiii", "c1:0|c3:1"),
    ("tealium-optoutmulti-everything", "OPTOUTMULTI=0:1", "oooo", "same"),
    ("ensighten-0", "DELTA_ENSIGHTEN_PRIVACY_Advertising=0", "ooo-", "same"),
    ("ensighten-1", "AUDI_US_ENSIGHTEN_PRIVACY_Marketing=1", "iii-", "0"),
    ("ensighten-analytics", "X_ENSIGHTEN_PRIVACY_Analytics=1", "---i", None),
    ("adobe-out", "kndctr_53A16ACB5CC1D3760A495C99_AdobeOrg_consent=general%3Dout", "oooo", "same"),
    ("adobe-in", "kndctr_53A16ACB5CC1D3760A495C99_AdobeOrg_consent=general=in", "iiii", "general=out"),
    ("hubspot-ads-refused", "__hs_cookie_cat_pref=1:true,2:false,3:true", "oooi", "same"),
    ("hubspot-allowed", "__hs_cookie_cat_pref=1:true_2:true_3:true", "iiii", "1:true_2:false_3:true"),
    ("hubspot-opt-out-yes", "__hs_opt_out=yes", "oooo", "same"),
    ("hubspot-opt-out-no", "__hs_opt_out=no", "iiii", "yes"),
    ("hubspot-do-not-track", "__hs_do_not_track=yes", "oooo", "same"),
    ("shopify-all-granted", "_tracking_consent=3.AMPS_USCA_f_f_29CBDcE*Rl2eLBF2cGNNCg", "iiii", "3.AP_USCA_f_f_29CBDcE*Rl2eLBF2cGNNCg"),
    ("shopify-sale-not-granted", "_tracking_consent=3.AMP_USCA_t_t_1SPle0BiTc-GOC2Wom484w", "ooii", "3.AP_USCA_t_t_1SPle0BiTc-GOC2Wom484w"),
    ("shopify-nothing-granted", "_tracking_consent=3._USCA_f_f_x", "oooo", "same"),
    ("shopify-older-sale-refused", "_tracking_consent=" + js(SHOPIFY), "oo-i", "same"),
    ("shopify-cmp", "_cmp_a=" + js({"purposes": {"a": True, "p": True, "m": True, "t": False}}), "ooii", js({"purposes": {"a": True, "p": True, "m": False, "t": False}})),
    ("piwik-pro-minus-one-is-refused", "ppms_privacy_1234-abcd=" + js({"visitorId": "v", "consents": {"analytics": {"status": 1}, "remarketing": {"status": -1}}}), "oooi", None),
    ("piwik-pro-zero-is-undecided", "ppms_privacy_1234-abcd=" + js({"consents": {"remarketing": {"status": 0}}}), "----", None),
    ("pandectes-bit-4-is-targeting-refused", "_pandectes_gdpr=" + b64({"status": "custom", "preferences": 4}), "oooi", None),
    ("pandectes-0-refuses-nothing", "_pandectes_gdpr=" + b64({"preferences": 0}), "iiii", None),
    ("evidon-allowed", "_evidon_consent_cookie=" + '{"consent_date":"2021-10-31T10:04:29.977Z","categories":{"7":true},"vendors":{"7":{"14":true,"17":true}}}', "iii-", None),
    ("evidon-a-vendor-refused", "_evidon_consent_cookie=" + '{"categories":{"7":true},"vendors":{"7":{"14":true,"17":false}}}', "ooo-", None),
    ("evidon-seen-only", "_evidon_consent_cookie=" + js({"consent_date": "2020-06-03", "consent_type": 1}), "----", None),
    ("datagrail-refused", "datagrail_consent_preferences=dg-category-essential:1|dg-category-marketing:0|dg-category-performance:1", "oooi", "same"),
    ("datagrail-allowed", "datagrail_consent_preferences_s=dg-category-essential:1|dg-category-marketing:1", "iii-", "dg-category-essential:1|dg-category-marketing:0"),
    ("c15t-leaves-out-what-was-refused", "c15t=c.necessary:1,c.measurement:1,i.t:1234567890", "oooi", "same"),
    ("c15t-allowed", "c15t=c.necessary:1,c.marketing:1,c.measurement:1,i.t:1", "iiii", "c.necessary:1,c.marketing:0,c.measurement:1,i.t:1"),
    ("c15t-older", "c15t=" + js({"consents": {"necessary": True, "marketing": False, "measurement": True}}), "oooi", "same"),
    ("klaro-a-service-refused", "klaro=" + js({"google-analytics": True, "youtube": False}), "oooi", None),
    ("klaro-all-accepted", "klaro=" + js({"google-analytics": True, "youtube": True}), "iiii", None),
    ("orestbida-only-necessary", "cc_cookie=" + js({"categories": ["necessary"], "revision": 0}), "oooo", None),
    ("orestbida-with-ads", "cc_cookie=" + js({"categories": ["necessary", "analytics", "ads"]}), "iiii", None),
    ("orestbida-version-1", "cc_cookie=" + js({"level": ["necessary", "analytics"]}), "oooi", None),
    ("gpp-in-onetrusts-cookie", "OTGPPConsent=DBABLA~BVQqAAAAAAJY.QA", "iii-", "DBABLA~CVQVAAAAAAJY.YA"),
    ("gpp-in-inmobis-cookie", "IABGPP_HDR_GppString=DBABBg~BUUAAACA", "oo--", "DBABBg~BUUAAACA.YA"),
]  # fmt: skip


def row(cells: tuple[str, str, str, str | None]) -> object:
    return pytest.param(*cells[1:], id=cells[0])


@pytest.mark.parametrize(("cookie", "expected", "written"), [row(cells) for cells in TABLE])
def test_a_platforms_cookie_says_what_the_visitor_chose(cookie: str, expected: str, written: str | None) -> None:
    assert said(cookie) == expected


@pytest.mark.parametrize(("cookie", "expected", "written"), [row(cells) for cells in TABLE])
def test_a_platforms_cookie_is_rewritten_to_say_opted_out(cookie: str, expected: str, written: str | None) -> None:
    [(name, value)] = pairs([cookie.encode()])
    new = formats.opted_out(name, value)
    if written is None:
        assert new is None
        return
    assert new is not None
    assert new.decode() == (value.decode() if written == "same" else written)
    assert formats.opted_out(name, new) == new
    assert "i" not in said(f"{name.decode()}={new.decode()}")[:3]


@pytest.mark.parametrize("cookie", [cells[1] for cells in TABLE if cells[2][:3] != "---"], ids=lambda c: c[:24])
def test_a_choice_encoded_once_more_is_still_read(cookie: str) -> None:
    name, _, value = cookie.partition("=")
    if value.count("%25") == 0:
        assert said(f"{name}={quote(value, safe='')}") == said(cookie)


def test_every_format_of_the_registry_has_a_cookie_here() -> None:
    seen = {reading.format for cells in TABLE for reading in formats.read_cookies([cells[1].encode()])}
    elsewhere = {"usprivacy", "gpp", "tcf", "onetrust", "onetrust-gpc", "onetrust-google"}  # test_signals_strings
    assert seen | elsewhere == formats.FORMATS


def test_evidence_holds_no_identifier() -> None:
    for _, cookie, _, _ in TABLE:
        for reading in formats.read_cookies([cookie.encode()]):
            assert not any(
                word in reading.statement.evidence for word in ("QlZ1", "4xeq", "50053366", "29CB", "1234", "1729")
            ), reading
