"""Make a website keep its word: honour opt-out signals before the response leaves."""

__version__ = "0.1.0"
