"""`evenkeel risk`: what is at stake, and what limits allow."""

import typer

from evenkeel.cli import limits, risk_metrics

app = typer.Typer(no_args_is_help=True)
app.command("limits", epilog=limits.LIMITS_EXAMPLES)(limits.limits)
app.command("check", epilog=limits.CHECK_EXAMPLES)(limits.check)
app.command("lift", epilog=limits.LIFT_EXAMPLES)(limits.lift)
app.command("metrics", epilog=risk_metrics.METRICS_EXAMPLES)(risk_metrics.metrics)
