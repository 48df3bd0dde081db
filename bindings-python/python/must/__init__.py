"""Image and video generation, with the whole platform around it, inside your own process.

`Platform` is for threads, `AsyncPlatform` for asyncio; both open a data folder, accept requests and return handles of
stored tasks. Every error is a `MustError`, with one subclass for each code.

>>> import must
>>> with must.Platform("data") as platform:
...     task = platform.submit("tiny-image", "a red circle", seed=7)
...     state = task.wait()
...     path = task.save("circle.png")
>>> print(state.status, path.name)
done circle.png

In the other examples `platform` is a platform that is open, with the admin key "a key of 16 letters or more".
"""

from must._access import (
    Admin,
    AdminSessionState,
    ApiKey,
    AsyncAdmin,
    AsyncAuth,
    Auth,
    IssuedKey,
    IssuedSession,
    KeyStatus,
    SessionState,
)
from must._accounts import Account, AccountFailure, Accounts, AccountStatus, AsyncAccounts, Deployment
from must._aio import AsyncPlatform, AsyncTask
from must._audit import (
    AsyncAudit,
    Audit,
    AuditEvent,
    AuditPage,
    ConsistencyProof,
    Damage,
    Exported,
    Fault,
    InclusionProof,
    Outcome,
    Pruned,
    Verdict,
)
from must._backup import Backup
from must._errors import *  # noqa: F403
from must._errors import __all__ as _error_names
from must._exceptions import MustError
from must._facts import Caller, Principal, PrincipalKind, RequestFacts, Route
from must._host import AnchorFunction, Host, KeyFunction, ManualClock
from must._http import AsyncResponse, Response, Server
from must._load import LaneStatus, Load
from must._log import LogLevel, LogRecord
from must._media import Media
from must._models import Model, ParameterItem, ParameterKind, ParameterSchema
from must._must import VERSION as __version__
from must._secrets import AsyncSecrets, Secrets, SecretState, SecretStatus
from must._settings import DeviceChoice, Environment, HttpSettings, SameSite, Settings, WorkerSettings
from must._submit_options import Idempotency
from must._sync import Platform, Task
from must._tasks import MediaType, Sort, Status, TaskFailure, TaskPage, TaskQuery, TaskState
from must._types import ArrayInterface, ArrayLike, AsyncFile, Image, Parameter, ReadableFile

__all__ = [
    "Account",
    "AccountFailure",
    "AccountStatus",
    "Accounts",
    "Admin",
    "AdminSessionState",
    "AnchorFunction",
    "ApiKey",
    "ArrayInterface",
    "ArrayLike",
    "AsyncAccounts",
    "AsyncAdmin",
    "AsyncAudit",
    "AsyncAuth",
    "AsyncFile",
    "AsyncPlatform",
    "AsyncResponse",
    "AsyncSecrets",
    "AsyncTask",
    "Audit",
    "AuditEvent",
    "AuditPage",
    "Auth",
    "Backup",
    "Caller",
    "ConsistencyProof",
    "Damage",
    "Deployment",
    "DeviceChoice",
    "Environment",
    "Exported",
    "Fault",
    "Host",
    "HttpSettings",
    "Idempotency",
    "Image",
    "InclusionProof",
    "IssuedKey",
    "IssuedSession",
    "KeyFunction",
    "KeyStatus",
    "LaneStatus",
    "Load",
    "LogLevel",
    "LogRecord",
    "ManualClock",
    "Media",
    "MediaType",
    "Model",
    "MustError",
    "Outcome",
    "Parameter",
    "ParameterItem",
    "ParameterKind",
    "ParameterSchema",
    "Platform",
    "Principal",
    "PrincipalKind",
    "Pruned",
    "ReadableFile",
    "RequestFacts",
    "Response",
    "Route",
    "SameSite",
    "SecretState",
    "SecretStatus",
    "Secrets",
    "Server",
    "SessionState",
    "Settings",
    "Sort",
    "Status",
    "Task",
    "TaskFailure",
    "TaskPage",
    "TaskQuery",
    "TaskState",
    "Verdict",
    "WorkerSettings",
    "__version__",
]
__all__ += _error_names
