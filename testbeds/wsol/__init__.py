"""Networks for weakly supervised localisation: CALM, CAM, and six training methods that spread
CAM's map.

All use one backbone, a small residual network whose last block has no stride, so that an image of
64 x 64 pixels has a grid of 16 x 16.
"""
