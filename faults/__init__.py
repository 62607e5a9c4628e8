"""Faults of radar feeds, injected into replays of real scans, and what the system makes of each: `python -m faults`.

Not part of the package. The rules, the figures and what is not caught stand in docs/guarantees.md.
"""
