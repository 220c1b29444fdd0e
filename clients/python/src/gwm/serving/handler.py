"""From bytes to the methods of a service and back; here exceptions of a call become its status."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf import message, message_factory
from google.protobuf.descriptor import ServiceDescriptor
from gwm.serving.status import Refusal

_LOG = logging.getLogger("gwm.serve")

Method = Callable[[Any], Any]


def unary_handlers(service: ServiceDescriptor, implementation: object) -> grpc.GenericRpcHandler:
    """Serves every unary method of `service` that `implementation` has under the same name; each takes a
    request and returns a reply. The others are answered with UNIMPLEMENTED / UNSUPPORTED.
    """
    handlers = {}
    for method in service.methods:
        function = getattr(implementation, method.name, None) or _unsupported(method.name)
        request_class = message_factory.GetMessageClass(method.input_type)
        handlers[method.name] = grpc.unary_unary_rpc_method_handler(
            _guarded(method.name, function, request_class),
            response_serializer=lambda reply: reply.SerializeToString(),
        )
    return grpc.method_handlers_generic_handler(service.full_name, handlers)


def _guarded(name: str, function: Method, request_class: Any) -> Callable[[bytes, Any], Any]:
    """Turns a Refusal into its status and everything unforeseen into INTERNAL / BUG, logged once.

    Parses here rather than in gRPC, which would answer garbage with INTERNAL and a stack trace in the log.
    """

    def call(payload: bytes, context: Any) -> Any:
        try:
            return function(request_class.FromString(payload))
        except message.DecodeError:
            refusal = Refusal("BAD_FIELD", f"the request is no {request_class.DESCRIPTOR.full_name}")
        except Refusal as error:
            refusal = error
            if error.reason == "BUG":
                _LOG.error("%s: %s", name, error.message)
        except Exception:
            _LOG.exception("%s failed", name)
            refusal = Refusal("BUG", f"{name} failed; the server's log has the details")
        return context.abort_with_status(refusal.to_status())

    return call


def _unsupported(name: str) -> Method:
    def refuse(_: Any) -> Any:
        message = f"a real environment has no {name}; SimulatorSpec.rpcs lists what is there"
        raise Refusal("UNSUPPORTED", message)

    return refuse
