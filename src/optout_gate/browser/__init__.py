"""What runs in the visitor's browser: plain JavaScript, served as it stands."""
