"""A picture stands in for each interactive figure until the figure is alive."""

from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.transforms.post_transforms import SphinxPostTransform

from livepage.checks import VIEW, bundles, model_of


class ShowPosters(SphinxPostTransform):
    """Keep view and poster of one output side by side.

    myst-nb keeps one media type of each output (its ``SelectMimeType`` has priority 4). In HTML both are
    wanted: the host removes the poster when the view stands. Elsewhere (PDF, text) the poster alone is.
    """

    default_priority = 3

    def run(self, **kwargs: Any) -> None:
        """Replace the output's bundle by the element which the host fills."""
        named: set[str] = set()
        figures = NbMetadataCollector.get_doc_data(self.env)[self.env.docname].get("livepage", {})
        for bundle, media in bundles(self.document):
            if VIEW not in media or "image/png" not in media:
                continue
            posters = list(media["image/png"].findall(nodes.image))
            figure = figures.get(model_of(media[VIEW]))
            for poster in posters:
                if figure is not None and figure.alt:
                    poster["alt"] = figure.alt
                poster["classes"].append("livepage-poster")
            if self.app.builder.format != "html":
                bundle.replace_self(posters)
                continue
            place = nodes.container(classes=["livepage-figure"])
            if figure is not None and figure.figure_id and figure.figure_id not in named:
                named.add(figure.figure_id)
                place["ids"] = [figure.figure_id]
            place += [*media[VIEW].children, *posters]
            bundle.replace_self(place)
