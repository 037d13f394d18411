"""Millrace's Python host: runs users' Python classes in a child process of the server.

The server is at the other end of file descriptor 3 and speaks the framed protocol of `src/ipc/`. Standard library only;
numpy where it is importable. Python 3.9 or newer.
"""
