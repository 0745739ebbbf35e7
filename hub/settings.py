"""One settings file; everything that differs between machines comes from the environment (docs/settings.md)."""

from __future__ import annotations

from pathlib import Path

import django_stubs_ext

from hub.common.env import database_from_url, email_from_url, envbool, envint, envlist, envstr, local_secrets

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
HUB_DATA = Path(envstr("HUB_DATA", str(BASE_DIR / "var"))).resolve()
HUB_ENVIRONMENT = envstr("HUB_ENVIRONMENT", "dev")
HUB_CATALOG = envstr("HUB_CATALOG", "")
# Folders below which local file connections may have their root; anywhere but system folders when empty.
HUB_FILE_ROOTS = envlist("HUB_FILE_ROOTS", [])
HUB_FIRM = envstr("HUB_FIRM", "Syncline")
DEBUG = envbool("HUB_DEBUG", False)

_secrets = local_secrets(HUB_DATA)
SECRET_KEY = envstr("HUB_SECRET_KEY", _secrets["secret_key"])
# Newest first: the first encrypts, all decrypt. `manage.py rotate_keys` re-encrypts with the first.
HUB_FIELD_KEYS = envlist("HUB_FIELD_KEYS", _secrets["field_keys"])

ALLOWED_HOSTS = envlist("HUB_ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]", envstr("HUB_HOST", "127.0.0.1")])
CSRF_TRUSTED_ORIGINS = envlist("HUB_TRUSTED_ORIGINS", [])

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_htmx",
    "simple_history",
    "axes",
    "csp",
    "knox",
    "hub.common",
    "hub.accounts",
    "connectors",
    "governance",
    "mappings",
    "hub.config",
    "hub.records",
    "hub.sync",
    "hub.webhooks",
    "hub.spreadsheets",
    "hub.publishing",
    "hub.events",
    "hub.processes",
    "hub.gateway",
    "hub.cutover",
    "monitoring",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
    "hub.common.middleware.HubMiddleware",
    "hub.common.middleware.tell_of_exports",
]

ROOT_URLCONF = "hub.urls"
WSGI_APPLICATION = "hub.wsgi.application"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
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
                "hub.common.context.shell",
            ],
        },
    }
]

# The role that this process works as: owner (migrations), web, engine. See docs/architecture.md.
HUB_DB_ROLE = envstr("HUB_DB_ROLE", "engine")
DATABASES = {"default": database_from_url(envstr("DATABASE_URL", ""), role=HUB_DB_ROLE)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = envstr("REDIS_URL", "")

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "home"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "username"  # what the form and the credentials call it; else nobody is told apart
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ADMIN = False
AXES_LOCKOUT_CALLABLE = "hub.accounts.views.locked_out"

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "hub.common.pages.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Behind TLS (a proxy that sets X-Forwarded-Proto) everything is forced to https.
HUB_TLS = envbool("HUB_TLS", HUB_ENVIRONMENT == "prod")
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HUB_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HUB_TLS else None
SECURE_HSTS_SECONDS = 31_536_000 if HUB_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HUB_TLS
SECURE_REDIRECT_EXEMPT = [r"^healthz", r"^readyz"]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# Mail of alerts, and where links in it lead.
EMAIL_HOST, EMAIL_PORT, EMAIL_HOST_USER, EMAIL_HOST_PASSWORD, EMAIL_USE_TLS, EMAIL_USE_SSL = email_from_url(
    envstr("HUB_EMAIL_URL", "")
)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = envstr("HUB_EMAIL_FROM", "syncline@localhost")
HUB_URL = envstr("HUB_URL", "http://localhost:8000")

# A message of a webhook is held in memory while its signature is checked.
HUB_WEBHOOK_BYTES = envint("HUB_WEBHOOK_BYTES", 1024 * 1024)
# What events that are sent to other systems name as their source: together with the id it tells an event apart.
HUB_EVENT_SOURCE = envstr("HUB_EVENT_SOURCE", "/syncline")
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024
STATIC_URL = "/static/"
STATIC_ROOT = HUB_DATA / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = DEBUG
STORAGES = {
    "staticfiles": {
        "BACKEND": envstr("HUB_STATIC_STORAGE", "whitenoise.storage.CompressedManifestStaticFilesStorage"),
    }
}

LANGUAGE_CODE = "en-gb"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "process"
CELERY_TASK_ROUTES = {
    "hub.sync.tasks.execute_run": {"queue": "read"},
    "hub.sync.tasks.deliver": {"queue": "deliver"},
    "hub.sync.tasks.backfill": {"queue": "backfill"},
    "hub.sync.tasks.adopt": {"queue": "adopt"},
    "hub.sync.tasks.tick": {"queue": "monitor"},
    "connectors.tasks.look_at_connections": {"queue": "monitor"},
    "connectors.tasks.look_at_connection": {"queue": "look"},
    "connectors.tasks.look_at_shapes": {"queue": "look"},
    "governance.tasks.seal_audit": {"queue": "monitor"},
    "mappings.tasks.forget_expired_samples": {"queue": "monitor"},
    "hub.webhooks.tasks.tick": {"queue": "monitor"},
    "hub.webhooks.tasks.forget_old": {"queue": "monitor"},
    "hub.events.tasks.send": {"queue": "tell"},
    "hub.processes.tasks.advance": {"queue": "process"},
    "hub.processes.tasks.tick": {"queue": "monitor"},
    "hub.processes.tasks.forget_old": {"queue": "monitor"},
    "hub.gateway.tasks.forget_old": {"queue": "monitor"},
    "hub.cutover.tasks.tick": {"queue": "monitor"},
    "hub.cutover.tasks.compare": {"queue": "process"},
    "hub.cutover.tasks.forget_old": {"queue": "monitor"},
    "hub.events.tasks.tick": {"queue": "monitor"},
    "hub.events.tasks.forget_old": {"queue": "monitor"},
    "monitoring.tasks.collect_exceptions": {"queue": "monitor"},
    "monitoring.tasks.sweep_expectations": {"queue": "monitor"},
    "monitoring.tasks.forget_expectations": {"queue": "monitor"},
    "monitoring.tasks.count_stale": {"queue": "monitor"},
    "monitoring.tasks.measure_terms": {"queue": "monitor"},
    "monitoring.tasks.measure_term": {"queue": "read"},
    "monitoring.tasks.reconcile": {"queue": "process"},
    "monitoring.tasks.start_reconciliations": {"queue": "monitor"},
    "monitoring.tasks.exception_tick": {"queue": "monitor"},
    "monitoring.tasks.evaluate_alerts": {"queue": "monitor"},
    "monitoring.tasks.look_at_queues": {"queue": "monitor"},
    "monitoring.tasks.compute_measures": {"queue": "monitor"},
    "monitoring.tasks.send_notices": {"queue": "tell"},
    "governance.tasks.notify_of_sunsets": {"queue": "monitor"},
    "governance.tasks.forget_old": {"queue": "monitor"},
    "governance.tasks.apply_due_changes": {"queue": "monitor"},
    "governance.tasks.watch_canaries": {"queue": "monitor"},
    "governance.tasks.make_packet": {"queue": "monitor"},
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SOFT_TIME_LIMIT = envint("HUB_TASK_SECONDS", 600)
CELERY_TASK_TIME_LIMIT = CELERY_TASK_SOFT_TIME_LIMIT + 60
CELERY_WORKER_MAX_MEMORY_PER_CHILD = envint("HUB_WORKER_MEMORY_KB", 800_000)
# Task messages are reminders: what is due is found in the database, every few seconds, with or without them.
HUB_TICK_SECONDS = envint("HUB_TICK_SECONDS", 3)
# How often each connection is looked at, and the seconds after which its answer counts as slow.
HUB_HEALTH_SECONDS = envint("HUB_HEALTH_SECONDS", 240)
HUB_SLOW_SECONDS = envint("HUB_SLOW_SECONDS", 3)
# Due work may wait this long for a worker; at twice that, /healthz/work is red.
HUB_WORK_SECONDS = envint("HUB_WORK_SECONDS", 120)
# A person who puts more dead letters again than this within 24 hours, or more of one currency, needs a second person.
HUB_REPLAY_RECORDS = envint("HUB_REPLAY_RECORDS", 10_000)
HUB_REPLAY_AMOUNT = envint("HUB_REPLAY_AMOUNT", 1_000_000)
# Expectations are kept so many days after their deadline: those that were met or given up, and those that were late.
HUB_EXPECTATION_DAYS = envint("HUB_EXPECTATION_DAYS", 45)
HUB_BREACH_DAYS = envint("HUB_BREACH_DAYS", 400)
# A write-off above this in the firm's currency, by person, cause or client within 24 hours, needs a second person.
HUB_WRITE_OFF_AMOUNT = envint("HUB_WRITE_OFF_AMOUNT", 5_000)
# A record that waits for another one is an exception after so long; until then it is expected to follow by itself.
HUB_EXCEPTION_WAIT_SECONDS = envint("HUB_EXCEPTION_WAIT_SECONDS", 1_800)
CELERY_BEAT_SCHEDULE = {
    "tick": {"task": "hub.sync.tasks.tick", "schedule": HUB_TICK_SECONDS, "options": {"expires": HUB_TICK_SECONDS * 2}},
    "webhooks": {
        "task": "hub.webhooks.tasks.tick",
        "schedule": HUB_TICK_SECONDS,
        "options": {"expires": HUB_TICK_SECONDS * 2},
    },
    "events": {
        "task": "hub.events.tasks.tick",
        "schedule": HUB_TICK_SECONDS,
        "options": {"expires": HUB_TICK_SECONDS * 2},
    },
    "health": {"task": "connectors.tasks.look_at_connections", "schedule": 30, "options": {"expires": 60}},
    "audit": {"task": "governance.tasks.seal_audit", "schedule": 60, "options": {"expires": 60}},
    "processes": {
        "task": "hub.processes.tasks.tick",
        "schedule": HUB_TICK_SECONDS,
        "options": {"expires": HUB_TICK_SECONDS * 2},
    },
    "forget_answers": {"task": "hub.gateway.tasks.forget_old", "schedule": 3600, "options": {"expires": 3600}},
    "cutovers": {"task": "hub.cutover.tasks.tick", "schedule": 60, "options": {"expires": 60}},
    "forget_cutovers": {"task": "hub.cutover.tasks.forget_old", "schedule": 3600, "options": {"expires": 3600}},
    "forget_processes": {"task": "hub.processes.tasks.forget_old", "schedule": 3600, "options": {"expires": 3600}},
    "forget_events": {"task": "hub.events.tasks.forget_old", "schedule": 600, "options": {"expires": 600}},
    "forget_messages": {"task": "hub.webhooks.tasks.forget_old", "schedule": 600, "options": {"expires": 600}},
    "forget_samples": {"task": "mappings.tasks.forget_expired_samples", "schedule": 600, "options": {"expires": 600}},
    "expectations": {"task": "monitoring.tasks.sweep_expectations", "schedule": 15, "options": {"expires": 30}},
    "count_stale": {"task": "monitoring.tasks.count_stale", "schedule": 300, "options": {"expires": 300}},
    "forget_expectations": {
        "task": "monitoring.tasks.forget_expectations",
        "schedule": 3600,
        "options": {"expires": 3600},
    },
    "exceptions": {"task": "monitoring.tasks.collect_exceptions", "schedule": 15, "options": {"expires": 15}},
    "measure_terms": {"task": "monitoring.tasks.measure_terms", "schedule": 3_600, "options": {"expires": 3_600}},
    "reconciliations": {
        "task": "monitoring.tasks.start_reconciliations",
        "schedule": 30,
        "options": {"expires": 60},
    },
    "exception_acts": {"task": "monitoring.tasks.exception_tick", "schedule": 5, "options": {"expires": 10}},
    "alerts": {"task": "monitoring.tasks.evaluate_alerts", "schedule": 60, "options": {"expires": 60}},
    "queues": {"task": "monitoring.tasks.look_at_queues", "schedule": 60, "options": {"expires": 60}},
    "notices": {"task": "monitoring.tasks.send_notices", "schedule": 15, "options": {"expires": 30}},
    "measures": {"task": "monitoring.tasks.compute_measures", "schedule": 60, "options": {"expires": 60}},
    "sunsets": {"task": "governance.tasks.notify_of_sunsets", "schedule": 3600, "options": {"expires": 3600}},
    "forget_breaches": {"task": "governance.tasks.forget_old", "schedule": 3600, "options": {"expires": 3600}},
    "canaries": {"task": "governance.tasks.watch_canaries", "schedule": 60, "options": {"expires": 60}},
    "due_changes": {"task": "governance.tasks.apply_due_changes", "schedule": 30, "options": {"expires": 30}},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "hub.common.api.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["hub.common.permissions.HasHubPermission"],
    "DEFAULT_PAGINATION_CLASS": "hub.common.api.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "hub.common.problems.problem_response",
    "PAGE_SIZE": 50,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
KNOX_TOKEN_MODEL = "accounts.ApiToken"
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_PREFIX": "hub_pat_", "TOKEN_TTL": None}
SPECTACULAR_SETTINGS = {
    "TITLE": "Syncline API",
    "DESCRIPTION": "Everything the pages can do, for programs. Errors are problem+json, lists page by cursor.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["hub.common.permissions.HasHubPermission"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "ConnectionStatusEnum": "connectors.models.Connection.Status",
        "EventStateEnum": "hub.events.models.Notification.State",
        "RunStatusEnum": "hub.sync.states.RunStatus",
        "ReplayActionEnum": "hub.sync.models.Replay.Action",
        "ExceptionKindEnum": "monitoring.models.ExceptionItem.Kind",
        "ExceptionStateEnum": "monitoring.models.ExceptionItem.State",
        "MeasurementStateEnum": "monitoring.models.TermMeasurement.State",
        "ContractValueModeEnum": "governance.models.Contract.ValueMode",
        "DuplicateDecisionEnum": "hub.sync.models.Duplicate.Decision",
        "ReviewDecisionEnum": "governance.models.Review.Decision",
        "ChangeStateEnum": "governance.models.ChangeRequest.State",
        "PacketStateEnum": "governance.models.ChangePacket.State",
        "AlertLevelEnum": "monitoring.models.Level",
        "RuleStatusEnum": "governance.models.OwnershipRule.Status",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": envstr("HUB_LOG_LEVEL", "WARNING")},
}
SILENCED_SYSTEM_CHECKS: list[str] = []
