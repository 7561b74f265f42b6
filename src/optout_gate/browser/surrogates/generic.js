// Stands in for a vendor whose code no page calls: it lets the script's load event fire, and that is all.
