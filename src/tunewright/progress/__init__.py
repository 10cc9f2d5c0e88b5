"""How a job is shown to people while it runs and when it has ended: in a terminal, as plain lines, in a notebook."""

from tunewright.progress.brief import Brief
from tunewright.progress.opening import Progress, open_progress

__all__ = ["Brief", "Progress", "open_progress"]
