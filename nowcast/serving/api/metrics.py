"""What Prometheus asks for: figures of every region, from the stores."""

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder

from nowcast.serving.api.answers import documented

router = APIRouter(tags=["status"])


@router.get("/metrics", response_class=Response, responses=documented("text/plain"))
def metrics(request: Request) -> Response:
    """Figures of all regions for Prometheus, in the format that it asks for: docs/monitoring.md lists them."""
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(
        encode(request.app.state.figures), headers={"Content-Type": media_type, "Cache-Control": "no-store"}
    )
