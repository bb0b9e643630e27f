"""What has happened, in words a trader reads; formatted only when somebody wants to know."""

from collections import deque

from tests.simulator.timeline import Timeline


class Story:
    """Keeps the last `keep` lines, or tells them aloud as they come."""

    def __init__(self, timeline: Timeline, *, keep: int = 60, aloud: bool = False) -> None:
        self._timeline = timeline
        self._lines: deque[tuple[str, str, tuple[object, ...]]] = deque(maxlen=keep)
        self._aloud = aloud
        self.count = 0

    def tell(self, words: str, *about: object) -> None:
        self.count += 1
        self._lines.append((f"{self._timeline.seconds:8.3f}", words, about))
        if self._aloud:
            print(f"{self._timeline}  {words.format(*about)}", flush=True)

    def lines(self) -> list[str]:
        return [f"{when} s  {words.format(*about)}" for when, words, about in self._lines]
