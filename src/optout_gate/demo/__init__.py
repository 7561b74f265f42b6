"""A website with real-world trackers, to see the gate at work."""
