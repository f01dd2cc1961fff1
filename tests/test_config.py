"""Settings: typed, checked, and never repeated when they are wrong."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from chatweb import config, create_app
from chatweb.config import Settings, WrongSetting, load

SECRET = "hunter2-and-more"  # noqa: S105 a canary


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting in the environment, and no .env in the folder."""
    for each in fields(Settings):
        monkeypatch.delenv(each.name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def url(text: str) -> Any:
    return load({"DATABASE_URL": text}).engine_url


def refusal(**settings: str) -> str:
    with pytest.raises(WrongSetting) as caught:
        load(settings)
    assert caught.value.__cause__ is None
    return str(caught.value)


class TestWhereSettingsComeFrom:
    def test_overrides_come_before_the_environment_before_the_file(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Path(".env").write_text("PORT=1\nTHREADS=11\nDATA_DIR=from-file\n")
        monkeypatch.setenv("PORT", "2")
        monkeypatch.setenv("THREADS", "22")

        settings = load({"PORT": "3"})

        assert (settings.port, settings.threads, settings.data_dir) == (3, 22, "from-file")

    def test_an_empty_one_counts_as_not_given(self) -> None:
        assert load({"PORT": "", "DATABASE_ECHO": "", "LOG_LEVEL": ""}) == load()

    def test_a_name_that_is_no_setting_is_ignored(self) -> None:
        assert load({"PROT": "1"}) == load()

    def test_without_any_the_defaults_are_usable(self) -> None:
        assert load() == Settings()
        assert load().uses_sqlite
        assert load().engine_url.database == str(Path("data/chat.db").resolve())


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PORT", "http"), ("PORT", "80.5"), ("PORT", "-1"), ("PORT", "65536"),
            ("DATABASE_POOL_SIZE", "-1"), ("DATABASE_POOL_SIZE", "many"),
            ("DATABASE_TIMEOUT", "0"), ("DATABASE_TIMEOUT", "nan"), ("LLM_TIMEOUT", "soon"),
            ("DATABASE_ECHO", "perhaps"), ("SQLITE_JOURNAL", "memory"), ("LOG_LEVEL", "LOUD"),
            ("DATABASE_TYPE", "oracle"), ("MAX_MESSAGE_CHARS", "0"), ("WEB_CONCURRENCY", "0"),
            ("TRUSTED_PROXIES", "-1"), ("DATABASE_INIT_RETRY_COUNT", "0"),
            ("LIMIT_ANSWERS_AT_ONCE", "-1"), ("LIMIT_QUESTIONS_PER_MINUTE", "-1"),
            ("LIMIT_QUESTIONS_PER_DAY", "many"),
        ],
    )  # fmt: skip
    def test_is_named(self, name: str, value: str) -> None:
        message = refusal(**{name: value})

        assert message.startswith(name)
        assert message.endswith(".")

    @pytest.mark.parametrize(
        "name",
        [each.name.upper() for each in fields(Settings)
         if each.name not in {"data_dir", "llm_api_key", "llm_model", "trusted_hosts"}],
    )  # fmt: skip
    def test_is_never_repeated(self, name: str) -> None:
        wrong = f"{SECRET}!" if name != "SECRET_KEY" else "hunter2"

        assert "hunter2" not in refusal(**{name: wrong})

    def test_stops_the_application(self) -> None:
        with pytest.raises(WrongSetting, match="PORT"):
            create_app(PORT="x")

    @pytest.mark.parametrize("true", ["true", "TRUE", "1", "yes", "on"])
    @pytest.mark.parametrize("false", ["false", "False", "0", "no", "off"])
    def test_is_not_a_claim_in_the_usual_words(self, true: str, false: str) -> None:
        assert load({"DATABASE_ECHO": true}).database_echo is True
        assert load({"DATABASE_ECHO": false}).database_echo is False


class TestTheDatabasesAddress:
    @pytest.mark.parametrize("scheme", [*sorted(config.POSTGRESQL_SCHEMES), "POSTGRES"])
    def test_may_be_written_as_people_copy_it(self, scheme: str) -> None:
        found = url(f"{scheme}://ada:pw@db.example:5433/chat")

        assert found.drivername == "postgresql+psycopg2"
        assert (found.username, found.password, found.host, found.port, found.database) == (
            "ada", "pw", "db.example", 5433, "chat",
        )  # fmt: skip

    def test_keeps_what_neon_puts_behind_it(self) -> None:
        found = url(
            "postgresql://ada:pw@ep-x-pooler.eu-central-1.aws.neon.tech/neondb"
            "?sslmode=require&channel_binding=require"
        )

        assert found.query == {"sslmode": "require", "channel_binding": "require"}

    def test_may_have_an_escaped_password(self) -> None:
        assert url("postgresql://ada:p%40ss%2Fw%3Ard@h/chat").password == "p@ss/w:rd"  # noqa: S105

    def test_may_name_a_socket_in_its_query(self) -> None:
        assert url("postgresql:///chat?host=/var/run/postgresql").database == "chat"

    @pytest.mark.parametrize(
        "wrong",
        [
            f"postgresql://ada:{SECRET}@x@host/chat",
            f"postgresql://ada:{SECRET}@host:port/chat",
            f"postgresql://ada:{SECRET}@host",
            f"postgresql://ada:{SECRET}@host/",
            f"mysql://ada:{SECRET}@host/chat",
            f"postgresql+psycopg://ada:{SECRET}@host/chat",
            f"postgresql+asyncpg//ada:{SECRET}@host/chat",
            f"://{SECRET}",
            SECRET,
            f"postgresql://ada:{SECRET}@[::1/chat",
            "sqlite://",
            "sqlite:///:memory:",
            "sqlite:///file::memory:?uri=true",
        ],
    )
    def test_is_refused_without_being_repeated(self, wrong: str) -> None:
        message = refusal(DATABASE_URL=wrong)

        assert message.startswith("DATABASE_URL")
        assert SECRET not in message
        assert "host/chat" not in message

    def test_may_be_a_file(self, tmp_path: Path) -> None:
        assert url(f"sqlite:///{tmp_path}/x.db").database == f"{tmp_path}/x.db"
        assert url("sqlite:///x.db").database == str(Path("x.db").resolve())

    @pytest.mark.parametrize("name", ["with space", "50%20off", "a?b", "#1", "ä", "a@b", "a'\"b"])
    def test_by_default_is_in_the_folder_whatever_it_is_called(
        self, tmp_path: Path, name: str
    ) -> None:
        assert load({"DATA_DIR": name}).engine_url.database == str(tmp_path / name / "chat.db")

    def test_and_its_type_agree(self) -> None:
        assert load({"DATABASE_TYPE": "sqlite"}).uses_sqlite
        with_url = {"DATABASE_TYPE": "postgresql", "DATABASE_URL": "postgres://h/chat"}
        assert not load(with_url).uses_sqlite
        assert "DATABASE_URL must be set" in refusal(DATABASE_TYPE="postgresql")
        assert "different" in refusal(DATABASE_TYPE="sqlite", DATABASE_URL="postgres://h/chat")
        assert "different" in refusal(DATABASE_TYPE="postgresql", DATABASE_URL="sqlite:///x.db")


class TestTheModelsAddress:
    @pytest.mark.parametrize(
        "address",
        ["http://localhost:11434/v1", "https://api.example.org/v1/", "http://[::1]:8080/v1"],
    )
    def test_is_http_or_https(self, address: str) -> None:
        assert load({"LLM_BASE_URL": address}).llm_base_url == address

    @pytest.mark.parametrize(
        "wrong",
        [
            "localhost:11434", "ftp://host/v1", "file:///etc/passwd", "http://", "http:///v1",
            f"https://ada:{SECRET}@host/v1", f"https://{SECRET}@host/v1", "http://host/v1?x=1",
            "http://host/v1#x", "http://host/../v1", "http://host:0/v1", "http://host:99999/v1",
            "http://[::1/v1", "javascript:alert(1)",
        ],
    )  # fmt: skip
    def test_is_refused_otherwise(self, wrong: str) -> None:
        message = refusal(LLM_BASE_URL=wrong)

        assert message.startswith("LLM_BASE_URL")
        assert SECRET not in message


class TestWhoMayReachIt:
    @pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
    def test_on_loopback_needs_no_name(self, host: str) -> None:
        assert load({"HOST": host}).hosts == []

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "chat.example"])  # noqa: S104
    def test_elsewhere_needs_one(self, host: str) -> None:
        assert "TRUSTED_HOSTS" in refusal(HOST=host)
        named = load({"HOST": host, "TRUSTED_HOSTS": " chat.example.org, ,10.0.0.1 "})
        assert named.hosts == ["chat.example.org", "10.0.0.1"]


class TestTheSecretKey:
    def test_is_made_once_and_for_its_owner_only(self, tmp_path: Path) -> None:
        settings = load({"DATA_DIR": str(tmp_path / "new" / "data")})

        key = config.secret_key(settings)

        assert len(key) >= 32
        assert config.secret_key(settings) == key
        (path,) = settings.data_path.iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_is_the_one_that_is_given(self, tmp_path: Path) -> None:
        given = "a1b2c3d4e5f6g7h8"

        assert config.secret_key(load({"SECRET_KEY": given, "DATA_DIR": str(tmp_path)})) == given
        assert list(tmp_path.iterdir()) == []

    def test_is_one_for_all_who_start_at_once(self, tmp_path: Path) -> None:
        settings = load({"DATA_DIR": str(tmp_path)})
        with ProcessPoolExecutor(4, get_context("fork")) as pool:
            keys = list(pool.map(config.secret_key, [settings] * 4))

        assert keys == [keys[0]] * 4
        assert os.listdir(tmp_path) == ["secret_key"]

    def test_that_cannot_be_kept_stops_the_start(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(WrongSetting, match="DATA_DIR cannot be written"):
            config.secret_key(load({"DATA_DIR": str(tmp_path / "file" / "data")}))

    @pytest.mark.parametrize("weak", ["changeme", "short", "a" * 40, "abababababababab", "dev"])
    def test_is_not_weak(self, weak: str) -> None:
        message = refusal(SECRET_KEY=weak)

        assert message.startswith("SECRET_KEY is too weak")
        assert weak not in message.split()


def test_every_setting_is_described() -> None:
    described = config.described()

    assert [name for name, _, _ in described] == [each.name.upper() for each in fields(Settings)]
    assert all(help for _, _, help in described)
