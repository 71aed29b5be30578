"""Mail over SMTP (RFC 5321), encrypted wherever credentials go (RFC 3207, RFC 8314)."""

from __future__ import annotations

import hashlib
import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from urllib.parse import unquote, urlsplit

import structlog

from flyball.domain.notices import Notice, Urgency
from flyball.errors import ConfigurationError, EnvironmentFailed

PORTS = {"smtp": 25, "smtps": 465}
SUBMISSION = 587
"""Where ``smtp://`` with credentials goes if no port is given."""

PRIORITY = {Urgency.NOW: "urgent", Urgency.SOON: "normal", Urgency.INFO: "non-urgent"}
"""RFC 2156."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    host: str
    port: int
    implicit_tls: bool
    user: str
    password: str = field(repr=False)


class Mail:
    """Port ``Notifier``: sends each notice as one mail to all recipients.

    ``smtps://`` is encrypted from the first byte. ``smtp://`` with credentials uses STARTTLS and
    goes no further where the server does not offer it. Without credentials it is encrypted where
    that is offered, without asking who is there (RFC 7435): better than in the clear.

    Args:
        url: ``smtp://[USER:PASSWORD@]HOST[:PORT]`` or ``smtps://...``; special characters of user
            and password as in URLs (``%40``).
        sender, recipients: addresses, also ``"Flyball <flyball@example.org>"``.
        timeout_s: how long each answer of the server may take.
        tls: whose certificates to trust; default those of the system.

    Raises:
        ConfigurationError: the URL or an address is not one, or one is missing.
    """

    name = "mail"

    def __init__(
        self,
        url: str,
        *,
        sender: str,
        recipients: Sequence[str],
        timeout_s: float = 10.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if not recipients:
            raise ConfigurationError("notify.smtp is set, and notify.mail_to names nobody")
        self._server = _server(url)
        self._from = _address("notify.mail_from", sender)
        self._to = [_address("notify.mail_to", one) for one in recipients]
        self._timeout_s, self._tls = timeout_s, tls
        self.whom = f"{', '.join(one.addr_spec for one in self._to)} by {self._server.host}"

    def tell(self, notice: Notice) -> None:
        """See ``Notifier.tell``. One refused address does not keep the others from being told."""
        with self._session() as session:
            refused = session.send_message(self._message(notice))
        for address, (code, _) in refused.items():
            log = structlog.get_logger("flyball.notices")
            log.warning("a recipient was refused", address=address, code=code)

    def reach(self) -> None:
        """See ``Notifier.reach``."""
        with self._session() as session:
            session.noop()

    def _message(self, notice: Notice) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        title = " ".join(notice.title.split())  # a header is one line
        message["Subject"] = f"[flyball] {title}"
        message["From"], message["To"] = self._from, self._to
        message["Date"] = format_datetime(notice.at)
        # The same notice, told again after a crash, is the same mail to who sorts them.
        unique = hashlib.sha256(f"{notice.id} {notice.at.isoformat()}".encode()).hexdigest()[:32]
        message["Message-ID"] = f"<{unique}@{self._from.domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        message["Priority"] = PRIORITY[notice.urgency]
        message.set_content(f"{notice.title}\n\n{notice.text}\n")
        return message

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        """A connection that is ready to take a mail.

        Raises:
            EnvironmentFailed: anything went wrong in it.
        """
        try:
            with self._connected() as session:
                self._signed_in(session)
                yield session
        except (smtplib.SMTPException, OSError, MessageError) as error:
            raise EnvironmentFailed(
                f"mail to {self.whom} was not taken: {_why(error, self._timeout_s)}; "
                "check the server and notify.smtp"
            ) from None

    def _connected(self) -> smtplib.SMTP:
        server, me = self._server, _own_name()
        if server.implicit_tls:
            return smtplib.SMTP_SSL(
                server.host,
                server.port,
                local_hostname=me,
                timeout=self._timeout_s,
                context=self._tls or ssl.create_default_context(),
            )
        return smtplib.SMTP(server.host, server.port, local_hostname=me, timeout=self._timeout_s)

    def _signed_in(self, session: smtplib.SMTP) -> None:
        server = self._server
        session.ehlo_or_helo_if_needed()
        if not server.implicit_tls and (server.user or session.has_extn("starttls")):
            known = self._tls or ssl.create_default_context()
            session.starttls(context=known if server.user else _anybody())
            session.ehlo()
        if server.user:
            session.login(server.user, server.password)


def _anybody() -> ssl.SSLContext:
    """Encrypts without asking with whom: for relays that would else be talked to in the clear."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _own_name() -> str:
    """What we call ourselves; the standard library's way may wait long for a name server."""
    name = socket.gethostname()
    return name if "." in name else "[127.0.0.1]"


def _why(error: Exception, timeout_s: float) -> str:
    """In words, and without the password, which servers may repeat."""
    if isinstance(error.__context__, TimeoutError):  # smtplib says that the server hung up
        error = error.__context__
    match error:
        case smtplib.SMTPAuthenticationError():
            return f"it refuses user and password ({error.smtp_code})"
        case smtplib.SMTPRecipientsRefused():
            codes = sorted({code for code, _ in error.recipients.values()})
            return f"it refuses every recipient ({', '.join(map(str, codes))})"
        case smtplib.SMTPNotSupportedError():
            return "it offers no encryption or no sign-in, and the password is not sent without"
        case smtplib.SMTPResponseException():
            return f"it answers {error.smtp_code}"
        case TimeoutError():
            return f"no answer within {timeout_s:g} s"
        case _:
            return str(error) or type(error).__name__


def _server(url: str) -> _Server:
    """The parts of the URL. The message of the error holds none of it: it may hold a password."""
    try:
        parts = urlsplit(url)
        port, good = parts.port, parts.scheme in PORTS and bool(parts.hostname)
    except ValueError:
        good = False
    if not good or parts.path.strip("/") or (parts.password is not None and not parts.username):
        raise ConfigurationError(
            "notify.smtp is not a mail server; write for example 'smtps://USER:PASSWORD@HOST' or "
            "'smtp://localhost:25'"
        )
    user = unquote(parts.username or "")
    usual = SUBMISSION if parts.scheme == "smtp" and user else PORTS[parts.scheme]
    return _Server(
        host=parts.hostname or "",
        port=port or usual,
        implicit_tls=parts.scheme == "smtps",
        user=user,
        password=unquote(parts.password or ""),
    )


def _address(setting: str, text: str) -> Address:
    name, spec = parseaddr(text)
    made = None
    try:
        if text.isprintable() and "," not in text:
            made = Address(display_name=name, addr_spec=spec)
    except (MessageError, ValueError, IndexError):
        pass
    if made is None or not made.domain or not made.username or not spec.isascii():
        raise ConfigurationError(
            f"{setting}: {text!r} is no mail address; write for example 'ops@example.org'"
        )
    return made
