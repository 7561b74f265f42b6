"""The gate's own pages, all under one prefix."""
