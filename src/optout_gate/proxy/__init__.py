"""The reverse proxy that ops run at the edge."""
