"""HTTPS by certificate files: checked at the start, followed when they change."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from toy import COMMAND, ToyHome

from bare_server import Running, a_bare_server
from certificates import a_certificate, trusting
from flyball.cli.narrator import answer
from flyball.errors import ConfigurationError
from flyball.serving.tls import certificate_of
from flyball.settings import Server


def settings(chain: Path, key: Path) -> dict[str, str]:
    return {"tls_certificate": str(chain), "tls_key": str(key)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return a_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server(files: tuple[Path, Path]) -> Iterator[Running]:
    with a_bare_server(settings=settings(*files)) as running:
        yield running


class TestAnHttpsServer:
    """What a caller meets."""

    def test_answers_over_tls_and_tells_browsers_to_stay_there(self, server, files):
        assert server.url.startswith("https://")
        answer = httpx.get(f"{server.url}/echo", verify=trusting(files[0]), trust_env=False)
        assert answer.status_code == 200
        assert answer.headers["strict-transport-security"] == "max-age=31536000"

    def test_speaks_tls_1_2_and_1_3_and_nothing_older(self, server, files):
        found = {}
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = trusting(files[0], minimum_version=version, maximum_version=version)
            with server.connect(context) as client:
                found[version] = client.version()
        assert list(found.values()) == ["TLSv1.2", "TLSv1.3"]
        old = trusting(files[0])
        old.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is old is the point
            old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with pytest.raises(ssl.SSLError):
            server.connect(old)

    def test_does_not_answer_without_tls(self, server):
        with pytest.raises(httpx.TransportError):
            httpx.get(server.url.replace("https", "http"), trust_env=False)

    def test_refuses_what_is_no_http_as_over_any_connection(self, server, files):
        with server.connect(trusting(files[0])) as client:
            client.sendall(b"nonsense\r\n\r\n")
            assert client.recv(20).startswith(b"HTTP/1.1 400 ")

    def test_is_not_held_by_handshakes_that_never_come(self, server, files):
        with server.connect(), server.connect(), server.connect():
            answer = httpx.get(f"{server.url}/echo", verify=trusting(files[0]), trust_env=False)
        assert answer.status_code == 200


def served(server: Running) -> bytes:
    """The certificate that a new connection gets."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with server.connect(context) as client:
        found = client.getpeercert(binary_form=True)
    assert found is not None
    return found


def der(chain: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(chain.read_text())


def until(holds: Callable[[], bool]) -> None:
    deadline, pause = time.monotonic() + 20, threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "the awaited condition did not come true in time"
        pause.wait(0.05)


class TestACertificateThatIsReplaced:
    """Certificates live for weeks, servers for months."""

    def test_is_used_for_new_connections_and_old_ones_go_on(self, tmp_path):
        chain, key = a_certificate(tmp_path)
        with a_bare_server(settings=settings(chain, key)) as server:
            first = der(chain)
            assert served(server) == first
            with httpx.Client(verify=trusting(chain), base_url=server.url) as client:
                assert client.get("/echo").status_code == 200
                a_certificate(tmp_path)
                until(lambda: served(server) == der(chain))
                assert der(chain) != first
                assert client.get("/echo").status_code == 200
            with httpx.Client(verify=trusting(chain), base_url=server.url) as client:
                assert client.get("/echo").status_code == 200

    def test_by_half_or_by_rubbish_is_not_used(self, tmp_path):
        chain, key = a_certificate(tmp_path)
        other, other_key = a_certificate(tmp_path / "other")
        with a_bare_server(settings=settings(chain, key)) as server:
            first = der(chain)
            shutil.copy(other, chain)  # without its key
            threading.Event().wait(2.5)
            assert served(server) == first
            chain.write_text("rubbish")
            threading.Event().wait(2.5)
            assert served(server) == first
            shutil.copy(other, chain)
            shutil.copy(other_key, key)
            until(lambda: served(server) == der(other))


class TestWrongFiles:
    """They are refused before anything starts, by name."""

    @pytest.mark.parametrize("wrong", ["certificate", "key"])
    @pytest.mark.parametrize("how", ["missing", "rubbish", "a directory", "empty"])
    def test_that_cannot_be_read_are_named(self, tmp_path, wrong, how):
        chain, key = a_certificate(tmp_path)
        path = chain if wrong == "certificate" else key
        path.unlink()
        if how == "a directory":
            path.mkdir()
        elif how != "missing":
            path.write_text(how if how == "rubbish" else "")
        with pytest.raises(ConfigurationError) as refused:
            certificate_of(Server(**settings(chain, key)))
        assert f"the TLS {wrong} {path}" in str(refused.value)
        assert f"server.tls_{wrong}" in str(refused.value)

    def test_a_key_of_another_certificate_is_refused(self, tmp_path):
        chain, _ = a_certificate(tmp_path)
        _, key = a_certificate(tmp_path / "other")
        with pytest.raises(ConfigurationError, match=f"{key} does not belong to .*{chain}"):
            certificate_of(Server(**settings(chain, key)))

    def test_an_encrypted_key_is_refused_instead_of_asking_on_a_terminal(self, tmp_path):
        chain, key = a_certificate(tmp_path, passphrase=b"secret")
        with pytest.raises(ConfigurationError, match="is encrypted"):
            certificate_of(Server(**settings(chain, key)))

    @pytest.mark.parametrize("given", ["tls_certificate", "tls_key"])
    def test_one_without_the_other_is_refused(self, given):
        missing = {"tls_certificate": "tls_key", "tls_key": "tls_certificate"}[given]
        with pytest.raises(ConfigurationError, match=f"{given} is set and server.{missing} is not"):
            certificate_of(Server(**{given: "x"}))

    def test_none_at_all_is_http(self):
        assert certificate_of(Server()) is None

    @pytest.mark.parametrize("command", ["worker", "up"])
    def test_end_the_process_with_2_and_no_traceback(self, tmp_path, command):
        home = ToyHome(tmp_path / "home").home
        with (home / "flyball.toml").open("a") as file:
            file.write(f'[server]\ntls_certificate = "{tmp_path}/none.pem"\ntls_key = "x"\n')
        argv = {
            "worker": [*COMMAND, "--home", str(home), "--port", "0"],
            "up": [sys.executable, "-m", "flyball.cli", "up", "--home", str(home), "--port", "0"],
        }[command]
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 2, ended.stderr
        assert f"{tmp_path}/none.pem cannot be read" in " ".join(ended.stderr.split())
        assert "Traceback" not in ended.stderr


def test_a_worker_with_a_certificate_says_https(tmp_path):
    """Where it announces itself, and in what it reports."""
    home = ToyHome(tmp_path / "home")
    chain, key = a_certificate(tmp_path)
    with (home.home / "flyball.toml").open("a") as file:
        file.write(f'[server]\ntls_certificate = "{chain}"\ntls_key = "{key}"\n')
    process = subprocess.Popen(
        [*COMMAND, "--home", str(home.home), "--port", "0"], stdout=subprocess.PIPE
    )
    try:
        url = json.loads(process.stdout.readline())["url"]
        answer = httpx.get(f"{url}/health", verify=trusting(chain), trust_env=False)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert url.startswith("https://127.0.0.1:")
    assert answer.json()["url"] == url
    assert socket.gethostname() in answer.json()["worker"]


def test_a_client_on_this_machine_takes_the_configured_certificate_and_no_other(tmp_path):
    """Whatever public name it is for: as ``flyball up`` does, to tell when the API is ready."""
    chain, key = a_certificate(tmp_path)
    other, _ = a_certificate(tmp_path / "other")
    with a_bare_server(settings=settings(chain, key)) as server:
        url = f"{server.url}/health/live"
        assert answer(url, str(chain)) == {"status": "live"}
        assert answer(url, str(other)) is None
        assert answer(url) is None


def test_simulated_players_are_refused_where_they_could_not_come(tmp_path):
    home = ToyHome(tmp_path / "home").home
    chain, key = a_certificate(tmp_path)
    (home / "flyball.toml").write_text(
        f'[server]\ntls_certificate = "{chain}"\ntls_key = "{key}"\n'
    )
    argv = [sys.executable, "-m", "flyball.cli", "up", "--sample", "--home", str(home)]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2, ended.stderr
    assert "--no-simulate" in ended.stderr
