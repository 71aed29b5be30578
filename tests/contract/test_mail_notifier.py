"""Mail keeps what ``Notifier`` promises, against a real SMTP server."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from certificates import a_certificate, trusting
from chat_server import TOKEN
from flyball.errors import ConfigurationError, EnvironmentFailed
from flyball.notifiers.mail import Mail
from flyball.testing.notifiers import ROLLED_BACK, NotifierContract

FROM, TO = "flyball@example.org", ("ops@example.org", "Ada <ada@example.org>")


class Postbox:
    """Takes mail; keeps it. Addresses in ``refuses`` are refused."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.secure: list[bool] = []
        self.refuses: set[str] = set()

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802
        if address in self.refuses:
            return "550 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, session, envelope):  # noqa: N802
        self.got.append(envelope.content)
        self.recipients.append(list(envelope.rcpt_tos))
        self.secure.append(session.ssl is not None)
        return "250 OK"


@contextmanager
def mail_server(box: Postbox, **options: object) -> Iterator[int]:
    """A real SMTP server; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture
def box() -> Postbox:
    return Postbox()


def _signed_in(_server, _session, _envelope, _mechanism, data: LoginPassword) -> AuthResult:
    return AuthResult(success=data.password == TOKEN.encode() and data.login == b"ada@shop")


USER = "ada%40shop"
"""As it stands in a URL."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    return a_certificate(tmp_path_factory.mktemp("mail"))


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


class TestMail(NotifierContract):
    @pytest.fixture
    def notifier(self, box):
        with mail_server(box) as port:
            yield Mail(f"smtp://127.0.0.1:{port}", sender=FROM, recipients=TO)

    @pytest.fixture
    def arrived(self, box) -> Callable[[], list[str]]:
        return lambda: [f"{m['subject']}\n{_body(m)}" for m in map(_read, box.got)]

    @pytest.fixture
    def nobody(self, closed):
        return Mail(f"smtp://u:{TOKEN}@127.0.0.1:{closed}", sender=FROM, recipients=TO)

    @pytest.fixture
    def silent(self, deaf):
        url = f"smtp://u:{TOKEN}@127.0.0.1:{deaf}"
        return Mail(url, sender=FROM, recipients=TO, timeout_s=0.3)

    @pytest.fixture
    def refused(self, tls, certificate):
        options = {
            "tls_context": tls,
            "authenticator": lambda *_: AuthResult(success=False, handled=False),
        }
        with mail_server(Postbox(), **options) as port:
            url = f"smtp://u:{TOKEN}@127.0.0.1:{port}"
            yield Mail(url, sender=FROM, recipients=TO, tls=trusting(certificate[0]))

    @pytest.fixture
    def secret(self) -> str:
        return TOKEN

    def test_comes_from_whom_it_says_to_everybody_in_one_mail(self, notifier, box):
        notifier.tell(ROLLED_BACK)
        [mail] = map(_read, box.got)
        assert mail["from"] == FROM
        assert mail["to"].addresses[1].addr_spec == "ada@example.org"
        assert box.recipients == [["ops@example.org", "ada@example.org"]]
        assert mail["date"].datetime == ROLLED_BACK.at
        assert mail["auto-submitted"] == "auto-generated"

    def test_told_twice_is_the_same_mail_twice(self, notifier, box):
        """Mail programs then show one."""
        notifier.tell(ROLLED_BACK)
        notifier.tell(ROLLED_BACK)
        notifier.tell(replace(ROLLED_BACK, id="another"))
        ids = [mail["message-id"] for mail in map(_read, box.got)]
        assert ids[0] == ids[1] != ids[2]

    def test_one_refused_address_does_not_keep_it_from_the_others(self, notifier, box):
        box.refuses = {"ops@example.org"}
        notifier.tell(ROLLED_BACK)
        assert box.recipients == [["ada@example.org"]]
        box.refuses = {"ops@example.org", "ada@example.org"}
        with pytest.raises(EnvironmentFailed, match=r"refuses every recipient \(550\)"):
            notifier.tell(ROLLED_BACK)

    def test_signs_in_over_starttls(self, box, tls, certificate):
        options = {"tls_context": tls, "require_starttls": True, "authenticator": _signed_in}
        with mail_server(box, **options) as port:
            url = f"smtp://{USER}:{TOKEN}@127.0.0.1:{port}"
            mail = Mail(url, sender=FROM, recipients=TO, tls=trusting(certificate[0]))
            mail.reach()
            mail.tell(ROLLED_BACK)
            assert box.secure == [True]
            with pytest.raises(EnvironmentFailed, match="certificate"):
                Mail(url, sender=FROM, recipients=TO).tell(ROLLED_BACK)

    def test_never_sends_a_password_in_the_clear(self, box):
        options = {"authenticator": _signed_in, "auth_require_tls": False}
        with mail_server(box, **options) as port:
            mail = Mail(f"smtp://{USER}:{TOKEN}@127.0.0.1:{port}", sender=FROM, recipients=TO)
            with pytest.raises(EnvironmentFailed, match="offers no encryption"):
                mail.tell(ROLLED_BACK)
        assert box.got == []

    def test_without_credentials_encrypts_where_that_is_offered(self, box, tls):
        with mail_server(box, tls_context=tls, require_starttls=True) as port:
            Mail(f"smtp://127.0.0.1:{port}", sender=FROM, recipients=TO).tell(ROLLED_BACK)
        assert box.secure == [True]

    def test_smtps_is_encrypted_from_the_first_byte(self, box, tls, certificate):
        with mail_server(box, ssl_context=tls) as port:
            url = f"smtps://127.0.0.1:{port}"
            Mail(url, sender=FROM, recipients=TO, tls=trusting(certificate[0])).tell(ROLLED_BACK)
            with pytest.raises(EnvironmentFailed, match="certificate"):
                Mail(url, sender=FROM, recipients=TO).reach()
        assert len(box.got) == 1

    @pytest.mark.parametrize(
        "url",
        [
            TOKEN,
            f"http://u:{TOKEN}@h",
            f"smtp://u:{TOKEN}@h/path",
            f"smtp://:{TOKEN}@h",
            "smtps://",
        ],
    )
    def test_refuses_what_is_no_server_without_repeating_it(self, url):
        with pytest.raises(ConfigurationError, match=r"notify\.smtp") as caught:
            Mail(url, sender=FROM, recipients=TO)
        assert TOKEN not in str(caught.value)

    @pytest.mark.parametrize(
        "address",
        ["", "ops", "ops@", "@example.org", "a@b\r\nBcc: c@d", "a@b, c@d", "a b@c"],
    )
    def test_refuses_what_is_no_address_and_says_where_it_stands(self, address):
        with pytest.raises(ConfigurationError, match=r"notify\.mail_to"):
            Mail("smtp://h", sender=FROM, recipients=[address])
        with pytest.raises(ConfigurationError, match=r"notify\.mail_from"):
            Mail("smtp://h", sender=address, recipients=TO)


def _read(content: bytes):
    return message_from_bytes(content, policy=policy.default)


def _body(message) -> str:
    return message.get_content().replace("\r\n", "\n")
