"""Files from a URL: off by default, only from where the operator allows, and never a way into the inner network."""

import gzip
import ipaddress
import socket
import ssl
import subprocess
import time

import httpx
import pytest

from retinue_sdk.errors import DataError, ForbiddenError, RetinueError, StorageFullError
from retinue_sdk.fetch import Policy, fetch
from tests.sdk.web import Web, answer, moved

LOOPBACK = ("127.0.0.0/8",)
DATA = bytes(range(256)) * 10_000


@pytest.fixture
def web():
    made = []

    def start(answers, tls=None):
        made.append(Web(answers, tls))
        return made[-1]

    yield start
    for server in made:
        server.close()


def allow(*servers, **more):
    return Policy(hosts=tuple(s.url for s in servers), networks=LOOPBACK, **more)


def refused(tmp_path, url, policy, code, resolver=None):
    """Fetch, which must be refused with this code and leave nothing."""
    more = {} if resolver is None else {"resolver": resolver}
    with pytest.raises(RetinueError) as caught:
        fetch(url, tmp_path / "got" / "file", policy, **more)
    problem = caught.value.problem
    assert problem.code == code, problem
    assert problem.hint
    assert "secret" not in str(problem)
    assert not list(tmp_path.glob("got/*"))
    return problem


def test_a_file_is_fetched_whole(tmp_path, web):
    server = web({"/sets/data.zip": answer(DATA)})
    told = []
    got = fetch(f"{server.url}/sets/data.zip?token=1", tmp_path / "new" / "file", allow(server), told.append)
    assert (got.name, got.size) == ("data.zip", len(DATA))
    assert (tmp_path / "new" / "file").read_bytes() == DATA
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["file"]
    assert told[-1] == 1.0
    assert told == sorted(told)
    (asked,) = server.asked
    assert f"Host: 127.0.0.1:{server.port}" in asked
    assert "?token=1 HTTP/1.1" in asked


def test_it_is_off_by_default(tmp_path, web):
    server = web({"/a": answer(DATA)})
    assert refused(tmp_path, f"{server.url}/a", Policy(), "fetch_off").status == 403
    refused(tmp_path, f"{server.url}/a", Policy(networks=LOOPBACK), "fetch_off")
    assert server.asked == []


def test_nothing_of_the_environment_goes_along(tmp_path, web, monkeypatch):
    server, proxy = web({"/a": answer(DATA)}), web({})
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login alice password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    fetch(f"{server.url}/a", tmp_path / "file", allow(server))
    assert proxy.asked == []
    assert "authorization" not in server.asked[0].lower()
    assert "cookie" not in server.asked[0].lower()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{other}/a", "http://localhost:{port}/a", "http://127.1:{port}/a", "http://127.0.0.1/a",
        "http://2130706433:{port}/a", "http://0x7f000001:{port}/a", "http://0177.0.0.1:{port}/a", "http://127.0.0.1.:{port}/a",
        "http://[::1]:{port}/a", "http://[::ffff:127.0.0.1]:{port}/a", "http://[::]:{port}/a", "http://0.0.0.0:{port}/a",
        "http://[::ffff:169.254.169.254]/latest/meta-data", "http://169.254.169.254/latest/meta-data", "http://[fd00:ec2::254]/",
        "http://metadata.google.internal/", "http://127.0.0.1:{port}.evil.example/a", "http://127.0.0.1:{port}@evil.example/a",
        "http://evil.example#@127.0.0.1:{port}/a", "http://evil.example?@127.0.0.1:{port}/a", "http://evil.example\\@127.0.0.1:{port}/a",
        "http://127.0.0.1%2eevil.example:{port}/a", "http://①②⑦.⓪.⓪.①:{port}/a",
        "https://127.0.0.1:{port}/a", "ftp://127.0.0.1:{port}/a", "file:///etc/passwd", "file://127.0.0.1/etc/passwd",
        "gopher://127.0.0.1:{port}/_GET", "dict://127.0.0.1:{port}/", "data:text/plain,x", "jar:http://127.0.0.1:{port}/a!/",
        "http://alice:secret@127.0.0.1:{port}/a", "http://alice@127.0.0.1:{port}/a", "//127.0.0.1:{port}/a", "/a", "a", "",
        "http://", "http:///a", "http://:{port}/a", "http://127.0.0.1:{port}:80/a", "http://127.0.0.1:99999/a", "http://[::1/a",
        "http://127.0.0.1:{port}\r\nX: y/a", "http://127.0.0.1:{port}/a\r\nX: y", "http://a b/", "http://\udcff/", "h" * 70_000,
        "http://user:secret@[::1]:{port}/", "http+unix://127.0.0.1:{port}/a", "HTTP://LOCALHOST:{port}/a",
    ],
)  # fmt: skip
def test_urls_that_lead_elsewhere_are_refused_without_a_connection(tmp_path, web, url):
    server, other = web({"/a": answer(DATA)}), web({"/a": answer(DATA)})
    url = url.replace("{port}", str(server.port)).replace("{other}", str(other.port))

    def nothing_is_resolved(host, port):
        raise AssertionError(f"{host}:{port} was looked up")

    with pytest.raises((DataError, ForbiddenError)) as caught:
        fetch(url, tmp_path / "got" / "file", allow(server), resolver=nothing_is_resolved)
    assert caught.value.problem.code in {"fetch_host_refused", "fetch_url_invalid"}
    assert "secret" not in str(caught.value)
    assert server.asked == other.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.5.5", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.8", "192.0.2.1",
        "198.18.0.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.88.99.1", "::", "::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "::127.0.0.1", "fe80::1", "fe80::1%1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1", "2002:7f00:1::", "2001::1", "2001:db8::1", "100::1", "3fff::1", "5f00::1",
    ],
)  # fmt: skip
def test_names_that_lead_to_addresses_that_are_not_public(tmp_path, address):
    policy = Policy(hosts=("data.example",), networks=("10.9.0.0/16",), seconds=5)
    assert not policy.opens(address)
    asked = []
    answers = iter([["93.184.215.14", address]])

    def resolver(host, port):
        asked.append((host, port))
        return next(answers)

    problem = refused(tmp_path, "https://data.example/a", policy, "fetch_address_refused", resolver)
    assert problem.status == 403
    assert asked == [("data.example", 443)]


def test_public_addresses_and_exceptions_are_open():
    policy = Policy(hosts=("a",), networks=("10.9.0.0/16", "fd12::/16"))
    for address in (
        "93.184.215.14",
        "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
        "10.9.3.4",
        "::ffff:10.9.3.4",
        "fd12::1",
    ):
        assert policy.opens(address), address
    assert not policy.opens("10.10.0.1")


def test_a_name_is_resolved_once_and_that_address_is_used(tmp_path, web):
    server = web({"/a": answer(DATA)})
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])
    policy = Policy(hosts=(f"http://rebind.test:{server.port}",), networks=("127.0.0.1/32",))
    url = f"http://rebind.test:{server.port}/a"
    fetch(url, tmp_path / "file", policy, resolver=lambda *_: next(answers))
    assert f"Host: rebind.test:{server.port}" in server.asked[0]
    refused(tmp_path, url, policy, "fetch_address_refused", lambda *_: next(answers))
    assert len(server.asked) == 1


def test_the_next_address_is_tried_when_one_does_not_answer(tmp_path, web):
    server = web({"/a": answer(DATA)})
    policy = Policy(hosts=(f"http://two.test:{server.port}",), networks=LOOPBACK)
    fetch(f"http://two.test:{server.port}/a", tmp_path / "file", policy, resolver=lambda *_: ["127.0.0.9", "127.0.0.1"])
    assert (tmp_path / "file").read_bytes() == DATA


def test_a_name_nobody_knows(tmp_path):
    def resolver(*_):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    refused(tmp_path, "https://data.example/a", Policy(hosts=("data.example",)), "fetch_failed", resolver)


def test_hosts_are_listed_with_scheme_port_and_subdomains():
    policy = Policy(hosts=("data.example", "*.blobs.example", "http://plain.example:8080"))
    for url, listed in {
        "https://data.example/a": True,
        "https://data.example:443/a": True,
        "https://DATA.example/a": True,
        "http://data.example/a": False,
        "https://data.example:444/a": False,
        "https://x.data.example/a": False,
        "https://xdata.example/a": False,
        "https://a.blobs.example/": True,
        "https://a.b.blobs.example/": True,
        "https://blobs.example/": False,
        "https://evilblobs.example/": False,
        "http://plain.example:8080/": True,
        "http://plain.example/": False,
        "https://plain.example:8080/": False,
    }.items():
        assert policy.lists(httpx.URL(url)) is listed, url


@pytest.mark.parametrize(
    "wrong", [{"hosts": ("",)}, {"hosts": ("ftp://a",)}, {"hosts": ("http://[::1",)}, {"networks": ("10.0.0.1/8",)}]
)
def test_a_policy_that_makes_no_sense_is_an_error_at_once(wrong):
    with pytest.raises(ValueError):
        Policy(**wrong)


def test_redirects_are_followed_and_each_is_checked(tmp_path, web):
    last = web({"/file.zip": answer(DATA)})
    inner = web({"/": answer(b"inner secrets")})
    first = web({
        "/a": moved("/b"),
        "/b": answer(b"", "307 Temporary", Location=f"{last.url}/file.zip", Set_Cookie="secret=1"),
        "/inner": moved(inner.url),
        "/meta": moved("http://169.254.169.254/latest/meta-data"),
        "/file": moved("file:///etc/passwd"),
        "/login": moved(f"http://alice:secret@127.0.0.1:{last.port}/file.zip"),
        "/loop": moved("/loop"),
        "/nowhere": answer(b"", "302 Found"),
        "/broken": moved("http://[::1/"),
    })  # fmt: skip
    policy = allow(first, last)
    got = fetch(f"{first.url}/a", tmp_path / "file", policy)
    assert (got.name, got.size) == ("a", len(DATA))
    assert "secret" not in last.asked[0]
    for path, code in {
        "/inner": "fetch_host_refused",
        "/meta": "fetch_host_refused",
        "/file": "fetch_host_refused",
        "/login": "fetch_url_invalid",
        "/loop": "fetch_redirects",
        "/nowhere": "fetch_failed",
        "/broken": "fetch_incomplete",
    }.items():
        refused(tmp_path, first.url + path, policy, code)
    assert inner.asked == []
    assert sum(" /loop " in asked for asked in first.asked) == 6


def test_a_redirect_to_a_name_of_a_private_address(tmp_path, web):
    inner = web({"/": answer(b"inner")})
    first = web({"/a": moved(f"http://inner.test:{inner.port}/")})
    policy = Policy(
        hosts=(f"http://first.test:{first.port}", f"http://inner.test:{inner.port}"), networks=("127.0.0.1/32",)
    )
    addresses = {"first.test": ["127.0.0.1"], "inner.test": ["127.0.0.2"]}
    refused(
        tmp_path, f"http://first.test:{first.port}/a", policy, "fetch_address_refused", lambda host, _: addresses[host]
    )
    assert inner.asked == []


def test_the_body_of_a_redirect_is_not_read(tmp_path, web):
    sent = []

    def endless(write):
        write(b"HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n")
        for _ in range(2000):
            write(bytes(100_000))
            sent.append(1)

    server = web({"/a": endless, "/b": answer(DATA)})
    fetch(f"{server.url}/a", tmp_path / "file", allow(server))
    assert len(sent) < 1000


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (answer(b"no", "404 Not Found"), "fetch_failed"),
        (answer(b"no", "401 Unauthorized"), "fetch_failed"),
        (answer(b"", "204 No Content"), "fetch_failed"),
        (answer(b"no", "500 Oops"), "fetch_failed"),
        (answer(DATA, Content_Length=len(DATA) + 1), "fetch_incomplete"),
        (answer(DATA, Content_Length="many"), "fetch_incomplete"),
        (answer(DATA, Content_Length="-5"), "fetch_incomplete"),
        (answer(b"zz\r\n", Content_Length=None, Transfer_Encoding="chunked"), "fetch_incomplete"),
        (answer(b"5\r\nabc", Content_Length=None, Transfer_Encoding="chunked"), "fetch_incomplete"),
        (answer(DATA, Content_Length=10_000_000), "fetch_too_large"),
        (answer(bytes(6_000_000), Content_Length=None), "fetch_too_large"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "fetch_incomplete"),
        (b"", "fetch_incomplete"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000, "fetch_incomplete"),
    ],
)  # fmt: skip
def test_servers_that_do_not_do_as_they_say(tmp_path, web, content, code):
    server = web({"/a": content})
    refused(tmp_path, f"{server.url}/a?X-Amz-Signature=secret", allow(server, max_bytes=5_000_000), code)


def test_more_than_the_length_says_is_not_taken(tmp_path, web):
    server = web({"/a": answer(DATA, Content_Length=1000)})
    assert fetch(f"{server.url}/a", tmp_path / "file", allow(server)).size == 1000
    assert (tmp_path / "file").read_bytes() == DATA[:1000]


def test_a_packed_answer_is_not_unpacked(tmp_path, web):
    bomb = gzip.compress(bytes(20_000_000))
    server = web({"/a": answer(bomb, Content_Encoding="gzip")})
    assert fetch(f"{server.url}/a", tmp_path / "file", allow(server, max_bytes=1_000_000)).size == len(bomb)
    assert "Accept-Encoding: identity" in server.asked[0]


def slowly(*parts):
    def send(write):
        for part in parts:
            write(part)
            time.sleep(0.1)

    return send


@pytest.mark.parametrize(
    "parts",
    [
        [b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n"] * 50,
        [b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"] + [b"z"] * 50,
        [b"HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n"],
    ],
    ids=["head", "body", "redirects"],
)
def test_drop_by_drop_ends_at_the_time_for_all(tmp_path, web, parts):
    server = web({"/a": slowly(*parts)})
    start = time.monotonic()
    refused(tmp_path, f"{server.url}/a", allow(server, seconds=0.5, idle_seconds=5, redirects=1000), "fetch_timeout")
    assert time.monotonic() - start < 2


def test_silence_ends_at_the_idle_time(tmp_path, web):
    server = web({"/a": slowly(answer(DATA[:10], Content_Length=100), *[b""] * 30)})
    start = time.monotonic()
    refused(tmp_path, f"{server.url}/a", allow(server, idle_seconds=0.3), "fetch_timeout")
    assert time.monotonic() - start < 2


def test_nobody_listens(tmp_path, web):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        refused(tmp_path, f"{url}/a", Policy(hosts=(url,), networks=LOOPBACK), "fetch_failed")


def test_more_than_the_volume_has(tmp_path, web):
    server = web({"/a": answer(DATA, Content_Length=1 << 60)})
    with pytest.raises(StorageFullError):
        fetch(f"{server.url}/a", tmp_path / "file", allow(server, max_bytes=1 << 62))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for data.test, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", folder / "key", "-out", folder / "cert", "-subj", "/CN=data.test", "-addext", "subjectAltName=DNS:data.test"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


def test_the_certificate_is_that_of_the_name_though_the_address_is_used(tmp_path, web, certificate, monkeypatch):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate / "cert", certificate / "key")
    names = []
    tls.sni_callback = lambda _socket, name, _context: names.append(name)
    server = web({"/a": answer(DATA)}, tls)
    policy = Policy(hosts=(f"data.test:{server.port}", f"other.test:{server.port}"), networks=LOOPBACK)

    def resolver(*_):
        return ["127.0.0.1"]

    refused(tmp_path, f"https://data.test:{server.port}/a", policy, "fetch_failed", resolver)  # nobody vouches for it
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert"))
    fetch(f"https://data.test:{server.port}/a", tmp_path / "file", policy, resolver=resolver)
    refused(tmp_path, f"https://other.test:{server.port}/a", policy, "fetch_failed", resolver)
    assert names == ["data.test", "data.test", "other.test"]
    assert len(server.asked) == 1


def test_every_address_of_a_private_network_is_refused():
    policy = Policy(hosts=("a",))
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"):
        parsed = ipaddress.ip_network(network)
        assert not policy.opens(str(parsed[0]))
        assert not policy.opens(str(parsed[-1]))
        assert not policy.opens(f"::ffff:{parsed[-1]}")
