"""What a server refuses, as exceptions with the gRPC code, the reason, the field and the message."""

from __future__ import annotations

import math
from typing import Any

import grpc


class GwmError(Exception):
    """A call that the server (or the way to it) refused.

    code: the gRPC status code. reason: the machine-readable cause, such as "BAD_TENSOR" (empty when there is
    none). field: the request field at fault, such as "actions" (empty when there is none). retry_after_s:
    how long the server asks to wait; infinite when it asks for no further try, None when it says nothing.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        reason: str = "",
        field: str = "",
        retry_after_s: float | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.field = field
        self.retry_after_s = retry_after_s
        self.metadata = metadata or {}
        # Of a call through StepStream: the environments that it named.
        self.env_ids: tuple[int, ...] = ()

    def __str__(self) -> str:
        label = self.code.name if not self.reason else f"{self.code.name}/{self.reason}"
        where = f" [{self.field}]" if self.field and self.field not in self.message else ""
        return f"{label}{where}: {self.message}"


class InvalidRequestError(GwmError, ValueError):
    """INVALID_ARGUMENT or OUT_OF_RANGE: the request itself is wrong; nothing changed on the server."""


class NotFoundError(GwmError, LookupError):
    """NOT_FOUND: the session is unknown, expired, or belonged to a server that was restarted (see reason)."""


class PreconditionError(GwmError):
    """FAILED_PRECONDITION: not now, for example a step before the reset."""


class ConflictError(GwmError):
    """ABORTED: the expected step does not fit the session's."""


class ResourceExhaustedError(GwmError):
    """RESOURCE_EXHAUSTED: no slot, quota or memory; nothing changed on the server."""


class UnavailableError(GwmError, ConnectionError):
    """UNAVAILABLE: nobody answers at the address, or the server is starting or draining."""


class DeadlineError(GwmError, TimeoutError):
    """DEADLINE_EXCEEDED: the call took longer than its timeout."""


class UnimplementedError(GwmError, NotImplementedError):
    """UNIMPLEMENTED: this server does not offer the RPC or the option; see the spec."""


_CLASSES: dict[grpc.StatusCode, type[GwmError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequestError,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequestError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.FAILED_PRECONDITION: PreconditionError,
    grpc.StatusCode.ABORTED: ConflictError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhaustedError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
    grpc.StatusCode.UNIMPLEMENTED: UnimplementedError,
}


def from_rpc_error(error: grpc.RpcError, address: str) -> GwmError:
    """The exception for a failed call; reads google.rpc.Status details when the server sent them."""
    code = error.code() if hasattr(error, "code") else grpc.StatusCode.UNKNOWN
    message = (error.details() if hasattr(error, "details") else str(error)) or "no message"
    if code is grpc.StatusCode.UNAVAILABLE:
        message = f"{address}: {message}"
    details = _details(error)
    if details.get("retry_after_s") is None:
        details["retry_after_s"] = _pushback_s(error)
    return _CLASSES.get(code, GwmError)(message, code=code, **details)


def _pushback_s(error: grpc.RpcError) -> float | None:
    """What the trailer grpc-retry-pushback-ms asks for (gRFC A6): anything but a time means never again."""
    trailers = error.trailing_metadata() if hasattr(error, "trailing_metadata") else None
    for key, value in trailers or ():
        if key == "grpc-retry-pushback-ms":
            return int(value) / 1000 if str(value).isdecimal() else math.inf
    return None


def from_status(status: Any) -> GwmError:
    """The exception for a google.rpc.Status inside an answer."""
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    message = status.message or "no message"
    return _CLASSES.get(code, GwmError)(message, code=code, **_read_details(status))


_CODES = {code.value[0]: code for code in grpc.StatusCode}


def _details(error: grpc.RpcError) -> dict[str, Any]:
    from grpc_status import rpc_status

    try:
        status = rpc_status.from_call(error)
    except (ValueError, AttributeError):
        # Details that contradict the status, or an error that never was a call: the code alone has to do.
        return {}
    return _read_details(status) if status is not None else {}


def _read_details(status: Any) -> dict[str, Any]:
    from google.rpc import error_details_pb2

    found: dict[str, Any] = {}
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo.FromString(detail.value)
            found["reason"] = info.reason
            found["metadata"] = dict(info.metadata)
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            violations = error_details_pb2.BadRequest.FromString(detail.value).field_violations
            found["field"] = violations[0].field if violations else ""
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            delay = error_details_pb2.RetryInfo.FromString(detail.value).retry_delay
            found["retry_after_s"] = delay.seconds + delay.nanos * 1e-9
    return found
