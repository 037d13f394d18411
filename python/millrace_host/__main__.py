"""The program: `python -u .../millrace_host/__main__.py`, with the server at the other end of file descriptor 3.

This file is read by every Python that there is, so that an old one can be told what it lacks.
"""

import os
import sys

OLDEST = (3, 9)
_HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    if sys.version_info < OLDEST:
        text = "Python %d.%d or newer is needed, %s is %d.%d; set MILLRACE_PYTHON to another interpreter\n"
        sys.stderr.write(text % (OLDEST + (sys.executable,) + tuple(sys.version_info[:2])))
        sys.stderr.flush()
        os._exit(3)
    # The folder of this file is no place to import from; the one above has `mlserver` and `pyovms`, for who has none.
    if sys.path and os.path.abspath(sys.path[0]) == _HERE:
        del sys.path[0]
    sys.path.append(os.path.dirname(_HERE))
    from millrace_host.program import run

    run()


if __name__ == "__main__":
    main()
