"""Forms and what becomes of them: tables, for whoever reads forms."""

# -- multipart/form-data; the boundary is X --

OPEN = b'--X\r\nContent-Disposition: form-data; name="a"'
FIELD = OPEN + b"\r\n\r\n1"
CLOSE = b"\r\n--X--\r\n"
UNKNOWN = "application/unknown"
A = ("a", None, UNKNOWN, b"1")

Fields = list[tuple[str, str | None, str, bytes]]

# name, section, body, its parts as (name, file name, content type, body)
GOOD: list[tuple[str, str, bytes, Fields]] = [
    ("a field", "RFC 7578, 4.2", FIELD + CLOSE, [A]),
    ("two of one name", "RFC 7578, 4.3", FIELD + b"\r\n" + FIELD + CLOSE, [A, A]),
    ("empty value", "RFC 7578, 4.2", OPEN + b"\r\n\r\n" + CLOSE, [("a", None, UNKNOWN, b"")]),
    (
        "a file",
        "RFC 7578, 4.2",
        OPEN + b'; filename="b.txt"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n1' + CLOSE,
        [("a", "b.txt", "text/plain; charset=utf-8", b"1")],
    ),
    (
        "a file without a type",
        "RFC 7578, 4.4",
        OPEN + b'; filename="b"\r\n\r\n1' + CLOSE,
        [("a", "b", UNKNOWN, b"1")],
    ),
    (
        "no file chosen",
        "RFC 7578, 4.2",
        OPEN + b'; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n' + CLOSE,
        [("a", None, "application/octet-stream", b"")],
    ),
    ("nothing sent", "WHATWG HTML, 4.10.21.8", b"--X--\r\n", []),
    ("ends with the delimiter", "RFC 2046, 5.1.1", FIELD + CLOSE[:-2], [A]),
    ("preamble", "RFC 2046, 5.1.1", b"ignore me\r\n" + FIELD + CLOSE, [A]),
    ("preamble is an empty line", "RFC 2046, 5.1.1", b"\r\n" + FIELD + CLOSE, [A]),
    ("preamble with the boundary inside a line", "RFC 2046, 5.1.1", b"x--X\r\n" + FIELD + CLOSE, [A]),
    ("epilogue", "RFC 2046, 5.1.1", FIELD + CLOSE + b"ignore me", [A]),
    ("epilogue with a delimiter", "RFC 2046, 5.1.1", FIELD + CLOSE + FIELD + CLOSE, [A]),
    (
        "padded delimiters",
        "RFC 2046, 5.1.1",
        b'--X \t\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--X-- \r\n',
        [A],
    ),
    (
        "bare line ends in a value",
        "RFC 7578, 4.2",
        OPEN + b"\r\n\r\n\r1\n--X\n\r" + CLOSE,
        [("a", None, UNKNOWN, b"\r1\n--X\n\r")],
    ),
    (
        "boundary inside a line",
        "RFC 2046, 5.1.1",
        OPEN + b"\r\n\r\n1--X--2" + CLOSE,
        [("a", None, UNKNOWN, b"1--X--2")],
    ),
    (
        "start of a delimiter in a value",
        "RFC 2046, 5.1.1",
        OPEN + b"\r\n\r\n\r\n--\r\n-X" + CLOSE,
        [("a", None, UNKNOWN, b"\r\n--\r\n-X")],
    ),
    (
        "binary value",
        "RFC 7578, 4.2",
        OPEN + b"\r\n\r\n\x00\xff\r\n\r\n" + CLOSE,
        [("a", None, UNKNOWN, b"\x00\xff\r\n\r\n")],
    ),
    ("letter case", "RFC 9110, 5.1", b"--X\r\nCONTENT-disposition: Form-Data; NAME=a\r\n\r\n1" + CLOSE, [A]),
    (
        "type before disposition",
        "RFC 7578, 4.2",
        b"--X\r\nContent-Type: t/x\r\n" + FIELD[5:] + CLOSE,
        [("a", None, "t/x", b"1")],
    ),
    (
        "blanks around a header value",
        "RFC 9110, 5.5",
        OPEN + b"\r\nContent-Type: \tt/x \t\r\n\r\n1" + CLOSE,
        [("a", None, "t/x", b"1")],
    ),
    (
        "UTF-8 names",
        "RFC 7578, 5.1",
        '--X\r\nContent-Disposition: form-data; name="é"; filename="猫"\r\n\r\n1'.encode() + CLOSE,
        [("é", "猫", UNKNOWN, b"1")],
    ),
    (
        "semicolon and equals sign in quotes",
        "RFC 9110, 5.6.4",
        OPEN + b'; filename="a;b=c"\r\n\r\n1' + CLOSE,
        [("a", "a;b=c", UNKNOWN, b"1")],
    ),
    (
        "escaped quote",
        "RFC 9110, 5.6.4",
        OPEN + rb'; filename="a\"b\\c"' + b"\r\n\r\n1" + CLOSE,
        [("a", r'a"b\c', UNKNOWN, b"1")],
    ),
    (
        "path of an old browser",
        "RFC 7578, 4.2",
        OPEN + rb'; filename="C:\dir\f.txt"' + b"\r\n\r\n1" + CLOSE,
        [("a", r"C:\dir\f.txt", UNKNOWN, b"1")],
    ),
    (
        "path upwards is data",
        "RFC 7578, 4.2; CVE-2026-24486",
        OPEN + b'; filename="../../x"\r\n\r\n1' + CLOSE,
        [("a", "../../x", UNKNOWN, b"1")],
    ),
    (
        "percent signs stay",
        "RFC 7578, 2",
        OPEN + b'; filename="%22"\r\n\r\n1' + CLOSE,
        [("a", "%22", UNKNOWN, b"1")],
    ),
    ("filename* is ignored", "RFC 7578, 4.2", OPEN + b"; filename*=UTF-8''b\r\n\r\n1" + CLOSE, [A]),
    (
        "other headers are ignored",
        "RFC 7578, 4.8",
        OPEN
        + b"\r\nContent-Length: 99\r\nContent-Transfer-Encoding: base64\r\nX: 1\r\nX: 2\r\n\r\n1"
        + CLOSE,
        [A],
    ),
]

# name, section, body, status
BAD: list[tuple[str, str, bytes, int]] = [
    ("empty", "RFC 2046, 5.1.1", b"", 400),
    ("no delimiter", "RFC 2046, 5.1.1", b"a=1", 400),
    ("another boundary", "RFC 2046, 5.1.1", FIELD.replace(b"X", b"Y") + CLOSE.replace(b"X", b"Y"), 400),
    ("no final delimiter", "RFC 2046, 5.1.1", FIELD + b"\r\n", 400),
    ("ends inside the head of a part", "RFC 2046, 5.1.1; CVE-2024-30251", OPEN, 400),
    ("ends after a delimiter", "RFC 2046, 5.1.1", FIELD + b"\r\n--X\r\n", 400),
    ("LF only", "RFC 2046, 5.1.1", (FIELD + CLOSE).replace(b"\r\n", b"\n"), 400),
    ("final delimiter after LF", "RFC 2046, 5.1.1", FIELD + CLOSE[1:], 400),
    ("text after the boundary", "RFC 2046, 5.1.1", FIELD + b"\r\n--Xtra\r\n" + CLOSE, 400),
    ("text after the final delimiter", "RFC 2046, 5.1.1", FIELD + b"\r\n--X--x\r\n", 400),
    ("one dash after the boundary", "RFC 2046, 5.1.1", FIELD + b"\r\n--X-\r\n", 400),
    ("empty part", "RFC 7578, 4.2", b"--X" + CLOSE, 400),
    ("part without headers", "RFC 7578, 4.2", b"--X\r\n\r\n1" + CLOSE, 400),
    ("part without disposition", "RFC 7578, 4.2", b"--X\r\nContent-Type: text/plain\r\n\r\n1" + CLOSE, 400),
    ("not form-data", "RFC 7578, 4.2", FIELD.replace(b"form-data", b"attachment") + CLOSE, 400),
    (
        "no name",
        "RFC 7578, 4.2",
        b'--X\r\nContent-Disposition: form-data; filename="b"\r\n\r\n1' + CLOSE,
        400,
    ),
    ("empty name", "RFC 7578, 4.2", FIELD.replace(b'"a"', b'""') + CLOSE, 400),
    ("no end of the headers", "RFC 2046, 5.1", OPEN + b"\r\n1" + CLOSE, 400),
    ("headers end in the delimiter", "RFC 2046, 5.1", OPEN + b"\r\n" + CLOSE, 400),
    ("CR in a header", "RFC 9110, 5.5", FIELD.replace(b'"a"', b'"a\rb"') + CLOSE, 400),
    ("LF in a header", "RFC 9110, 5.5", FIELD.replace(b'"a"', b'"a\nb"') + CLOSE, 400),
    ("NUL in a header", "RFC 9110, 5.5", FIELD.replace(b'"a"', b'"a\x00b"') + CLOSE, 400),
    ("NUL in another header", "RFC 9110, 5.5", OPEN + b"\r\nX: 1\x00\r\n\r\n1" + CLOSE, 400),
    ("DEL in a header", "RFC 9110, 5.5", FIELD.replace(b'"a"', b'"a\x7fb"') + CLOSE, 400),
    ("latin-1 name", "RFC 7578, 5.1", FIELD.replace(b'"a"', b'"\xe9"') + CLOSE, 400),
    ("no colon", "RFC 9110, 5.1", OPEN + b"\r\nContent-Type\r\n\r\n1" + CLOSE, 400),
    ("blank before the colon", "RFC 9112, 5.1", FIELD.replace(b":", b" :") + CLOSE, 400),
    ("empty header name", "RFC 9110, 5.1", OPEN + b"\r\n: 1\r\n\r\n1" + CLOSE, 400),
    ("non-ASCII header name", "RFC 9110, 5.1", OPEN + b"\r\n\xc3\xa9: 1\r\n\r\n1" + CLOSE, 400),
    ("folded header", "RFC 9112, 5.2", FIELD.replace(b"; ", b";\r\n ") + CLOSE, 400),
    ("two dispositions", "RFC 9110, 5.3", OPEN + b"\r\n" + FIELD[5:] + CLOSE, 400),
    (
        "two types",
        "RFC 9110, 5.3",
        OPEN + b"\r\nContent-Type: a/b\r\nContent-Type: a/b\r\n\r\n1" + CLOSE,
        400,
    ),
    ("two names", "RFC 6838, 4.3", OPEN + b'; name="b"\r\n\r\n1' + CLOSE, 400),
    ("two file names", "RFC 6838, 4.3", OPEN + b'; filename="b"; FileName="c"\r\n\r\n1' + CLOSE, 400),
    ("open quote", "RFC 9110, 5.6.4", FIELD.replace(b'"a"', b'"a') + CLOSE, 400),
    ("escaped closing quote", "RFC 9110, 5.6.4", FIELD.replace(b'"a"', b'"a\\"') + CLOSE, 400),
    ("text after a quote", "RFC 9110, 5.6.6", FIELD.replace(b'"a"', b'"a"b') + CLOSE, 400),
    ("name without a value", "RFC 9110, 5.6.6", FIELD.replace(b'"a"', b"") + CLOSE, 400),
    ("blank in a bare value", "RFC 9110, 5.6.6", OPEN + b"; filename=a b\r\n\r\n1" + CLOSE, 400),
    ("21 header lines", "limit 20", OPEN + b"\r\nX: 1" * 20 + b"\r\n\r\n1" + CLOSE, 400),
    ("head of 8 KiB and one byte", "limit 8 KiB", OPEN + b"\r\nX:" + b"1" * 8145 + b"\r\n\r\n1" + CLOSE, 400),
    ("1001 parts", "limit 1000; CVE-2026-31958", (FIELD + b"\r\n") * 1001 + CLOSE[2:], 413),
    ("1001 parts and no end", "limit 1000", (FIELD + b"\r\n") * 1002, 413),
    ("1001 empty parts", "limit 1000", b"--X\r\n" * 1001 + CLOSE[2:], 413),
    ("field over 1 MiB", "limit 1 MiB; CVE-2024-47874", OPEN + b"\r\n\r\n" + b"1" * 1048577 + CLOSE, 413),
]

# The largest that pass.  name, body, number of parts
FULL: list[tuple[str, bytes, int]] = [
    ("20 header lines", OPEN + b"\r\nX: 1" * 19 + b"\r\n\r\n1" + CLOSE, 1),
    ("head of 8 KiB", OPEN + b"\r\nX:" + b"1" * 8144 + b"\r\n\r\n1" + CLOSE, 1),
    ("1000 parts", (FIELD + b"\r\n") * 1000 + CLOSE[2:], 1000),
    ("field of 1 MiB", OPEN + b"\r\n\r\n" + b"1" * 1048576 + CLOSE, 1),
    ("file over 1 MiB", OPEN + b'; filename="b"\r\n\r\n' + b"1" * 1048577 + CLOSE, 1),
]

# boundary, whether it is one; RFC 2046, 5.1.1, but up to 256 characters
BOUNDARIES: list[tuple[bytes, bool]] = [
    (b"X", True),
    (b"----WebKitFormBoundary7MA4YWxkTrZu0gW", True),
    (b"a'()+_,-./:=?b c", True),
    (b"x" * 256, True),
    (b"x" * 257, False),
    (b"", False),
    (b"a ", False),
    (b'a"b', False),
    (b"a\r\nb", False),
    (b"a\x00b", False),
    (b"\xe9", False),
    (b"a\n", False),
]

# What made other parsers slow.  name, advisory, head, repeated piece, how often, tail, status or size of the
# one part
ADVERSARIAL: list[tuple[str, str, bytes, bytes, int, bytes, int, int]] = [
    ("file of CR", "CVE-2023-46136", OPEN + b'; filename="b"\r\n\r\n', b"\r", 3_000_000, CLOSE, 0, 3_000_000),
    (
        "file of CRLF",
        "CVE-2023-46136",
        OPEN + b'; filename="b"\r\n\r\n',
        b"\r\n",
        1_500_000,
        CLOSE,
        0,
        3_000_000,
    ),
    (
        "file of half delimiters",
        "CVE-2023-46136",
        OPEN + b'; filename="b"\r\n\r\n',
        b"\r\n--",
        750_000,
        CLOSE,
        0,
        3_000_000,
    ),
    ("CR alone", "CVE-2023-46136", b"", b"\r", 3_000_000, b"", 400, 0),
    ("half delimiters alone", "CVE-2023-46136", b"", b"\r\n--", 750_000, b"", 400, 0),
    ("preamble of CRLF", "CVE-2024-53981", b"", b"\r\n", 1_000_000, b"\r\n" + FIELD + CLOSE, 0, 1),
    ("epilogue of CRLF", "CVE-2026-40347", FIELD + CLOSE, b"\r\n", 1_000_000, b"", 0, 1),
    ("epilogue of delimiters", "CVE-2026-40347", FIELD + CLOSE, b"\r\n--X", 400_000, b"", 0, 1),
    ("delimiters alone", "CVE-2026-91990", b"", b"--X\r\n", 120_000, b"--X--\r\n", 413, 0),
    ("delimiters and no end", "CVE-2026-91990", b"", b"\r\n--X", 120_000, b"", 413, 0),
    ("padding", "RFC 2046, 5.1.1", b"--X", b" ", 2_000_000, b"x", 400, 0),
    ("header of 1 MB", "CVE-2026-42561", OPEN + b"\r\nX: ", b"1", 1_000_000, b"\r\n\r\n1" + CLOSE, 400, 0),
    ("20 000 headers", "CVE-2026-34516", OPEN, b"\r\nX: 1", 20_000, b"\r\n\r\n1" + CLOSE, 400, 0),
    ("disposition of quotes", "CVE-2025-67726", OPEN[:-3], b'";', 30_000, b"\r\n\r\n1" + CLOSE, 400, 0),
    (
        "disposition of quotes within the limit",
        "CVE-2025-67726",
        OPEN[:-3],
        b'";',
        4_000,
        b"\r\n\r\n1" + CLOSE,
        400,
        0,
    ),
]

# -- parameters of a media type --

# name, value, type, parameters; RFC 9110, 5.6.6 and 8.3.1
MEDIA_TYPES: list[tuple[str, str, str, dict[str, str]]] = [
    ("plain", "text/html", "text/html", {}),
    ("empty", "", "", {}),
    ("token", "text/html;charset=utf-8", "text/html", {"charset": "utf-8"}),
    ("quoted", 'text/html; charset="utf-8"', "text/html", {"charset": "utf-8"}),
    ("letter case", "Text/HTML; Charset=UTF-8", "text/html", {"charset": "UTF-8"}),
    ("Kelvin sign has no case", "\u212aelvin/x", "\u212aelvin/x", {}),
    ("blanks", " \ttext/html \t;\t charset=x \t", "text/html", {"charset": "x"}),
    ("no-break space is no blank", "\xa0text/html", "\xa0text/html", {}),
    ("empty parameters", "text/html;; ;charset=x;", "text/html", {"charset": "x"}),
    ("another type behind", "text/plain;application/json", "text/plain", {}),
    ("several", "a/b; c=d; e=f", "a/b", {"c": "d", "e": "f"}),
    ("semicolon in quotes", 'a/b; c="d;e=f"; g=h', "a/b", {"c": "d;e=f", "g": "h"}),
    ("escapes", r'a/b; c="\"\\\d"', "a/b", {"c": '"\\\\d'}),
    ("empty quotes", 'a/b; c=""', "a/b", {"c": ""}),
    ("bare boundary", "a/b; boundary==_a/b:c=?", "a/b", {"boundary": "=_a/b:c=?"}),
    ("value missing", "a/b; c=d; e; g=h", "a/b", {"c": "d"}),
    ("value empty", "a/b; c=d; e=; g=h", "a/b", {"c": "d"}),
    ("name missing", "a/b; c=d; =e; g=h", "a/b", {"c": "d"}),
    ("blanks around the equals sign", "a/b; c=d; e = f", "a/b", {"c": "d"}),
    ("blank in a value", "a/b; c=d e", "a/b", {}),
    ("open quote", 'a/b; c="d', "a/b", {}),
    ("text after a quote", 'a/b; c="d"e', "a/b", {}),
    ("two of one name", "a/b; c=d; e=f; C=d", "a/b", {"e": "f"}),
    ("control character", "a/b; c=d\x00e", "a/b", {}),
]

# name, advisory, head, repeated piece, how often
ADVERSARIAL_MEDIA_TYPES: list[tuple[str, str, str, str, int]] = [
    ("semicolons", "CVE-2024-24762", "a/b", ";", 20_000),
    ("quotes and semicolons", "CVE-2025-67726", 'form-data; name="', '";', 30_000),
    ("open quote of backslashes", "CVE-2024-24762", 'a/b; !="', "\\", 20_000),
    ("open quote of pairs", "CVE-2024-24762", 'a/b; !="', '\\"', 20_000),
    ("blanks", "CVE-2024-24762", "a/b; c=d", " ", 20_000),
    ("blanks and semicolons", "CVE-2024-24762", "a/b", "; ", 20_000),
    ("equals signs", "CVE-2024-24762", "a/b; c", "=", 20_000),
    ("names", "CVE-2024-24762", "a/b; ", "x", 20_000),
]

# -- urlencoded; WHATWG URL, 5.1 --

# name, data, arguments
URLENCODED: list[tuple[str, bytes, dict[str, list[bytes]]]] = [
    ("empty", b"", {}),
    ("one", b"a=1", {"a": [b"1"]}),
    ("several of a name", b"a=1&b=2&a=3", {"a": [b"1", b"3"], "b": [b"2"]}),
    ("blank values", b"a=&b&c=1&=&&", {"c": [b"1"]}),
    ("no name", b"=1", {"": [b"1"]}),
    ("equals sign in a value", b"a=b=c", {"a": [b"b=c"]}),
    ("semicolon does not separate", b"a=1;b=2", {"a": [b"1;b=2"]}),
    ("plus", b"a+b=1+2", {"a b": [b"1 2"]}),
    ("percent", b"%61=%31%26%3d", {"a": [b"1&="]}),
    ("escaped plus", b"a=%2B+%2b", {"a": [b"+ +"]}),
    ("bad percent", b"a=%&b=%4&c=%zz%41", {"a": [b"%"], "b": [b"%4"], "c": [b"%zzA"]}),
    ("decoded once", b"a=%2541", {"a": [b"%41"]}),
    ("name in UTF-8", b"%C3%A9=%C3%A9", {"\xc3\xa9": [b"\xc3\xa9"]}),
    ("any octet", b"\xff\x00=\xff\x00", {"\xff\x00": [b"\xff\x00"]}),
    ("1000 arguments", b"&".join([b"a=1"] * 1000), {"a": [b"1"] * 1000}),
    ("999 separators", b"&" * 999, {}),
    ("1 MiB", b"a=" + b"1" * 1048574, {"a": [b"1" * 1048574]}),
]

# name, advisory, data, status
BAD_URLENCODED: list[tuple[str, str, bytes, int]] = [
    ("1001 arguments", "CVE-2026-82397", b"&".join([b"a=1"] * 1001), 400),
    ("300 000 arguments", "CVE-2026-82397", b"a=1&" * 300_000, 400),
    ("1000 separators", "GHSA-3hv7-mjh2-fv65", b"&" * 1000, 400),
    ("a megabyte of separators", "GHSA-3hv7-mjh2-fv65", b"&" * 1_000_000, 400),
    ("over 1 MiB", "CVE-2024-47874", b"a=" + b"1" * 1048575, 413),
    ("over 1 MiB of escapes", "CVE-2024-47874", b"a=" + b"%" * 1048575, 413),
]
