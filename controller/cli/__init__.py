"""The command line ``stillroom``: thin, and the only place that prints.

Every error a user can cause is one clear line on stderr (one for each fault of a file) and exit status 2.
"""

import sys

from controller.errors import InvalidFilesError, StillroomError

__all__ = ["main"]


def main() -> None:
    """Run the command line; what our own errors say goes to stderr, and nothing else does."""
    try:
        _carry_out()
    except InvalidFilesError as error:
        sys.stderr.write("".join(f"{problem}\n" for problem in error.problems))
        raise SystemExit(2) from None
    except StillroomError as error:
        sys.stderr.write(f"stillroom: {error}\n")
        raise SystemExit(2) from None
    except ExceptionGroup as group:
        ours = group.subgroup(StillroomError)
        if ours is None:
            raise
        first: BaseException = ours
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        sys.stderr.write(f"stillroom: {first}\n")
        raise SystemExit(2) from None


def _carry_out() -> None:
    """Read in what the command needs. ``run`` needs little: a room waits for it. The others bring much."""
    if sys.argv[1:2] == ["run"]:
        import typer  # noqa: PLC0415

        from controller.cli.run import run  # noqa: PLC0415

        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command()(run)
        alone(args=sys.argv[2:], prog_name="stillroom run")
        return
    from controller.cli.application import app  # noqa: PLC0415

    app()
