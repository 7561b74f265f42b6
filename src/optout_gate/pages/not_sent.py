"""The page that a form leads to when its address was a denied vendor's.

Such a form is a newsletter box or a survey of an advertising company: what a visitor types there would be handed to
it. The gate does not take it either: nothing is read, kept or passed on, and the page says so plainly, so that nobody
believes a form was sent that was not. Forms that lead to the site itself are never touched.
"""

from string import Template

from starlette.responses import HTMLResponse, Response

from optout_gate.rewrite.neutral import PREFIX

_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>This form was not sent</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}</style>
<main>
<h1>This form was not sent</h1>
<p>The form you used belongs to a company that you opted out of on this site. What you entered was not passed on, and
it was not kept here.</p>
<p>Go back with your browser, or read <a href="$preferences">what your privacy choice means on this site</a>.</p>
</main>
</html>
""").substitute(preferences=f"{PREFIX}/preferences")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def show() -> Response:
    """Return the page. The request's body is never read."""
    return HTMLResponse(_PAGE, 422, headers=_HEADERS)
