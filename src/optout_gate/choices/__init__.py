"""Standing opt-outs of known consumers: what somebody who signs in has said before, here or elsewhere."""
