"""The lines to paste: where to see, hear and measure what the daemon does."""

from __future__ import annotations

from edgeseg.config.schema import Config
from edgeseg.redact import redact_url


def where_to_look(config: Config, port: int) -> list[str]:
    """A few lines for the terminal of whoever started the daemon. No secret in them: a token is only pointed at."""
    host = "127.0.0.1" if config.http.host in ("0.0.0.0", "::") else config.http.host  # noqa: S104 - compared, not bound
    base = f"http://{host}:{port}"
    token = "?token=<http.token>" if config.http.token else ""
    lines = ["", "edgeseg is running. Stop it with Ctrl-C.", ""]
    lines += [f"  page      {base}/{token}", f"  metrics   {base}/metrics{token}"]
    for name, stream in config.enabled.items():
        lines.append(f"  {name}")
        for publish in stream.publish:
            if publish.listen:
                lines.append(f"    ffplay {publish.url}")
            else:
                lines.append(f"    published to {redact_url(publish.url)}")
        lines.append(f"    ffplay {base}/streams/{name}/live.flv{token}")
        lines.append(f"    vlc {base}/streams/{name}/live.flv{token}")
        lines.append(f"    snapshot   {base}/streams/{name}/snapshot.jpg{token}")
        if stream.record:
            lines.append(f"    recordings {stream.record.directory}")
    return [*lines, ""]
