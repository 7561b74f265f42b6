"""The gate as a mitmproxy addon: for a developer who wants to see what it would do to a site, here and now.

Only what is imported with mitmproxy installed (``pip install 'optout-gate[mitmproxy]'``) lives here.
"""
