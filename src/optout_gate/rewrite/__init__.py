"""Take it out, leave the rest byte for byte."""
