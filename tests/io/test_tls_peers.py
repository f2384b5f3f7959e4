#!/usr/bin/env python3
"""TLS with others: tusk's server and client (tls_peer) against Python's ssl module and the openssl program."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

BUILD = os.environ.get("TUSK_BUILD_DIR", "build")
PEER = os.environ.get("TUSK_TEST_WRAPPER", "").split() + [os.path.join(BUILD, "tests/io/tls_peer")]
OPENSSL = shutil.which("openssl")
FOLDER = ""
# Nothing here takes a second; it is what ends a test that hangs.
PATIENCE = 50
BULK = 2_000_000


def pem(name):
    return os.path.join(FOLDER, name)


def pattern(size):
    return (bytes(i * 31 % 251 for i in range(251)) * (size // 251 + 1))[:size]


class Server:
    """tls_peer serve: a context that has its port, and afterwards the lines that it printed."""

    def __init__(self, *options):
        self.options = options or (f"cert={pem('server.pem')}",)

    def __enter__(self):
        self.process = subprocess.Popen([*PEER, "serve", *self.options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        word, self.port = self.process.stdout.readline().split()
        assert word == "port"
        return self

    def __exit__(self, *_):
        output, _ = self.process.communicate("", PATIENCE)
        self.lines = output.splitlines()
        self.status = self.process.returncode


def client(port, *actions):
    """tls_peer connect: what it printed."""
    done = subprocess.run([*PEER, "connect", str(port), *actions], capture_output=True, text=True,
                          timeout=PATIENCE)
    assert done.stderr == "", done.stderr
    return done.stdout.splitlines()


def client_context(**options):
    context = ssl.create_default_context(cafile=pem("ca.pem"))
    # Python 3.13 wants more of certificates than OpenSSL does.
    if hasattr(ssl, "VERIFY_X509_STRICT"):
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    for name, value in options.items():
        setattr(context, name, value)
    return context


def connect(port, context=None, hostname="localhost"):
    plain = socket.create_connection(("127.0.0.1", int(port)), PATIENCE)
    try:
        return (context or client_context()).wrap_socket(plain, server_hostname=hostname,
                                                         suppress_ragged_eofs=False)
    except BaseException:
        plain.close()
        raise


class PythonServer:
    """A server of one connection by Python's ssl; `serve` talks to it in a thread."""

    def __init__(self, serve, certificate="server.pem", connections=1, **options):
        self.serve = serve
        self.connections = connections
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem(certificate))
        for name, value in options.items():
            setattr(self.context, name, value)
        self.error = None

    def run(self):
        for _ in range(self.connections):
            try:
                plain, _ = self.listener.accept()
                plain.settimeout(PATIENCE)
                with self.context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False) as stream:
                    self.serve(stream)
            except (OSError, AssertionError) as error:
                self.error = error

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join(PATIENCE)
        self.listener.close()


def read_all(stream, size):
    data = b""
    while len(data) < size:
        piece = stream.recv(65536)
        if not piece:
            break
        data += piece
    return data


def goodbye(stream):
    """Says it, and waits for the other's."""
    stream.unwrap().close()


class PythonClients(unittest.TestCase):
    def ask(self, stream, *lines):
        answers = []
        with stream.makefile("rw", newline="\n") as file:
            for line in lines:
                file.write(line + "\n")
                file.flush()
                answers.append(file.readline().rstrip("\n"))
        return answers

    def test_talk(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version), Server() as server:
                stream = connect(server.port, client_context(maximum_version=version))
                answers = self.ask(stream, "echo hello", "fact server_name", "fact tls_version", "fact cipher",
                                   "fact peercert", "echo bye")
                self.assertEqual(answers, ["hello", "localhost", stream.version(), stream.cipher()[0], "-", "bye"])
                goodbye(stream)
            self.assertEqual(server.lines, ["ended 0"])
            self.assertEqual(server.status, 0)

    def test_server_says_goodbye(self):
        with Server() as server:
            with connect(server.port) as stream:
                stream.sendall(b"bye\n")
                self.assertEqual(stream.recv(10), b"")

    def test_server_cuts_off(self):
        with Server() as server:
            with connect(server.port) as stream:
                stream.sendall(b"drop\n")
                with self.assertRaises((ssl.SSLEOFError, ConnectionResetError)):
                    stream.recv(10)

    def test_client_cuts_off(self):
        with Server() as server:
            stream = connect(server.port)
            self.assertEqual(self.ask(stream, "echo x"), ["x"])
            stream.shutdown(socket.SHUT_RDWR)
            stream.close()
        self.assertEqual(server.lines, ["ended TUSK_TLS_EOF: TLS: the peer cut the connection off"])

    def test_bulk(self):
        with Server() as server, connect(server.port) as stream:
            stream.sendall(b"download %d\nupload %d\n" % (BULK, BULK))
            sender = threading.Thread(target=stream.sendall, args=(pattern(BULK),))
            sender.start()
            self.assertEqual(read_all(stream, BULK), pattern(BULK))
            sender.join()
            self.assertEqual(stream.recv(100), b"thanks\n")

    def test_kernel(self):
        with Server(f"cert={pem('server.pem')}", "ktls") as server, connect(server.port) as stream:
            stream.sendall(b"download %d\n" % BULK)
            self.assertEqual(read_all(stream, BULK), pattern(BULK))
            self.assertIn(self.ask(stream, "fact ktls")[0], "0123")

    def test_resumption(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version), Server() as server:
                context = client_context(maximum_version=version)
                first = connect(server.port, context)
                self.assertEqual(self.ask(first, "fact session_reused"), ["0"])
                session = first.session
                goodbye(first)
                plain = socket.create_connection(("127.0.0.1", int(server.port)), PATIENCE)
                with context.wrap_socket(plain, server_hostname="localhost", session=session) as second:
                    self.assertTrue(second.session_reused)
                    self.assertEqual(self.ask(second, "fact session_reused"), ["1"])

    def test_alpn(self):
        with Server(f"cert={pem('server.pem')}", "alpn=h2,http/1.1") as server:
            context = client_context()
            context.set_alpn_protocols(["http/1.1", "h2"])
            with connect(server.port, context) as stream:
                self.assertEqual(stream.selected_alpn_protocol(), "h2")
                self.assertEqual(self.ask(stream, "fact alpn"), ["h2"])
            context = client_context()
            context.set_alpn_protocols(["imap"])
            with self.assertRaisesRegex(ssl.SSLError, "(?i)no.application.protocol"):
                connect(server.port, context)

    def test_client_certificates(self):
        options = (f"cert={pem('server.pem')}", f"ca={pem('ca.pem')}", "verify=required")
        with Server(*options) as server:
            context = client_context()
            context.load_cert_chain(pem("client.pem"))
            with connect(server.port, context) as stream:
                self.assertEqual(self.ask(stream, "echo in"), ["in"])
            for certificate in (None, "stranger.pem", "expired.pem"):
                context = client_context()
                if certificate:
                    context.load_cert_chain(pem(certificate))
                with self.assertRaises((ssl.SSLError, ConnectionError)), connect(server.port, context) as stream:
                    stream.recv(1)
        refused = [line for line in server.lines if line.startswith("refused")]
        self.assertEqual(refused, ["refused TUSK_TLS_CERTIFICATE: the peer has no certificate",
                                   "refused TUSK_TLS_CERTIFICATE: the peer's certificate was not accepted: "
                                   "unable to get local issuer certificate",
                                   "refused TUSK_TLS_CERTIFICATE: the peer's certificate was not accepted: "
                                   "certificate has expired"])

    def test_starttls(self):
        with Server(f"cert={pem('server.pem')}", "plain") as server:
            plain = socket.create_connection(("127.0.0.1", int(server.port)), PATIENCE)
            plain.sendall(b"STARTTLS\n")
            self.assertEqual(plain.recv(100), b"go on\n")
            with client_context().wrap_socket(plain, server_hostname="localhost") as stream:
                self.assertEqual(self.ask(stream, "echo inside"), ["inside"])

    def test_starttls_at_once(self):
        """The first flight comes together with the command."""
        with Server(f"cert={pem('server.pem')}", "plain") as server:
            plain = socket.create_connection(("127.0.0.1", int(server.port)), PATIENCE)
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            inside = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
            with self.assertRaises(ssl.SSLWantReadError):
                inside.do_handshake()
            plain.sendall(b"STARTTLS\n" + outgoing.read())
            rest = plain.recv(65536)
            self.assertTrue(rest.startswith(b"go on\n"))
            incoming.write(rest[6:])
            while True:
                try:
                    inside.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    incoming.write(plain.recv(65536))
            inside.write(b"echo early\n")
            plain.sendall(outgoing.read())
            while True:
                try:
                    self.assertEqual(inside.read(100), b"early\n")
                    break
                except ssl.SSLWantReadError:
                    incoming.write(plain.recv(65536))
            plain.close()

    def test_plain_client(self):
        with Server() as server:
            with socket.create_connection(("127.0.0.1", int(server.port)), PATIENCE) as plain:
                plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
                self.assertNotIn(b"HTTP", read_all(plain, 1000))
        self.assertEqual(server.lines, ["refused TUSK_TLS_FAILED: TLS handshake: http request"])


class PythonServers(unittest.TestCase):
    CA = property(lambda self: f"ca={pem('ca.pem')}")

    @staticmethod
    def echo(stream):
        stream.sendall(stream.recv(100))
        goodbye(stream)

    def test_talk(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version), PythonServer(self.echo, maximum_version=version) as server:
                lines = client(server.port, self.CA, "send=hello", "line", "fact=tls_version", "end")
            self.assertEqual(lines, ["connected 0", "hello", version.name.replace("_", "."), "0 bytes, then end 0",
                                     "closed 0"])
            self.assertIsNone(server.error)

    def test_client_says_goodbye(self):
        def serve(stream):
            assert stream.recv(100) == b"last words\n"
            assert stream.recv(100) == b""

        with PythonServer(serve) as server:
            lines = client(server.port, self.CA, "send=last words")
        self.assertEqual(lines, ["connected 0", "closed 0"])
        self.assertIsNone(server.error)

    def test_client_cuts_off(self):
        # After a word of the server's: a write of its tickets that fails takes the reset away, and is no
        # failure to OpenSSL, so that the end of the connection alone is left to be seen.
        def serve(stream):
            stream.sendall(pattern(5))
            stream.recv(100)

        with PythonServer(serve) as server:
            lines = client(server.port, self.CA, "download=5", "drop")
        self.assertEqual(lines[0], "connected 0")
        self.assertIsInstance(server.error, (ssl.SSLEOFError, ConnectionResetError))

    def test_server_cuts_off(self):
        def serve(stream):
            stream.recv(100)
            stream.sendall(b"some words")
            stream.shutdown(socket.SHUT_RDWR)

        with PythonServer(serve) as server:
            lines = client(server.port, self.CA, "send=x", "end")
        self.assertEqual(lines[:2], ["connected 0",
                                     "10 bytes, then end TUSK_TLS_EOF: TLS: the peer cut the connection off"])

    def test_bulk(self):
        def serve(stream):
            assert read_all(stream, BULK) == pattern(BULK)
            stream.sendall(pattern(BULK))

        with PythonServer(serve) as server:
            lines = client(server.port, self.CA, f"upload={BULK}", f"download={BULK}")
        self.assertEqual(lines[0], "connected 0")
        self.assertFalse([line for line in lines if line.startswith("failed")])
        self.assertIsNone(server.error)

    def test_refusals(self):
        cases = (
            ("server.pem", ["host=elsewhere.example"], "hostname mismatch"),
            ("server.pem", ["host=127.0.0.2"], "IP address mismatch"),
            ("expired.pem", [], "certificate has expired"),
            ("early.pem", [], "certificate is not yet valid"),
            ("self.pem", [], "self-signed certificate"),
            ("stranger.pem", [], "unable to get local issuer certificate"),
        )
        for certificate, options, reason in cases:
            with self.subTest(certificate=certificate), PythonServer(self.echo, certificate) as server:
                lines = client(server.port, self.CA, *options)
            self.assertEqual(lines, ["connected TUSK_TLS_CERTIFICATE: the peer's certificate was not accepted: "
                                     + reason])
            self.assertIsInstance(server.error, (ssl.SSLError, ConnectionError))

    def test_names(self):
        names = []

        def choose(_, name, __):
            names.append(name)

        for host in ("localhost", "127.0.0.1", "::1", "two.example."):
            with PythonServer(self.echo, sni_callback=choose) as server:
                lines = client(server.port, self.CA, f"host={host}", "send=x", "line")
            self.assertEqual(lines[:2], ["connected 0", "x"])
        self.assertEqual(names, ["localhost", None, None, "two.example"])

    def test_resumption(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            reused = []

            def serve(stream, reused=reused):
                reused.append(stream.session_reused)
                self.echo(stream)

            with self.subTest(version=version), PythonServer(serve, connections=3, maximum_version=version) as server:
                talk = ["send=x", "line", "fact=session_reused"]
                lines = client(server.port, self.CA, *talk, "again", *talk, "again", *talk)
            self.assertEqual([line for line in lines if len(line) == 1], list("x0x1x1"))
            self.assertEqual(reused, [False, True, True])

    def test_client_certificate(self):
        def serve(stream):
            assert stream.getpeercert()["subjectAltName"] == (("DNS", "client.example"),)
            self.echo(stream)

        with PythonServer(serve) as server:
            server.context.load_verify_locations(pem("ca.pem"))
            server.context.verify_mode = ssl.CERT_REQUIRED
            lines = client(server.port, self.CA, f"cert={pem('client.pem')}", "send=x", "line")
        self.assertEqual(lines[:2], ["connected 0", "x"])
        self.assertIsNone(server.error)

    def test_plain_server(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve():
                plain, _ = listener.accept()
                with plain:
                    plain.sendall(b"220 welcome, this is something else\r\n")
                    while plain.recv(1000):
                        pass

            thread = threading.Thread(target=serve)
            thread.start()
            lines = client(listener.getsockname()[1], self.CA)
            thread.join()
        self.assertEqual(lines, ["connected TUSK_TLS_FAILED: TLS handshake: wrong version number"])


@unittest.skipUnless(OPENSSL, "there is no openssl program")
class Openssl(unittest.TestCase):
    def s_client(self, port, text, *options):
        return subprocess.run([OPENSSL, "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost",
                               "-CAfile", pem("ca.pem"), "-verify_return_error", "-quiet", *options], input=text,
                              capture_output=True, text=True, timeout=PATIENCE)

    def test_s_client(self):
        for version in ("-tls1_2", "-tls1_3"):
            with self.subTest(version=version), Server() as server:
                done = self.s_client(server.port, "echo hello\nfact tls_version\nbye\n", version)
            self.assertEqual(done.stdout.splitlines(), ["hello", version.replace("-tls", "TLSv").replace("_", ".")])
            self.assertEqual(server.lines, ["ended 0"])

    def test_old_versions(self):
        for version in ("-tls1", "-tls1_1"):
            with self.subTest(version=version), Server() as server:
                done = self.s_client(server.port, "echo hello\n", version, "-cipher", "DEFAULT@SECLEVEL=0")
            self.assertEqual(done.stdout, "")
            self.assertEqual(server.lines[:1], ["refused TUSK_TLS_FAILED: TLS handshake: unsupported protocol"])

    def test_renegotiation_and_key_update(self):
        """R asks for a renegotiation, K for new keys: the first is refused, the second is nothing special."""
        for version, letter in (("-tls1_2", "R"), ("-tls1_3", "K")):
            with self.subTest(version=version), Server() as server:
                process = subprocess.Popen([OPENSSL, "s_client", "-connect", f"127.0.0.1:{server.port}", version],
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                           stderr=subprocess.STDOUT, text=True, bufsize=0)
                self.say(process, "echo before\n", "before")
                if letter == "K":
                    self.say(process, "K\n", "KEYUPDATE")
                    self.say(process, "echo after\n", "after")
                else:
                    self.say(process, "R\n", "RENEGOTIATING")
                process.kill()
                process.communicate()
            self.assertEqual(server.status, 0)

    @staticmethod
    def say(process, text, answer):
        process.stdin.write(text)
        for line in process.stdout:
            if line.strip() == answer:
                return
        raise AssertionError(f"no {answer}")

    def test_s_server(self):
        port = 0
        process = None
        for _ in range(20):
            with socket.create_server(("127.0.0.1", 0)) as probe:
                port = probe.getsockname()[1]
            process = subprocess.Popen([OPENSSL, "s_server", "-accept", f"127.0.0.1:{port}", "-cert",
                                        pem("server.pem"), "-rev", "-naccept", "1"], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if any("ACCEPT" in line for line in process.stdout):
                break
            process.wait()
        lines = client(port, f"ca={pem('ca.pem')}", "send=stressed", "line")
        self.assertEqual(lines[:2], ["connected 0", "desserts"])
        process.communicate(timeout=PATIENCE)


def main():
    global FOLDER
    with tempfile.TemporaryDirectory(prefix="tusk-tls-") as FOLDER:
        status = subprocess.run([*PEER, "certificates", FOLDER], check=False).returncode
        if status == 77:
            print("skipped: tusk was built without OpenSSL")
            return 77
        if status != 0:
            return 1
        return 0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
