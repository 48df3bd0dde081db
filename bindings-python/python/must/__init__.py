"""Image and video generation, with the whole platform around it, inside your own process.

`Platform` is for threads, `AsyncPlatform` for asyncio; both open a folder, take requests and give handles on durable
tasks. Every failure is a `MustError` of the class that goes with its code.
"""

from must._aio import AsyncPlatform, AsyncTask
from must._errors import *  # noqa: F403
from must._errors import __all__ as _error_names
from must._exceptions import MustError
from must._must import VERSION as __version__
from must._sync import Platform, Task
from must._types import (
    Image,
    LaneStatus,
    Load,
    LogLevel,
    LogRecord,
    MediaType,
    Model,
    Page,
    Parameter,
    Query,
    Settings,
    Status,
    TaskFailure,
    TaskState,
)

__all__ = [
    "AsyncPlatform",
    "AsyncTask",
    "Image",
    "LaneStatus",
    "Load",
    "LogLevel",
    "LogRecord",
    "MediaType",
    "Model",
    "MustError",
    "Page",
    "Parameter",
    "Platform",
    "Query",
    "Settings",
    "Status",
    "Task",
    "TaskFailure",
    "TaskState",
    "__version__",
]
__all__ += _error_names
