"""Puts the parts together: the only room that knows every concrete one. Parts are imported when they are built, so that
a command that needs none of them, such as `--help`, waits for none.
"""

from evenkeel.cli.doors import Doors, PanicPlan, PanicReport, ServePlan


def main() -> None:
    """The console script."""
    from evenkeel.cli.main import run

    run(Doors(serve=serve, panic=panic))


def serve(plan: ServePlan) -> int:
    """As `bootstrap.serving.serve`."""
    from evenkeel.bootstrap.serving import serve as see_to

    return see_to(plan)


def panic(plan: PanicPlan) -> PanicReport:
    """As `bootstrap.rescue.panic`."""
    from evenkeel.bootstrap.rescue import panic as see_through

    return see_through(plan)
