"""The tree of errors that the control plane raises.

    HeadgateError
    ├── InvalidArgument            INVALID_ARGUMENT
    │   └── InvalidField             names the field, what is wrong, what would be right
    ├── NotFound                   NOT_FOUND
    ├── AlreadyExists              ALREADY_EXISTS
    ├── FailedPrecondition         FAILED_PRECONDITION
    │   ├── InvalidTransition        a state does not allow what was asked
    │   ├── NothingFits              the whole space was rejected at submission
    │   └── ForeignRoutedApplication somebody else's Serve application takes requests
    ├── Conflict                   ABORTED
    │   ├── EtagMismatch
    │   └── SessionSuperseded
    ├── ResourceExhausted          RESOURCE_EXHAUSTED
    ├── Unauthenticated            UNAUTHENTICATED
    ├── PermissionDenied           PERMISSION_DENIED
    ├── Unavailable                UNAVAILABLE
    ├── DataLoss                   DATA_LOSS
    └── NotImplementedYet          UNIMPLEMENTED

Errors carry data: a stable `reason` (UPPER_SNAKE), the dynamic values of the message as `metadata`,
and, for wrong input, the violations by field. `controller.api.errors` holds the one table that maps
the tree to gRPC.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FieldViolation:
    """What is wrong with one field. `field` is its path in the request, for example
    `search.spec.metric`; `description` says what was wrong, `remedy` what would be right.
    """

    field: str
    description: str
    remedy: str


class HeadgateError(Exception):
    """The root. `reason` is stable and meant for programs; the message is one line for people."""

    reason = "INTERNAL"

    def __init__(self, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = metadata


class InvalidArgument(HeadgateError):
    """Something about a request is wrong whatever the state of the system."""

    reason = "INVALID_ARGUMENT"

    def __init__(self, violations: tuple[FieldViolation, ...], reason: str | None = None) -> None:
        message = "; ".join(f"{v.field}: {v.description}; {v.remedy}" for v in violations)
        super().__init__(message, fields=",".join(v.field for v in violations))
        self.violations = violations
        if reason is not None:
            self.reason = reason


class InvalidField(InvalidArgument):
    """One field is wrong. `reason` may be made more specific, for example `UNKNOWN_METRIC`."""

    reason = "INVALID_FIELD"

    def __init__(
        self, field: str, description: str, remedy: str, reason: str | None = None
    ) -> None:
        super().__init__((FieldViolation(field, description, remedy),), reason)


class NotFound(HeadgateError):
    """No such resource."""

    reason = "NOT_FOUND"

    def __init__(
        self, name: str, remedy: str = "list what there is, then ask for one of it"
    ) -> None:
        super().__init__(f"{name} does not exist; {remedy}", resource=name)
        self.name = name


class AlreadyExists(HeadgateError):
    """The name is taken."""

    reason = "ALREADY_EXISTS"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} exists already; choose another id", resource=name)
        self.name = name


class FailedPrecondition(HeadgateError):
    """The system's state does not allow it; the caller can change that state."""

    reason = "FAILED_PRECONDITION"


class InvalidTransition(FailedPrecondition):
    """A state does not allow what was asked."""

    reason = "INVALID_TRANSITION"

    def __init__(self, name: str, start: str, finish: str, remedy: str = "") -> None:
        tail = f"; {remedy}" if remedy else ""
        super().__init__(
            f"{name} is {start} and cannot become {finish}{tail}",
            resource=name,
            start=start,
            finish=finish,
        )


class NothingFits(FailedPrecondition):
    """No candidate of the whole space can be admitted."""

    reason = "NOTHING_FITS"


class ForeignRoutedApplication(FailedPrecondition):
    """Ray Serve runs a routed application of somebody else's. Serve's gRPC wants `application`
    metadata as soon as two are routed, which unmodified inference clients do not send.
    """

    reason = "FOREIGN_ROUTED_APPLICATION"

    def __init__(self, application: str, route_prefix: str) -> None:
        super().__init__(
            f"Ray Serve runs the application {application!r}, which is not Headgate's, at route "
            f"{route_prefix!r}; give it route_prefix null, delete it, or use a Ray cluster without "
            "it",
            application=application,
            route_prefix=route_prefix,
        )


class Conflict(HeadgateError):
    """Somebody else was faster; read again and retry at a higher level."""

    reason = "CONFLICT"


class EtagMismatch(Conflict):
    """The resource has changed since the caller read it."""

    reason = "ETAG_MISMATCH"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} has changed since its etag was read; read it again", resource=name
        )


class SessionSuperseded(Conflict):
    """A newer driver owns the search."""

    reason = "SESSION_SUPERSEDED"

    def __init__(self, name: str) -> None:
        super().__init__(f"a newer driver owns {name}; this one must exit", resource=name)


class ResourceExhausted(HeadgateError):
    """A limit of the server is reached."""

    reason = "RESOURCE_EXHAUSTED"


class Unauthenticated(HeadgateError):
    """No valid credentials."""

    reason = "UNAUTHENTICATED"


class PermissionDenied(HeadgateError):
    """Valid credentials, but not for this."""

    reason = "PERMISSION_DENIED"


class Unavailable(HeadgateError):
    """Something that is needed does not answer right now."""

    reason = "UNAVAILABLE"


class DataLoss(HeadgateError):
    """Stored bytes are not what was written."""

    reason = "DATA_LOSS"


class NotImplementedYet(HeadgateError):
    """Declared in the API and not built yet."""

    reason = "UNIMPLEMENTED"
