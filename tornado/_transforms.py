"""What happens to a response between the handler and the connection: gzip and chunks.

The closet of `tornado.web` for output transforms.  An application may have its own, see
`OutputTransform`.
"""

import zlib
from typing import Any

from tornado.wire.http1 import format_chunk

COMPRESSION_LEVEL = 6  # of 9; beyond it text hardly gets smaller, but the loop waits longer


class OutputTransform:
    """Changes the output of one response; made anew, with the *request*, for each.

    `transform_first_chunk` is called once, with what is known when the headers go out, then
    `transform_chunk` for each further flush.  *finishing* is true in the last call.
    """

    def __init__(self, request: Any) -> None:
        pass

    def transform_first_chunk(
        self, status_code: int, headers: Any, chunk: bytes, finishing: bool
    ) -> tuple[int, Any, bytes]:
        """Return *status_code*, *headers* (the handler's own, to be changed in place) and *chunk*."""
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Return *chunk*, changed or not."""
        return chunk


class GZipContentEncoding(OutputTransform):
    """Compresses text for clients that accept gzip (the setting ``gzip``).

    Each flush can be decoded as it comes.  An Etag becomes the weak form of itself, for the bytes are
    no longer the same (RFC 9110, 8.8.3.3).
    """

    CONTENT_TYPES = {
        "text/plain",
        "text/html",
        "text/css",
        "text/xml",
        "text/javascript",
        "application/javascript",
        "application/x-javascript",
        "application/xml",
        "application/atom+xml",
        "application/json",
        "application/xhtml+xml",
        "image/svg+xml",
    }
    #: Bytes; a response that is shorter and complete is not compressed.
    MIN_LENGTH = 5

    def __init__(self, request: Any) -> None:
        self._gzipping = request.supports_http_1_1() and _accepts_gzip(
            request.headers.get("Accept-Encoding", "")
        )

    def transform_first_chunk(
        self, status_code: int, headers: Any, chunk: bytes, finishing: bool
    ) -> tuple[int, Any, bytes]:
        """Decide whether to compress, and begin."""
        media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        compressible = (
            media_type in self.CONTENT_TYPES
            and status_code not in (204, 206, 304)
            and "Content-Encoding" not in headers
            and (len(chunk) >= self.MIN_LENGTH if finishing else "Content-Length" not in headers)
        )
        if compressible or (status_code == 304 and "Etag" in headers):
            _add_vary(headers)
        self._gzipping = self._gzipping and compressible
        if self._gzipping:
            headers["Content-Encoding"] = "gzip"
            etag = headers.get("Etag")
            if etag is not None and not etag.startswith("W/"):
                headers["Etag"] = "W/" + etag
            self._compressor = zlib.compressobj(COMPRESSION_LEVEL, wbits=zlib.MAX_WBITS | 16)  # 16: as gzip
            chunk = self.transform_chunk(chunk, finishing)
            if "Content-Length" in headers:
                headers["Content-Length"] = str(len(chunk))
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Return *chunk* compressed, as far as to be decoded at once."""
        if not self._gzipping:
            return chunk
        mode = zlib.Z_FINISH if finishing else zlib.Z_SYNC_FLUSH
        return self._compressor.compress(chunk) + self._compressor.flush(mode)


def _accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding field (RFC 9110, 12.5.3) admits gzip."""
    for item in accept_encoding.split(","):
        coding, _, parameters = item.partition(";")
        if coding.strip(" \t").lower() == "gzip":
            weight = parameters.replace(" ", "").lower()
            return not weight.startswith("q=") or weight[2:].strip("0.") != ""
    return False


def _add_vary(headers: Any) -> None:
    vary = headers.get("Vary")
    if vary is None:
        headers["Vary"] = "Accept-Encoding"
    elif "accept-encoding" not in vary.lower():
        headers["Vary"] = vary + ", Accept-Encoding"


class ChunkedTransferEncoding(OutputTransform):
    """Sends a response of unknown length in chunks to an HTTP/1.1 client (RFC 9112, 7.1)."""

    def __init__(self, request: Any) -> None:
        self._chunking = request.supports_http_1_1()

    def transform_first_chunk(
        self, status_code: int, headers: Any, chunk: bytes, finishing: bool
    ) -> tuple[int, Any, bytes]:
        """Decide whether to send chunks, and begin."""
        if self._chunking:
            if "Content-Length" in headers or "Transfer-Encoding" in headers or status_code in (204, 304):
                self._chunking = False
            else:
                headers["Transfer-Encoding"] = "chunked"
                chunk = self.transform_chunk(chunk, finishing)
        return status_code, headers, chunk

    def transform_chunk(self, block: bytes, finishing: bool) -> bytes:
        """Return *block* as a chunk, with the last chunk after it when *finishing*."""
        if not self._chunking:
            return block
        chunk = format_chunk(block) if block else b""
        return chunk + format_chunk(b"") if finishing else chunk
