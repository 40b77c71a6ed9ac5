"""HTTP: the page from which a tablet installs the clinic's own authority, and that authority's certificate.

Both are open to anybody on the network: without them nobody can come in safely, and a certificate
is no secret.
It must never hand out a key: it reads the one file it is given, and only if that is a certificate.
"""

import hashlib
import ssl
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

from controller.web.context import WebContext
from controller.web.pages import Pages


def fingerprint(pem: str) -> str:
    """Return a PEM certificate's SHA-256 fingerprint as devices show it.

    Raises:
        ValueError: it is no certificate.
    """
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def authority_calls(context: WebContext) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(context)

    @routes.get("/install-ca")
    async def install(request: Request) -> Response:
        """Say how to install the authority, and with which fingerprint to compare it."""
        pem = _read(context.authority)
        found = None if pem is None else fingerprint(pem)
        return pages.page(request, "install_ca.html", 404 if found is None else 200, fingerprint=found)

    @routes.get("/stillroom-ca.crt")
    async def authority() -> Response:
        """Hand out the authority's certificate, in the type that makes tablets offer to install it."""
        pem = _read(context.authority)
        if pem is None:
            raise HTTPException(404, "this site has no authority of its own")
        return Response(ssl.PEM_cert_to_DER_cert(pem), media_type="application/x-x509-ca-cert")

    return routes


def _read(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        pem = path.read_text(encoding="ascii")
        ssl.PEM_cert_to_DER_cert(pem)
    except (OSError, ValueError):
        return None
    return pem
