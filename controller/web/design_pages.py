"""The designer's pages and the rehearsal's. What may not be changed by a role is shown and cannot be."""

from fastapi import APIRouter, Request, Response

from controller.web.access import Grant, Power
from controller.web.context import WebContext
from controller.web.pages import Pages
from controller.web.said import SaidError


def design_pages(context: WebContext) -> APIRouter:
    """Return the routes of the pages."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(context)

    def show(request: Request, room: str, template: str, **values: object) -> Response:
        def draw(grant: Grant) -> Response:
            found = context.rooms.get(room)
            if found is None or context.drawing is None:
                raise SaidError(404, "no room '{room}'", room=room[:64])
            return pages.page(
                request,
                template,
                200,
                room=room,
                title=found.snapshot().title,
                grant=grant,
                may_design=grant.may(Power.DESIGN),
                may_sign=grant.may(Power.DESIGN) or grant.may(Power.CONTROL),
                may_control=grant.may(Power.CONTROL),
                **values,
            )

        return pages.for_role(request, Power.SEE, draw)

    @routes.get("/design/rooms/{room}")
    async def designs(request: Request, room: str) -> Response:
        return show(request, room, "designs.html")

    @routes.get("/design/rooms/{room}/profile")
    async def profile(request: Request, room: str, id: str = "", copy: str = "") -> Response:  # noqa: A002
        return show(request, room, "design_profile.html", design=id, copy=copy)

    @routes.get("/design/rooms/{room}/preset")
    async def preset(request: Request, room: str, id: str = "", copy: str = "") -> Response:  # noqa: A002
        return show(request, room, "design_preset.html", design=id, copy=copy)

    @routes.get("/rooms/{room}/rehearse")
    async def rehearse(request: Request, room: str, profile: str = "") -> Response:
        return show(request, room, "rehearse.html", profile=profile)

    return routes
