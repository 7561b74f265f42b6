"""What the visitor said."""
