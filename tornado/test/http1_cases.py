"""HTTP/1.1 messages and what becomes of them: tables, for whoever reads messages.

A row begins with its name and its rule: a section of an RFC, an advisory about somebody who broke it, or
one of the limits of `tornado.wire.http1` and `tornado.httpserver`.
"""

# fmt: off
# A row is a line where it fits.

#: A complete request that nobody may serve when it stands behind a bad one.
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"

Bad = list[tuple[str, str, bytes, int]]  # name, rule, input, status

CONTROLS = [*range(9), 11, 12, *range(14, 32), 127]  # all but HTAB, LF and CR
NOT_TOKEN = list(b'"(),/;<=>?@[\\]{}')  # the colon is another matter
NOT_ASCII = [0x80, 0x85, 0xA0, 0xAD, 0xB2, 0xC3, 0xE9, 0xFF]

# -- request lines --

#: Followed by ``Host: a``.
BAD_REQUEST_LINES: Bad = [
    # what stands between the words
    ("two blanks after the method", "RFC 9112, 3", b"GET  / HTTP/1.1", 400),
    ("two blanks before the version", "RFC 9112, 3", b"GET /  HTTP/1.1", 400),
    ("tabs between the words", "RFC 9112, 3", b"GET\t/\tHTTP/1.1", 400),
    ("tab after the method", "RFC 9112, 3", b"GET \t/ HTTP/1.1", 400),
    ("vertical tab between the words", "RFC 9112, 3", b"GET\x0b/ HTTP/1.1", 400),
    ("form feed between the words", "RFC 9112, 3", b"GET /\x0cHTTP/1.1", 400),
    ("no-break spaces between the words", "RFC 9112, 3", b"GET\xa0/\xa0HTTP/1.1", 400),
    ("next line between the words", "RFC 9112, 3", b"GET\x85/\x85HTTP/1.1", 400),
    ("leading blank", "RFC 9112, 3", b" GET / HTTP/1.1", 400),
    ("leading tab", "RFC 9112, 3", b"\tGET / HTTP/1.1", 400),
    ("trailing blank", "RFC 9112, 3", b"GET / HTTP/1.1 ", 400),
    ("trailing tab", "RFC 9112, 3", b"GET / HTTP/1.1\t", 400),
    ("blank in the target", "RFC 9112, 3.2", b"GET /a b HTTP/1.1", 400),
    ("a fourth word", "RFC 9112, 3", b"GET / HTTP/1.1 x", 400),
    ("bare CR between the words", "RFC 9112, 2.2", b"GET\r/ HTTP/1.1", 400),
    ("bare CR at the end", "RFC 9112, 2.2", b"GET / HTTP/1.1\r", 400),
    ("bare CR and more", "RFC 9112, 2.2", b"GET / HTTP/1.1\rX: y", 400),
    ("bare LF as line end", "CVE-2019-16785", b"GET / HTTP/1.1\nX: y", 400),
    ("one word", "RFC 9112, 3", b"GET", 400),
    ("no version: HTTP/0.9", "RFC 9112, 3", b"GET /", 400),
    ("no version, but its blank", "RFC 9112, 3", b"GET / ", 400),
    ("no target", "RFC 9112, 3", b"GET HTTP/1.1", 400),
    ("empty target", "RFC 9112, 3", b"GET  HTTP/1.1", 400),
    ("empty method", "RFC 9112, 3.1", b" / HTTP/1.1", 400),
    ("blanks only", "RFC 9112, 3", b"   ", 400),
    ("a response", "RFC 9112, 2.1", b"HTTP/1.1 200 OK", 400),
    # method
    ("method of 33 octets", "limit", b"A" * 33 + b" / HTTP/1.1", 400),
    ("method of separators", "CVE-2024-23829", b'G=":<>(e),[T];?" / HTTP/1.1', 400),
    ("method with a colon", "RFC 9110, 5.6.2", b"GE:T / HTTP/1.1", 400),
    *[
        (f"method with 0x{octet:02x}", "RFC 9110, 5.6.2", b"G%cT / HTTP/1.1" % octet, 400)
        for octet in [*CONTROLS, *NOT_TOKEN, *NOT_ASCII]
    ],
    ("CONNECT to an authority", "RFC 9110, 9.3.6", b"CONNECT a:80 HTTP/1.1", 501),
    ("CONNECT to an IPv6 authority", "RFC 9110, 9.3.6", b"CONNECT [::1]:80 HTTP/1.1", 501),
    ("CONNECT to a path", "RFC 9110, 9.3.6", b"CONNECT / HTTP/1.1", 501),
    ("CONNECT without a port", "RFC 9112, 3.2.3", b"CONNECT a HTTP/1.1", 400),
    ("CONNECT to an absolute URL", "RFC 9112, 3.2.3", b"CONNECT http://a/ HTTP/1.1", 400),
    # version
    *[
        (f"version {version!r}", "RFC 9112, 2.3", b"GET / " + version, 400)
        for version in [
            b"http/1.1", b"Http/1.1", b"HTTP/1", b"HTTP/1.", b"HTTP/.1", b"HTTP/11", b"HTTP/1.10",
            b"HTTP/1.32",
            b"HTTP/01.1", b"HTTP/10.1", b"HTTP/1.1.1", b"HTTP/1,1", b"HTTP/+1.1", b"HTTP/-1.1", b"HTTP/1.x",
            b"HTTP/x.1", b"HTTP/1.\xb2", b"HTTP/1.\xd9\xa1", b"HTTP/\xd9\xa1.1", b"HTTQ/1.1", b"HTTPS/1.1",
            b"XHTTP/1.1", b"HTTP1.1", b"HTTP\\1.1", b"HTTP", b"1.1", b"ICY/1.1", b"HTTP/1.1\x00", b"RTSP/1.0",
        ]
    ],
    *[
        (f"version {version!r}", "RFC 9110, 15.6.6", b"GET / " + version, 505)
        for version in [b"HTTP/2.0", b"HTTP/3.0", b"HTTP/0.9", b"HTTP/0.0", b"HTTP/9.9"]
    ],
    ("the preface of HTTP/2", "RFC 9113, 3.4", b"PRI * HTTP/2.0", 505),
    # target
    *[
        (f"target with 0x{octet:02x}", "RFC 9112, 3.2", b"GET /a%cb HTTP/1.1" % octet, 400)
        for octet in [9, 10, 13, *CONTROLS, *NOT_ASCII]
    ],
    ("target with a control in the query", "RFC 9112, 3.2", b"GET /?a=\x01 HTTP/1.1", 400),
    ("target with a fragment", "RFC 9112, 3.2", b"GET /a#b HTTP/1.1", 400),
    ("target with an empty fragment", "RFC 9112, 3.2", b"GET /a# HTTP/1.1", 400),
    ("target with an injected line", "CVE-2019-12387", b"GET /a\r\rHost:x HTTP/1.1", 400),
    ("relative target", "RFC 9112, 3.2", b"GET echo HTTP/1.1", 400),
    ("target that begins with @", "PYSEC-2026-248", b"GET @h HTTP/1.1", 400),
    ("target that begins with ?", "RFC 9112, 3.2", b"GET ?a=b HTTP/1.1", 400),
    ("target that begins with a backslash", "RFC 9112, 3.2", b"GET \\a HTTP/1.1", 400),
    ("target that begins with a dot", "RFC 9112, 3.2", b"GET ../a HTTP/1.1", 400),
    ("authority-form with GET", "RFC 9112, 3.2.3", b"GET a:80 HTTP/1.1", 400),
    ("asterisk-form with GET", "RFC 9112, 3.2.4", b"GET * HTTP/1.1", 400),
    ("asterisk and more", "RFC 9112, 3.2.4", b"OPTIONS *a HTTP/1.1", 400),
    ("asterisk after a slash-less host", "RFC 9112, 3.2.4", b"OPTIONS ** HTTP/1.1", 400),
    ("absolute-form without an authority", "RFC 9112, 3.2.2", b"GET http:///a HTTP/1.1", 400),
    ("absolute-form that ends before it", "RFC 9112, 3.2.2", b"GET http:// HTTP/1.1", 400),
    ("absolute-form with one slash", "RFC 9112, 3.2.2", b"GET http:/a HTTP/1.1", 400),
    ("absolute-form without slashes", "RFC 9112, 3.2.2", b"GET http:a HTTP/1.1", 400),
    ("absolute-form of ftp", "RFC 9112, 3.2.2", b"GET ftp://a/ HTTP/1.1", 400),
    ("absolute-form of javascript", "RFC 9112, 3.2.2", b"GET javascript://a/ HTTP/1.1", 400),
    ("user in the authority", "RFC 9110, 4.2.4", b"GET http://u@a/ HTTP/1.1", 400),
    ("user and password in the authority", "RFC 9110, 4.2.4", b"GET http://u:p@a/ HTTP/1.1", 400),
    ("authority of a port only", "RFC 9110, 4.2.1", b"GET http://:80/ HTTP/1.1", 400),
    ("authority with a bad port", "RFC 3986, 3.2.3", b"GET http://a:x/ HTTP/1.1", 400),
    ("authority with a signed port", "RFC 3986, 3.2.3", b"GET http://a:+8/ HTTP/1.1", 400),
    ("authority with half an IPv6 address", "RFC 3986, 3.2.2", b"GET http://[::1/ HTTP/1.1", 400),
    ("authority with a bare IPv6 address", "RFC 3986, 3.2.2", b"GET http://::1/ HTTP/1.1", 400),
    ("authority with a backslash", "RFC 3986, 3.2.2", b"GET http://a\\b/ HTTP/1.1", 400),
    ("authority with a bad escape", "RFC 3986, 2.1", b"GET http://a%zz/ HTTP/1.1", 400),
    ("absolute-form with a fragment", "RFC 9112, 3.2.2", b"GET http://a/#b HTTP/1.1", 400),
    ("absolute-form with a fragment at once", "RFC 9112, 3.2.2", b"GET http://a#b HTTP/1.1", 400),
    ("absolute-form with a bad octet", "RFC 9112, 3.2.2", b"GET http://a/\xe9 HTTP/1.1", 400),
]

# name, rule, request line, method, target, version; followed by ``Host: a``
REQUEST_LINES: list[tuple[str, str, bytes, str, str, str]] = [
    ("the usual", "RFC 9112, 3", b"GET / HTTP/1.1", "GET", "/", "HTTP/1.1"),
    *[
        (method, "RFC 9110, 9.1", method.encode() + b" / HTTP/1.1", method, "/", "HTTP/1.1")
        for method in ["HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"]
    ],
    ("method in lower case", "RFC 9110, 9.1", b"get / HTTP/1.1", "get", "/", "HTTP/1.1"),
    ("unknown method", "RFC 9110, 9.1", b"BREW / HTTP/1.1", "BREW", "/", "HTTP/1.1"),
    ("method of one letter", "RFC 9110, 9.1", b"X / HTTP/1.1", "X", "/", "HTTP/1.1"),
    ("method of 32 octets", "limit", b"A" * 32 + b" / HTTP/1.1", "A" * 32, "/", "HTTP/1.1"),
    ("method of odd token characters", "RFC 9110, 5.6.2", b"!#$%&'*+-.^_`|~09 / HTTP/1.1",
     "!#$%&'*+-.^_`|~09", "/", "HTTP/1.1"),
    ("HTTP/1.0", "RFC 9112, 2.3", b"GET / HTTP/1.0", "GET", "/", "HTTP/1.0"),
    ("HTTP/1.2 is served as 1.1", "RFC 9110, 2.5", b"GET / HTTP/1.2", "GET", "/", "HTTP/1.1"),
    ("HTTP/1.9 is served as 1.1", "RFC 9110, 2.5", b"GET / HTTP/1.9", "GET", "/", "HTTP/1.1"),
    ("path and query", "RFC 9112, 3.2.1", b"GET /a/b?c=d&e HTTP/1.1", "GET", "/a/b?c=d&e", "HTTP/1.1"),
    ("empty query", "RFC 9112, 3.2.1", b"GET /? HTTP/1.1", "GET", "/?", "HTTP/1.1"),
    ("every octet a target may have", "RFC 9112, 3.2",
     b"GET /" + bytes(set(range(33, 127)) - {35}) + b" HTTP/1.1",
     "GET", "/" + "".join(chr(each) for each in range(33, 127) if each != 35), "HTTP/1.1"),
    ("two slashes are a path", "RFC 9112, 3.2.1", b"GET //h/p HTTP/1.1", "GET", "//h/p", "HTTP/1.1"),
    ("half an IPv6 address in a path", "CVE-2022-33124", b"GET //[bad HTTP/1.1", "GET", "//[bad", "HTTP/1.1"),
    ("malformed escapes", "RFC 3986, 2.1", b"GET /%/%z/%zz/%00 HTTP/1.1", "GET", "/%/%z/%zz/%00", "HTTP/1.1"),
    ("dots stay", "RFC 9112, 3.2.1", b"GET /../a/./b HTTP/1.1", "GET", "/../a/./b", "HTTP/1.1"),
    ("a URL as path", "RFC 9112, 3.2.1", b"GET /http://b/ HTTP/1.1", "GET", "/http://b/", "HTTP/1.1"),
    ("asterisk-form", "RFC 9112, 3.2.4", b"OPTIONS * HTTP/1.1", "OPTIONS", "*", "HTTP/1.1"),
    ("target of 8 000 octets", "RFC 9112, 3", b"GET /" + b"a" * 7999 + b" HTTP/1.1", "GET",
     "/" + "a" * 7999, "HTTP/1.1"),
]

# name, rule, absolute-form, target, host; in front of ``Host: a``
ABSOLUTE_FORMS: list[tuple[str, str, bytes, str, str]] = [
    ("http", "RFC 9112, 3.2.2", b"http://b/", "/", "b"),
    ("https", "RFC 9112, 3.2.2", b"https://b/p?q", "/p?q", "b"),
    ("letter case", "RFC 3986, 3.1", b"hTTp://B/p", "/p", "B"),
    ("port", "RFC 3986, 3.2.3", b"http://b:81/p", "/p", "b:81"),
    ("IPv6", "RFC 3986, 3.2.2", b"http://[::1]:81/p", "/p", "[::1]:81"),
    ("no path", "RFC 9112, 3.2.1", b"http://b", "/", "b"),
    ("no path but a query", "RFC 9112, 3.2.1", b"http://b?q=1", "/?q=1", "b"),
    ("two slashes in the path", "RFC 9112, 3.2.2", b"http://b//c/p", "//c/p", "b"),
    ("another URL in the path", "RFC 9112, 3.2.2", b"http://b/http://c@d/", "/http://c@d/", "b"),
]

# name, rule, what comes before ``GET / HTTP/1.1``, status or 0
EMPTY_LINES: Bad = [
    ("none", "RFC 9112, 2.2", b"", 0),
    ("one", "RFC 9112, 2.2", b"\r\n", 0),
    ("two", "RFC 9112, 2.2", b"\r\n\r\n", 0),
    ("three", "limit", b"\r\n\r\n\r\n", 400),
    ("four", "limit", b"\r\n\r\n\r\n\r\n", 400),
    ("a hundred", "limit", b"\r\n" * 100, 400),
    ("bare LF", "RFC 9112, 2.2", b"\n", 400),
    ("bare CR", "RFC 9112, 2.2", b"\r", 400),
    ("LF and CR", "RFC 9112, 2.2", b"\n\r", 400),
    ("a line with a blank", "RFC 9112, 2.2", b" \r\n", 400),
    ("an empty line and a blank", "RFC 9112, 2.2", b"\r\n ", 400),
    ("NUL", "RFC 9112, 2.2", b"\0", 400),
    ("a byte order mark", "RFC 9112, 2.2", b"\xef\xbb\xbf", 400),
]

# -- field lines --

#: Between ``POST / HTTP/1.1``, ``Host: a`` and the empty line.
BAD_FIELDS: Bad = [
    # line ends
    ("bare LF", "CVE-2019-16785", b"A: b\nC: d", 400),
    ("bare LF at the end", "RFC 9112, 2.2", b"A: b\n", 400),
    ("bare LF at the start of a line", "RFC 9112, 2.2", b"A: b\r\n\nC: d", 400),
    ("bare LF for an empty line", "RFC 9112, 2.2", b"A: b\r\n\n", 400),
    ("LF LF", "RFC 9112, 2.2", b"A: b\n\nC: d", 400),
    ("LF CR", "RFC 9112, 2.2", b"A: b\n\rC: d", 400),
    ("bare CR", "CVE-2023-37276", b"A: b\rC: d", 400),
    ("bare CR, then a hidden field", "CVE-2023-37276", b"A: \rTransfer-Encoding: chunked", 400),
    ("bare CR at the end", "RFC 9112, 2.2", b"A: b\r", 400),
    ("bare CR at the start of a line", "RFC 9112, 2.2", b"A: b\r\n\rC: d", 400),
    ("bare CR in a name", "RFC 9112, 2.2", b"A\rB: c", 400),
    ("CR CR LF", "RFC 9112, 2.2", b"A: b\r\r\nC: d", 400),
    ("end with a CR in place of CRLF", "CVE-2025-23167", b"A: b\r\n\rZGET /hidden HTTP/1.1", 400),
    # names
    ("no colon", "RFC 9112, 5", b"foo", 400),
    ("no colon, between others", "RFC 9112, 5", b"A: b\r\nfoo\r\nC: d", 400),
    ("empty name", "RFC 9112, 5.1", b": a", 400),
    ("colon only", "RFC 9112, 5.1", b":", 400),
    ("blank before the colon", "RFC 9112, 5.1", b"A : b", 400),
    ("blank before the colon of a length", "CVE-2023-47627", b"Content-Length : 5", 400),
    ("blank before the colon of a coding", "RFC 9112, 5.1", b"Transfer-Encoding : chunked", 400),
    ("tab before the colon", "RFC 9112, 5.1", b"A\t: b", 400),
    ("blank in a name", "RFC 9112, 5.1", b"A B: c", 400),
    *[
        (f"name with 0x{octet:02x}", "RFC 9110, 5.1", b"A%cB: c" % octet, 400)
        for octet in [*CONTROLS, *NOT_TOKEN, *NOT_ASCII]
    ],
    *[
        (f"name that ends with 0x{octet:02x}", "RFC 9110, 5.1", b"A%c: c" % octet, 400)
        for octet in [11, 12, 0x1C, 0x85, 0xA0]
    ],
    ("name with a letter of UTF-8", "RFC 9110, 5.1", "Näme: a".encode(), 400),
    # folding, and what looks like it
    ("first line begins with a blank", "CVE-2024-27982", b" A: b", 400),
    ("first line begins with a tab", "CVE-2023-47627", b"\tContent-Length: 1", 400),
    ("later line begins with a blank", "RFC 9112, 5.2", b"A: b\r\n C: d", 400),
    ("folded with a blank", "RFC 9112, 5.2", b"A: b\r\n c", 400),
    ("folded with a tab", "RFC 9112, 5.2", b"A: b\r\n\tc", 400),
    ("folded length", "RFC 9112, 5.2", b"Content-Length:\r\n 5", 400),
    ("folded coding", "CVE-2022-32215", b"Transfer-Encoding: chunked\r\n , identity", 400),
    ("folded with nothing", "RFC 9112, 5.2", b"A: b\r\n ", 400),
    ("folded empty line", "RFC 9112, 5.2", b"A: b\r\n \r\nC: d", 400),
    # values
    *[
        (f"value with 0x{octet:02x}", "RFC 9110, 5.5", b"A: b%cc" % octet, 400)
        for octet in CONTROLS
    ],
    *[
        (f"value of 0x{octet:02x}", "RFC 9110, 5.5", b"A: %c" % octet, 400)
        for octet in [0, 8, 11, 12, 0x1C, 127]
    ],
    ("long value with a control at its end", "CVE-2020-5236", b"A: " + b"x" * 10_000 + b"\x10", 400),
]

# name, rule, field lines, what becomes of some of them
FIELDS: list[tuple[str, str, bytes, dict[str, list[str]]]] = [
    ("one", "RFC 9112, 5", b"A: b", {"A": ["b"]}),
    ("no blank", "RFC 9112, 5", b"A:b", {"A": ["b"]}),
    ("blanks and tabs around", "RFC 9112, 5.1", b"A: \t b c \t", {"A": ["b c"]}),
    ("empty value", "RFC 9110, 5.5", b"A:", {"A": [""]}),
    ("value of blanks", "RFC 9110, 5.5", b"A: \t ", {"A": [""]}),
    ("tab in a value", "RFC 9110, 5.5", b"A: b\tc", {"A": ["b\tc"]}),
    ("colons in a value", "RFC 9112, 5", b"A: b: c:", {"A": ["b: c:"]}),
    ("letter case", "RFC 9110, 5.1", b"cOnTeNt-tYpE: T/x\r\nCONTENT-TYPE: U", {"Content-Type": ["T/x", "U"]}),
    ("name of odd token characters", "RFC 9110, 5.6.2", b"!#$%&'*+.^_`|~09: a", {"!#$%&'*+.^_`|~09": ["a"]}),
    ("name of dashes", "RFC 9110, 5.6.2", b"-: a\r\n--b-: c", {"-": ["a"], "--B-": ["c"]}),
    ("repeated", "RFC 9110, 5.3", b"A: b\r\nC: d\r\na: e\r\nA: b", {"A": ["b", "e", "b"], "C": ["d"]}),
    ("every octet a value may have", "RFC 9110, 5.5",
     b"A: " + bytes([33, 9, *range(32, 127), *range(128, 256)]),
     {"A": ["!\t" + "".join(map(chr, [*range(32, 127), *range(128, 256)]))]}),
    ("only blanks and tabs are trimmed", "Tornado 6.4.1", b"A: \xa0b\x85\r\nC:\x85\r\nD:\xa0",
     {"A": ["\xa0b\x85"], "C": ["\x85"], "D": ["\xa0"]}),
    ("UTF-8 is decoded as latin-1", "RFC 9110, 5.5", "A: é".encode(), {"A": ["Ã©"]}),
    ("an underscore is no dash", "RFC 9110, 5.1",
     b"Content_Length: 5\r\nTransfer_Encoding: chunked\r\nHost_: b",
     {"Content_length": ["5"], "Transfer_encoding": ["chunked"], "Host_": ["b"]}),
    ("100 fields", "limit", b"\r\n".join([b"A: b"] * 99), {"A": ["b"] * 99}),
    ("a long value", "limit", b"A: " + b"b" * 16_000, {"A": ["b" * 16_000]}),
]

#: After ``GET / HTTP/1.1``.
BAD_HOSTS: Bad = [
    ("none", "RFC 9112, 3.2", b"A: b", 400),
    ("two", "CVE-2026-34525", b"Host: a\r\nHost: b", 400),
    ("two of the same", "CVE-2026-34525", b"Host: a\r\nHost: a", 400),
    ("two, in another case and apart", "RFC 9112, 3.2", b"Host: a\r\nA: b\r\nHOST: a", 400),
    ("two, one empty", "RFC 9112, 3.2", b"Host:\r\nHost: a", 400),
    *[
        (f"host {host!r}", "CVE-2026-48710", b"Host: " + host, 400)
        for host in [
            b"a/b", b"a/b?", b"a#", b"a?b", b"a b", b"a\tb", b"@a", b"u@a", b"u:p@a", b"a\\b", b"<b>", b'"a"',
            b"http://a", b"//a", b"a|b", b"a^b", b"a{b}", b"a`b", b"%", b"a%", b"a%4", b"a%zz", b"\xe9",
            b"\xa0a",
        ]
    ],
    *[
        (f"port of {host!r}", "RFC 9110, 7.2", b"Host: " + host, 400)
        for host in [b"a:", b"a:b", b"a:8b", b"a:-1", b"a:+80", b"a: 80", b"a:80:80", b"a:123456",
         b"a:\xd9\xa1",
                     b"a:8_0", b"a:0x50"]
    ],
    *[
        (f"address {host!r}", "RFC 3986, 3.2.2", b"Host: " + host, 400)
        for host in [b"::1", b"[::1", b"::1]", b"[::1]x", b"[::1]:", b"[::g]", b"[]", b"[a]b", b"x[::1]",
         b"[[::1]]",
                     b"[fe80::1%25eth0]", b"[" + b"1" * 46 + b"]"]
    ],
]

# name, rule, the whole head after the method and the target, host
HOSTS: list[tuple[str, str, bytes, str | None]] = [
    *[
        (f"host {host!r}", "RFC 9110, 7.2", b"HTTP/1.1\r\nHost: " + host, host.decode())
        for host in [b"a", b"a.example", b"A.b-c_d~", b"a:80", b"a:65535", b"127.0.0.1", b"127.0.0.1:80",
         b"[::1]",
                     b"[::1]:80", b"[::ffff:1.2.3.4]", b"[FE80::a]", b"xn--bcher-kva.example", b"a%2Fb",
                     b"a.",
                     b"a!$&'()*+,;=b"]
    ],
    ("empty host", "RFC 9110, 7.2", b"HTTP/1.1\r\nHost:", ""),
    ("none in HTTP/1.0", "RFC 9112, 3.2", b"HTTP/1.0", None),
    ("a host in HTTP/1.0", "RFC 9112, 3.2", b"HTTP/1.0\r\nHost: b", "b"),
]

# -- framing --

#: Between ``POST / HTTP/1.1``, ``Host: a`` and the empty line; a body of ``0 CRLF CRLF`` follows.
BAD_FRAMING: Bad = [
    # Transfer-Encoding
    *[
        (f"coding {coding!r}", "RFC 9112, 6.1", b"Transfer-Encoding: " + coding, 501)
        for coding in [b"gzip", b"identity", b"xchunked", b"chunked123", b"chunkedchunked", b"blegh",
         b"chun-ked"]
    ],
    *[
        (f"coding {coding!r}", "RFC 9112, 6.1", b"Transfer-Encoding: " + coding, 400)
        for coding in [
            b"", b" \t ", b",", b"chunked,", b",chunked", b", chunked", b"gzip, chunked", b"chunked, gzip",
            b"chunked, chunked", b"chunked,identity", b"identity, chunked", b"chunked;", b"chunked;q=1",
            b"chunked; a=b",
            b";chunked", b"=chunked", b'"chunked"', b"'chunked' x", b"chun ked", b"chunked chunked",
            b"chunked\tx",
            b"\x0bchunked", b"chunked\x0b", b"\x0cchunked", b"chunked\x0c", b"\x00chunked", b"chunked\x00",
            b"chunked\x1f",
            b"\xa0chunked", b"chunked\xa0", b"\x85chunked", b"chunked\x85", b"chun\xe2\x84\xaaed",
            b"\xef\xbd\x83hunked",
            b"chunked:", b"chunked/1", b"(chunked)", b"[chunked]",
        ]
    ],
    *[
        (f"codings {first!r} and {second!r}", "GHSA-753j-mpmx-qq6g",
         b"Transfer-Encoding: " + first + b"\r\nTransfer-Encoding: " + second, 400)
        for first, second in [
            (b"chunked", b"chunked"), (b"chunked", b"identity"), (b"identity", b"chunked"), (b"chunked", b""),
            (b"", b"chunked"), (b"gzip", b"chunked"), (b"chunked", b"gzip"), (b"x", b"x"),
        ]
    ],
    ("codings apart, in other cases", "RFC 9112, 6.1",
     b"Transfer-Encoding: chunked\r\nA: b\r\nTRANSFER-ENCODING: chunked", 400),
    # both
    ("length and coding", "CVE-2020-10109", b"Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
    ("coding and length", "RFC 9112, 6.3", b"Transfer-Encoding: chunked\r\nContent-Length: 5", 400),
    ("coding and a length of 0", "RFC 9112, 6.3", b"Transfer-Encoding: chunked\r\nContent-Length: 0", 400),
    ("coding and a bad length", "RFC 9112, 6.3", b"Transfer-Encoding: chunked\r\nContent-Length: x", 400),
    ("unknown coding and a length", "CVE-2024-6827", b"Transfer-Encoding: xchunked\r\nContent-Length: 5",
     400),
    ("chunked123 and a length", "CVE-2023-47641", b"Transfer-Encoding: chunked123\r\nContent-Length: 5", 400),
    ("a list and a length", "CVE-2019-16786", b"Transfer-Encoding: gzip, chunked\r\nContent-Length: 5", 400),
    ("empty coding and a length", "RFC 9112, 6.3", b"Transfer-Encoding:\r\nContent-Length: 5", 400),
    # Content-Length
    *[
        (f"length {length!r}", "RFC 9112, 6.2", b"Content-Length: " + length, 400)
        for length in [
            b"", b" ", b"+5", b"-5", b"-0", b"+0", b"-48", b"--5", b"0x5", b"0b1", b"0o7", b"5_0", b"+1_0",
            b"_5", b"5_",
            b"5 5", b"5\t5", b"5,5", b"5, 5", b"5,", b",5", b"5, 6", b"5.0", b"5e0", b"1e1", b"5;",
            b"5;a=b", b'"5"', b"'5'",
            b"x", b"5x", b"x5", b"NaN", b"inf", b"None", b"5\x00", b"\x005", b"5\x0b", b"\x0b5", b"\x0c5",
            b"5\x1f",
            b"\xa05", b"5\xa0", b"\x855", b"\xb2", b"\xd9\xa5", b"\xef\xbc\x95", b"5-", b"5/", b"5:",
        ]
    ],
    ("two equal lengths", "RFC 9112, 6.3", b"Content-Length: 5\r\nContent-Length: 5", 400),
    ("two lengths", "CVE-2020-10108", b"Content-Length: 5\r\nContent-Length: 6", 400),
    ("two lengths, one of 0", "CVE-2019-16792", b"Content-Length: 0\r\nContent-Length: 5", 400),
    ("two lengths apart, in other cases", "RFC 9112, 6.3",
     b"content-length: 5\r\nA: b\r\nCONTENT-LENGTH: 5", 400),
    ("two lengths, one bad", "RFC 9112, 6.3", b"Content-Length: 5\r\nContent-Length: x", 400),
    ("length of 100 MiB and 1", "limit", b"Content-Length: 104857601", 413),
    ("length of 19 digits", "limit", b"Content-Length: 9223372036854775807", 413),
    ("length of 19 nines", "limit", b"Content-Length: 9999999999999999999", 413),
    ("length of 20 digits", "limit", b"Content-Length: 18446744073709551621", 413),
    ("length of 20 zeros", "limit", b"Content-Length: 00000000000000000000", 413),
    ("length of 5 000 digits", "CVE-2020-10735", b"Content-Length: " + b"1" * 5000, 413),
    # expectations
    ("unknown expectation", "RFC 9110, 10.1.1", b"Expect: x", 417),
    ("empty expectation", "RFC 9110, 10.1.1", b"Expect:", 417),
    ("an expectation and more", "RFC 9110, 10.1.1", b"Expect: 100-continue, x", 417),
    ("an expectation and its half", "RFC 9110, 10.1.1", b"Expect: 100-continu", 417),
    ("two expectations", "RFC 9110, 10.1.1", b"Expect: 100-continue\r\nExpect: x", 417),
]

#: The same after ``POST / HTTP/1.0``, without a Host.
BAD_FRAMING_1_0: Bad = [
    ("coding in HTTP/1.0", "RFC 9112, 6.1", b"Transfer-Encoding: chunked", 400),
    ("unknown coding in HTTP/1.0", "RFC 9112, 6.1", b"Transfer-Encoding: x", 400),
    ("coding and length in HTTP/1.0", "RFC 9112, 6.1", b"Transfer-Encoding: chunked\r\nContent-Length: 5",
     400),
    ("coding in HTTP/1.0 that is kept alive", "RFC 9112, 6.1",
     b"Connection: keep-alive\r\nTransfer-Encoding: chunked", 400),
    ("bad length in HTTP/1.0", "RFC 9112, 6.2", b"Content-Length: +5", 400),
    ("two hosts in HTTP/1.0", "RFC 9112, 3.2", b"Host: a\r\nHost: a", 400),
    ("bad host in HTTP/1.0", "RFC 9112, 3.2", b"Host: a/b", 400),
]

#: After a head with ``Transfer-Encoding: chunked``; the last octets are those that are wrong.
BAD_CHUNKS: Bad = [
    # sizes
    *[
        (f"size {size!r}", "RFC 9112, 7.1", size + b"\r\n", 400)
        for size in [
            b"", b"0x5", b"0X5", b"+5", b"-5", b"-0", b"5_0", b"0_5", b"_5", b" 5", b"5 ", b"\t5", b"5\t",
            b" ", b"5 5", b"5,5",
            b"5.", b"g", b"5h", b"x5", b"\\x5", b"\x0b5", b"5\x0b", b"5\x0c", b"\x005", b"5\x00", b"\xa05",
            b"5\xa0", b"5\x85",
            b"\xb2", b"\xd9\xa5", b"\xef\xbc\x95", b"\xef\xbd\x81", b"0" * 16 + b"5", b"1" * 17, b"f" * 1000,
        ]
    ],
    ("size after an empty line", "RFC 9112, 7.1", b"\r\n5\r\nhello\r\n0\r\n\r\n", 400),
    ("size ends with LF", "RFC 9112, 7.1", b"5\nhello\r\n", 400),
    ("size ends with LF, and no CRLF comes", "RFC 9112, 7.1", b"5\nhello\n0\n\n", 400),
    ("size ends with CR", "RFC 9112, 7.1", b"5\rhello\r\n", 400),
    ("size ends with CR, and no CRLF comes", "RFC 9112, 7.1", b"5\rhello", 400),
    ("size ends with CR CR LF", "RFC 9112, 7.1", b"5\r\r\n", 400),
    ("size with a hidden size", "RFC 9112, 7.1", b"5\r\r\n3\r\n", 400),
    ("size of 16 digits", "limit", b"ffffffffffffffff\r\n", 413),
    ("size of 2**63", "limit", b"8000000000000000\r\n", 413),
    ("size of 4 GiB and 5", "limit", b"100000005\r\n", 413),
    ("size of 100 MiB and 1", "limit", b"6400001\r\n", 413),
    ("sizes of 100 MiB together and 1", "limit", b"1\r\nx\r\n6400000\r\n", 413),
    ("line of 1 KiB without an end", "limit", b"0" * 1024, 400),
    ("line of over 1 KiB", "limit", b"5;" + b"a" * 1030 + b"\r\n", 400),
    # what comes after the data
    *[
        (f"data followed by {end!r}", "CVE-2025-43859", b"5\r\nhello" + end, 400)
        for end in [b"XX", b"\n\n", b"\r\r", b"\n\r", b"\r0", b"\n0", b"0\r", b"  ", b"\0\0", b"X\r\n",
         b"!\r\n0\r\n\r\n"]
    ],
    ("a size too small", "RFC 9112, 7.1", b"4\r\nhello\r\n", 400),
    ("a size too large", "RFC 9112, 7.1", b"6\r\nhello\r\n0\r\n\r\n", 400),
    ("data without a size", "RFC 9112, 7.1", b"hello\r\n", 400),
    ("a second chunk without a size", "RFC 9112, 7.1", b"1\r\nx\r\n;a\r\n", 400),
    ("a second chunk of a bad size", "GHSA-qppv-j76h-2rpx", b"1\r\nx\r\n0_2e\r\n", 400),
    # extensions
    *[
        (f"extension {extension!r}", "RFC 9112, 7.1.1", b"5" + extension + b"\r\n", 400)
        for extension in [
            b";", b"; ", b";;", b";a;", b";;a", b";=b", b";a=", b";a=;b", b";a==b", b";a=b c", b";a b",
            b";a=b=c", b',a', b":a",
            b';a="', b';a="b', b';a="b"c', b';a=b"', b';"a"=b', b';a="b\\"', b';a="b" "c"', b";\xe9",
            b";a=\xe9", b";a=\xa0",
            b";a/b", b";a=(b)", b";a=\x00", b";a\x00", b";a\x01", b";a\x7f", b';a="\x00"', b';a="\x0b"',
            b';a="\\\x00"',
            b";\x0ba", b" a", b" \x0b;a",
        ]
    ],
    ("LF in an extension", "CVE-2024-52304", b"5;a\nxx\r\n", 400),
    ("LF in a quoted extension", "CVE-2024-52304", b'5;a="\n"\r\n', 400),
    ("LF in an extension, and no CRLF comes", "CVE-2024-52304", b"5;a\nhello", 400),
    ("CR in an extension", "gunicorn, issue 3556", b"5;a\rb\r\n", 400),
    ("CR in a quoted extension", "gunicorn, issue 3556", b'5;a="\r"\r\n', 400),
    ("extensions of 16 KiB together", "CVE-2023-39326", (b"1;" + b"a" * 1000 + b"\r\nx\r\n") * 17, 400),
    ("bad extension of the last chunk", "RFC 9112, 7.1.1", b"0;\x00\r\n", 400),
    # trailers
    *[
        (f"trailer {trailer!r}", "RFC 9112, 7.1.2", b"0\r\n" + trailer + b"\r\n\r\n", 400)
        for trailer in [
            b"foo", b"GET /hidden HTTP/1.1\r\nHost: a", b" A: b", b"\tA: b", b"A : b", b": b",
            b"A: b\r\n c", b"A\xe9: b",
            b"A: \x00", b"A: \x7f", b"A: b\rC: d", b"A: b\r\r", b"A: b\nC: d", b"\nA: b",
        ]
    ],
    ("trailers that end with LF LF", "RFC 9112, 7.1.2", b"0\r\nA: b\n\n", 400),
    ("the end is LF", "RFC 9112, 7.1", b"0\r\n\n", 400),
    ("trailers of over 8 KiB", "CVE-2026-22815", b"0\r\n" + b"A: b\r\n" * 90 + b"B: " + b"c" * 8192, 431),
    ("a trailer that does not end", "CVE-2026-22815", b"0\r\nA: " + b"b" * 8189, 431),
    ("101 trailers", "CVE-2026-22815", b"0\r\n" + b"A: b\r\n" * 101 + b"\r\n", 431),
]

# name, rule, a chunked body, the body
CHUNKS: list[tuple[str, str, bytes, bytes]] = [
    ("none", "RFC 9112, 7.1", b"0\r\n\r\n", b""),
    ("one", "RFC 9112, 7.1", b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    ("several", "RFC 9112, 7.1", b"1\r\nh\r\n2\r\nel\r\n2\r\nlo\r\n0\r\n\r\n", b"hello"),
    ("leading zeros", "RFC 9112, 7.1", b"0000000000000005\r\nhello\r\n00000\r\n\r\n", b"hello"),
    ("upper case", "RFC 9112, 7.1", b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    ("lower case", "RFC 9112, 7.1", b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    ("data that looks like framing", "RFC 9112, 7.1", b"7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n\r\n"),
    ("an extension", "RFC 9112, 7.1.1", b"5;a\r\nhello\r\n0\r\n\r\n", b"hello"),
    ("an extension with a value", "RFC 9112, 7.1.1", b"5;a=b\r\nhello\r\n0\r\n\r\n", b"hello"),
    ("extensions with blanks", "RFC 9112, 7.1.1", b"5 ;\ta = b\t; c ;d=e \r\nhello\r\n0\r\n\r\n", b"hello"),
    ("a quoted extension", "RFC 9112, 7.1.1", b'5;a="b;\\"\\\\ \xe9";c=""\r\nhello\r\n0\r\n\r\n', b"hello"),
    ("an extension of the last chunk", "RFC 9112, 7.1.1", b"5\r\nhello\r\n0;a=b\r\n\r\n", b"hello"),
    ("an extension of nearly 1 KiB", "limit", b"5;" + b"a" * 1020 + b"\r\nhello\r\n0\r\n\r\n", b"hello"),
    ("extensions of nearly 16 KiB", "limit", (b"1;" + b"a" * 1000 + b"\r\nx\r\n") * 16 + b"0\r\n\r\n",
     b"x" * 16),
    ("a trailer", "RFC 9112, 7.1.2", b"5\r\nhello\r\n0\r\nA: b\r\n\r\n", b"hello"),
    ("trailers that would change the head", "RFC 9110, 6.5.1",
     b"0\r\nHost: b\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\nConnection: close\r\n\r\n", b""),
    ("90 trailers", "limit", b"0\r\n" + b"A: b\r\n" * 90 + b"\r\n", b""),
    ("a trailer of nearly 8 KiB", "limit", b"0\r\nA: " + b"b" * 8187 + b"\r\n\r\n", b""),
    ("2 000 chunks", "CVE-2026-115927", b"1\r\nx\r\n" * 2000 + b"0\r\n\r\n", b"x" * 2000),
]

# -- whole messages --


def _post(lines: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n\r\n" + body


#: Everything above that is refused, as whole requests; nothing more need come to see that it is wrong.
BAD: Bad = [
    *[(f"line: {name}", rule, line + b"\r\nHost: a\r\n\r\n", status)
      for name, rule, line, status in BAD_REQUEST_LINES],
    *[(f"before: {name}", rule, start + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", status)
      for name, rule, start, status in EMPTY_LINES if status],
    *[(f"field: {name}", rule, _post(lines), status) for name, rule, lines, status in BAD_FIELDS],
    *[(f"host: {name}", rule, b"GET / HTTP/1.1\r\n" + lines + b"\r\n\r\n", status)
      for name, rule, lines, status in BAD_HOSTS],
    *[(f"framing: {name}", rule, _post(lines, b"0\r\n\r\n"), status)
      for name, rule, lines, status in BAD_FRAMING],
    *[(f"framing: {name}", rule, b"POST / HTTP/1.0\r\n" + lines + b"\r\n\r\n0\r\n\r\n", status)
      for name, rule, lines, status in BAD_FRAMING_1_0],
    *[(f"chunks: {name}", rule, _post(b"Transfer-Encoding: chunked", body), status)
      for name, rule, body, status in BAD_CHUNKS],
]

Good = list[tuple[str, str, bytes, tuple[str, str, str, str | None, bytes, bool]]]

# name, rule, request, (method, target, version, host, body, whether the connection goes on)
_OTHERS: Good = [
    # bodies
    ("a length", "RFC 9112, 6.2", _post(b"Content-Length: 5", b"hello"),
     ("POST", "/", "HTTP/1.1", "a", b"hello", True)),
    ("a length of 0", "RFC 9112, 6.2", _post(b"Content-Length: 0"),
     ("POST", "/", "HTTP/1.1", "a", b"", True)),
    ("a length with leading zeros", "RFC 9112, 6.2", _post(b"Content-Length: 0000000000000000005", b"hello"),
     ("POST", "/", "HTTP/1.1", "a", b"hello", True)),
    ("blanks around a length", "RFC 9112, 5.1", _post(b"Content-Length:\t 5 \t", b"hello"),
     ("POST", "/", "HTTP/1.1", "a", b"hello", True)),
    ("a POST without a body", "RFC 9112, 6.3", _post(b"A: b"), ("POST", "/", "HTTP/1.1", "a", b"", True)),
    ("a body with a request in it", "RFC 9112, 6.2", _post(b"Content-Length: %d" % len(HIDDEN), HIDDEN),
     ("POST", "/", "HTTP/1.1", "a", HIDDEN, True)),
    ("an upgrade with a request for its body", "CVE-2026-69243",
     _post(b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: %d" % len(HIDDEN), HIDDEN),
     ("POST", "/", "HTTP/1.1", "a", HIDDEN, True)),
    ("a coding of the content is the program's affair", "RFC 9110, 8.4",
     _post(b"Content-Encoding: gzip\r\nContent-Length: 5", b"\x1f\x8bxyz"),
     ("POST", "/", "HTTP/1.1", "a", b"\x1f\x8bxyz", True)),
    *[(f"a body of {method}", "RFC 9110, 9.3",
       method.encode() + b" / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
       (method, "/", "HTTP/1.1", "a", b"hello", True))
      for method in ["GET", "HEAD", "DELETE", "OPTIONS", "PUT", "PATCH", "BREW"]],
    ("a length in HTTP/1.0", "RFC 9112, 6.2", b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
     ("POST", "/", "HTTP/1.0", None, b"hello", False)),
    *[(f"coding {coding!r}", "RFC 9112, 7", _post(b"Transfer-Encoding:" + coding, b"5\r\nhello\r\n0\r\n\r\n"),
       ("POST", "/", "HTTP/1.1", "a", b"hello", True))
      for coding in [b"chunked", b" CHUNKED", b" cHuNkEd", b"\tchunked \t"]],
    ("a chunked GET", "RFC 9112, 6.3",
     b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
     ("GET", "/", "HTTP/1.1", "a", b"hello", True)),
    # the connection
    *[(f"{version} with Connection: {connection}", "RFC 9112, 9.3",
       f"GET / {version}\r\nHost: a\r\nConnection: {connection}\r\n\r\n".encode(),
       ("GET", "/", version, "a", b"", goes_on))
      for version, connection, goes_on in [
          ("HTTP/1.1", "close", False), ("HTTP/1.1", "CLOSE", False), ("HTTP/1.1", "a, cLose ,b", False),
          ("HTTP/1.1", "\tclose", False), ("HTTP/1.1", "keep-alive", True), ("HTTP/1.1",
           "keep-alive, close", False),
          ("HTTP/1.1", "close, keep-alive", False), ("HTTP/1.1", "closed", True), ("HTTP/1.1", "x-close",
           True),
          ("HTTP/1.1", "", True), ("HTTP/1.1", "clo se", True), ("HTTP/1.1", '"close"', True),
          ("HTTP/1.0", "keep-alive", True), ("HTTP/1.0", "Keep-Alive", True), ("HTTP/1.0", "a,KEEP-ALIVE",
           True),
          ("HTTP/1.0", "keepalive", False), ("HTTP/1.0", "close", False), ("HTTP/1.0", "keep-alive, close",
           False),
      ]],
    ("close in a second field", "RFC 9110, 7.6.1", _post(b"Connection: a\r\nCONNECTION: close"),
     ("POST", "/", "HTTP/1.1", "a", b"", False)),
    ("keep-alive in a second field", "RFC 9110, 7.6.1",
     b"GET / HTTP/1.0\r\nConnection: a\r\nConnection: keep-alive\r\n\r\n",
     ("GET", "/", "HTTP/1.0", None, b"", True)),
    ("HTTP/1.0", "RFC 9112, 9.3", b"GET / HTTP/1.0\r\n\r\n", ("GET", "/", "HTTP/1.0", None, b"", False)),
    # expectations
    ("an expectation with its body", "RFC 9110, 10.1.1",
     _post(b"Expect: 100-continue\r\nContent-Length: 5", b"hello"),
     ("POST", "/", "HTTP/1.1", "a", b"hello", True)),
    ("an expectation without a body", "RFC 9110, 10.1.1", _post(b"Expect: 100-continue"),
     ("POST", "/", "HTTP/1.1", "a", b"", True)),
    ("an unknown expectation in HTTP/1.0", "RFC 9110, 10.1.1", b"GET / HTTP/1.0\r\nExpect: x\r\n\r\n",
     ("GET", "/", "HTTP/1.0", None, b"", False)),
]

#: Everything above that is served, as whole requests.
GOOD: Good = [
    *[(f"line: {name}", rule, line + b"\r\nHost: a\r\n\r\n",
       (method, target, version, "a", b"", version == "HTTP/1.1"))
      for name, rule, line, method, target, version in REQUEST_LINES],
    *[(f"absolute-form: {name}", rule, b"GET " + form + b" HTTP/1.1\r\nHost: a\r\n\r\n",
       ("GET", target, "HTTP/1.1", host, b"", True))
      for name, rule, form, target, host in ABSOLUTE_FORMS],
    *[(f"before: {name}", rule, start + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
       ("GET", "/", "HTTP/1.1", "a", b"", True))
      for name, rule, start, status in EMPTY_LINES if not status],
    *[(f"field: {name}", rule, _post(lines), ("POST", "/", "HTTP/1.1", "a", b"", True))
      for name, rule, lines, _ in FIELDS],
    *[(f"host: {name}", rule, b"GET / " + rest + b"\r\n\r\n",
       ("GET", "/", rest[:8].decode(), host, b"", rest[:8] == b"HTTP/1.1"))
      for name, rule, rest, host in HOSTS],
    *[(f"chunks: {name}", rule, _post(b"Transfer-Encoding: chunked", data),
       ("POST", "/", "HTTP/1.1", "a", body, True))
      for name, rule, data, body in CHUNKS],
    *_OTHERS,
]

#: Refused although more could follow.
EARLY: Bad = [
    ("a TLS hello", "RFC 8446, 4.1.2", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("binary data", "RFC 9112, 3", bytes(range(256)), 400),
    ("a bare LF after the request line", "RFC 9112, 2.2", b"GET / HTTP/1.1\nH", 400),
    ("a bare CR after the request line", "RFC 9112, 2.2", b"GET / HTTP/1.1\rH", 400),
    ("a bare LF after a field", "RFC 9112, 2.2", b"GET / HTTP/1.1\r\nHost: a\n", 400),
    ("an empty line of LF", "RFC 9112, 2.2", b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
    ("NUL in a field", "RFC 9110, 5.5", b"GET / HTTP/1.1\r\nHost: a\r\nA: \0", 400),
    ("a control in the method", "RFC 9110, 5.6.2", b"G\x1b", 400),
    ("DEL in the target", "RFC 9112, 3.2", b"GET /\x7f", 400),
    ("SMTP with bare LF", "RFC 9112, 3", b"EHLO a\n", 400),
    ("an endless method", "limit", b"A" * 16_386, 414),
    ("an endless target", "limit", b"GET /" + b"a" * 16_381, 414),
    ("an endless target after empty lines", "limit", b"\r\n\r\nGET /" + b"a" * 16_381, 414),
    ("an endless field line", "limit", b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"b" * 16_383, 431),
    ("an endless field name", "limit", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"b" * 16_386, 431),
    ("endless fields", "CVE-2026-22815",
     b"GET / HTTP/1.1\r\nHost: a\r\n" + (b"A: " + b"b" * 995 + b"\r\n") * 66, 431),
    ("endless empty fields", "CVE-2026-22815", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A:\r\n" * 16_384, 431),
]

#: Could go on to be good, but the connection ends.
INCOMPLETE: list[tuple[str, str, bytes]] = [
    ("half a method", "RFC 9112, 8", b"GE"),
    ("half a request line", "RFC 9112, 8", b"GET / HTTP/1.1"),
    ("a request line", "RFC 9112, 8", b"GET / HTTP/1.1\r\n"),
    ("an empty line before a request", "RFC 9112, 8", b"\r\n"),
    ("half a field line", "RFC 9112, 8", b"GET / HTTP/1.1\r\nHost: a"),
    ("a head without its empty line", "RFC 9112, 8", b"GET / HTTP/1.1\r\nHost: a\r\n"),
    ("a head without its last octet", "RFC 9112, 8", b"GET / HTTP/1.1\r\nHost: a\r\n\r"),
    ("no body", "RFC 9112, 8", _post(b"Content-Length: 5")),
    ("half a body", "RFC 9112, 8", _post(b"Content-Length: 5", b"hell")),
    ("no chunk", "RFC 9112, 8", _post(b"Transfer-Encoding: chunked")),
    ("half a chunk line", "RFC 9112, 8", _post(b"Transfer-Encoding: chunked", b"5;a")),
    ("half a chunk", "RFC 9112, 8", _post(b"Transfer-Encoding: chunked", b"5\r\nhell")),
    ("a chunk without its line end", "RFC 9112, 8", _post(b"Transfer-Encoding: chunked", b"5\r\nhello")),
    ("no last chunk", "RFC 9112, 8", _post(b"Transfer-Encoding: chunked", b"5\r\nhello\r\n")),
    ("a last chunk without the empty line", "gunicorn, issue 3382",
     _post(b"Transfer-Encoding: chunked", b"0\r\n")),
    ("a last chunk and half the empty line", "RFC 9112, 8", _post(b"Transfer-Encoding: chunked", b"0\r\n\r")),
    ("trailers without the empty line", "RFC 9112, 8",
     _post(b"Transfer-Encoding: chunked", b"0\r\nA: b\r\n")),
]

# -- limits --

#: (request line, head, field line, fields), small enough for every split to be tried.
SMALL_LIMITS = (30, 80, 25, 4)

_HOST = b"Host: a\r\n"
_START = b"GET / HTTP/1.1\r\n" + _HOST  # 25 octets

# name, input, status or 0, with SMALL_LIMITS
LIMITS: list[tuple[str, bytes, int]] = [
    ("request line at its limit", b"GET /" + b"a" * 16 + b" HTTP/1.1\r\n" + _HOST + b"\r\n", 0),
    ("request line over its limit", b"GET /" + b"a" * 17 + b" HTTP/1.1\r\n" + _HOST + b"\r\n", 414),
    ("request line at its limit, after an empty line",
     b"\r\nGET /" + b"a" * 16 + b" HTTP/1.1\r\n" + _HOST + b"\r\n", 0),
    ("unusual request line at its limit", b"BREW /" + b"a" * 15 + b" HTTP/1.1\r\n" + _HOST + b"\r\n", 0),
    ("unusual request line over its limit", b"BREW /" + b"a" * 16 + b" HTTP/1.1\r\n" + _HOST + b"\r\n", 414),
    ("request line without an end", b"GET /" + b"a" * 27, 414),
    ("field line at its limit", _START + b"A: " + b"b" * 22 + b"\r\n\r\n", 0),
    ("field line over its limit", _START + b"A: " + b"b" * 23 + b"\r\n\r\n", 431),
    ("blanks of a field line count", _START + b"A:" + b" " * 23 + b"b\r\n\r\n", 431),
    ("field line without an end", _START + b"A: " + b"b" * 24, 431),
    ("fields at their limit", _START + b"A: b\r\n" * 3 + b"\r\n", 0),
    ("fields over their limit", _START + b"A: b\r\n" * 4 + b"\r\n", 431),
    ("head at its limit", _START + b"A: " + b"b" * 22 + b"\r\nC: " + b"d" * 21 + b"\r\n\r\n", 0),
    ("head over its limit", _START + b"A: " + b"b" * 22 + b"\r\nC: " + b"d" * 22 + b"\r\n\r\n", 431),
    ("head without an end", _START + (b"A: " + b"b" * 22 + b"\r\n") * 2 + b"E:", 431),
]

# -- responses --

# name, rule, method of the request, response, (status, reason, body, whether the connection goes on),
# what is left of it
RESPONSES: list[tuple[str, str, str, bytes, tuple[int, str, bytes, bool], bytes]] = [
    ("a length", "RFC 9112, 6.2", "GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokX",
     (200, "OK", b"ok", True), b"X"),
    ("a length of 0", "RFC 9112, 6.2", "GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nX",
     (200, "OK", b"", True), b"X"),
    ("chunks", "RFC 9112, 7.1", "GET",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\nX",
     (200, "OK", b"ok", True), b"X"),
    ("until the end", "RFC 9112, 6.3", "GET", b"HTTP/1.1 200 OK\r\n\r\nok\r\n\r\n",
     (200, "OK", b"ok\r\n\r\n", False), b""),
    ("nothing until the end", "RFC 9112, 6.3", "GET", b"HTTP/1.1 200 OK\r\n\r\n", (200, "OK", b"", False),
     b""),
    ("no reason", "RFC 9112, 4", "GET", b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", (200, "", b"", True),
     b""),
    ("no blank for the reason", "RFC 9112, 4", "GET", b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
     (200, "", b"", True), b""),
    ("any reason", "RFC 9112, 4", "GET", b"HTTP/1.1 200 \t!~\xe9 x\r\nContent-Length: 0\r\n\r\n",
     (200, "\t!~\xe9 x", b"", True), b""),
    ("an unknown status", "RFC 9110, 15", "GET", b"HTTP/1.1 299 A\r\nContent-Length: 0\r\n\r\n",
     (299, "A", b"", True), b""),
    ("status 999", "RFC 9110, 15", "GET", b"HTTP/1.1 999 A\r\nContent-Length: 1\r\n\r\nx",
     (999, "A", b"x", True), b""),
    ("an answer to HEAD", "RFC 9112, 6.3", "HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nX",
     (200, "OK", b"", True), b"X"),
    ("a chunked answer to HEAD", "RFC 9112, 6.3", "HEAD",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nX",
     (200, "OK", b"", True), b"X"),
    ("an answer to HEAD without a length", "RFC 9112, 6.3", "HEAD", b"HTTP/1.1 200 OK\r\n\r\nX",
     (200, "OK", b"", True), b"X"),
    ("204", "RFC 9110, 15.3.5", "GET", b"HTTP/1.1 204 No Content\r\n\r\nX", (204, "No Content", b"", True),
     b"X"),
    ("204 with a length", "RFC 9112, 6.3", "GET", b"HTTP/1.1 204 A\r\nContent-Length: 5\r\n\r\nX",
     (204, "A", b"", True), b"X"),
    ("304 with a length", "RFC 9112, 6.3", "GET", b"HTTP/1.1 304 A\r\nContent-Length: 5\r\n\r\nX",
     (304, "A", b"", True), b"X"),
    ("304 with a coding", "RFC 9112, 6.3", "GET", b"HTTP/1.1 304 A\r\nTransfer-Encoding: chunked\r\n\r\nX",
     (304, "A", b"", True), b"X"),
    ("100", "RFC 9110, 15.2", "GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200",
     (100, "Continue", b"", True), b"HTTP/1.1 200"),
    ("101", "RFC 9110, 15.2.2", "GET", b"HTTP/1.1 101 A\r\nUpgrade: b\r\n\r\nX", (101, "A", b"", True), b"X"),
    ("103 with a length", "RFC 9112, 6.3", "GET", b"HTTP/1.1 103 A\r\nContent-Length: 5\r\n\r\nX",
     (103, "A", b"", True), b"X"),
    ("close", "RFC 9112, 9.6", "GET",
     b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok", (200, "OK", b"ok", False), b""),
    ("HTTP/1.0", "RFC 9112, 9.3", "GET", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
     (200, "OK", b"ok", False), b""),
    ("HTTP/1.0 that goes on", "RFC 9112, 9.3", "GET",
     b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nokX", (200, "OK", b"ok", True),
     b"X"),
    ("HTTP/1.2", "RFC 9110, 2.5", "GET", b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok",
     (200, "OK", b"ok", True), b""),
    ("an answer without a Host", "RFC 9112, 3.2", "GET",
     b"HTTP/1.1 200 OK\r\nExpect: x\r\nContent-Length: 0\r\n\r\n",
     (200, "OK", b"", True), b""),
]

# name, rule, response to a GET
BAD_RESPONSES: list[tuple[str, str, bytes]] = [
    *[
        (f"status line {line!r}", "RFC 9112, 4", line + b"\r\nContent-Length: 0\r\n\r\n")
        for line in [
            b"", b"OK", b"200 OK", b"HTTP/1.1", b"HTTP/1.1 ", b"HTTP/1.1 20", b"HTTP/1.1 20 OK",
            b"HTTP/1.1 2000 OK",
            b"HTTP/1.1 099 A", b"HTTP/1.1 000 A", b"HTTP/1.1 +20 A", b"HTTP/1.1 -20 A", b"HTTP/1.1 2_0 A",
            b"HTTP/1.1 2x0 A",
            b"HTTP/1.1 \xd9\xa2\xd9\xa0\xd9\xa0 A", b"HTTP/1.1 \xb2\xb2\xb2 A", b"HTTP/1.1  200 OK",
            b" HTTP/1.1 200 OK",
            b"HTTP/1.1\t200 OK", b"HTTP/1.1 200\tOK", b"HTTP/1.1 200OK", b"http/1.1 200 OK", b"HTTP/1 200 OK",
            b"HTTP/1.10 200 OK", b"HTTP/2.0 200 OK", b"HTTP/2 200", b"HTTP/0.9 200 OK", b"HTTP/1.x 200 OK",
            b"ICY 200 OK",
            b"HTTP/1.1 200 O\x00K", b"HTTP/1.1 200 O\x7fK", b"HTTP/1.1 200 O\rK", b"HTTP/1.1 200 OK\nA: b",
            b"HTTP/1.1 200 O\x1bK",
            b"GET / HTTP/1.1", b"\r\nHTTP/1.1 200 OK",
        ]
    ],
    *[
        (f"field: {name}", rule, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + lines + b"\r\n\r\n")
        for name, rule, lines, _ in BAD_FIELDS
    ],
    *[
        (f"framing: {name}", rule, b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n\r\n0\r\n\r\n")
        for name, rule, lines, _ in BAD_FRAMING
        if b"Expect" not in lines
    ],
    ("framing: both of 204", "RFC 9112, 6.3",
     b"HTTP/1.1 204 A\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("framing: two lengths of 304", "RFC 9112, 6.3",
     b"HTTP/1.1 304 A\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"),
    ("framing: coding of HTTP/1.0", "RFC 9112, 6.1",
     b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    *[
        (f"chunks: {name}", rule, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
        for name, rule, body, _ in BAD_CHUNKS
    ],
    ("an endless status line", "CVE-2013-1752", b"HTTP/1.1 200 " + b"a" * 16_400),
    ("a status line over its limit", "CVE-2013-1752",
     b"HTTP/1.1 200 " + b"a" * 16_400 + b"\r\nContent-Length: 0\r\n\r\n"),
    ("endless fields", "CVE-2013-1752", b"HTTP/1.1 200 OK\r\n" + b"A:\r\n" * 16_384),
    ("101 fields", "limit", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + b"A: b\r\n" * 100 + b"\r\n"),
]

# name, rule, response to a GET that ends too early
INCOMPLETE_RESPONSES: list[tuple[str, str, bytes]] = [
    ("nothing", "RFC 9112, 8", b""),
    ("half a status line", "RFC 9112, 8", b"HTTP/1.1 20"),
    ("half a head", "RFC 9112, 8", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"),
    ("half a body", "RFC 9112, 8", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"),
    ("no body", "RFC 9112, 8", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
    ("half a chunk", "RFC 9112, 8", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\no"),
    ("no last chunk", "RFC 9112, 8", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"),
    ("no empty line", "RFC 9112, 8",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"),
    ("half a trailer", "RFC 9112, 8", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n"),
]

# -- what we send --

BAD_NAMES = ["", " ", "A ", " A", "A B", "A:", "A\r", "A\n", "A\r\nB", "A\0", "A\x7f", "A\tB", "Ä",
             "A\u212a", *'"(),/;<=>?@[\\]{}']
GOOD_NAMES = ["A", "x-y", "!#$%&'*+-.^_`|~09azAZ"]

#: CVE-2012-2374, CVE-2025-67724: response splitting.
BAD_VALUES = ["a\r\nB: c", "a\rb", "a\nb", "\r", "\n", "a\0", "\0", "a\x0b", "a\x0c", "\x1b[31m", "a\x7f",
 "a\x01", "\x1f"]
GOOD_VALUES = ["", "a", "a b", "a\tb", "\xe9", "\x80\x85\xa0\xff", "\u560a", "a: b, c;d"]

# name, status, reason, status line
STATUS_LINES: list[tuple[str, int, str | None, str]] = [
    ("standard", 200, None, "HTTP/1.1 200 OK\r\n"),
    ("of the client's fault", 404, None, "HTTP/1.1 404 Not Found\r\n"),
    ("with another reason", 404, "Gone fishing", "HTTP/1.1 404 Gone fishing\r\n"),
    ("unknown", 299, None, "HTTP/1.1 299 Unknown\r\n"),
    ("unknown, with a reason", 299, "So so", "HTTP/1.1 299 So so\r\n"),
]

# -- h11, another implementation --

# rule, why h11 takes what we refuse, pattern of the names of exactly those rows of BAD
H11_TAKES: list[tuple[str, str, str]] = [
    ("RFC 9112, 2.2", "a recipient MAY take LF as a line end",
     r"field: (bare LF|LF LF).*|line: bare LF as line end|chunks: trailers that end with LF LF"
     r"|chunks: trailer b'(A: b\\nC: d|\\nA: b)'|chunks: the end is LF"),
    ("RFC 9112, 5.2", "a server MAY replace a fold by a blank",
     r"field: folded (?!coding).*|chunks: trailer b'A: b\\r\\n c'"),
    ("RFC 9112, 2.2", "a recipient MAY drop lines that begin with a blank before the first field",
     r"field: (first|later) line begins with.*"),
    ("RFC 9110, 5.5", "a recipient MAY keep controls other than CR, LF and NUL",
     r"field: value (with|of) 0x(?!00|0b|0c).*|field: long value with.*|chunks: trailer b'A: \\x7f'"),
    ("RFC 9112, 6.3", "a server MAY prefer the coding over the length, if it closes then",
     r"framing: (length and coding|coding and (a )?length.*)"),
    ("RFC 9112, 6.3", "a recipient MAY take a repeated length if all are equal",
     r"framing: (two equal lengths|two lengths apart.*|length b'5, ?5')"),
    ("RFC 9112, 6.1", "a coding in HTTP/1.0 is faulty framing, to be closed after",
     r"framing: coding in HTTP/1.0.*"),
    ("RFC 9112, 3.2", "what a Host means is left to the caller",
     r"host: (host|port of|address) .*|framing: bad host.*"),
    ("RFC 9112, 3.2", "what a target means is left to the caller",
     r"line: (CONNECT|relative target|target that begins|target with an? (empty )?fragment|authority|user"
     r"|asterisk|absolute-form (?!with a bad octet)).*"),
    ("RFC 9110, 2.5", "the version is left to the caller",
     r"line: (version b'HTTP/\d\.\d'|the preface of HTTP/2)"),
    ("RFC 9110, 10.1.1", "expectations are left to the caller", r"framing: .*expectation.*"),
    ("RFC 9110, 2.3", "limits are everybody's own",
     r"line: method of 33 octets|framing: length of 20 zeros"
     r"|chunks: (101 trailers|a trailer that does not end|trailers of over 8 KiB)"),
]

# rule, why h11 refuses what we take, pattern of the names of exactly those rows of GOOD
H11_REFUSES: list[tuple[str, str, str]] = [
    ("RFC 9112, 2.2", "a server SHOULD ignore one empty line at least", r"before: (one|two)"),
    ("RFC 9112, 7.1.1", "a recipient MUST parse bad whitespace in extensions",
     r"chunks: extensions with blanks"),
    ("RFC 9110, 6.5.1", "what is dropped need not be checked",
     r"chunks: trailers that would change the head"),
]
