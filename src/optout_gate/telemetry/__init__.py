"""Metrics and logs, fed by reports."""
