"""One settings file, read from the environment; every variable is documented in docs/operations.md.

Nothing has to be set on one machine: `manage.py up` brings PostgreSQL and Valkey along and keeps everything under
DATA_DIR. With DATABASE_URL or REDIS_URL set, those win.
"""

import os
import sys
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

from gateway.services.places import Places

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name: str, default: str = "") -> str:
    return os.environ.get(name, "") or default


def env_int(name: str, default: int) -> int:
    text = env(name, str(default))
    if not text.isdecimal():
        raise ImproperlyConfigured(f"{name}={text!r} is not a whole number.")
    return int(text)


def env_flag(name: str) -> bool:
    text = env(name, "0").lower()
    if text not in {"0", "1", "true", "false", "yes", "no"}:
        raise ImproperlyConfigured(f"{name}={text!r} is neither yes nor no.")
    return text in {"1", "true", "yes"}


def env_list(name: str) -> list[str]:
    return [part.strip() for part in env(name).split(",") if part.strip()]


def env_networks(name: str) -> list[str]:
    try:
        return [str(ip_network(part)) for part in env_list(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is a list of networks such as 10.0.0.0/8: {error}.") from None


def database(url: str) -> dict[str, object]:
    """Django's settings for a postgresql:// URL; the host may be a socket folder (?host=/run/postgresql)."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"A database URL begins with postgresql://, not {parts.scheme}:// .")
    options: dict[str, object] = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", parts.hostname or ""),
        "PORT": options.pop("port", parts.port or ""),
        "CONN_HEALTH_CHECKS": True,
        "CONN_MAX_AGE": 60,
        "OPTIONS": options,
    }


# ---------------------------------------------------------------- places and services

DATA_DIR = Path(env("DATA_DIR", str(BASE_DIR / "data"))).resolve()
PLACES = Places(DATA_DIR)
PORT = env_int("PORT", 8000)
EMBEDDED = not (env("DATABASE_URL") or env("REDIS_URL"))

DATABASE_URL = env("DATABASE_URL", PLACES.database_url("gateway_app"))
if env("DATABASE_OWNER_URL"):
    DATABASE_OWNER_URL = env("DATABASE_OWNER_URL")
else:  # an own database without an own owner: one role does both, and `doctor` says so
    DATABASE_OWNER_URL = DATABASE_URL if env("DATABASE_URL") else PLACES.database_url("gateway_owner")
APPLICATION_ROLE = database(DATABASE_URL)["USER"]

# Tables belong to the owner, so migrations run as the owner and everything else as the application.
AS_OWNER = env_flag("AS_OWNER") or sys.argv[1:2] in (["migrate"], ["makemigrations"], ["sqlmigrate"])
DATABASES = {"default": database(DATABASE_OWNER_URL if AS_OWNER else DATABASE_URL)}

# How many requests are answered at once. One process computes on one core, however many threads it has, and the others
# of its threads wait for the database or for a slow download: so they are spread over processes. Each process has as
# many connections in its pool as it has threads.
EACH = 8
WEB_THREADS = max(1, env_int("WEB_THREADS", EACH * min(os.cpu_count() or 1, 4)))
WEB_PROCESSES = -(-WEB_THREADS // EACH)
THREADS_EACH = -(-WEB_THREADS // WEB_PROCESSES)
if env_flag("WEB"):  # workers keep one connection a process
    DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 2, "max_size": THREADS_EACH, "timeout": 10}  # type: ignore[index]
    DATABASES["default"]["CONN_MAX_AGE"] = 0

REDIS_URL = env("REDIS_URL", PLACES.redis_url(0))
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

DATABASE_ROUTERS: list[str] = []
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ---------------------------------------------------------------- the program

PROGRAM_NAME = env("PROGRAM_NAME", "Bon à Tirer")
BASE_URL = env("BASE_URL", f"http://localhost:{PORT}").rstrip("/")
UNDO_SECONDS = env_int("UNDO_SECONDS", 30)  # a decision takes effect when this window has ended
REVIEW_LEASE_SECONDS = env_int("REVIEW_LEASE_SECONDS", 600)
LEASE_SECONDS = env_int("LEASE_SECONDS", 30)  # a worker that is silent for so long has lost its generation
STALL_SECONDS = env_int("STALL_SECONDS", 900)  # a run in which nothing moved for so long hangs: its process ends
ATTEMPTS = env_int("ATTEMPTS", 3)  # how often a generation is begun before it has failed
INVITATION_DAYS = env_int("INVITATION_DAYS", 14)
TRANSPARENCY_THRESHOLD = env_int("TRANSPARENCY_THRESHOLD", 5)  # smaller counts are not told to the public
if TRANSPARENCY_THRESHOLD < 5:
    raise ImproperlyConfigured("TRANSPARENCY_THRESHOLD is 5 or more: with less, rounding leaves too little to hide in.")
EXPORTS_A_DAY = env_int("EXPORTS_A_DAY", 5)  # of one person, in 24 hours
ADDRESS_DAYS = env_int("ADDRESS_DAYS", 90)  # how long it is kept from where a key was used or a stranger came
APPLICANT_DAYS = env_int("APPLICANT_DAYS", 180)  # how long what somebody asked is kept who did not come in
DEPARTURE_DAYS = env_int("DEPARTURE_DAYS", 7)  # between asking to be erased and that; 0: at once
REPORT_HOURS = env_int("REPORT_HOURS", 72)  # until an answer to a report about a public work is due

SIGHTINGS = env_flag("SIGHTINGS") if env("SIGHTINGS") else True  # whether the use of credentials is watched
AUTOMATIC_FREEZES = env_int("AUTOMATIC_FREEZES", 3)  # artists an hour; beyond that an admin decides
SCREENING_CLASSIFIER = env("SCREENING_CLASSIFIER")  # package.module.function, asked about each submitted clip
METRICS_TOKEN = env("METRICS_TOKEN")  # what Prometheus shows at /metrics; without it there is no such page
WEBHOOK_NETWORKS = env_networks("WEBHOOK_NETWORKS")  # that webhooks may lead to although they are private, or not https
LEAK_INTAKE_KEYS = env("LEAK_INTAKE_KEYS")  # a file of public keys, whose holders may report leaked tokens

MEDIA_ROOT = Path(env("MEDIA_DIR", str(PLACES.media)))  # private: never served by path
MIN_FREE_MB = env_int("MIN_FREE_MB", 500)  # with less room for the works, no new one is begun
MODELS_DIR = Path(env("MODELS_DIR", str(PLACES.models)))
HF_ENDPOINT = env("HF_ENDPOINT") or None  # a hub other than huggingface.co, for `manage.py models pull`
HF_TOKEN = env("HF_TOKEN") or None  # for models whose licence is accepted on the hub
SHIPPED_MODELS_DIR = BASE_DIR / "generation" / "weights"  # a folder for each model that comes with the code
STORAGES: dict[str, dict[str, object]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
if env("S3_BUCKET"):  # the same files on every machine, in place of a folder that all of them see
    _options = {
        "bucket_name": env("S3_BUCKET"),
        "endpoint_url": env("S3_ENDPOINT"),
        "region_name": env("S3_REGION"),
        "access_key": env("S3_ACCESS_KEY"),
        "secret_key": env("S3_SECRET_KEY"),
        "location": env("S3_PREFIX"),
    }
    STORAGES["default"] = {
        "BACKEND": "generation.media.s3.Bucket",
        "OPTIONS": {name: value for name, value in _options.items() if value},
    }
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

# ---------------------------------------------------------------- Django

DEBUG = env_flag("DEBUG")
SECRET_KEY = env("SECRET_KEY") or (PLACES.secret_key() if EMBEDDED else "")
if not SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY is missing: set it to a long random text, the same in every process.")
SECRET_KEY_FALLBACKS = env_list("SECRET_KEY_FALLBACKS")  # earlier ones: what they signed or encrypted is still read
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS") or [
    urlsplit(BASE_URL).hostname or "localhost",
    "localhost",
    "127.0.0.1",
]
CSRF_TRUSTED_ORIGINS = [BASE_URL]
ROOT_URLCONF = "gateway.urls"
WSGI_APPLICATION = "gateway.wsgi.application"
AUTH_USER_MODEL = "gateway.User"
SILENCED_SYSTEM_CHECKS = [
    "auth.W004"
]  # an address is unique by a constraint on lower(email), stricter than unique=True
APPEND_SLASH = False  # a redirect would turn a client's POST into a GET
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",  # the look of the records; before Django's own templates
    "gateway.apps.RecordsConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "csp",
    "rest_framework",
    "gateway.apps.GatewayConfig",
    "generation",
    "review",
]
MIDDLEWARE = [
    "gateway.middleware.Audited",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "gateway.middleware.Refusals",
    "gateway.middleware.SecondFactor",
    "gateway.middleware.OnlyLooking",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "gateway.context.gateway",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
STATIC_URL = "/static/"
STATIC_ROOT = PLACES.static
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = DEBUG

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/home"
ACCOUNT_ADAPTER = "gateway.adapter.InvitationOnly"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_CHANGE_EMAIL = True  # one address a person; the old one stands until the new one is verified
ACCOUNT_EMAIL_NOTIFICATIONS = True  # whoever changes a password or a second factor: its owner hears of it by mail
ACCOUNT_REAUTHENTICATION_REQUIRED = True
# A studio behind one router has one address, so what is counted by address is generous; guessing one person's password
# is stopped by the count of that account (`key`).
ACCOUNT_RATE_LIMITS = {
    "login": "120/m/ip",
    "login_failed": "60/m/ip,5/5m/key",
}

REQUIRE_MFA = env_flag("REQUIRE_MFA") if env("REQUIRE_MFA") else not EMBEDDED  # of reviewers and admins
MFA_ADAPTER = "gateway.adapter.SecondFactors"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = PROGRAM_NAME
MFA_TOTP_TOLERANCE = 1  # a telephone's clock may be half a minute off
MFA_RATE_LIMITS = {"webauthn_login": "60/m/ip"}
MFA_ALLOW_UNVERIFIED_EMAIL = True  # nobody comes in without a verified one; a change of it is what waits

HTTPS = BASE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = f"bat_session_{PORT}"  # two gateways on one host must not sign each other out
CSRF_COOKIE_NAME = f"bat_csrf_{PORT}"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SECURE_SSL_REDIRECT = False  # the proxy in front does that
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env_flag("BEHIND_PROXY") else None
TRUSTED_PROXIES = env_int("TRUSTED_PROXIES", 0)  # whose X-Forwarded-For entries are believed: gateway/addresses.py
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}

if env("EMAIL_HOST"):
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = env("EMAIL_HOST")
    EMAIL_PORT = env_int("EMAIL_PORT", 587)
    EMAIL_HOST_USER = env("EMAIL_HOST_USER")
    EMAIL_HOST_PASSWORD = env("EMAIL_HOST_PASSWORD")
    EMAIL_USE_TLS = True
else:  # one machine: every mail is a file that the operator can open
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = PLACES.mail
DEFAULT_FROM_EMAIL = env("MAIL_FROM", f"{PROGRAM_NAME} <gateway@localhost>")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["gateway.authentication.Bearer", "gateway.authentication.Session"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "rest_framework.parsers.JSONParser",
        "rest_framework.parsers.MultiPartParser",
        "rest_framework.parsers.FormParser",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "gateway.authentication.OnlyJSON",
    "DEFAULT_SCHEMA_CLASS": "gateway.openapi.Described",
    "EXCEPTION_HANDLER": "gateway.api.error",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}

SPECTACULAR_SETTINGS = {  # the rest of the description: gateway/openapi.py
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/v1/",
    "POSTPROCESSING_HOOKS": [],
    "SORT_OPERATION_PARAMETERS": False,
}

UNFOLD = {  # the look of /admin; its colours stand in records.css
    "SITE_TITLE": "Records",
    "SITE_HEADER": PROGRAM_NAME,
    "SITE_SUBHEADER": "Records",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("favicon.svg")}],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [lambda request: static("records.css")],
    "SCRIPTS": [lambda request: static("records.js")],
    "SIDEBAR": {"navigation": "gateway.records.navigation"},
    "ACCOUNT": {"navigation": [{"title": "Sign-in and sessions", "link": "/access/security"}]},
}

# ---------------------------------------------------------------- workers

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "chores"
CELERY_TASK_ACKS_LATE = False  # the row is the order: a lost message costs one sweep, never a generation
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = float(env_int("SHUTDOWN_SECONDS", 10))  # then what is drawn is handed back
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 5, "socket_connect_timeout": 5, "max_retries": 1}
CELERY_TIMEZONE = "UTC"
SWEEP_SECONDS = env_int("SWEEP_SECONDS", 2)
POOLS = env_list("POOLS") or ["default"]  # which lines of generations the GPU worker of `up` serves
ENGINE_THREADS = env_int("ENGINE_THREADS", 0)  # 0: as many as torch chooses
WARM_MODELS = env_int("WARM_MODELS", 2)
REMOTE_ENGINE_URL = env("REMOTE_ENGINE_URL")  # the server behind models whose engine is "remote"
REMOTE_ENGINE_TOKEN = env("REMOTE_ENGINE_TOKEN")

LOG_FORMAT = env("LOG_FORMAT", "line")
if LOG_FORMAT not in {"line", "json"}:
    raise ImproperlyConfigured(f"LOG_FORMAT={LOG_FORMAT!r} is neither line nor json.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"},
        "json": {"()": "gateway.logs.Lines"},
    },
    "filters": {"redacting": {"()": "gateway.keys.Redacting"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["redacting"]}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", "INFO")},
    "loggers": {  # a line for each bell, tick of the clock and file of a model would bury the rest
        name: {"level": env("LOG_LEVEL", "WARNING")}
        for name in ("celery.app.trace", "celery.worker.strategy", "celery.worker.request", "celery.beat", "httpx2")
    },
}
