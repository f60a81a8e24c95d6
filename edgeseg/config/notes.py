"""What a configuration may say and an operator should still hear about."""

from __future__ import annotations

from edgeseg.config.checks import is_loopback, listen_address
from edgeseg.config.effects import PassthroughEffect
from edgeseg.config.schema import Config, StreamConfig

_SHORT_TOKEN = 16


def warnings(config: Config) -> list[str]:
    """One sentence for each thing that is allowed but worth saying; names and keys, never secrets."""
    notes: list[str] = []
    token = config.http.token
    if token is not None and not is_loopback(config.http.host):
        notes.append(
            f"http: {config.http.host} is reachable from other machines without encryption "
            "(put a proxy with TLS before it, or keep to a trusted network)"
        )
        if len(token) < _SHORT_TOKEN:
            notes.append(f"http.token: is shorter than {_SHORT_TOKEN} characters and can be guessed")
    for name, stream in config.enabled.items():
        notes.extend(f"{name}: {note}" for note in _of_stream(stream))
    off = [name for name in config.streams if name not in config.enabled]
    if off:
        notes.append(f"not running: {', '.join(off)} ('enabled: false')")
    return notes


def _of_stream(stream: StreamConfig) -> list[str]:
    notes: list[str] = []
    uncovered = False
    if isinstance(stream.effect, PassthroughEffect):
        uncovered = True
        notes.append("the bare camera picture leaves the box (effect: passthrough)")
    if stream.mask.on_mask_loss == "uncovered":
        uncovered = True
        notes.append("the bare camera picture leaves the box whenever there is no mask (on_mask_loss: uncovered)")
    if stream.allow_uncovered and not uncovered:
        notes.append(
            "allow_uncovered is on and nothing needs it (an effect that is changed later may show the picture)"
        )
    for target in stream.publish:
        if target.listen and not is_loopback(listen_address(target.url)[0]):
            notes.append("whoever reaches the listening RTMP port can watch (RTMP asks for no password)")
        if target.url.startswith("rtmp://") and "@" in target.url.partition("://")[2].partition("/")[0]:
            notes.append("a password goes over rtmp:// without encryption (use rtmps:// if the server has it)")
    if stream.governor.enabled and stream.governor.max_mask_age_ms > 0:
        notes.append(
            f"a picture may be shown with a mask that is up to {stream.governor.max_mask_age_ms:g} ms older "
            "when the machine is overloaded (governor.max_mask_age_ms)"
        )
    if stream.mask.motion_gate.enabled:
        notes.append(
            "a picture on which nothing moves is shown with a mask that is up to "
            f"{stream.mask.motion_gate.max_age_ms:g} ms older (mask.motion_gate)"
        )
        if stream.model.sampling == "graph":
            notes.append("mask.motion_gate saves nothing while frames are sampled in the graph (model.sampling: host)")
    if stream.video.timestamps == "constant" and not stream.slate.enabled:
        notes.append(
            "what is missing while the source is away is made up for with the last picture, in one go when it is back "
            "(video.timestamps: constant without slate)"
        )
    record = stream.record
    if record is not None and record.when == "always":
        idle = [
            key
            for key in ("pre_roll_s", "post_roll_s")
            if getattr(record, key) != type(record).model_fields[key].default
        ]
        if idle:
            what = " and ".join(f"record.{key}" for key in idle)
            notes.append(f"everything is recorded, and nothing is done by {what}: add 'when: on_presence'")
    if stream.mask.temporal > 0.9:
        notes.append(f"mask.temporal {stream.mask.temporal:g} makes the mask trail behind what moves")
    return notes
