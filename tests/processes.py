"""Starting programs that tests interrupt."""

import signal


def heed_interrupts() -> None:
    """For ``preexec_fn``: Ctrl-C works, even where this process was started to ignore it.

    A shell starts what it puts into the background with SIGINT ignored, and Python keeps that.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
