"""The webhook keeps what ``Notifier`` promises, against a real server; and who is asked for."""

from __future__ import annotations

import html
import logging
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from certificates import a_certificate, trusting
from chat_server import TOKEN, Chat, serving
from flyball.domain.notices import Urgency
from flyball.errors import ConfigurationError, EnvironmentFailed
from flyball.notifiers.configured import configured
from flyball.notifiers.webhook import HEADER, Webhook
from flyball.settings import Notify
from flyball.testing.notifiers import ROLLED_BACK, NotifierContract

FROM = "flyball@example.org"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    """These servers are here, whatever the machine of the test has to go through."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def chat() -> Iterator[Chat]:
    chat = Chat()
    with serving(chat):
        yield chat


class TestTheWebhook(NotifierContract):
    @pytest.fixture
    def notifier(self, chat):
        return Webhook(chat.url)

    @pytest.fixture
    def arrived(self, chat) -> Callable[[], list[str]]:
        return lambda: [html.unescape(f"{got['text']}\n{_blocks(got)}") for got in chat.got]

    @pytest.fixture
    def nobody(self, closed):
        return Webhook(f"http://127.0.0.1:{closed}/services/{TOKEN}")

    @pytest.fixture
    def silent(self, deaf):
        return Webhook(f"http://127.0.0.1:{deaf}/services/{TOKEN}", timeout_s=0.3)

    @pytest.fixture
    def refused(self):
        chat = Chat()
        chat.status = 403
        with serving(chat):
            yield Webhook(chat.url)

    @pytest.fixture
    def secret(self) -> str:
        return TOKEN

    def test_writes_blocks_that_slack_takes(self, notifier, chat):
        notifier.tell(replace(ROLLED_BACK, title="t" * 400, text="<!channel> & " * 900))
        [got] = chat.got
        header, section, context = got["blocks"]
        assert header["text"]["type"] == "plain_text"
        assert len(header["text"]["text"]) <= HEADER
        assert section["text"]["type"] == "mrkdwn"
        assert len(section["text"]["text"]) <= 3000
        assert "<" not in section["text"]["text"], "nobody is called by a text"
        assert "games" in context["elements"][0]["text"]

    @pytest.mark.parametrize("urgency", Urgency)
    def test_shows_how_urgent_it_is(self, notifier, chat, urgency):
        notifier.tell(replace(ROLLED_BACK, urgency=urgency))
        [sign] = {got["blocks"][0]["text"]["text"].split(" ")[0] for got in chat.got}
        assert sign in (":rotating_light:", ":warning:", ":information_source:")

    @pytest.mark.parametrize("status", [302, 400, 404, 410, 429, 500])
    def test_takes_no_other_answer_for_a_yes_and_follows_nobody(self, notifier, chat, status):
        chat.status = status
        with pytest.raises(EnvironmentFailed, match=f"answers {status}"):
            notifier.tell(ROLLED_BACK)
        assert chat.paths == [f"/services/{TOKEN}"]

    def test_leaves_its_url_in_no_log(self, notifier, caplog):
        with caplog.at_level(logging.DEBUG):
            notifier.tell(ROLLED_BACK)
        assert TOKEN not in caplog.text

    def test_goes_through_the_proxy_of_the_environment(self, chat, monkeypatch):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{chat.server_port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        Webhook(f"http://chat.example.org/services/{TOKEN}").tell(ROLLED_BACK)
        assert chat.paths == [f"http://chat.example.org/services/{TOKEN}"]

    def test_talks_https_only_to_whom_it_knows(self, tmp_path):
        chain, key = a_certificate(tmp_path)
        chat = Chat()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        chat.socket = context.wrap_socket(chat.socket, server_side=True)
        url = chat.url.replace("http://", "https://")
        with serving(chat):
            for act in (Webhook(url).reach, lambda: Webhook(url).tell(ROLLED_BACK)):
                with pytest.raises(EnvironmentFailed, match="certificate"):
                    act()
            known = Webhook(url, tls=trusting(chain))
            known.reach()
            known.tell(ROLLED_BACK)
        assert len(chat.got) == 1

    @pytest.mark.parametrize(
        "url", [TOKEN, f"ftp://x/{TOKEN}", f"https:///{TOKEN}", f"http://h:port/{TOKEN}", "http://"]
    )
    def test_refuses_what_is_no_url_without_repeating_it(self, url):
        with pytest.raises(ConfigurationError, match=r"notify\.webhook") as caught:
            Webhook(url)
        assert TOKEN not in str(caught.value)


def _blocks(got: dict) -> str:
    header, section, context = got["blocks"]
    texts = header["text"]["text"], section["text"]["text"], context["elements"][0]["text"]
    return "\n".join(texts)


class TestTheSettings:
    def test_ask_for_none_for_one_or_for_both(self):
        mail = {"smtp": "smtp://h", "mail_from": FROM, "mail_to": ["ops@example.org"]}
        assert configured(Notify()) == ()
        assert [n.name for n in configured(Notify(webhook="https://h/x"))] == ["webhook"]
        both = configured(Notify(webhook="https://h/x", **mail))
        assert [n.name for n in both] == ["webhook", "mail"]

    @pytest.mark.parametrize(
        "half", [{"smtp": "smtp://h"}, {"mail_to": ["ops@example.org"]},
                 {"smtp": "smtp://h", "mail_to": ["ops@example.org"]}],
    )  # fmt: skip
    def test_are_refused_where_half_of_them_is_missing(self, half):
        with pytest.raises(ConfigurationError, match=r"notify\."):
            configured(Notify(**half))
