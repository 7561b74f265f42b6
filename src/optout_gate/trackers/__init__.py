"""Who is this URL, script or cookie?"""
