"""Every setting: its name, type, default and one line of help.

Nobody else reads the environment. A wrong value stops the start with one sentence that names
the setting and never repeats its value, because it may hold a secret.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from dotenv import dotenv_values
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

WEAK_SECRETS = {"changeme", "change-me", "secret", "password", "dev", "development", "test"}
SHORTEST_SECRET = 16
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d+)?")
POSTGRESQL_SCHEMES = {"postgres", "postgresql", "postgresql+psycopg2", "postgresql+asyncpg"}

HOSTS_NEEDED = (
    "TRUSTED_HOSTS must name this site when it listens elsewhere than on loopback, "
    "e.g. TRUSTED_HOSTS=chat.example.org."
)


class WrongSetting(Exception):
    """A setting that cannot be used; the message is one sentence without the value."""


def setting(
    default: Any, help: str, *, least: float | None = None, choices: tuple[str, ...] = ()
) -> Any:
    """One setting: ``least`` bounds a number, ``choices`` are the only texts allowed."""
    return field(default=default, metadata={"help": help, "least": least, "choices": choices})


@dataclass(frozen=True)
class Settings:
    """All settings, typed and checked. Field names are the environment's, in lower case."""

    host: str = setting("127.0.0.1", "The address gunicorn listens on")
    port: int = setting(8000, "The port gunicorn listens on", least=0)
    web_concurrency: int = setting(2, "gunicorn worker processes", least=1)
    threads: int = setting(64, "Threads a worker may grow to; open streams need none", least=2)
    graceful_timeout: int = setting(30, "Seconds a stopping worker waits for requests", least=0)
    database_url: str = setting("", "SQLite or PostgreSQL URL; empty: chat.db in DATA_DIR")
    database_type: str = setting(
        "", "sqlite or postgresql; empty: what the URL says", choices=("", "sqlite", "postgresql")
    )
    database_pool_size: int = setting(
        5, "Connections a process keeps; 0 keeps none (for serverless hosts)", least=0
    )
    database_max_overflow: int = setting(5, "Connections a process may open on top", least=0)
    database_pool_timeout: float = setting(2.0, "Seconds to wait for a free connection", least=0.1)
    database_pool_recycle: int = setting(280, "Seconds after which a connection is renewed")
    database_timeout: float = setting(5.0, "Seconds one statement may take", least=0.5)
    database_init_retry_count: int = setting(
        3, "Tries of `flask db upgrade` to reach the server", least=1
    )
    database_init_retry_delay_ms: int = setting(
        100, "Milliseconds before the second try, doubled for each further one", least=0
    )
    database_echo: bool = setting(False, "Log every statement (never its values)")
    sqlite_journal: str = setting(
        "wal",
        "SQLite's journal: wal, or delete for folders on a network",
        choices=("wal", "delete"),
    )
    data_dir: str = setting("data", "Folder of chat.db and the secret key")
    secret_key: str = setting("", "Signs what must be signed; empty: made once into DATA_DIR")
    llm_base_url: str = setting("", "OpenAI-protocol address, e.g. http://localhost:11434/v1")
    llm_api_key: str = setting("", "Key sent to LLM_BASE_URL")
    llm_model: str = setting("", "Model asked for at LLM_BASE_URL")
    llm_first_token_timeout: float = setting(
        60.0, "Seconds until the first letter of an answer", least=0.1
    )
    llm_timeout: float = setting(600.0, "Seconds for a whole answer", least=0.1)
    titles_by_model: bool = setting(
        True, "Let the model name conversations: one short call for each; not the local one"
    )
    context_messages: int = setting(20, "Messages of the conversation shown to the model", least=1)
    max_message_chars: int = setting(32_000, "Characters of a question", least=1)
    max_answer_chars: int = setting(200_000, "Characters after which an answer is ended", least=1)
    limit_answers_at_once: int = setting(
        3, "Answers being written at once for one owner; 0: no limit", least=0
    )
    limit_questions_per_minute: int = setting(
        20, "Questions a minute of one owner; 0: no limit", least=0
    )
    limit_questions_per_day: int = setting(
        1000, "Questions a day of one owner; 0: no limit", least=0
    )
    resume_interrupted: bool = setting(
        False, "Take up answers again whose process has stopped or died, at most 3 times each"
    )
    trusted_hosts: str = setting(
        "", "Names the site is reached by, with commas; may be empty only on loopback"
    )
    trusted_proxies: int = setting(0, "Reverse proxies in front whose headers are true", least=0)
    api_origins: str = setting(
        "", "Other sites whose pages may use the program interface, with commas, never by cookie"
    )
    log_level: str = setting(
        "INFO", "Least serious log line", choices=("DEBUG", "INFO", "WARNING", "ERROR")
    )

    @property
    def uses_sqlite(self) -> bool:
        return self.engine_url.get_backend_name() == "sqlite"

    @property
    def engine_url(self) -> URL:
        """The database's address as SQLAlchemy wants it."""
        if self.database_url:
            return engine_url(self.database_url)
        # Not as a text to be parsed: in one a folder's "?" or "%20" would mean something.
        return URL.create("sqlite", database=str(self.data_path / "chat.db"))

    @property
    def data_path(self) -> Path:
        return Path(self.data_dir).resolve()

    @property
    def hosts(self) -> list[str]:
        return [name.lower() for name in listed(self.trusted_hosts)]

    @property
    def origins(self) -> list[str]:
        return listed(self.api_origins)


def listed(text: str) -> list[str]:
    """What is between the commas."""
    return [each.strip() for each in text.split(",") if each.strip()]


def load(overrides: Mapping[str, Any] | None = None, env_file: str = ".env") -> Settings:
    """Settings from ``overrides``, the environment and ``env_file``, in this order.

    :raises WrongSetting: the first thing that is wrong, as one sentence
    """
    given: dict[str, Any] = {**dotenv_values(env_file), **os.environ, **(overrides or {})}
    types = get_type_hints(Settings)
    values = {
        each.name: read(each, types[each.name], given[each.name.upper()])
        for each in fields(Settings)
        if given.get(each.name.upper()) not in (None, "")
    }
    settings = Settings(**values)
    check(settings)
    return settings


def read(each: Field[Any], kind: type, text: Any) -> Any:
    """``text`` as the setting's type."""
    name = each.name.upper()
    if kind is bool:
        if str(text).lower() not in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
            raise WrongSetting(f"{name} must be true or false.")
        return str(text).lower() in {"true", "1", "yes", "on"}
    try:
        value = kind(text)
    except ValueError:
        raise WrongSetting(f"{name} must be a number.") from None
    least, choices = each.metadata["least"], each.metadata["choices"]
    if least is not None and not value >= least:
        raise WrongSetting(f"{name} must be at least {least}.")
    if choices and value not in choices:
        raise WrongSetting(f"{name} must be one of: {', '.join(filter(None, choices))}.")
    return value


def check(settings: Settings) -> None:
    """Rules between settings.

    :raises WrongSetting: see the message
    """
    if settings.database_type == "postgresql" and not settings.database_url:
        raise WrongSetting("DATABASE_TYPE is postgresql, so DATABASE_URL must be set.")
    backend = settings.engine_url.get_backend_name()
    if settings.database_type and settings.database_type != backend:
        raise WrongSetting("DATABASE_TYPE and DATABASE_URL name different kinds of database.")
    if settings.secret_key and is_weak(settings.secret_key):
        raise WrongSetting(
            f"SECRET_KEY is too weak: use at least {SHORTEST_SECRET} random characters."
        )
    if settings.llm_base_url:
        check_model_address(settings.llm_base_url)
    if not (settings.llm_api_key.isascii() and settings.llm_api_key.isprintable()):
        raise WrongSetting("LLM_API_KEY holds characters that cannot be sent.")
    if not 0 <= settings.port <= 65535:
        raise WrongSetting("PORT must be between 0 and 65535.")
    if any(not ORIGIN.fullmatch(each) for each in settings.origins):
        raise WrongSetting("API_ORIGINS must name origins like https://app.example.org.")
    if not settings.hosts and not is_loopback(settings.host):
        raise WrongSetting(HOSTS_NEEDED)


def engine_url(text: str) -> URL:
    """A database URL as people copy it, for the drivers that are here.

    SQLAlchemy 2.1 reads ``postgresql://`` as psycopg 3 and refuses ``postgres://``. A password
    with an unescaped ``@`` would put its rest into error texts as the host's name.
    """
    wrong = WrongSetting(
        "DATABASE_URL cannot be read: it must look like sqlite:///path or "
        "postgresql://user:password@host/name, with special characters of the password escaped."
    )
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise wrong
    if scheme.lower() in POSTGRESQL_SCHEMES:
        if rest.split("?")[0].count("@") > 1:
            raise wrong
        text = f"postgresql+psycopg2://{rest}"
    elif scheme.lower() != "sqlite":
        raise WrongSetting("DATABASE_URL must begin with sqlite:// or postgresql://.")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise wrong from None
    if not url.database or (url.get_backend_name() == "sqlite" and ":memory:" in url.database):
        raise WrongSetting("DATABASE_URL must name a database.")
    if url.get_backend_name() == "sqlite":
        url = url.set(database=str(Path(url.database).resolve()))
    return url


def check_model_address(text: str) -> None:
    """``LLM_BASE_URL`` is http or https, with a host and without credentials."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or ".." in parts.path:
        raise WrongSetting("LLM_BASE_URL must be an http or https address like http://host/v1.")
    if parts.username or parts.password:
        raise WrongSetting("LLM_BASE_URL must not contain credentials; use LLM_API_KEY.")


def is_weak(secret: str) -> bool:
    return (
        len(secret) < SHORTEST_SECRET or secret.lower() in WEAK_SECRETS or len(set(secret)) < 6
    )  # fmt: skip


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def secret_key(settings: Settings) -> str:
    """The key given, or one made once into ``DATA_DIR`` with mode 0600.

    :raises WrongSetting: ``DATA_DIR`` cannot be written
    """
    if settings.secret_key:
        return settings.secret_key
    path = settings.data_path / "secret_key"
    try:
        settings.data_path.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            # Two first starts at once: the file that was linked first is the one both read.
            draft = path.with_name(f"secret_key.{os.getpid()}")
            with open(os.open(draft, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(32))
            with suppress(FileExistsError):
                os.link(draft, path)
            draft.unlink()
        return path.read_text()
    except OSError as error:
        raise WrongSetting(f"DATA_DIR cannot be written ({error.strerror}).") from None


def described() -> list[tuple[str, str, str]]:
    """Name, default and help of every setting, for the README's table."""
    return [
        (each.name.upper(), "" if each.default is MISSING else str(each.default),
         each.metadata["help"])
        for each in fields(Settings)
    ]  # fmt: skip
