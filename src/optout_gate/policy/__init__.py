"""What follows from what the visitor said."""
