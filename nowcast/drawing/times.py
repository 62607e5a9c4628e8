"""Marks of an axis of minutes from the start of a nowcast."""

SPACINGS = (5, 10, 15, 20, 30, 60, 120, 360)
MOST = 9
"""Marks beside the first, unless the spacings end."""


def marks(first: int, last: int) -> list[int]:
    """Round minutes between two, 0 among them when it lies there."""
    spacing = next((step for step in SPACINGS if last - first <= MOST * step), SPACINGS[-1])
    return [k * spacing for k in range(-(-first // spacing), last // spacing + 1)]


def signed(minutes: int) -> str:
    """now, +25, or so many before with a minus sign."""
    return f"{minutes:+d}".replace("-", "\N{MINUS SIGN}") if minutes else "now"
