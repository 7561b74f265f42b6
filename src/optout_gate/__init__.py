"""Make a website keep its word: honour opt-out signals before the response leaves and in the browser after."""

__version__ = "0.1.0"
