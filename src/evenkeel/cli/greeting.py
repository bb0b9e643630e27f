"""What a start says on the terminal: where the desk is, how to sign in, where its state lies."""

import os
import sys
from pathlib import Path

from evenkeel import __version__


def greet(url: str, home: Path, username: str, *, password: str | None, token: str | None, browse: bool) -> None:
    """Prints the lines: a `password` that was made here, and with a `token` a link that signs in once.

    The link is opened where `browse` says so and there is a display.
    """
    secret = f"{password}   (shown at each start until you have signed in with it)" if password else "your password"
    link = None if token is None else f"{url}/link/?token={token}"
    lines = [f"Evenkeel {__version__}: the desk is at {url}", f"  sign in as  {username}  with  {secret}"]
    if link is not None:
        lines.append(f"  or by link  {link}   (once, for ten minutes)")
    lines.append(f"  state is in {home}; Ctrl-C stops, and the next start continues")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    if link is not None and browse and _has_display():
        import webbrowser

        webbrowser.open(link)


def _has_display() -> bool:
    return sys.stdout.isatty() and (sys.platform == "darwin" or bool(os.environ.get("DISPLAY")))
