"""Who a URL, a script or a cookie belongs to."""
