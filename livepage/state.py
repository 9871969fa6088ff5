"""The widget state of an executed notebook: what the host needs of it, and what the checks ask of it."""

import base64
import json
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from livepage import packs

HOSTED = "anywidget"
RECORDING = b"NNR1"  # how the bytes of a deflated recording begin (nnlib/widgets/recording.py)
LINKS = ("LinkModel", "DirectionalLinkModel")


@dataclass(frozen=True)
class Figure:
    """What the build knows of one widget of a page.

    Attributes
    ----------
    kind
        The widget's class as Jupyter names it, for messages.
    hosted
        Whether the static host can show it: only an anywidget brings its own view.
    alt
        The alternative text of its poster.
    figure_id
        The prefix of its settings in a link and the id of its element; empty for a plain widget.
    settings
        The settings it starts with.
    controls
        The names of its settings.
    bank
        The settings that were computed beforehand, as text.
    """

    kind: str
    hosted: bool
    alt: str = ""
    figure_id: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    controls: tuple[str, ...] = ()
    bank: tuple[dict[str, str], ...] = ()

    def holds(self, wanted: dict[str, str]) -> bool:
        """Return whether the page can show these settings (the others as they start) without a kernel."""
        whole = {**{name: written(value) for name, value in self.settings.items()}, **wanted}
        start = {name: written(value) for name, value in self.settings.items()}
        return any(
            whole.keys() == entry.keys() and all(same(whole[name], entry[name]) for name in entry)
            for entry in (start, *self.bank)
        )


def written(value: Any) -> str:
    """Return a setting's value as a link spells it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(written(item) for item in value)
    return str(value)


def same(one: str, other: str) -> bool:
    """Return whether two spellings mean one value, as 1e-2 and 0.01 do, or 1,0.5 and 1.0,0.5."""
    if one == other:
        return True
    try:
        return [float(part) for part in one.split(",")] == [float(part) for part in other.split(",")]
    except ValueError:
        return False


def reduce(body: str) -> tuple[str, dict[str, Figure]]:
    """Keep the models which the host uses, and their program and style sheet once each.

    Parameters
    ----------
    body
        The JSON document in the media type ``application/vnd.jupyter.widget-state+json``.

    Returns
    -------
    tuple
        The reduced document, in which ``_esm`` and ``_css`` are the indices of their parts in a list ``texts`` and
        a model's recordings are one pack; and what the checks need to know of every widget, by model id.
    """
    document = json.loads(body)
    figures = {model_id: describe(model) for model_id, model in document["state"].items()}
    document["state"] = {
        model_id: model
        for model_id, model in document["state"].items()
        if figures[model_id].hosted or model["model_name"] in LINKS
    }
    models = document["state"].values()
    document["texts"] = [*share(models, "_esm", 0)]
    document["texts"] += share(models, "_css", len(document["texts"]))
    for model in models:
        pack_recordings(model)
    # A closing tag inside the JSON would end the script element which holds it.
    return json.dumps(document, separators=(",", ":")).replace("</", "<\\/"), figures


def share(models: Collection[dict[str, Any]], name: str, first: int) -> list[str]:
    """Take a text out of each model, and leave the indices of its parts, the lowest of them `first`.

    Returns
    -------
    list of str
        The beginning which all the texts have in common, then the rest of each different one.
    """
    texts = list(dict.fromkeys(model["state"][name] for model in models if model["state"].get(name)))
    together = ""
    if texts:
        low, high = min(texts), max(texts)  # what these two have in common, all between them have
        length = next((k for k, (one, other) in enumerate(zip(low, high, strict=False)) if one != other), len(low))
        together = low[:length]
    for model in models:
        if text := model["state"].get(name):
            model["state"][name] = [first, first + 1 + texts.index(text)]
    return [together, *(text.removeprefix(together) for text in texts)]


def pack_recordings(model: dict[str, Any]) -> None:
    """Move the recordings among ``model["buffers"]`` into ``model["pack"]``, all together, with their ``paths``."""
    others, paths, bodies = [], [], []
    for buffer in model.get("buffers", ()):
        data = base64.b64decode(buffer["data"])
        if data.startswith(RECORDING):
            paths.append(buffer["path"])
            bodies.append(zlib.decompress(data.removeprefix(RECORDING)))
        else:
            others.append(buffer)
    if bodies:
        model["buffers"], model["pack"] = others, {"paths": paths, **packs.pack(bodies)}


def describe(model: dict[str, Any]) -> Figure:
    """Return what the checks need to know of one model."""
    values = model["state"]
    bank = [entry["path"][1] for entry in model.get("buffers", ()) if entry["path"][0] == "bank"]
    return Figure(
        kind=model["model_name"].removesuffix("Model"),
        hosted=model["model_module"] == HOSTED,
        alt=str(values.get("alt", "")).strip(),
        figure_id=str(values.get("figure_id", "")),
        settings=dict(values.get("settings", {})),
        controls=tuple(control["name"] for control in values.get("controls", ())),
        bank=tuple(dict(parse_qsl(key, keep_blank_values=True)) for key in bank),
    )
