"""`python -m nowcast`, and the `nowcast` command."""

from nowcast.settings import calm_engines


def main() -> None:
    """Run the command line."""
    calm_engines()
    from nowcast.cli import app

    app()


if __name__ == "__main__":
    main()
