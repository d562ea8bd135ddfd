"""SDD-FIQA: unsupervised face quality from similarity distributions (Ou et al., CVPR 2021)."""
