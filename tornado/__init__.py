"""A web framework and asynchronous networking library: the Tornado 2.x API for today's Python."""

version = "2.4.1"
version_info = (2, 4, 1, 0)
