"""The one exception tree. Each error knows its HTTP status and its stable code, and travels as a `Problem`.

An error says what is wrong (`message`), how to cure it (`hint`) and where it is (`where`: a file and line, a field path,
a URL). Services map it once to `application/problem+json`; clients raise the same class again from the answer.
"""

from __future__ import annotations

from typing import Any, ClassVar

from retinue_sdk.schema import Problem


class RetinueError(Exception):
    """Anything a person can be told. Raise a subclass, or this with a `code` and `status` of its own."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    hint: ClassVar[str] = "Try again; if it stays, tell your administrator the request id."

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        where: str | None = None,
        code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.problem = Problem(
            status=status or self.status,
            code=code or self.code,
            message=message,
            hint=hint or self.hint,
            where=where,
            request_id=request_id,
        )

    def __str__(self) -> str:
        """One readable line: what, where, how to fix it."""
        place = f" ({self.problem.where})" if self.problem.where else ""
        return f"{self.problem.message}{place} {self.problem.hint} [{self.problem.code}]"

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in a cell instead of a traceback."""
        return [str(self)]


class BadRequestError(RetinueError):
    """The request itself is wrong."""

    status, code, hint = 422, "invalid_request", "Correct the field named and send it again."


class UnauthenticatedError(RetinueError):
    """No token, or one nobody knows."""

    status, code, hint = 401, "unauthenticated", "Log in again, or send a valid token in the Authorization header."


class ForbiddenError(RetinueError):
    """The caller is known and may not do this."""

    status, code, hint = 403, "forbidden", "Ask an owner of the project for a role that may do this."


class NotFoundError(RetinueError):
    """Absent, or not the caller's to see: the two are not told apart."""

    status, code, hint = (
        404,
        "not_found",
        "Check the id; it may have been deleted, or belong to a project you are not in.",
    )


class ConflictError(RetinueError):
    """The request is right, the state of the object is not."""

    status, code, hint = 409, "conflict", "Look at the object's present state and try again."


class StorageFullError(RetinueError):
    """A disk is full. Nothing half-made is left visible."""

    status, code, hint = 507, "storage_full", "Free some space on the volume named, then try again."


class UnavailableError(RetinueError):
    """Something we depend on does not answer now."""

    status, code, hint = 503, "unavailable", "It is tried again by itself; wait a little and repeat."


class DataError(BadRequestError):
    """A dataset or archive that cannot be used; `code` says why and `where` names the file and line."""

    code = "data_error"


def from_problem(body: dict[str, Any]) -> RetinueError:
    """The exception that a `problem+json` body stands for, of the class that has its status."""
    problem = Problem.model_validate(body)
    classes = (
        UnauthenticatedError,
        ForbiddenError,
        NotFoundError,
        ConflictError,
        BadRequestError,
        StorageFullError,
        UnavailableError,
    )
    kind = next((c for c in classes if c.status == problem.status), RetinueError)
    return kind(
        problem.message,
        hint=problem.hint,
        where=problem.where,
        code=problem.code,
        status=problem.status,
        request_id=problem.request_id,
    )
