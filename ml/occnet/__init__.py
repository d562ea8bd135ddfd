"""Occupancy Networks (CVPR 2019, arXiv 1812.03828): a surface as the decision boundary of a network.

from ml.occnet import Decoder, OccupancyNetwork, PointEncoder, mise
network = OccupancyNetwork(PointEncoder(c_dim=512), Decoder(c_dim=512))
…                                                    # ml.occnet.train.fit
code = network.code(cloud)                           # [1, n, 3] → [1, c]
mesh = mise(network.field(code[0])).mesh()           # 32³ → 128³, marching cubes
mesh.watertight().save("chair.obj")
"""

from ml.occnet.decoder import Decoder
from ml.occnet.encoders import ImageEncoder, PointEncoder, VoxelEncoder
from ml.occnet.follow import follow
from ml.occnet.mesh import Mesh, NotWatertightError, load_mesh
from ml.occnet.mise import mise
from ml.occnet.network import OccupancyNetwork
from ml.occnet.surface import marching_cubes

__all__ = [
    "Decoder",
    "ImageEncoder",
    "Mesh",
    "NotWatertightError",
    "OccupancyNetwork",
    "PointEncoder",
    "VoxelEncoder",
    "follow",
    "load_mesh",
    "marching_cubes",
    "mise",
]
