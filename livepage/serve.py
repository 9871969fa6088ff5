"""Serve a built book to this machine's own browser: ``python -m livepage.serve _build/html``."""

import argparse
import webbrowser
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


def server(folder: str) -> ThreadingHTTPServer:
    """Return a server of this folder on a free port of the loopback interface."""
    return ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder))


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="the folder to serve")
    with server(parser.parse_args().folder) as book:
        address = f"http://127.0.0.1:{book.server_port}/"
        print(f"The book is at {address}  (Ctrl-C to stop)", flush=True)
        webbrowser.open(address)
        try:
            book.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
