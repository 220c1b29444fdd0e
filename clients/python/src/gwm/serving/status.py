"""Refusals as google.rpc.Status with code, reason and field (see proto/gwm/v1/simulator.proto)."""

from __future__ import annotations

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

DOMAIN = "gwm.v1"
_RETRY_AFTER_S = 0.05
# Reason -> code; reasons that are worth a retry carry RetryInfo.
_CODES = {
    "BAD_TENSOR": grpc.StatusCode.INVALID_ARGUMENT,
    "BAD_FIELD": grpc.StatusCode.INVALID_ARGUMENT,
    "UNKNOWN": grpc.StatusCode.NOT_FOUND,
    "EXPIRED": grpc.StatusCode.NOT_FOUND,
    "EVICTED": grpc.StatusCode.NOT_FOUND,
    "SERVER_RESTARTED": grpc.StatusCode.NOT_FOUND,
    "NEEDS_RESET": grpc.StatusCode.FAILED_PRECONDITION,
    "CLOSED": grpc.StatusCode.FAILED_PRECONDITION,
    "LIMIT": grpc.StatusCode.OUT_OF_RANGE,
    "QUOTA": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "STEP_CONFLICT": grpc.StatusCode.ABORTED,
    "DRAINING": grpc.StatusCode.UNAVAILABLE,
    "UNSUPPORTED": grpc.StatusCode.UNIMPLEMENTED,
    "NON_FINITE": grpc.StatusCode.DATA_LOSS,
    "BUG": grpc.StatusCode.INTERNAL,
}
_RETRYABLE = frozenset({"QUOTA", "DRAINING"})


class Refusal(Exception):
    """Ends the call with the code that belongs to `reason`; nothing was changed.

    retry_after_s: when another try makes sense; None: as usual for the reason.
    """

    def __init__(
        self, reason: str, message: str, field: str = "", *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.field = field
        usual_s = _RETRY_AFTER_S if reason in _RETRYABLE else None
        self.retry_after_s = usual_s if retry_after_s is None else retry_after_s

    @property
    def code(self) -> grpc.StatusCode:
        return _CODES[self.reason]

    def to_status(self) -> grpc.Status:
        """The status with its details, for ServicerContext.abort_with_status."""
        details: list[any_pb2.Any] = [_packed(error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN))]
        if self.field:
            violation = error_details_pb2.BadRequest.FieldViolation(
                field=self.field, description=self.message
            )
            details.append(_packed(error_details_pb2.BadRequest(field_violations=[violation])))
        if self.retry_after_s is not None:
            delay = duration_pb2.Duration(nanos=round(self.retry_after_s * 1e9))
            details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
        message = (
            self.message if not self.field or self.field in self.message else f"{self.field}: {self.message}"
        )
        status = status_pb2.Status(code=self.code.value[0], message=message, details=details)
        return rpc_status.to_status(status)


def _packed(message: object) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
