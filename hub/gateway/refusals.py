"""What a caller is told when it does not get what it asks for; problem+json by hub.common.problems."""

from __future__ import annotations

from rest_framework.exceptions import APIException


class Refused(APIException):
    """`wait` is in how many seconds the same may be asked again."""

    def __init__(self, status: int, sentence: str, *, code: str, wait: int | None = None) -> None:
        super().__init__(sentence, code)
        self.status_code, self.default_code = status, code
        if wait is not None:
            self.wait = wait

    @property
    def auth_header(self) -> str:
        return "Bearer"
