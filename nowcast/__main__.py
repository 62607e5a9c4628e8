"""`python -m nowcast`, and the `nowcast` command."""

import sys

from nowcast.settings import calm_engines


def main() -> None:
    """Run the command line."""
    calm_engines()
    from nowcast.cli import app
    from nowcast.logs import show_crash

    sys.excepthook = show_crash
    app()


if __name__ == "__main__":
    main()
