"""GraphNorm (Cai et al., ICML 2021, arXiv 2009.03294): normalisation of graph networks with a learnable shift.

    from ml.graphnorm import GraphNorm
    layer = GraphNorm(64)
    h = layer(h, graph, counts)           # [nodes, 64]; the graph of each node; nodes of each graph

Needs torch only. Networks, batches, cross-validation and the hand-over to integer hardware are in the modules beside.
"""

from ml.graphnorm.graphs import Batch, GraphSet
from ml.graphnorm.models import GraphNetwork
from ml.graphnorm.norms import GraphNorm, norm
from ml.graphnorm.train import Recipe, fit

__all__ = ["Batch", "GraphNetwork", "GraphNorm", "GraphSet", "Recipe", "fit", "norm"]
