"""nnlib measured against what one would pick instead on a CPU, as ratios: ``make bench``."""
