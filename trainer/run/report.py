"""The curves of a run from its metrics.jsonl: one PNG and one self-contained HTML page."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import Any

from trainer.run.folder import metrics


def plotter() -> Any:
    """matplotlib.pyplot without a display; None where it is not installed."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        return None
    return pyplot


def write_report(folder: Path) -> bool:
    """Write curves.png and report.html; False (and nothing) where matplotlib is missing."""
    rows = metrics(folder)
    if not rows:
        return False
    pyplot = plotter()
    if pyplot is None:
        return False
    train = [r for r in rows if "train" in r]
    held = [r for r in rows if "held_out" in r]
    figure, axes = pyplot.subplots(2, 2, figsize=(11, 7), constrained_layout=True)
    loss, lr, norm, speed = axes.ravel()
    steps = [r["step"] for r in train]
    loss.plot(steps, [r["train"]["bpb"] for r in train], label="train", linewidth=1)
    loss.plot([r["step"] for r in held], [r["held_out"]["bpb"] for r in held], "o-", label="held")
    for name in sorted({n for r in held for n in r["held_out"].get("sources", {})}):
        mine = [r for r in held if name in r["held_out"].get("sources", {})]
        values = [r["held_out"]["sources"][name]["bpb"] for r in mine]
        label = f"held: {name}" if name.isascii() else "held: (source)"
        loss.plot([r["step"] for r in mine], values, "--", label=label, linewidth=0.8)
    loss.set_title("bits per byte")
    loss.legend()
    lr.plot(steps, [r["lr"] for r in train])
    lr.set_title("learning rate")
    norm.plot(steps, [r["grad_norm"] for r in train], linewidth=1)
    norm.set_title("gradient norm before clipping")
    speed.plot(steps, [r["tokens_per_s"] for r in train], linewidth=1)
    speed.set_title("tokens per second")
    for axis in (loss, lr, norm, speed):
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
    figure.savefig(folder / "curves.png", dpi=110, metadata={"Software": None})
    pyplot.close(figure)
    (folder / "report.html").write_text(_page(folder, held), encoding="utf-8")
    return True


def _page(folder: Path, held: list[dict[str, Any]]) -> str:
    image = base64.b64encode((folder / "curves.png").read_bytes()).decode()
    body = "".join(
        f"<tr><td>{r['step']}</td><td>{html.escape(name)}</td>"
        f"<td>{v['bpb']:.4f}</td><td>{v['bpc']:.4f}</td></tr>"
        for r in held
        for name, v in [("all", r["held_out"]), *r["held_out"].get("sources", {}).items()]
    )
    config = html.escape((folder / "config.toml").read_text(encoding="utf-8"))
    return (
        f'<!doctype html><meta charset="utf-8"><title>{html.escape(folder.name)}</title>'
        "<style>body{font-family:sans-serif;max-width:70em;margin:2em auto}"
        "td,th{padding:.2em 1em;text-align:right}</style>"
        f"<h1>{html.escape(folder.name)}</h1>"
        f'<img alt="curves" style="max-width:100%" src="data:image/png;base64,{image}">'
        "<h2>Held-out</h2><table><tr><th>step</th><th>source</th><th>bits/byte</th>"
        f"<th>bits/character</th></tr>{body}</table><h2>Settings</h2><pre>{config}</pre>"
    )
