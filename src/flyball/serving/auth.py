"""The routes of OAuth2: tokens are given, prolonged and taken back.

Requests are forms and answers are as RFC 6749, 7009 and 9700 have them; an error is a problem
document, with OAuth2's own members ``error`` and ``error_description`` beside the others.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from flyball.access.audit import Audit, Note
from flyball.access.limiter import Limiter, site_of
from flyball.access.sign_in import Granted, OAuthError, SignIn
from flyball.errors import TooManyRequests
from flyball.serving import forms, problems
from flyball.serving.forms import Form

_CONTENT = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "No token, and `error` says why.", "content": _CONTENT},
    401: {"description": "The client is unknown, or its secret is wrong.", "content": _CONTENT},
}
UNSTORED = {"cache-control": "no-store", "pragma": "no-cache"}


class TokenAnswer(BaseModel):
    """A token, as OAuth2 (RFC 6749, section 5.1) has it."""

    access_token: str = Field(description="For the header Authorization: Bearer.")
    token_type: str = Field("Bearer")
    expires_in: int = Field(description="Seconds.", examples=[600])
    scope: str = Field(examples=["read events"])
    refresh_token: str | None = Field(None, description="Good once, at /auth/refresh.")


class AuthRoutes:
    """What answers below ``/auth``.

    Args:
        sign_in: gives tokens and takes them back.
        limiter: counts attempts.
        rate: of one address, a minute; 0: no limit.
        audit: is told of each attempt; None: nobody is.
        count: is told the reason of each refusal.
    """

    def __init__(
        self,
        sign_in: SignIn,
        limiter: Limiter,
        *,
        rate: int = 0,
        audit: Audit | None = None,
        count: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self._sign_in, self._limiter, self._rate = sign_in, limiter, rate
        self._audit, self._count = audit, count

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(prefix="/auth", tags=["access"])
        given: dict[int | str, dict[str, Any]] = {
            200: {"model": TokenAnswer, "description": "A token."}
        }
        taken: dict[int | str, dict[str, Any]] = {200: {"description": "Taken back."}}
        for path, handler, fields, needed, responses in (
            ("/token", self.token, forms.TOKEN_FIELDS, "grant_type", given),
            ("/refresh", self.refresh, forms.REFRESH_FIELDS, "refresh_token", given),
            ("/revoke", self.revoke, forms.REVOKE_FIELDS, "token", taken),
        ):
            router.add_api_route(
                path,
                handler,
                methods=["POST"],
                responses=responses | _REFUSALS,
                response_model=None,
                openapi_extra={"requestBody": forms.described(fields, needed)},
            )
        return router

    async def token(self, request: Request) -> Response:
        """Sign in: an OAuth2 client by its secret, or an account by its password.

        A client's id and secret come by HTTP Basic or in the form.
        """
        return await self._answered(request, "sign-in", self._token)

    async def refresh(self, request: Request) -> Response:
        """Exchange a refresh token for the next access token and the next refresh token.

        Each is good once. One that comes back was stolen, and ends the whole sign-in.
        """
        return await self._answered(request, "refresh", self._refresh)

    async def revoke(self, request: Request) -> Response:
        """End a sign-in by any of its refresh tokens (RFC 7009).

        Access tokens cannot be taken back: they expire soon.
        """
        return await self._answered(request, "revoke", self._revoke)

    async def _token(self, form: Form, request: Request) -> tuple[str, Granted]:
        match form.get("grant_type", ""):
            case "client_credentials":
                name, secret = forms.client(form, request)
                granted = await self._sign_in.as_client(name, secret, form.get("scope", ""))
            case "password":
                name, password = forms.needed(form, "username"), forms.needed(form, "password")
                granted = await self._sign_in.as_account(name, password, form.get("scope", ""))
            case "refresh_token":
                return await self._refresh(form, request)
            case "":
                raise OAuthError("invalid_request", "the form has no grant_type")
            case _:
                raise OAuthError(
                    "unsupported_grant_type",
                    "grant_type is client_credentials, password or refresh_token",
                )
        return granted.subject, granted

    async def _refresh(self, form: Form, _request: Request) -> tuple[str, Granted]:
        if form.get("grant_type", "refresh_token") != "refresh_token":
            raise OAuthError("unsupported_grant_type", "grant_type is refresh_token here")
        token = forms.needed(form, "refresh_token")
        granted = await self._sign_in.refreshed(token, form.get("scope", ""))
        return granted.subject, granted

    async def _revoke(self, form: Form, _request: Request) -> tuple[str, None]:
        token = forms.needed(form, "token")
        if token.count(".") == 2:
            raise OAuthError(
                "unsupported_token_type",
                "an access token cannot be taken back, it expires soon; revoke its refresh token",
            )
        family = await self._sign_in.revoked(token)
        return ("nobody" if family is None else family.subject), None

    async def _answered(
        self,
        request: Request,
        what: str,
        work: Callable[[Form, Request], Awaitable[tuple[str, Granted | None]]],
    ) -> Response:
        address = request.client.host if request.client is not None else ""

        def note(subject: str, why: str, status: int) -> None:
            if why:
                self._count(why)
            if self._audit is not None:
                path = request.url.path
                self._audit.note(Note(subject, address, request.method, path, what, why, status))

        try:
            self._limiter.take(
                f"sign-in/{site_of(address)}",
                self._rate,
                what="sign-ins from this address",
                reason="sign_in_rate",
            )
            subject, granted = await work(await forms.read(request), request)
        except OAuthError as error:
            note(error.subject, error.code, error.status)
            return _refused(error, basic="authorization" in request.headers)
        except TooManyRequests as error:
            note(error.subject, error.reason, error.status)
            raise
        note(subject, "", HTTPStatus.OK)
        return JSONResponse(None if granted is None else _told(granted), headers=UNSTORED)


def _told(granted: Granted) -> dict[str, Any]:
    return TokenAnswer(
        access_token=granted.access_token,
        token_type="Bearer",  # noqa: S106 - its type, no secret
        expires_in=int(granted.lifetime.total_seconds()),
        scope=" ".join(granted.scopes),
        refresh_token=granted.refresh_token or None,
    ).model_dump(exclude_none=True)


def _refused(error: OAuthError, *, basic: bool) -> Response:
    """A problem document with OAuth2's members."""
    headers = dict(UNSTORED)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Basic" if basic else "Bearer"
        headers["www-authenticate"] += ' realm="flyball"'
    kind = error.code.replace("_", "-")
    plain = problems.problem(error.status, kind, error.title, str(error))
    members = json.loads(bytes(plain.body))
    members |= {"error": error.code, "error_description": str(error)}
    return JSONResponse(members, error.status, headers, problems.MEDIA_TYPE)
