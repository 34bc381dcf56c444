"""The smallest server: one handler, one route, one loop.

    PYTHONPATH=. python3 demos/helloworld/helloworld.py --port=8888

It listens on every address of the machine and runs until Ctrl-C.
"""

import logging
import sys

import tornado.httpserver
import tornado.ioloop
import tornado.options
import tornado.web
from tornado.options import define, options

define("port", default=8888, type=int, help="TCP port to listen on")

log = logging.getLogger("helloworld")


class MainHandler(tornado.web.RequestHandler):
    """Greets whoever asks."""

    def get(self) -> None:
        """Answer GET."""
        self.write("Hello, world")


def main() -> None:
    """Serve until interrupted."""
    tornado.options.parse_command_line()
    application = tornado.web.Application([(r"/", MainHandler)])
    server = tornado.httpserver.HTTPServer(application)
    try:
        server.listen(options.port)
    except OSError as error:
        sys.exit(f"{error.strerror} (--port=N chooses the port)")
    log.info("ready: point your browser at http://localhost:%d/ (Ctrl-C ends)", options.port)
    try:
        tornado.ioloop.IOLoop.instance().start()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
